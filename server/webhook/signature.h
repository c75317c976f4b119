/* signature - what tells a receiver that a webhook is this server's and when it was sent.
 *
 *   webhook-signature: v1,BASE64(HMAC-SHA256(secret, ID "." TIME "." BODY))
 *
 * Source: Standard Webhooks 1.0.0. The secret is written as whsec_ and its base64; it has 24 to 64
 * bytes. Thread: any, no state. */
#ifndef SERVER_WEBHOOK_SIGNATURE_H
#define SERVER_WEBHOOK_SIGNATURE_H

#include "proto/fail.h"

#include <stddef.h>
#include <stdint.h>

enum { SECRET_BYTES_MIN = 24, SECRET_BYTES_MAX = 64, SIGNATURE_TEXT = 64 };

struct webhook_secret {
    uint8_t at[SECRET_BYTES_MAX];
    size_t n;
};

/* ERR_USAGE; the text itself is not repeated in f. */
int signature_secret(const char *text, struct webhook_secret *out, struct fail *f);
/* With its `v1,` and a NUL. */
void signature_make(const struct webhook_secret *, const char *id, int64_t time_s, const char *body,
                    char out[SIGNATURE_TEXT]);

#endif
