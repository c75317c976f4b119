/* queue - the order in which waiting jobs become resident.
 *
 * Now: first accepted, first started; a job that was requeued keeps its place. The order is one
 * function, queue_before(): lanes, fair share and aging change that function and what it reads of a
 * job, nothing else. Kept sorted in an array: adding and removing are a binary search and a move of
 * pointers, the place of a job is its index. Thread: the loop's. */
#ifndef SERVER_CORE_QUEUE_H
#define SERVER_CORE_QUEUE_H

#include "server/core/job.h"

#include <stdbool.h>

struct queue {
    struct job **at; /* at[0] starts next */
    int n, room;
};

void queue_init(struct queue *);
void queue_free(struct queue *);
/* Make room for n jobs in all, so that queue_add() of that many cannot fail. 0 or
 * ERR_OUT_OF_MEMORY. */
int queue_reserve(struct queue *, int n);
void queue_add(struct queue *, struct job *);
void queue_remove(struct queue *, const struct job *); /* must be in it */
/* 1: starts next; 0: it is not waiting. */
int queue_place(const struct queue *, const struct job *);
bool queue_before(const struct job *a, const struct job *b);

#endif
