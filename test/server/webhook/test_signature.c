/* test_signature - the published example of Standard Webhooks, and secrets that are none. */
#include "server/webhook/signature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* catches: a signature that the receivers' libraries refuse (this one is from their tests) */
static void example(void **state)
{
    struct webhook_secret secret;
    char out[SIGNATURE_TEXT];
    struct fail f;

    (void)state;
    assert_int_equal(signature_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", &secret, &f), 0);
    signature_make(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, "{\"test\": 2432232314}",
                   out);
    assert_string_equal(out, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

/* catches: a secret that is short or cut off, taken; one that stands in the message */
static void secrets(void **state)
{
    static const char *const bad[] = {"", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                                      "whsec_MfKQ9r8GKYqrTwjU",
                                      "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2La*"};
    struct webhook_secret secret;
    struct fail f;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (signature_secret(bad[i], &secret, &f) != ERR_USAGE) fail_msg("%s was taken", bad[i]);
        assert_null(strstr(f.message, "MfKQ"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(example), cmocka_unit_test(secrets)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
