/* reorder - moves a waiting job among those of its owner. Thread: the loop's. */
#ifndef SERVER_CORE_REORDER_H
#define SERVER_CORE_REORDER_H

#include "server/core/core.h"

/* Put a waiting job, held or not, before another waiting one of the same owner and lane; NULL:
 * after all of them. Those between get the ranks of their neighbours, so the ranks of other owners'
 * jobs, and of jobs that are still being stored, stay as they are. 0, or ERR_OUT_OF_MEMORY (nothing
 * changed). */
int reorder_before(struct hub *, struct job *, const struct job *before);

#endif
