/* images - uploads over HTTP: a file in the body of one request, their list, their files.
 * Thread: the loop's. */
#ifndef SERVER_HTTP_IMAGES_H
#define SERVER_HTTP_IMAGES_H

#include "server/http/exchange.h"

extern const struct translator IMAGES_UPLOAD;  /* POST /v1/images */
extern const struct translator IMAGES_LIST;    /* GET /v1/images */
extern const struct translator IMAGES_DISCARD; /* DELETE /v1/images/{digest} */

/* Is this word of a path a digest? */
bool images_named(const char *word);
/* GET /v1/images/{digest}: the PNG of an upload or a result of who asks. */
void images_file(struct store *, const struct hub *, const struct http_request *,
                 struct http_reply *);

#endif
