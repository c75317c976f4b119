/* test_url - a picture's address there and back, and nothing that only looks like one. */
#include "proto/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

/* catches: a writer and a reader that disagree */
static void there_and_back(void **state)
{
    char url[URL_TEXT], digest[URL_DIGEST];

    (void)state;
    url_picture(HEX, url);
    assert_string_equal(url, "/i/" HEX ".png");
    assert_true(url_picture_parse(url, digest));
    assert_string_equal(digest, HEX);
}

/* catches: a second address of one picture, a path that leaves the folder */
static void only_one_form(void **state)
{
    static const char *const bad[] = {"",
                                      "/i/",
                                      "/i/" HEX,
                                      "/i/" HEX ".pngx",
                                      "/i/" HEX ".PNG",
                                      "/i/" HEX "0.png",
                                      "/i//" HEX ".png",
                                      "/j/" HEX ".png",
                                      "/i/../darkroom.db",
                                      "/i/0011.png",
                                      "/i/A0112233445566778899aabbccddeeff"
                                      "00112233445566778899aabbccddeeff.png"};
    char digest[URL_DIGEST] = "untouched";

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (url_picture_parse(bad[i], digest)) fail_msg("%s was taken", bad[i]);
    assert_string_equal(digest, "untouched");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(only_one_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
