/* plan - what pictures take on the virtual device of the simulation. */
#ifndef TEST_SIM_PLAN_H
#define TEST_SIM_PLAN_H

#include "proto/spec.h"
#include "server/core/effects.h"

#include <string.h>

/* The virtual device computes so many planned FLOPs a microsecond. */
static const double WORLD_FLOPS_PER_US = 10000;

static inline int plan_of(const struct spec *s, struct job_plan *p, struct fail *f)
{
    uint64_t area = (uint64_t)s->width * (uint64_t)s->height;

    if (strstr(s->prompt, "<image>")) return fail_set(f, ERR_BAD_PROMPT, "image tokens");
    memset(p, 0, sizeof *p);
    p->cost.run_bytes = area * 100;
    p->cost.scratch_bytes = area * 20;
    p->scratch_more = area * 10;
    p->cost.quanta[GLM_GLYPH] = strchr(s->prompt, '"') ? 1 : 0;
    p->cost.quanta[GLM_PRIOR] = 1 + (int)(area / 16384);
    p->cost.quanta[GLM_DENOISE] = s->steps;
    p->cost.quanta[GLM_DECODE] = 2;
    for (int i = 0; i < GLM_PHASES; i++)
        p->cost.flops[i] = (double)area * 1e3 * (i + 1) * p->cost.quanta[i];
    p->cost.flops[GLM_PRIOR] = 2e7 * p->cost.quanta[GLM_PRIOR]; /* a token, whatever the size */
    p->cost.prefill = 1.0 / p->cost.quanta[GLM_PRIOR];
    return 0;
}

#endif
