/* quota - users whose pictures take more bytes than they may: the oldest go, favourites last.
 *
 * They are told first, with a time of grace. Of what is beyond five quarters of the bound the
 * oldest go at once, so that a bound is one. Times of grace begin anew with a start of the server.
 * Thread: the store's. */
#ifndef SERVER_STORE_QUOTA_H
#define SERVER_STORE_QUOTA_H

#include "proto/limits.h"
#include "server/base/log.h"
#include "server/core/effects.h"
#include "server/store/pictures.h"
#include "server/store/rows.h"

#include <stdbool.h>
#include <stdint.h>

/* A user that is over its bound. */
struct grace {
    uint32_t owner;
    int64_t until_us;
    struct removal told; /* what it was told last */
    bool over;           /* still, by the look that goes on */
};

struct quota {
    struct job_rows *rows;
    struct pictures *pictures;
    struct log *log;
    int64_t grace_us;
    /* Tell a user what goes, went, or stays after all (n 0). */
    void (*tell)(void *arg, const struct removal *);
    void *arg;
    struct grace *at; /* owned */
    int n, room;
};

void quota_free(struct quota *);
/* Tell and remove what is due; the number of pictures removed, or negative. */
int quota_look(struct quota *, int64_t now_us, int64_t unix_ms, struct fail *f);
/* When the first time of grace ends; INT64_MAX: none has begun. */
int64_t quota_due(const struct quota *);

#endif
