/* multipart - the parts of a body of type multipart/form-data, one after the other.
 *
 * Nothing is copied: names are decoded into the part, values stay in the body. Thread: any, no
 * state.
 * source RFC 7578, RFC 2046 section 5.1 */
#ifndef SERVER_HTTP_MULTIPART_H
#define SERVER_HTTP_MULTIPART_H

#include "proto/fail.h"

#include <stdbool.h>
#include <stddef.h>

#define MULTIPART_NAME     64
#define MULTIPART_BOUNDARY 70

struct multipart {
    const char *body;
    size_t len, at;
    char boundary[MULTIPART_BOUNDARY + 5]; /* CRLF--, then it */
    size_t mark;                           /* its bytes */
};

struct multipart_part {
    char name[MULTIPART_NAME + 1]; /* cut, if it is longer */
    bool file;                     /* it has a file name */
    const char *value;             /* in the body */
    size_t len;
};

/* type: the header Content-Type. false: it is no form, or its boundary is none. */
bool multipart_begin(struct multipart *, const char *type, const char *body, size_t len);
/* 1: the next part; 0: there is none; ERR_BAD_REQUEST: the body is cut short or malformed. */
int multipart_next(struct multipart *, struct multipart_part *out, struct fail *f);

#endif
