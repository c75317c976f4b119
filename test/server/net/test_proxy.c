/* test_proxy - what is believed of a proxy, and of nobody else; paths below a base. */
#include "server/net/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct head head;

static struct address at(const char *host)
{
    struct address a;

    assert_int_equal(address_parse(host, 0, &a, NULL), 0);
    return a;
}

static void parse(const char *lines)
{
    static char bytes[4096];
    struct fail f;
    int n = snprintf(bytes, sizeof bytes, "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n", lines);

    if (head_parse(&head, bytes, (size_t)n, &f)) fail_msg("%s: %s", lines, f.message);
}

static struct proxied read_from(const char *peer, bool trust, const char *lines)
{
    struct address from = at(peer);
    struct proxied p;

    parse(lines);
    proxy_read(&head, &from, trust, &p);
    return p;
}

#define ALL                                                              \
    "X-Forwarded-User: ada\r\nX-Forwarded-For: 1.2.3.4, 203.0.113.9\r\n" \
    "X-Forwarded-Proto: HTTPS\r\n"

/* catches: a stranger, or any program without --trust-proxy, that names itself */
static void nobody_else_is_believed(void **state)
{
    const struct {
        const char *peer;
        bool trust, believed;
    } cases[] = {{"127.0.0.1", true, true},    {"::1", true, true},
                 {"127.0.0.1", false, false},  {"10.0.0.1", true, false},
                 {"2001:db8::1", true, false}, {"10.0.0.1", false, false}};
    struct address socket = {.len = sizeof(sa_family_t)};
    struct proxied p;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct address peer = at(cases[i].peer), client = at("203.0.113.9");

        p = read_from(cases[i].peer, cases[i].trust, ALL);
        assert_string_equal(p.user, cases[i].believed ? "ada" : "");
        assert_int_equal(p.secure, cases[i].believed);
        assert_true(address_same_host(&p.from, cases[i].believed ? &client : &peer));
    }
    socket.at.ss_family = AF_UNIX;
    parse(ALL);
    proxy_read(&head, &socket, true, &p);
    assert_string_equal(p.user, "ada");
}

/* catches: an address that the client has put before our proxy's, or that is none */
static void the_last_address_counts(void **state)
{
    const struct {
        const char *lines, *from;
    } cases[] = {
        {"X-Forwarded-For: 1.1.1.1\r\n", "1.1.1.1"},
        {"X-Forwarded-For: 1.1.1.1,2.2.2.2\r\n", "2.2.2.2"},
        {"X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 3.3.3.3\r\n", "3.3.3.3"},
        {"X-Forwarded-For: 1.1.1.1:8080\r\n", "1.1.1.1"},
        {"X-Forwarded-For: [2001:db8::1]:80\r\n", "2001:db8::1"},
        {"X-Forwarded-For: 2001:db8::2\r\n", "2001:db8::2"},
        {"X-Forwarded-For: 1.1.1.1, unknown\r\n", "127.0.0.1"},
        {"X-Forwarded-For: 1.1.1.1,\r\n", "127.0.0.1"},
        {"X-Forwarded-For: [1\r\n", "127.0.0.1"},
        {"", "127.0.0.1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct proxied p = read_from("127.0.0.1", true, cases[i].lines);
        struct address from = at(cases[i].from);

        if (!address_same_host(&p.from, &from)) fail_msg("%s", cases[i].lines);
    }
    assert_false(read_from("::1", true, "X-Forwarded-Proto: https, http\r\n").secure);
    assert_true(read_from("::1", true, "X-Forwarded-Proto: http, https\r\n").secure);
}

/* catches: a program of this machine that is taken for a proxy's client, and the other way round */
static void what_came_through(void **state)
{
    (void)state;
    parse("");
    assert_false(proxy_passed(&head));
    parse("X-Forwarded-Host: a\r\n");
    assert_true(proxy_passed(&head));
    parse("Via: 1.1 a\r\n");
    assert_true(proxy_passed(&head));
    parse("X-Real-IP: 1.1.1.1\r\n");
    assert_true(proxy_passed(&head));
}

/* catches: a base that browsers read in another way, a path that is cut at half a name */
static void bases(void **state)
{
    const char *bad[] = {"", "lab/", "/lab", "lab", "//", "/a//b/", "/../", "/a b/", "/a;/", "/./"};
    struct fail f;

    (void)state;
    assert_int_equal(proxy_base("/", &f), 0);
    assert_int_equal(proxy_base("/lab/", &f), 0);
    assert_int_equal(proxy_base("/a/b-1/", &f), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (!proxy_base(bad[i], &f)) fail_msg("%s is taken", bad[i]);
    assert_string_equal(proxy_below("/", "/app.js"), "/app.js");
    assert_string_equal(proxy_below("/lab/", "/lab/app.js"), "/app.js");
    assert_string_equal(proxy_below("/lab/", "/lab/"), "/");
    assert_string_equal(proxy_below("/lab/", "/lab"), "/");
    assert_string_equal(proxy_below("/lab/", "/labour"), "/labour");
    assert_string_equal(proxy_below("/lab/", "/app.js"), "/app.js");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_else_is_believed), cmocka_unit_test(the_last_address_counts),
        cmocka_unit_test(what_came_through), cmocka_unit_test(bases)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
