/* eta - how fast the devices are, as measured, and how far forecasts were off.
 *
 * Every quantum teaches a rate, planned work (glm_cost.work) a second, for (stage, size, batch):
 * the decayed sum of work over the decayed sum of seconds, so that quanta of unequal length
 * average out over a stage. Stages are the phases with the prior in two: a prompt's prefill is
 * bound by arithmetic, a token by reading weights. What has not been measured borrows from its
 * nearest neighbour: other batch, other size, other stage, at last the guess that it was born
 * with.
 *
 * The times of whole jobs, played forward when they were accepted and then measured, are kept as
 * ratios. The shortest range that held fifteen of sixteen of them is the stated one, wider where
 * they are few. What lies between their median and their mean within it corrects what is played:
 * jobs that come later are not known, and smaller ones among them may pass (order.h). (With the
 * median nine of ten are off by more, with the mean the half is too early.) As that depends on what
 * can come between, each kind of job has its own record (enum eta_kind); with nothing measured the
 * range is wide. One struct for all devices, which are of one kind. A quantum that waited until
 * weights had been copied to the device is timed with its wait: what swapping costs is a part of
 * the measured rate of its phase.
 * Thread: the loop's. */
#ifndef SERVER_CORE_ETA_H
#define SERVER_CORE_ETA_H

#include "kernels/glm.h"
#include "server/core/effects.h"

#include <stdbool.h>
#include <stdint.h>

/* What a played time is multiplied by. */
struct eta_span {
    double low, mid, high;
};

/* Where a rate is taken from: the nearest cell that was measured; batch 0: none was. */
struct eta_source {
    uint8_t size, batch;
};

struct eta {
    double guess; /* work a second before anything was measured */
    struct eta_source source[ETA_STAGES][ETA_SIZES][LIMIT_BATCH]; /* of each cell */
    struct eta_known known;
    struct eta_rate all;
    struct eta_span span[ETA_KINDS];
};

void eta_init(struct eta *, double guess);
/* What an earlier start of the server has measured on the same model and device. */
void eta_recall(struct eta *, const struct eta_known *);
/* A quantum took elapsed_us; work: planned for it, all members together. quanta: how many make up
 * the stage of one picture; older ones fade over a few pictures. */
void eta_learn(struct eta *, enum eta_stage, int size, int batch, double work, int64_t elapsed_us,
               int quanta);
/* A job comes, of so much planned work. */
void eta_comes(struct eta *, double work);
/* By how many of the newest jobs are smaller. */
enum eta_kind eta_rank(const struct eta *, double work);
/* A job that was played to take played_us took actual_us. */
void eta_judge(struct eta *, enum eta_kind, int64_t played_us, int64_t actual_us);
/* From the end of a run until its file and its end are on disk. */
void eta_tail(struct eta *, int64_t us);
bool eta_measured(const struct eta *); /* a rate of each stage that every picture has is known */

enum eta_stage eta_stage_of(enum glm_phase, bool prefill);
enum glm_phase eta_phase_of(enum eta_stage);
/* The part of a phase that is still to come for a run that stands there: 0 .. 1. */
double eta_left(const struct glm_progress *, int phase);
/* Planned work of a stage that is still to come. */
double eta_work(const struct glm_cost *, const struct glm_progress *, enum eta_stage);
double eta_all_work(const struct glm_cost *, const struct glm_progress *); /* of all stages */
/* How many quanta a stage of a picture has, and the planned work of one: the mean, as a stage's
 * quanta are nearly alike. 0: it has none. */
int eta_quanta(const struct glm_cost *, enum eta_stage);
double eta_quantum(const struct glm_cost *, enum eta_stage);
/* The part of a quantum that each member of a batch adds, 0 .. 1; the rest, reading weights and the
 * calls themselves, is done once for all. */
double eta_own(const struct glm_cost *, enum eta_stage);
/* Work a second, > 0, of all members of a batch together. own: as eta_own(), to borrow from another
 * batch with. */
double eta_rate(const struct eta *, enum eta_stage, int size, int batch, double own);
/* Device seconds of what is left of a picture when it is drawn alone. */
double eta_seconds(const struct eta *, const struct glm_cost *, const struct glm_progress *,
                   int pixels);
/* The class of a quantum, index of its rates, 0 .. ETA_SIZES - 1: one per power of two of the
 * pixels, from the smallest picture on; in the prior: of the prompt's work in tokens, since a long
 * prompt is bound by arithmetic and slows the tokens that look back at it, whatever the pixels; of
 * a condition image its own work in tokens. */
int eta_size(enum eta_stage, const struct glm_cost *, int pixels);

#endif
