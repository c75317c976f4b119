/* grant - a keyed hash over "picture", the user, the time and the digest. */
#include "server/http/grant.h"

#include "server/http/query.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { MAC_BYTES = 32, MAC_TEXT = 2 * MAC_BYTES + 1 };

/* Of another form than what the cookie signs with the same secret (auth.c). */
static void sign(const uint8_t secret[GRANT_SECRET_BYTES], uint32_t user, const char *digest,
                 int64_t until_s, char out[MAC_TEXT])
{
    uint8_t mac[MAC_BYTES];
    char text[160];
    int n =
        snprintf(text, sizeof text, "picture %" PRIu32 " %" PRId64 " %.64s", user, until_s, digest);

    crypto_generichash(mac, sizeof mac, (const uint8_t *)text, (unsigned long long)n, secret,
                       GRANT_SECRET_BYTES);
    sodium_bin2hex(out, MAC_TEXT, mac, sizeof mac);
}

void grant_write(const uint8_t secret[GRANT_SECRET_BYTES], uint32_t user, const char *digest,
                 int64_t until_s, char out[GRANT_TEXT])
{
    char key[MAC_TEXT];

    sign(secret, user, digest, until_s, key);
    snprintf(out, GRANT_TEXT, "?until=%" PRId64 "&by=%" PRIu32 "&key=%s", until_s, user, key);
}

bool grant_read(const uint8_t secret[GRANT_SECRET_BYTES], const char *digest, const char *query,
                int64_t now_s, uint32_t *user)
{
    char key[MAC_TEXT], want[MAC_TEXT];
    int64_t until_s, by;

    if (query_whole(query, "until", 1, INT64_MAX, 0, &until_s, NULL) || until_s <= now_s)
        return false;
    if (query_whole(query, "by", 1, UINT32_MAX, 0, &by, NULL) || !by) return false;
    if (!query_value(query, "key", key, sizeof key) || strlen(key) != MAC_TEXT - 1) return false;
    sign(secret, (uint32_t)by, digest, until_s, want);
    if (sodium_memcmp(key, want, sizeof want) != 0) return false;
    *user = (uint32_t)by;
    return true;
}
