/* lifecycle - the moves of one job, each with all that follows from it: waiting, held, started,
 * requeued, ended. Thread: the loop's. */
#ifndef SERVER_CORE_LIFECYCLE_H
#define SERVER_CORE_LIFECYCLE_H

#include "server/core/core.h"

/* A new job, in JOB_ADMIT; and one that the disk did not take. */
void lifecycle_add(struct hub *, struct job *);
void lifecycle_forget(struct hub *, struct job *);
/* Make a move of job.c's table and keep the counts; a move that it does not allow is a bug. */
void lifecycle_move(struct hub *, struct job *, enum job_move);
/* NULL also while the job is on its way to the disk: clients do not know its id yet. */
/* A job that was forgotten, which is in ADMIT for a moment. */
void lifecycle_recall(struct hub *, struct job *);
struct job *lifecycle_find(const struct hub *, uint64_t id);

/* It is on disk and may start from now on. */
void lifecycle_wait(struct hub *, int64_t now, struct job *);
/* A waiting job that is not held, and one that is. */
void lifecycle_hold(struct hub *, int64_t now, struct job *);
void lifecycle_release(struct hub *, struct job *);
/* The row of a job, without its end; borrows from it. */
struct hub_row lifecycle_row(const struct job *);
/* What its owner can change of a job has changed: keep that. */
void lifecycle_placed(struct hub *, const struct job *);

/* Start a planned job on a device that has room for it. */
void lifecycle_start(struct hub *, int64_t now, struct job *, struct device *);
/* Its run is lost, or its picture: it waits again in its old place. */
void lifecycle_requeue(struct hub *, int64_t now, struct job *);
/* The same through no fault of its own; but a job that this happens to HUB_RETRIES_MAX times may
 * well be the cause, and ends as failed. Nothing when it has ended already. */
void lifecycle_lose(struct hub *, int64_t now, struct job *, const struct fail *why);
/* Its picture has left the device: while it runs, or before a suspend has reached the worker. */
void lifecycle_finished(struct hub *, int64_t now, struct job *);

/* Decide how a job ends: off the queue, off the device, to the disk. why: FAILED only. */
void lifecycle_end(struct hub *, struct job *, enum job_state outcome, const struct fail *why);
/* Give the disk the end that is decided. */
void lifecycle_store_end(struct hub *, struct job *);
/* Cancel a job whose end is not decided; one on its way to the disk, as soon as it is there. */
void lifecycle_cancel(struct hub *, struct job *);
/* Jobs whose owner was removed are cancelled. */
void lifecycle_orphans(struct hub *);

#endif
