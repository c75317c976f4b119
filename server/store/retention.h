/* retention - what the store forgets, oldest first, so that it does not grow for ever: pictures
 * past an age or past a size of all, and all but the newest jobs that ended without one. Thread:
 * the store's. */
#ifndef SERVER_STORE_RETENTION_H
#define SERVER_STORE_RETENTION_H

#include "server/base/log.h"
#include "server/store/pictures.h"
#include "server/store/quota.h"
#include "server/store/rows.h"

#include <stdbool.h>
#include <stdint.h>

struct retention {
    int64_t keep_ms;    /* age of the oldest picture; 0: any */
    int64_t keep_bytes; /* of all pictures and rows together; 0: any number */
    struct job_rows *rows;
    struct pictures *pictures;
    struct log *log;
    struct quota quota;
    /* since it looked last */
    int64_t looked_us;
    int64_t ended;   /* jobs without a picture */
    int64_t written; /* bytes of pictures */
    bool more;       /* the last look left something to do */
};

/* A job has ended; bytes: of its picture, 0: none. */
void retention_ended(struct retention *, int64_t bytes);
/* Whether to look now, at a time of the monotonic clock; and how long to sleep otherwise. */
bool retention_due(const struct retention *, int64_t now_us);
int retention_wait_ms(const struct retention *, int64_t now_us);
/* Another time of grace (quota.h), also for those that have begun; the next look is at once. */
void retention_grace(struct retention *, int64_t grace_us);
/* Forget some of what is past its time; a failure is logged, and the next look tries again. */
void retention_look(struct retention *, int64_t now_us, int64_t unix_ms);

#endif
