/* test_token - tokens have one shape, typing errors are seen, and no two are alike. */
#include "server/store/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* catches: an alphabet, an order of digits or a sum that scanners of old tokens do not know */
static void the_form_stays(void **state)
{
    static const uint8_t zero[32], one[32] = {[31] = 1};
    uint8_t most[32];
    char token[TOKEN_TEXT];

    (void)state;
    token_format(zero, token);
    assert_string_equal(token, "dr_00000000000000000000000000000000000000000001jSjkR");
    token_format(one, token);
    assert_string_equal(token, "dr_00000000000000000000000000000000000000000010lGtnh");
    memset(most, 0xff, sizeof most); /* the largest number needs every digit */
    token_format(most, token);
    assert_string_equal(token, "dr_yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp14UMdn9");
    assert_int_equal(strlen(token), TOKEN_LENGTH);
}

/* catches: a shared job's secret that passes for a user's token, or the reverse */
static void a_shared_jobs_secret_is_no_users(void **state)
{
    char user[TOKEN_TEXT], shared[TOKEN_SHARED_TEXT];

    (void)state;
    token_make(user);
    token_make_shared(shared);
    assert_int_equal(strlen(shared), TOKEN_SHARED_LENGTH);
    assert_memory_equal(shared, "drs_", 4);
    assert_true(token_formed_shared(shared, TOKEN_SHARED_LENGTH));
    assert_false(token_formed_shared(shared, TOKEN_SHARED_LENGTH - 1));
    assert_false(token_formed(shared, TOKEN_SHARED_LENGTH));
    assert_false(token_formed_shared(user, TOKEN_LENGTH));
    shared[9] = shared[9] == 'a' ? 'b' : 'a';
    assert_false(token_formed_shared(shared, TOKEN_SHARED_LENGTH));
}

/* catches: a mistyped token that is taken for a wrong one */
static void typing_errors_are_seen(void **state)
{
    char token[TOKEN_TEXT + 1] = "";

    (void)state;
    token_make(token);
    assert_true(token_formed(token, TOKEN_LENGTH));
    assert_false(token_formed(token, TOKEN_LENGTH - 1));
    assert_false(token_formed(token, TOKEN_LENGTH + 1));
    assert_false(token_formed("", 0));
    for (size_t i = 0; i < TOKEN_LENGTH; i++) {
        char was = token[i];
        const char others[] = {was == 'a' ? 'b' : 'a', '\0', ' ', '-', (char)0xc3};

        for (size_t k = 0; k < sizeof others; k++) {
            token[i] = others[k];
            assert_false(token_formed(token, TOKEN_LENGTH));
        }
        token[i] = was;
    }
    for (size_t i = 3; i + 1 < TOKEN_LENGTH; i++) { /* two neighbours in the wrong order */
        char was = token[i];

        if (was == token[i + 1]) continue;
        token[i] = token[i + 1];
        token[i + 1] = was;
        assert_false(token_formed(token, TOKEN_LENGTH));
        token[i + 1] = token[i];
        token[i] = was;
    }
}

/* catches: random numbers that repeat, a hash that ignores a part of the token */
static void each_is_another(void **state)
{
    static char seen[200][TOKEN_TEXT];
    uint8_t a[TOKEN_HASH_BYTES], b[TOKEN_HASH_BYTES];

    (void)state;
    for (int i = 0; i < 200; i++) {
        token_make(seen[i]);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(seen[i], seen[k]);
    }
    token_hash(seen[0], TOKEN_LENGTH, a);
    for (size_t i = 0; i < TOKEN_LENGTH; i++) {
        seen[0][i] ^= 1;
        token_hash(seen[0], TOKEN_LENGTH, b);
        assert_memory_not_equal(a, b, sizeof a);
        seen[0][i] ^= 1;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_form_stays), cmocka_unit_test(a_shared_jobs_secret_is_no_users),
        cmocka_unit_test(typing_errors_are_seen), cmocka_unit_test(each_is_another)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
