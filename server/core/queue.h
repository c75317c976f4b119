/* queue - the order in which waiting jobs become resident.
 *
 * Now: first accepted, first started; a job that was put back keeps its place. The order is one
 * function, sched_before(): lanes, fair share and aging change that function and what it reads of a job,
 * nothing else. Kept sorted in an array: adding and removing are a binary search and a move of
 * pointers, the place of a job is its index. Thread: the loop's. */
#ifndef SERVER_CORE_QUEUE_H
#define SERVER_CORE_QUEUE_H

#include "server/core/job.h"

#include <stdbool.h>

struct sched {
    struct job **at; /* at[0] starts next */
    int n, room;
};

void sched_init(struct sched *);
void sched_free(struct sched *);
/* Make room for n jobs in all, so that sched_add() of that many cannot fail. 0 or ERR_OUT_OF_MEMORY. */
int sched_reserve(struct sched *, int n);
void sched_add(struct sched *, struct job *);
void sched_remove(struct sched *, const struct job *); /* must be in it */
/* 1: starts next; 0: it is not waiting. */
int sched_place(const struct sched *, const struct job *);
bool sched_before(const struct job *a, const struct job *b);

#endif
