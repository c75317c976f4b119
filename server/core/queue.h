/* queue - the jobs that wait, on disk or on their way there, in the order in which they become
 * resident.
 *
 * The order is one function, queue_before(): by lane, then by where a job begins in its lane's
 * virtual time (lanes.h), then by its rank. Another order changes that
 * function and what it reads of a job, nothing else. Kept sorted in an array: adding and
 * removing are a binary search and a move of pointers, the place of a job is its index. Thread:
 * the loop's. */
#ifndef SERVER_CORE_QUEUE_H
#define SERVER_CORE_QUEUE_H

#include "server/core/job.h"

#include <stdbool.h>

struct queue {
    struct job **at; /* borrowed; at[0] starts next */
    int n, room;     /* jobs, and how many at[] has room for */
};

void queue_init(struct queue *);
void queue_free(struct queue *);
/* Make room for n jobs in all, so that queue_add() of that many cannot fail. 0 or
 * ERR_OUT_OF_MEMORY. */
int queue_reserve(struct queue *, int n);
/* Room must be reserved. */
void queue_add(struct queue *, struct job *);
/* The job must be in the queue. */
void queue_remove(struct queue *, const struct job *);
/* 1: starts next; 0: it is not waiting. */
int queue_place(const struct queue *, const struct job *);
/* Whether a starts before b. */
bool queue_before(const struct job *a, const struct job *b);
/* How many jobs stand before a new one of this lane that begins there. */
int queue_rank(const struct queue *, enum user_lane, double begin);
/* Whether a has the lower rank: was accepted before b, unless its owner had it otherwise. */
bool queue_older(const struct job *a, const struct job *b);
/* Places of jobs have changed: put them in the order of this function. */
void queue_sort(struct queue *, bool (*before)(const struct job *, const struct job *));

#endif
