/* plan - what pictures take on the virtual device of the simulation. */
#ifndef TEST_SIM_PLAN_H
#define TEST_SIM_PLAN_H

#include "proto/spec.h"
#include "server/core/effects.h"
#include "server/core/phases.h"

#include <string.h>

/* The virtual device computes so much planned work a microsecond. */
static const double WORLD_WORK_PER_US = 10000;

static inline int plan_of(const struct spec *s, struct job_plan *p, struct fail *f)
{
    uint64_t area = (uint64_t)s->width * (uint64_t)s->height;
    int rows = (int)strlen(s->prompt) / 4; /* tokens of the prompt, a few make no difference */
    double prompt;

    if (strstr(s->prompt, "<image>")) return fail_set(f, ERR_BAD_PROMPT, "image tokens");
    memset(p, 0, sizeof *p);
    p->cost.run_bytes = area * 100;
    p->cost.scratch_bytes = area * 20;
    p->scratch_more = area * 10;
    p->cost.quanta[GLM_GLYPH] = strchr(s->prompt, '"') ? 1 : 0;
    p->cost.chunks = rows / 256 + 1;
    p->cost.quanta[GLM_PRIOR] = p->cost.chunks + (int)(area / 16384);
    p->cost.quanta[GLM_DENOISE] = s->steps;
    p->cost.quanta[GLM_DECODE] = 2;
    for (int i = 0; i < GLM_PHASES; i++)
        p->cost.work[i] =
            (double)area * 1e3 * (phases_wire((enum glm_phase)i) + 1) * p->cost.quanta[i];
    prompt = 1 + rows / 16.0 + rows * rows / 65536.0; /* in tokens, which are alike for all sizes */
    p->cost.work[GLM_PRIOR] = 2e7 * (prompt + (double)(area / 16384));
    p->cost.prefill = 2e7 * prompt / p->cost.work[GLM_PRIOR];
    for (int i = 0; i < GLM_PHASES; i++)
        p->cost.flops[i] = p->cost.work[i];
    /* of a token seven eighths are the reading of weights, which a batch does once */
    p->cost.flops[GLM_PRIOR] -= 2e7 * 7 / 8 * p->cost.quanta[GLM_PRIOR];
    if (!s->prior_from) return 0;
    p->cost.quanta[GLM_PRIOR] = p->cost.chunks = 0;
    p->cost.work[GLM_PRIOR] = p->cost.flops[GLM_PRIOR] = p->cost.prefill = 0;
    return 0;
}

#endif
