/* stats - the figures of the statistics: ends, and the devices' measured throughput. Thread: the
 * loop's. */
#ifndef SERVER_CORE_STATS_H
#define SERVER_CORE_STATS_H

#include "kernels/glm.h"
#include "server/core/job.h"

#include <stdbool.h>
#include <stdint.h>

#define STATS_SLOTS 60 /* of ten seconds: ten minutes */

struct stats {
    int64_t done, failed, cancelled; /* since the server was first started with its data folder */
    /* of each phase, decayed by 1/256 a quantum: pictures times quanta, and their time */
    double count[GLM_PHASES], seconds[GLM_PHASES];
    bool begun;
    int64_t begun_us;
    int64_t slot_no; /* ten-second slot of the newest end */
    int slot[STATS_SLOTS];
};

/* The clock's first reading; a struct of zeros has not begun, and later calls change nothing. */
void stats_begin(struct stats *, int64_t now);
/* A quantum of `batch` pictures took elapsed_us. */
void stats_quantum(struct stats *, enum glm_phase, int batch, int64_t elapsed_us);
/* A job ended; outcome: DONE, FAILED or CANCELLED. */
void stats_end(struct stats *, int64_t now, enum job_state outcome);
/* Quanta of a phase a second, all pictures together; NaN: not measured. */
double stats_rate(const struct stats *, enum glm_phase);
/* Pictures a minute over the last ten, or since the start; NaN in the first second and before the
 * begin. */
double stats_pictures(const struct stats *, int64_t now);

#endif
