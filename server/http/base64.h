/* base64 - bytes as RFC 4648 writes them with padding, for pictures inside of JSON. Thread: any, no
 * state. */
#ifndef SERVER_HTTP_BASE64_H
#define SERVER_HTTP_BASE64_H

#include "proto/text.h"

#include <stddef.h>

/* Append n bytes; those of a longer whole may be given in pieces of a multiple of three. */
void base64_write(const void *bytes, size_t n, struct text *out);

#endif
