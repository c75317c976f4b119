/* test_multipart - forms with files: what is read, and what is cut short or made to be misread. */
#include "server/http/multipart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char TYPE[] = "multipart/form-data; boundary=xx";
static const char FORM[] =
    "--xx\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\nat night\r\n"
    "--xx\r\ncontent-disposition: form-data; name=\"image\"; filename=\"a.png\"\r\n"
    "Content-Type: image/png\r\n\r\n\x89PNG\r\n--x\r\n\r\n"
    "--xx\r\nContent-Disposition: form-data; name=\"empty\"\r\n\r\n\r\n--xx--\r\n";

static void expect_part(struct multipart *m, const char *name, bool file, const char *value)
{
    struct multipart_part p;
    struct fail f;

    assert_int_equal(multipart_next(m, &p, &f), 1);
    assert_string_equal(p.name, name);
    assert_int_equal(p.file, file);
    assert_int_equal(p.len, strlen(value));
    assert_memory_equal(p.value, value, p.len);
}

/* catches: a part that is lost, cut, or ends at what only looks like a boundary */
static void parts(void **state)
{
    struct multipart m;
    struct multipart_part p;
    struct fail f;

    (void)state;
    assert_true(multipart_begin(&m, TYPE, FORM, sizeof FORM - 1));
    expect_part(&m, "prompt", false, "at night");
    expect_part(&m, "image", true, "\x89PNG\r\n--x\r\n");
    expect_part(&m, "empty", false, "");
    assert_int_equal(multipart_next(&m, &p, &f), 0);
    assert_true(multipart_begin(&m, "Multipart/Form-Data; charset=x; boundary=\"xx\"", FORM,
                                sizeof FORM - 1));
    expect_part(&m, "prompt", false, "at night");
}

/* catches: reading beyond a body that was cut anywhere (under ASan), or taking it for whole */
static void every_prefix(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof FORM - 4; n++) {
        char *exact = malloc(n ? n : 1);
        struct multipart m;
        struct multipart_part p;
        struct fail f;
        int got;

        assert_non_null(exact);
        memcpy(exact, FORM, n);
        assert_true(multipart_begin(&m, TYPE, exact, n));
        while ((got = multipart_next(&m, &p, &f)) == 1)
            assert_true(p.value >= exact && p.value + p.len <= exact + n);
        assert_int_equal(got, ERR_BAD_REQUEST);
        free(exact);
    }
}

/* catches: a boundary that is none, or longer than RFC 2046 allows */
static void types(void **state)
{
    static const char *const wrong[] = {
        "application/json", "multipart/form-data", "multipart/form-data; boundary=",
        "multipart/form-data; boundary="
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    struct multipart m;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(multipart_begin(&m, wrong[i], FORM, sizeof FORM - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts),
        cmocka_unit_test(every_prefix),
        cmocka_unit_test(types),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
