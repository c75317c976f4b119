/* url - the address of a finished picture: "/i/", the digest of its file in hex, ".png". */
#ifndef PROTO_URL_H
#define PROTO_URL_H

#include <stdbool.h>

#define URL_PICTURES   "/i/" /* every picture's address begins so */
#define URL_THUMBNAILS "/t/" /* .. and that of its thumbnail, which ends in ".jpg" */
#define URL_DIGEST     65    /* bytes of a digest's text, 64 hex digits, with its NUL */
#define URL_TEXT       80    /* bytes of an address with its NUL, rounded up */

/* digest: 64 lowercase hex digits. */
void url_picture(const char *digest, char out[URL_TEXT]);

/* The digest in a picture's address, or in its thumbnail's. False (out untouched) for anything
 * else. */
bool url_picture_parse(const char *url, char digest[URL_DIGEST]);
bool url_thumbnail_parse(const char *url, char digest[URL_DIGEST]);

#endif
