/* finish - jobs that end before their last denoising step, with the picture that they have.
 *
 * The step that the job has reached is stored with it before the command is answered, so that a
 * server that dies draws it again to that step and not to the last one. The device may have done
 * more steps than the hub has been told; then these count, and the result says how many.
 * Thread: the loop's. */
#ifndef SERVER_CORE_FINISH_H
#define SERVER_CORE_FINISH_H

#include "server/core/core.h"

/* Obey `finish`: answered at once where nothing is left to do, else when the disk has it.
 * ERR_CONFLICT (then nothing is answered): the job is over, or has no step yet. */
int finish_job(struct hub *, struct job *, struct pending_reply *, struct fail *f);
/* What store_finish() came to. */
void finish_stored(struct hub *, struct job *, const struct fail *why);
/* The plan of a job that ends early, from that of its spec. */
void finish_plan(struct job *);
/* A quantum that was under way when its job was told to end: count it in the shorter job's steps.
 * True: some were, so the time says nothing of the planned work. */
bool finish_views(const struct device *, struct device_event *quantum);

#endif
