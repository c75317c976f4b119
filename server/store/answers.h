/* answers - how the store's questions are answered when there is no memory to ask them.
 *
 * A message to the store becomes its answer (entry.h, results.h). Without memory for the message
 * the loop answers itself, out of a reserve. Thread: the loop's. */
#ifndef SERVER_STORE_ANSWERS_H
#define SERVER_STORE_ANSWERS_H

#include "server/base/reserve.h"
#include "server/core/effects.h"

struct answers {
    struct mbox *loop; /* gets them */
    struct reserve reserve;
};

/* a is all zero. */
void answers_open(struct answers *, struct mbox *loop);
void answers_close(struct answers *);

/* LOOP_STORED: the job's row is as it should be, though nothing was written. */
void answers_stored(struct answers *, uint64_t job);
/* LOOP_DELETED: nothing of the job is on disk. */
void answers_deleted(struct answers *, const struct hub_deletion *);
/* LOOP_STORED, LOOP_SHARED, LOOP_DELETED, LOOP_DISCARDED, LOOP_FOUND, with ERR_OUT_OF_MEMORY. */
void answers_refuse(struct answers *, uint64_t job);
void answers_refuse_share(struct answers *, const struct hub_share *);
void answers_refuse_deletion(struct answers *, const struct hub_deletion *);
void answers_refuse_discard(struct answers *, uint64_t ticket);
void answers_refuse_search(struct answers *, uint64_t ticket);

#endif
