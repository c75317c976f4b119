/* test_hosts - lists and addresses: whatever is not listed, or leads into a private network, is
 * refused. */
#include "server/webhook/hosts.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char LIST[] = "hooks.example.org,build.lan:8080:private,10.0.0.5:9000,[fd00::1]:81";

/* catches: an item that can never match, taken without an error */
static void lists(void **state)
{
    static const char *const bad[] = {
        "http://a.example", "a.example/b",    "a b", ",", "a.example:x",
        "u@a.example",      "a.example:0x50", "a?b"};
    struct fail f;

    (void)state;
    assert_int_equal(hosts_check(LIST, &f), 0);
    assert_int_equal(hosts_check(NULL, &f), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (hosts_check(bad[i], &f) != ERR_USAGE) fail_msg("%s was taken", bad[i]);
}

/* catches: an address that is posted to though its host, or port, is not listed; a mark that is
 * another host's */
static void addresses(void **state)
{
    static const struct {
        const char *url;
        bool private;
    } good[] = {{"https://hooks.example.org/x?y=1", false},
                {"http://hooks.example.org", false},
                {"https://HOOKS.example.org:443/", false},
                {"http://build.lan:8080/", true},
                {"http://10.0.0.5:9000/", true},
                {"http://[fd00::1]:81/", true}};
    static const char *const bad[] = {"https://hooks.example.org:8443/",
                                      "http://build.lan/",
                                      "http://10.0.0.5/",
                                      "https://evil.example/",
                                      "https://hooks.example.org.evil.example/",
                                      "https://hooks.example.org@evil.example/",
                                      "https://a:b@hooks.example.org/",
                                      "https://evil.example#hooks.example.org",
                                      "https://hooks.example.org/#a",
                                      "file:///etc/passwd",
                                      "ftp://hooks.example.org/",
                                      "hooks.example.org/",
                                      "http://evil.example\\@hooks.example.org/",
                                      "gopher://10.0.0.5:9000/",
                                      "http://167772165:9001/",
                                      "https://",
                                      "http://127.0.0.1/",
                                      "http://169.254.169.254/"};
    struct fail f;
    bool private;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (hosts_allow(LIST, good[i].url, &private, &f))
            fail_msg("%s: %s", good[i].url, f.message);
        assert_int_equal(private, good[i].private);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (hosts_allow(LIST, bad[i], &private, &f) != ERR_BAD_FIELD)
            fail_msg("%s was taken", bad[i]);
        assert_string_equal(f.field, "webhook");
    }
    assert_int_equal(hosts_allow(NULL, good[0].url, &private, &f), ERR_BAD_FIELD);
}

static bool is_public(const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return hosts_public((const struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return hosts_public((const struct sockaddr *)&v6);
}

/* catches: a private range that is taken for public, a public neighbour that is not */
static void ranges(void **state)
{
    static const char *const private[] = {"0.0.0.0",
                                          "10.255.255.255",
                                          "100.64.0.1",
                                          "100.127.255.255",
                                          "127.0.0.1",
                                          "169.254.169.254",
                                          "172.16.0.1",
                                          "172.31.255.255",
                                          "192.168.1.1",
                                          "198.19.0.1",
                                          "224.0.0.1",
                                          "240.0.0.1",
                                          "255.255.255.255",
                                          "192.0.2.1",
                                          "203.0.113.9",
                                          "::",
                                          "::1",
                                          "fe80::1",
                                          "fd00::1",
                                          "ff02::1",
                                          "::ffff:10.0.0.1",
                                          "::ffff:8.8.8.8",
                                          "64:ff9b::a00:1",
                                          "2002:a00:1::",
                                          "2001::1",
                                          "2001:db8::1",
                                          "::7f00:1"};
    static const char *const public[] = {"1.1.1.1",    "9.255.255.255",  "11.0.0.0",
                                         "100.63.0.1", "100.128.0.0",    "172.15.255.255",
                                         "172.32.0.0", "192.167.0.1",    "223.255.255.255",
                                         "2600::1",    "2a00:1450::200e"};

    (void)state;
    for (size_t i = 0; i < sizeof private / sizeof *private; i++)
        if (is_public(private[i])) fail_msg("%s counts as public", private[i]);
    for (size_t i = 0; i < sizeof public / sizeof *public; i++)
        if (!is_public(public[i])) fail_msg("%s counts as private", public[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lists), cmocka_unit_test(addresses),
                                       cmocka_unit_test(ranges)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
