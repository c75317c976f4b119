/* lifecycle - the moves of one job, each with all that follows from it: accepted, started,
 * requeued, ended. Thread: the loop's. */
#ifndef SERVER_CORE_LIFECYCLE_H
#define SERVER_CORE_LIFECYCLE_H

#include "server/core/core.h"

/* A new job, in JOB_ADMIT. */
void lifecycle_add(struct hub *, struct job *);
/* Make a move of job.c's table and keep the counts; a move that it does not allow is a bug. */
void lifecycle_move(struct hub *, struct job *, enum job_move);
/* NULL also while the job is on its way to the disk: clients do not know its id yet. */
struct job *lifecycle_find(const struct hub *, uint64_t id);

/* Accept the submit of an account that has passed every check; takes its spec. plan (may be NULL):
 * what it will take. NULL: no memory. */
struct job *lifecycle_accept(struct hub *, int64_t now, struct account *, struct command *,
                             const uint8_t *digest, const struct job_plan *plan);
/* The direct answer to a submit of this job, and the start of following it. */
void lifecycle_reply(struct hub *, int64_t now, const struct job *, struct pending_reply *,
                     bool watch);
/* It is on disk and may start from now on. */
void lifecycle_wait(struct hub *, int64_t now, struct job *);
/* A waiting job that is not held, and one that is. */
void lifecycle_hold(struct hub *, int64_t now, struct job *);
void lifecycle_release(struct hub *, struct job *);
/* What a waiting job's place depends on has changed: keep that. */
void lifecycle_placed(struct hub *, const struct job *);

/* Plan some of the waiting jobs that arrived before the model did. */
void lifecycle_plan_some(struct hub *);
/* Start the waiting jobs that dispatch_next() (dispatch.h) chooses, until it chooses none. */
void lifecycle_dispatch(struct hub *, int64_t now);
/* Its run is lost, or its picture: it waits again in its old place. */
void lifecycle_requeue(struct hub *, int64_t now, struct job *);
/* The same through no fault of its own; but a job that this happens to HUB_RETRIES_MAX times may
 * well be the cause, and ends as failed. Nothing when it has ended already. */
void lifecycle_lose(struct hub *, int64_t now, struct job *, const struct fail *why);
/* Its picture has left the device: while it runs, or before a suspend has reached the worker. */
void lifecycle_finished(struct hub *, int64_t now, struct job *);
/* Nothing starts, or it goes on. */
void lifecycle_pause(struct hub *, bool paused);
/* Stop: nothing starts any more, what runs waits again, and that is pushed at once. */
void lifecycle_drain(struct hub *, int64_t now);

/* What is known of the disk: why it takes nothing, or NULL: it does. */
void lifecycle_disk(struct hub *, int64_t now, const struct fail *why);
/* Decide how a job ends: off the queue, off the device, to the disk. why: FAILED only. */
void lifecycle_end(struct hub *, struct job *, enum job_state outcome, const struct fail *why);
/* Cancel a job whose end is not decided; one on its way to the disk, as soon as it is there. */
void lifecycle_cancel(struct hub *, struct job *);
/* Jobs whose owner was removed are cancelled. */
void lifecycle_orphans(struct hub *);
/* Try again ends that the disk or memory refused. */
void lifecycle_again(struct hub *, int64_t now);

/* The answers of the disk and of the encoder, as hub.h has them. */
void lifecycle_stored(struct hub *, int64_t now, uint64_t job, const struct fail *why);
void lifecycle_encoded(struct hub *, int64_t now, uint64_t job, struct blob *file,
                       const char *digest, const struct fail *why);

/* When lifecycle_plan_some() or lifecycle_again() wants to go on; INT64_MAX: not at all. */
int64_t lifecycle_due(const struct hub *);

#endif
