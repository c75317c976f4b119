/* grant - the address of one picture for who has no token, until a time.
 *
 * Clients of OpenAI's API that asked for an address fetch it without their key, in a browser or a
 * program of its own. The address is signed: behind it stand the user by whose right it is seen,
 * when that ends, and a hash of both and the picture's digest with the server's secret.
 *   /i/DIGEST.png?until=1795950354&by=17&key=64 hex digits
 * It shows that picture and no other, as long as its user may see it. Thread: any, no state. */
#ifndef SERVER_HTTP_GRANT_H
#define SERVER_HTTP_GRANT_H

#include <stdbool.h>
#include <stdint.h>

#define GRANT_SECRET_BYTES 32
#define GRANT_TEXT         128
#define GRANT_SECONDS      3600 /* as OpenAI's addresses */

/* What stands behind the picture's address, from the question mark on. */
void grant_write(const uint8_t secret[GRANT_SECRET_BYTES], uint32_t user, const char *digest,
                 int64_t until_s, char out[GRANT_TEXT]);
/* Is this such a query, and not over at now_s (Unix time)? *user: by whose right. */
bool grant_read(const uint8_t secret[GRANT_SECRET_BYTES], const char *digest, const char *query,
                int64_t now_s, uint32_t *user);

#endif
