/* head - the head of one HTTP/1.1 request, read strictly: what can be read in two ways is refused.
 *
 * A server and a proxy before it that read the same bytes differently can be made to disagree about
 * where a request ends. So there is one reader, and it takes RFC 9112 without its leniencies: lines
 * end with CRLF, nothing stands between a name and its colon, no line is folded, a length is digits
 * and stands once, never beside a transfer coding. Knows no socket. Thread: any.
 * source RFC 9112 sections 2 to 7, RFC 9110 section 5 */
#ifndef SERVER_HTTP_HEAD_H
#define SERVER_HTTP_HEAD_H

#include "proto/fail.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HEAD_BYTES = 16384, /* of one head: cookies and tickets of other services on the same host */
    HEAD_FIELDS = 128   /* header lines */
};

/* A slash in the path that was sent escaped, and so is none that parts words. */
#define HEAD_SLASH "%2F"

struct head_field {
    const char *name, *value; /* the name in lower case */
};

/* All strings point into the bytes that were parsed. */
struct head {
    const char *method; /* as sent: "GET" is not "get" */
    const char *path;  /* decoded but for HEAD_SLASH, no U+0000; begins with "/" ("*" of OPTIONS) */
    const char *query; /* as sent, "" when there is none */
    const char *host;  /* of an address with scheme and host, which counts as the Host; or NULL */
    bool old;          /* HTTP/1.0 */
    bool close;        /* no further request comes on this connection */
    bool expect;       /* it waits for 100 before it sends its body */
    bool chunked;      /* a body in chunks follows */
    int64_t length;    /* of the body, 0: none (or chunked) */
    struct head_field field[HEAD_FIELDS];
    int fields;
};

/* How many of len bytes are the first head with its empty line, or lead to a bare line feed, which
 * no head may hold; 0: not all of it has come. */
size_t head_length(const char *bytes, size_t len);

/* Read len bytes, the result of head_length(). They are changed: strings are ended in place. 0
 * or an HTTP status (400, 417, 431, 501, 505) with the reason in f: then the connection cannot
 * go on, and of h what was read is there, the method above all. */
int head_parse(struct head *, char *bytes, size_t len, struct fail *f);

/* The first field of this name (lower case), "" when there is none. */
const char *head_value(const struct head *, const char *name);
/* All fields of this name, joined with ", ". false: they do not fit, and out is "". */
bool head_list(const struct head *, const char *name, char *out, size_t bytes);
/* Is the word, in any case, an item of the list that the fields of this name are? */
bool head_has(const struct head *, const char *name, const char *word);

/* Does a body follow? */
static inline bool head_body(const struct head *h)
{
    return h->chunked || h->length > 0;
}

#endif
