/* signature - HMAC-SHA256 of libsodium. */
#include "server/webhook/signature.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

int signature_secret(const char *text, struct webhook_secret *out, struct fail *f)
{
    static const char prefix[] = "whsec_";
    const size_t skip = sizeof prefix - 1;

    if (strncmp(text, prefix, skip) == 0
        && sodium_base642bin(out->at, sizeof out->at, text + skip, strlen(text + skip), NULL,
                             &out->n, NULL, sodium_base64_VARIANT_ORIGINAL)
               == 0
        && out->n >= SECRET_BYTES_MIN)
        return 0;
    fail_set(f, ERR_USAGE, "--webhook-secret is not whsec_ and the base64 of %d to %d bytes.",
             SECRET_BYTES_MIN, SECRET_BYTES_MAX);
    return fail_advise(f, "Make one with: echo whsec_$(head -c 32 /dev/urandom | base64)");
}

void signature_make(const struct webhook_secret *secret, const char *id, int64_t time_s,
                    const char *body, char out[SIGNATURE_TEXT])
{
    crypto_auth_hmacsha256_state s;
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    char head[128];
    int n = snprintf(head, sizeof head, "%s.%" PRId64 ".", id, time_s);

    crypto_auth_hmacsha256_init(&s, secret->at, secret->n);
    crypto_auth_hmacsha256_update(&s, (const uint8_t *)head, (unsigned long long)n);
    crypto_auth_hmacsha256_update(&s, (const uint8_t *)body, strlen(body));
    crypto_auth_hmacsha256_final(&s, mac);
    memcpy(out, "v1,", 3);
    sodium_bin2base64(out + 3, SIGNATURE_TEXT - 3, mac, sizeof mac, sodium_base64_VARIANT_ORIGINAL);
}
