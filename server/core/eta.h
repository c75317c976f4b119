/* eta - when jobs will start and finish: measured rates, and the queue played forward in order.
 *
 * Every quantum teaches a rate, FLOPs a second, for (phase, size, batch): the decayed sum of
 * planned FLOPs over the decayed sum of seconds, so that quanta of unequal length (the prior's
 * prefill, its tokens) average out over a phase. What has not been measured borrows from its
 * nearest neighbour: other batch, other size, other phase, at last the guess that it was born with.
 *
 * The simulation shares each device equally among its residents and starts what dispatch_next()
 * says. How far whole jobs' forecasts were off in the past (mean |ln(was/said)|) gives the range;
 * with nothing measured it is wide. One struct for all devices, which are of one kind. A quantum
 * that waited until weights had been copied to the device is timed with its wait, so what swapping
 * costs is a part of the measured rate of its phase. Thread: the loop's. */
#ifndef SERVER_CORE_ETA_H
#define SERVER_CORE_ETA_H

#include "kernels/glm.h"
#include "server/core/dispatch.h"

#include <stdint.h>

#define ETA_SIZES 16 /* classes of pixels, one per power of two from 64x64 */

struct eta_rate {
    double flops, seconds; /* decayed sums; seconds 0: never measured */
};

struct eta {
    double guess; /* FLOPs a second before anything was measured */
    struct eta_rate rate[GLM_PHASES][ETA_SIZES][LIMIT_BATCH];
    struct eta_rate all;
    double error;  /* mean |ln(actual / forecast)| of whole runs */
    double tail_s; /* from the device to the disk */
    int judged;    /* forecasts compared */
};

/* One job in a simulation. */
struct eta_item {
    const struct job_plan *plan;
    int pixels;
    struct glm_progress view; /* where it stands; all zero when it waits */
    int device;               /* of a resident; out: of one that waited */
    double start_s, end_s;    /* out: from now; start 0 for residents; negative: cannot be said */
};

void eta_init(struct eta *, double guess);
/* A quantum of `phase` took elapsed_us; flops: planned for it, all members together. quanta: how
 * many make up the phase of one picture; older ones fade over a few pictures. */
void eta_learn(struct eta *, enum glm_phase, int pixels, int batch, double flops,
               int64_t elapsed_us, int quanta);
/* A run that was said to take said_us took was_us. */
void eta_judge(struct eta *, int64_t said_us, int64_t was_us);
/* From the end of a run to its file on disk. */
void eta_tail(struct eta *, int64_t us);

/* The part of a phase that is still to come for a run that stands there: 0 .. 1. */
double eta_left(const struct glm_progress *, int phase);
/* FLOPs a second, > 0. */
double eta_rate(const struct eta *, enum glm_phase, int pixels, int batch);
/* Device seconds of what is left of a job when `batch` pictures share its quanta, its own part. */
double eta_seconds(const struct eta *, const struct eta_item *, int batch);

/* items: first the residents, then the waiting ones in the queue's order. on: caps, budgets and
 * limit; what its ledgers hold does not count, the residents do. Writes start_s, end_s and
 * device. */
void eta_simulate(const struct eta *, struct eta_item *items, int residents, int n,
                  const struct dispatch_state *on);
/* The range that nine of ten jobs fall in, for a time from now. */
void eta_range(const struct eta *, double seconds, double *low, double *high);

#endif
