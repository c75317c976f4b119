/* notice - what a connection is told that is about no job of its own: the server stops, a word of
 * its administrator, pictures that will go. One of a kind holds at a time, the newest.
 *
 * Thread: any, no state; a struct belongs to who filled it in. */
#ifndef PROTO_NOTICE_H
#define PROTO_NOTICE_H

#include "proto/limits.h"
#include "proto/text.h"

#include <stdbool.h>
#include <stdint.h>

enum notice_kind {
    NOTICE_DRAIN,   /* the server ends at at_ms, at the latest */
    NOTICE_MESSAGE, /* an administrator's words */
    NOTICE_QUOTA,   /* a user's pictures will be removed at at_ms, as they take too much */
    NOTICE_REMOVED, /* they were, at at_ms */
    NOTICE_USER, /* what a user may do has changed: a message `user` (answer.h), without a text */
    NOTICE_KINDS
};

struct notice {
    enum notice_kind kind;
    char text[LIMIT_NOTICE_BYTES + 1]; /* UTF-8; "": what was said does not hold any more */
    bool own;      /* the server wrote it itself: the other members say the same */
    int64_t at_ms; /* Unix time; 0: none */
    /* pictures: how many, their bytes, and the jobs of the first of them */
    int count;
    int64_t bytes;
    uint64_t job[LIMIT_NOTICE_JOBS];
};

/* A message of its own; now_ms: Unix time, for in_ms. */
void notice_encode(const struct notice *, int64_t now_ms, struct text *out);
/* The same members as an object within hello, which has the time itself. */
void notice_write(const struct notice *, struct text *out);

const char *notice_kind_name(enum notice_kind);

#endif
