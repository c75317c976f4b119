/* test_id - job ids to and from text. */
#include "proto/id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* catches: lost leading zeros, a sign bit that turns into a minus */
static void text_and_back(void **state)
{
    const uint64_t ids[] = {1, 0x19b76da0001, UINT64_C(1) << 63, UINT64_MAX};
    char hex[ID_TEXT];

    (void)state;
    for (int i = 0; i < 4; i++) {
        uint64_t back = 0;

        id_format(ids[i], hex);
        assert_true(id_parse(hex, &back));
        assert_int_equal(back, ids[i]);
    }
    id_format(0x19b76da0001, hex);
    assert_string_equal(hex, "0000019b76da0001");
}

/* catches: two names for one job, or a name for none */
static void only_one_form(void **state)
{
    const char *bad[] = {"",
                         "1",
                         "0000019B76DA0001",
                         "0000019b76da000",
                         "0000019b76da00011",
                         "0000000000000000",
                         " 000019b76da0001",
                         "+000019b76da0001"};

    (void)state;
    for (int i = 0; i < 8; i++) {
        uint64_t out = 77;

        assert_false(id_parse(bad[i], &out));
        assert_int_equal(out, 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_and_back),
        cmocka_unit_test(only_one_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
