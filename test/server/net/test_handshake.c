/* test_handshake - one header wrong at a time: each must be refused, with the right status. */
#include "server/net/handshake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct handshake_rules LOCAL = {"127.0.0.1", NULL, false, NULL};
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
    struct fail f;
    struct handshake old;

    (void)state;
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
    old = GOOD;
    old.old = true;
    assert_int_equal(handshake_check(&LOCAL, &old, &f), 400);
    assert_string_equal(f.field, "Upgrade");
    assert_int_equal(WITH(method, "get"), 400);
}

/* catches: a refusal that does not help behind a proxy */
static void causes(void **state)
{
    struct handshake s = GOOD;
    struct fail f;

    (void)state;
    s.host = "pictures.example.org";
    assert_int_equal(handshake_check(&LOCAL, &s, &f), 403);
    assert_string_equal(f.field, "Host");
    assert_non_null(strstr(f.message, "pictures.example.org"));
    assert_non_null(strstr(f.hint, "--origins https://pictures.example.org"));
    s = GOOD;
    s.origin = "https://pictures.example.org";
    assert_int_equal(handshake_check(&LOCAL, &s, &f), 403);
    assert_string_equal(f.field, "Origin");
    assert_non_null(strstr(f.message, "https://pictures.example.org"));
    assert_non_null(strstr(f.hint, "Host"));
    assert_non_null(strstr(f.hint, "--origins https://pictures.example.org"));
    handshake_missing(false, &f);
    assert_string_equal(f.field, "Upgrade");
    assert_non_null(strstr(f.hint, "Upgrade and Connection"));
}

/* catches: DNS rebinding, names that only begin or end like an allowed one */
static void hosts(void **state)
{
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

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!handshake_host(&LOCAL, good[i])) fail_msg("%s was refused", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (handshake_host(&LOCAL, bad[i])) fail_msg("%s was let in", bad[i]);
}

/* catches: with --open, another name that DNS points here (rebinding);
 * a name of ours refused */
static void open_hosts(void **state)
{
    const struct handshake_rules open = {"0.0.0.0", "https://a.example, http://b.example:81", true,
                                         "Box"};
    const struct handshake_rules full = {"0.0.0.0", NULL, true, "box.example.org"};
    const char *good[] = {"10.0.0.5", "10.0.0.5:80",   "[fe80::1]:7860", "localhost",
                          "box:7860", "box.local:786", "a.example",      "b.example:81",
                          "otherbox", "BOX.LOCAL"};
    const char *bad[] = {"",          "evil.example", "10.0.0.5.nip.io",    "box.evil.example",
                         "b.example", "a.example:81", "xbox.local.example", "box.locals",
                         "1.2.3.4.5"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!handshake_host(&open, good[i])) fail_msg("%s was refused", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (handshake_host(&open, bad[i])) fail_msg("%s was let in", bad[i]);
    assert_true(handshake_host(&full, "box.example.org:1"));
    assert_false(handshake_host(&full, "example.org"));
}

/* catches: an item of --origins that no browser ever sends, taken without an error */
static void origin_lists(void **state)
{
    const char *good[] = {"",
                          "https://a.example",
                          "http://b.example:8080,https://[::1]:1",
                          "http://box",
                          " https://a.example , https://b.example ",
                          "http://a.example:443",
                          "https://A.example",
                          "https://a_b.example.",
                          "http://127.0.0.1:65535",
                          "http://1.2.3.4.example",
                          "http://[fe80::1]:8080",
                          "http://[::FFFF:102:304]"};
    const char *bad[] = {"*",
                         "a.example",
                         "https://a.example/",
                         "https://*.a.example",
                         "https://",
                         "http://a.example:80",
                         "https://a.example:443",
                         "https://a.example:",
                         "https://a.example:x",
                         "ftp://a.example",
                         "HTTPS://a.example",
                         "https://a b",
                         "https://ok.example, null",
                         "https://a.example/x",
                         "http://a.example:8o",
                         "https://a.example:65536",
                         "https://a.example:123456",
                         "https://a.example:0",
                         "http://a.example:080",
                         "http://[::1]:08",
                         "http://[::1]:",
                         "https://user@a.example",
                         "https://\xc3\xbc.example",
                         "https://%61.example",
                         "https://a\\b",
                         "https://a..example",
                         "https://.example",
                         "http://127.1",
                         "http://127.0.0.01",
                         "http://300.0.0.1",
                         "http://[::0001]",
                         "http://[0:0:0:0:0:0:0:1]",
                         "http://[::ffff:1.2.3.4]",
                         "http://[fe80::1%eth0]",
                         "http://[a]"};
    struct fail f;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (handshake_origins(good[i], &f)) fail_msg("%s was refused: %s", good[i], f.message);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (handshake_origins(bad[i], &f) != ERR_USAGE) fail_msg("%s was taken", bad[i]);
    assert_int_equal(handshake_origins(NULL, &f), 0);
}

/* catches: an item that is too long, quoted as '' */
static void long_origin(void **state)
{
    char wide[400] = "";
    struct fail f;

    (void)state;
    memset(wide, 'a', sizeof wide - 1);
    memcpy(wide, "https://", 8);
    assert_int_equal(handshake_origins(wide, &f), ERR_USAGE);
    assert_non_null(strstr(f.message, "'https://aaaa"));
    assert_non_null(strstr(f.message, "it is too long"));
}

/* catches: a listed origin that is not let in, or lets others in */
static void listed_origins(void **state)
{
    struct handshake_rules g = {"127.0.0.1", "https://a.example, http://b.example:8080", false,
                                NULL};

    (void)state;
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
        cmocka_unit_test(handshakes),     cmocka_unit_test(causes),
        cmocka_unit_test(hosts),          cmocka_unit_test(open_hosts),
        cmocka_unit_test(origin_lists),   cmocka_unit_test(long_origin),
        cmocka_unit_test(listed_origins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
