/* progress - how far a run is, by planned cost, and whether it failed. */
#include "kernels/engine/engine.h"

/* The share of its phase that a run has behind it, by plan: a chunk of a long prompt is many
 * tokens' work. */
static double behind(const struct glm_run *r, int total)
{
    int chunks = r->phase == GLM_PRIOR ? (int)r->prior.chunks : 0;

    if (r->done < chunks) return r->prefill * r->done / chunks;
    if (r->done >= total) return 1;
    return !chunks ? (double)r->done / total
                   : r->prefill + (1 - r->prefill) * (r->done - chunks) / (total - chunks);
}

struct glm_progress glm_run_progress(const struct glm_run *r)
{
    struct glm_progress v = {.phase = r->phase, .done = r->done, .overall = 0};

    for (int p = 0; p < (int)r->phase; p++)
        v.overall += r->share[p];
    if (r->phase == GLM_DONE) {
        v.overall = 1;
        return v;
    }
    v.total = run_quanta(r, r->phase);
    v.left = 1 - behind(r, v.total);
    v.overall += r->share[r->phase] * (1 - v.left);
    v.prefill = r->phase == GLM_PRIOR && !r->prior.sampled;
    if (v.overall > 1) v.overall = 1;
    return v;
}

int glm_run_failed(const struct glm_run *r, struct fail *f)
{
    if (f && r->fail.code) *f = r->fail;
    return (int)r->fail.code;
}
