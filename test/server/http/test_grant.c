/* test_grant - signed addresses of pictures. */
#include "server/http/grant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#define ONE "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define TWO "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const uint8_t SECRET[GRANT_SECRET_BYTES] = {7}, OTHER[GRANT_SECRET_BYTES] = {8};

static bool good(const uint8_t *secret, const char *digest, const char *query, int64_t now)
{
    uint32_t user = 0;
    bool read = grant_read(secret, digest, query, now, &user);

    assert_true(!read || user == 17);
    return read;
}

/* catches: an address that shows another picture, or goes on behind its end */
static void one_picture_for_a_time(void **state)
{
    char text[GRANT_TEXT];

    (void)state;
    grant_write(SECRET, 17, ONE, 1000, text);
    assert_int_equal(*text, '?');
    assert_true(good(SECRET, ONE, text + 1, 999));
    assert_false(good(SECRET, ONE, text + 1, 1000));
    assert_false(good(SECRET, TWO, text + 1, 999));
    assert_false(good(OTHER, ONE, text + 1, 999));
}

/* catches: a byte of the query that may be changed; a part that may be left out */
static void every_byte_counts(void **state)
{
    char text[GRANT_TEXT], changed[GRANT_TEXT];

    (void)state;
    grant_write(SECRET, 17, ONE, 1000, text);
    for (size_t i = 1; text[i]; i++) {
        memcpy(changed, text, sizeof text);
        changed[i] = text[i] == '2' ? '3' : '2';
        if (good(SECRET, ONE, changed + 1, 1)) fail_msg("%s", changed);
        memcpy(changed, text, sizeof text);
        changed[i] = 0;
        if (good(SECRET, ONE, changed + 1, 1)) fail_msg("%s", changed);
    }
    assert_false(good(SECRET, ONE, "", 1));
    assert_false(good(SECRET, ONE, "until=1000&by=17&key=", 1));
    assert_false(good(SECRET, ONE, "until=99999999999999999999&by=17&key=0", 1));
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(one_picture_for_a_time),
        cmocka_unit_test(every_byte_counts),
    };

    return sodium_init() < 0 || cmocka_run_group_tests(all, NULL, NULL);
}
