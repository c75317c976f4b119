/* worker - the device thread: takes messages, chooses a batch, advances it by one quantum,
 * reports to the loop.
 *
 * It owns the engine and every run, and never waits for another thread: without a free slot a
 * preview is skipped, and pictures go to the encoder as raw pixels. Preview colours are fitted
 * while there is nothing to draw. When the device fails, all runs are lost, the loop gets
 * DEVICE_FAILED, and the engine is opened again after worker_release(); when that fails, again
 * after 1 s, 2 s, 4 s .. 60 s until the worker stops.
 * Thread: the functions below are the loop's. */
#ifndef SERVER_WORKER_WORKER_H
#define SERVER_WORKER_WORKER_H

#include "kernels/glm.h"
#include "server/base/log.h"
#include "server/base/mbox.h"
#include "server/core/effects.h"

#include <stdbool.h>
#include <stdint.h>

struct worker;

struct worker_conf {
    struct glm_opts opts;  /* texts are borrowed for the life of the worker */
    int index, of;         /* which of how many workers; of 0 means 1 */
    uint64_t memory;       /* bytes for pictures; 0: three quarters of what is free */
    struct mbox *loop;     /* gets LOOP_DEVICE_EVENT, LOOP_FATAL */
    struct mbox *previews; /* gets struct pixels_preview */
    struct mbox *pictures; /* gets struct pixels_picture */
    /* saver.h; NULL: no checkpoint is on disk */
    struct blob *(*recall)(void *arg, uint64_t job);
    /* the file of a picture that jobs begin with, by its digest; NULL: it is gone */
    struct blob *(*source)(void *arg, const char *digest);
    void *arg;
    struct log *log;
};

/* Start the thread, which opens the model: DEVICE_READY or LOOP_FATAL follows. */
int worker_new(struct worker **out, const struct worker_conf *, struct fail *f);
/* End the thread after the quantum that is being computed; runs are freed without an event. NULL is
 * fine. */
void worker_stop(struct worker *);
/* Stops it too. No slot of its may be with the encoder any more. NULL is fine. */
void worker_free(struct worker *);

/* struct hub_out: a checkpoint is referenced until its run has begun */
void worker_start(struct worker *, const struct hub_work *);
void worker_drop(struct worker *, uint64_t job);
void worker_suspend(struct worker *, uint64_t job);
void worker_finish(struct worker *, uint64_t job, int steps);
void worker_demand(struct worker *, uint64_t job, const struct preview_demand *);
/* Keep what was measured in opts.cache, between two quanta. */
void worker_rates(struct worker *, const struct eta_known *);
/* Nothing has been measured yet: do it while there is nothing to draw (probe.h). */
void worker_probe(struct worker *);
int worker_busy(struct worker *, uint64_t *jobs, int max);

/* The engine between DEVICE_READY and worker_release(); glm_info and glm_plan only. Else NULL. */
const struct glm *worker_glm(struct worker *);
/* The loop has seen DEVICE_FAILED and will not use the old engine any more. */
void worker_release(struct worker *);

#endif
