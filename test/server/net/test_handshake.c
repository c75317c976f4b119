/* test_handshake - one header wrong at a time: each must be refused, with the right status. */
#include "server/net/handshake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct handshake_rules LOCAL = {"127.0.0.1", NULL, false};
static const struct handshake GOOD = {
    .method = "GET",
    .path = "/ws",
    .upgrade = "websocket",
    .connection = "keep-alive, Upgrade",
    .version = "13",
    .key = "dGhlIHNhbXBsZSBub25jZQ==",
    .protocols = "darkroom.v1",
    .host = "127.0.0.1:7860",
    .origin = "http://127.0.0.1:7860",
};

static int with(size_t offset, const char *value)
{
    struct handshake s = GOOD;
    struct fail f;
    memcpy((char *)&s + offset, &value, sizeof value);
    return handshake_check(&LOCAL, &s, &f);
}
#define WITH(member, value) with(offsetof(struct handshake, member), value)

/* catches: what libwebsockets would upgrade */
static void handshakes(void **state)
{
    (void)state;
    struct fail f;
    assert_int_equal(handshake_check(&LOCAL, &GOOD, &f), 0);
    assert_int_equal(WITH(upgrade, "WebSocket"), 0);
    assert_int_equal(WITH(protocols, "other, darkroom.v1"), 0);
    assert_int_equal(WITH(origin, ""), 0);
    assert_int_equal(WITH(host, "localhost:9"), 403); /* differs from Origin */
    assert_int_equal(WITH(method, "other"), 400);
    assert_int_equal(WITH(path, "/"), 404);
    assert_int_equal(WITH(path, "/ws/"), 404);
    assert_int_equal(WITH(upgrade, "h2c"), 400);
    assert_int_equal(WITH(upgrade, ""), 400);
    assert_int_equal(WITH(connection, "keep-alive"), 400);
    assert_int_equal(WITH(version, "8"), 400);
    assert_int_equal(WITH(version, ""), 400);
    assert_int_equal(WITH(version, "13 "), 400);
    assert_int_equal(WITH(key, "abc"), 400);
    assert_int_equal(WITH(key, "dGhlIHNhbXBsZSBub25jZQ=A"), 400);
    assert_int_equal(WITH(key, "dGhlIHNhb!BsZSBub25jZQ=="), 400);
    assert_int_equal(WITH(protocols, ""), 400);
    assert_int_equal(WITH(protocols, "darkroom.v11"), 400);
    assert_int_equal(WITH(protocols, "DARKROOM.V1"), 400);
    assert_int_equal(WITH(protocols, "darkroom-listen, darkroom.v1"), 400);
    assert_int_equal(WITH(origin, "null"), 403);
    assert_int_equal(WITH(origin, "http://evil.example"), 403);
    assert_int_equal(WITH(origin, "http://127.0.0.1:7861"), 403);
    assert_int_equal(WITH(origin, "http://127.0.0.1:78600"), 403);
    assert_int_equal(WITH(origin, "127.0.0.1:7860"), 403);
    assert_int_equal(WITH(host, ""), 403);
}

/* catches: DNS rebinding, names that only begin or end like an allowed one */
static void hosts(void **state)
{
    (void)state;
    const char *good[] = {"127.0.0.1", "127.0.0.1:1", "localhost:7860", "LOCALHOST", "[::1]:7860"};
    const char *bad[] = {"",
                         "evil.example",
                         "localhost.evil.example",
                         "127.0.0.1.nip.io",
                         "[::1",
                         "127.0.0.1:7860x",
                         "127.0.0.1:80:80",
                         "[::1]x",
                         "10.0.0.1",
                         "localhost@evil:80",
                         ":7860"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!handshake_host(&LOCAL, good[i])) fail_msg("%s was refused", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (handshake_host(&LOCAL, bad[i])) fail_msg("%s was let in", bad[i]);
    struct handshake_rules open = {"0.0.0.0", NULL, true};
    assert_true(handshake_host(&open, "any.example:80"));
    assert_false(handshake_host(&open, ""));
}

/* catches: a listed origin that is not let in, or lets others in */
static void listed_origins(void **state)
{
    (void)state;
    struct handshake_rules g = {"127.0.0.1", "https://a.example, http://b.example:8080", false};
    assert_true(handshake_origin(&g, "https://a.example", "127.0.0.1:7860"));
    assert_true(handshake_origin(&g, "http://b.example:8080", "127.0.0.1:7860"));
    assert_false(handshake_origin(&g, "http://a.example", "127.0.0.1:7860"));
    assert_false(handshake_origin(&g, "http://b.example", "127.0.0.1:7860"));
    assert_true(handshake_host(&g, "a.example"));
    assert_false(handshake_host(&g, "c.example"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshakes),
        cmocka_unit_test(hosts),
        cmocka_unit_test(listed_origins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
