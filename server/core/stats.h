/* stats - the figures of the statistics: ends, and the devices' measured throughput. Thread: the
 * loop's. */
#ifndef SERVER_CORE_STATS_H
#define SERVER_CORE_STATS_H

#include "kernels/glm.h"
#include "server/core/job.h"
#include "server/core/recent.h"

#include <stdbool.h>
#include <stdint.h>

#define STATS_BOUNDS 12

/* Counts that only grow, from the start of the process. */
struct stats_histogram {
    const double *bounds;             /* STATS_SECONDS or STATS_SHARES */
    uint64_t count[STATS_BOUNDS + 1]; /* at most bounds[i]; the last: more */
    uint64_t n;
    double sum;
};
extern const double STATS_SECONDS[STATS_BOUNDS], STATS_SHARES[STATS_BOUNDS];

/* Limits that users meet, for counting. */
enum stats_limit {
    LIMITED_SUBMITS,
    LIMITED_MESSAGES,
    LIMITED_WAITING,
    LIMITED_QUEUE,
    LIMITED_WATCHES,
    STATS_LIMITS
};

struct stats_totals {
    /* seconds, by lane: from accepted to the first start; on devices, of finished pictures */
    struct stats_histogram wait[LANES], run[LANES];
    struct stats_histogram cancel; /* seconds from a cancel to the end of the run */
    struct stats_histogram error;  /* of first estimates: what they were off by, of the real time */
    uint64_t quanta[GLM_PHASES], batch[LIMIT_BATCH + 1]; /* quanta by phase; by pictures in them */
    double seconds[GLM_PHASES];
    uint64_t refused[1 - ERR_LAST]; /* commands, by -code */
    uint64_t limited[STATS_LIMITS]; /* commands that one of these limits has refused */
    uint64_t abandoned;             /* jobs that were cancelled as nobody looked at them */
    uint64_t checkpoints, checkpoint_bytes;
    double checkpoint_seconds; /* of devices */
    uint64_t previews_missed;  /* by workers: the encoder was behind */
};

struct stats {
    int64_t done, failed, cancelled; /* since the server was first started with its data folder */
    /* of each phase, decayed by 1/256 a quantum: pictures times quanta, and their time */
    double count[GLM_PHASES], seconds[GLM_PHASES];
    bool begun;
    int64_t begun_us;
    struct recent ends; /* finished pictures */
    struct recent used; /* of the devices, us */
    struct stats_totals totals;
};

void stats_init(struct stats *); /* all zero */

/* The clock's first reading; a struct of zeros has not begun, and later calls change nothing. */
void stats_begin(struct stats *, int64_t now);
/* A quantum of `batch` pictures took elapsed_us. */
void stats_quantum(struct stats *, enum glm_phase, int batch, int64_t elapsed_us);
/* A job ended; outcome: DONE, FAILED or CANCELLED. */
void stats_end(struct stats *, int64_t now, enum job_state outcome);
/* A job started for the first time; its picture was finished; a cancelled one left its device. */
void stats_wait(struct stats *, enum user_lane, int64_t us);
void stats_run(struct stats *, enum user_lane, int64_t us);
void stats_cancel(struct stats *, int64_t us);
/* A job was forecast to end after so long and ended after so long; 0: it was not forecast. */
void stats_estimate(struct stats *, int64_t forecast_us, int64_t real_us);
void stats_refusal(struct stats *, enum err);
void stats_checkpoint(struct stats *, size_t bytes, int64_t us);
/* Quanta of a phase a second, all pictures together; NaN: not measured. */
double stats_rate(const struct stats *, enum glm_phase);
/* Pictures a minute over the last ten, or since the start; NaN in the first second and before the
 * begin. */
double stats_pictures(const struct stats *, int64_t now);

#endif
