/* eta_harness - what the tests of rates and of the timeline share: a plan, and numbers alike. */
#ifndef TEST_SERVER_CORE_ETA_HARNESS_H
#define TEST_SERVER_CORE_ETA_HARNESS_H

#include "server/core/eta.h"

#include <math.h>

/* pixels of every picture */
enum { PX = 256 * 256 };

/* The work of the prior and of denoising, ten quanta each; the other phases cost nothing. */
static inline struct job_plan plan(double prior, double denoise)
{
    struct job_plan p = {.scratch_more = 0};

    p.cost.run_bytes = 100;
    p.cost.scratch_bytes = 10;
    p.cost.work[GLM_PRIOR] = prior;
    p.cost.work[GLM_DENOISE] = p.cost.flops[GLM_DENOISE] = denoise;
    p.cost.quanta[GLM_PRIOR] = p.cost.quanta[GLM_DENOISE] = 10;
    p.cost.chunks = 1;
    return p;
}

static inline bool near(double a, double b)
{
    return fabs(a - b) <= 1e-6 * (1 + fabs(b));
}

#endif
