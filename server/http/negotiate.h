/* negotiate - fits a whole reply to the headers of its request: nothing when the client has it
 * already (ETag), a part of a picture (Range), text compressed (Accept-Encoding).
 * Thread: any, no state.
 * source RFC 9110 sections 8.8, 12.5.3, 13 and 14 */
#ifndef SERVER_HTTP_NEGOTIATE_H
#define SERVER_HTTP_NEGOTIATE_H

#include "server/http/reply.h"

/* Once, when the reply is whole and before its head is written. */
void negotiate(struct http_reply *, const struct http_request *);

/* Does this Accept-Encoding take gzip? */
bool negotiate_gzip(const char *accept);
/* Is this media type of two the one that an Accept prefers? An Accept that names neither: the
 * first. */
bool negotiate_prefers(const char *accept, const char *first, const char *second);

/* Does this Accept take one of these types, which stand one behind the other with a space between?
 * An empty one takes all. */
bool negotiate_accepts(const char *accept, const char *types);

/* The number of the language that an Accept-Language likes best, by its first subtag: of equals the
 * one that it names first; 0 when it likes none. */
int negotiate_language(const char *accept, const char *const *languages, int n);

enum range { RANGE_NONE, RANGE_PART, RANGE_OUTSIDE };
/* The one part "bytes=a-b" of so many bytes; NONE also for what is not such a part. */
enum range negotiate_range(const char *range, int64_t bytes, int64_t *from, int64_t *n);

#endif
