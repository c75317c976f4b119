/* body - where the body of one request ends: by its length, or by its chunks, read strictly.
 *
 * It is fed what comes from the wire and gives back the pieces that belong to the body, so that
 * the owner collects them in memory or on a disk. What does not follow RFC 9112 exactly could be
 * read in two ways and ends the connection: a chunk's size of anything but one to eight hex digits,
 * a bare CR or LF, too much behind a size or in trailers. Extensions of chunks and trailers are
 * read over. Knows no socket. Thread: any.
 * source RFC 9112 sections 6 and 7 */
#ifndef SERVER_HTTP_BODY_H
#define SERVER_HTTP_BODY_H

#include "proto/fail.h"
#include "server/http/head.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum body_state { BODY_BYTES, BODY_SIZE, BODY_EXTENSION, BODY_BREAK, BODY_TRAILER, BODY_WHOLE };

struct body {
    enum body_state state;
    int64_t left;  /* bytes of the body, or of this chunk, that are still to come */
    int64_t bytes; /* pieces given so far */
    int64_t max;   /* of them */
    bool chunked;
    int digits; /* of the chunk's size */
    int extra;  /* bytes of this extension, or of all trailers */
    bool line;  /* something stands in this line of the trailers */
    bool cr;    /* a CR came, and its LF is due */
};

struct body_piece {
    const char *at; /* in what was fed */
    size_t n;       /* 0: none yet */
};

/* The body that this head announces, at most max bytes. 0, or 413 with the reason in f. */
int body_begin(struct body *, const struct head *, int64_t max, struct fail *f);
/* Read on in n bytes: *used of them are done with, and *piece is the next part of the body. Call
 * again with the rest until body_whole(), or until nothing is left. 0 or an HTTP status (400, 413)
 * with the reason in f: then the connection cannot go on. */
int body_feed(struct body *, const char *bytes, size_t n, size_t *used, struct body_piece *piece,
              struct fail *f);

static inline bool body_whole(const struct body *b)
{
    return b->state == BODY_WHOLE;
}

#endif
