/* results - finds one's own finished pictures among all that are on disk, on a thread of its own.
 *
 * The hub remembers the newest jobs alone; a gallery shows them all. A search reads every row of
 * its user (10,000 rows: bench/README.md), which the thread that writes and the network's loop have
 * no time for. It comes by way of the thread that writes, behind all that was given to that before:
 * what was deleted or marked before a search was sent is so in its answer.
 * Thread: results_open and results_close the loop's, results_push the one that writes. */
#ifndef SERVER_STORE_RESULTS_H
#define SERVER_STORE_RESULTS_H

#include "proto/fail.h"
#include "server/base/mbox.h"
#include "server/core/effects.h"
#include "server/events.h"

#include <sqlite3.h>

struct results;

/* Its answers, one LOOP_FOUND each, go to the loop. ERR_IO, ERR_OUT_OF_MEMORY: *out is NULL. */
int results_open(struct results **out, const char *path, struct mbox *loop, struct fail *f);
/* What waits is still answered. NULL is fine. */
void results_close(struct results *);

/* A search with copies of what it borrows, which becomes the answer. NULL: no memory. Thread: any.
 */
struct results_query {
    union {
        struct msg m;
        struct loop_found found; /* what it becomes */
    };
    struct hub_search search;
    struct command_search what;
    char ref[LIMIT_REF_BYTES + 1];
};
struct results_query *results_query_new(int kind, const struct hub_search *);
/* Takes it. */
void results_push(struct results *, struct results_query *);

#endif
