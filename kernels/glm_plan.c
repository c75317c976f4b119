/* glm_plan - what a picture will take: the graph itself, run on the dry device.
 *
 * A phase's quanta are alike, so a few stand for all: the prior's first, second and last (attention grows
 * evenly in between), the first and second denoising step, every piece of the decoder. */
#include "kernels/engine.h"

#include <limits.h>
#include <string.h>

/* For `share`: how many FLOPs take as long as reading a byte of weights, and as a call. */
static const double CPU_FLOPS_PER_BYTE = 6, DEVICE_FLOPS_PER_BYTE = 180, FLOPS_PER_QUANTUM = 2e6;

static void look_away(void *ctx, const char *name, tensor t, enum tap_shape shape, int h, int w)
{
    (void)ctx;
    (void)name;
    (void)t;
    (void)shape;
    (void)h;
    (void)w;
}

static const struct tap NOBODY = {.see = look_away};

enum { AS_IT_IS = -1 };

static void place_in_phase(struct glm_run *r, enum glm_phase phase, int done)
{
    int last = run_quanta(r, phase) - 1, at = done < last ? done : last;
    if (phase == GLM_PRIOR) r->prior.drawn = at;
    if (phase == GLM_DENOISE) r->dit.step = at;
    if (phase == GLM_DECODE) r->vae.piece = at;
}

/* One quantum of copies of the runs, as they would be after `done` quanta of the phase. */
static struct cost try_quantum(const struct net *n, struct dev *dry, struct glm_run *const *r,
                               int count, enum glm_phase phase, int done, int watched)
{
    struct glm_run copy[LIMIT_BATCH], *list[LIMIT_BATCH];
    struct graph g = {.dev = dry, .tap = watched ? &NOBODY : NULL};
    for (int i = 0; i < count; i++) {
        copy[i] = *r[i];
        list[i] = &copy[i];
        if (done != AS_IT_IS) place_in_phase(&copy[i], phase, done);
    }
    dry->cost = (struct cost){0};
    run_quantum(&g, n, list, count, phase);
    return dry->cost;
}

static void add(struct cost *sum, struct cost c, double times)
{
    sum->flops += c.flops * times;
    sum->weight_bytes += c.weight_bytes * times;
}

/* All quanta of a phase of one run. */
static struct cost phase_cost(const struct net *n, struct dev *dry, struct glm_run *r,
                              enum glm_phase phase, int watched)
{
    struct cost sum = {0};
    int quanta = run_quanta(r, phase);
    add(&sum, try_quantum(n, dry, &r, 1, phase, 0, watched), 1);
    if (phase == GLM_DECODE) {
        for (int i = 1; i < quanta; i++)
            add(&sum, try_quantum(n, dry, &r, 1, phase, i, watched), 1);
    } else if (quanta > 1) {
        double rest = (double)(quanta - 1) / 2;
        add(&sum, try_quantum(n, dry, &r, 1, phase, 1, watched), rest);
        add(&sum, try_quantum(n, dry, &r, 1, phase, quanta - 1, watched), rest);
    }
    return sum;
}

static void plan_on(const struct glm *g, struct dev *dry, struct glm_run *r, int watched)
{
    double time[GLM_PHASES], all = 0;
    int cpu = !g->like && (!g->dev || !strcmp(g->dev->ops->name, "cpu"));
    double byte = cpu ? CPU_FLOPS_PER_BYTE : DEVICE_FLOPS_PER_BYTE;
    for (int p = 0; p < GLM_PHASES; p++) {
        struct cost c = phase_cost(&g->plan, dry, r, (enum glm_phase)p, watched);
        r->cost.quanta[p] = run_quanta(r, (enum glm_phase)p);
        r->cost.flops[p] = c.flops;
        time[p] = c.flops + byte * c.weight_bytes + FLOPS_PER_QUANTUM * r->cost.quanta[p];
        all += time[p];
    }
    for (int p = 0; p < GLM_PHASES; p++)
        r->share[p] = time[p] / all;
    r->cost.scratch_bytes = dry->scratch.peak;
}

/* A dry device of its own for every question: any thread may ask. */
static int dry_new(const struct glm *g, struct dev **out, struct fail *f)
{
    int rc = dry_open(out, g->dry->type, g->dev ? g->dev : g->like, f);
    if (rc) return rc;
    rc = scratch_reserve(*out, DRY_SCRATCH, f);
    if (rc) (*out)->ops->free(*out);
    return rc;
}

static void dry_free(struct dev *dry)
{
    scratch_free(dry);
    dry->ops->free(dry);
}

int plan_run(const struct glm *g, struct glm_run *r, int watched, struct fail *f)
{
    struct dev *dry;
    int rc = dry_new(g, &dry, f);
    if (rc) return rc;
    r->cost.run_bytes = run_place(r, &g->model.cfg, dry->type, NULL, watched);
    plan_on(g, dry, r, watched);
    rc = dry->ops->sync(dry, f);
    dry_free(dry);
    return rc;
}

int plan_scratch(const struct glm *g, struct dev *dry, struct glm_run *const *r, int n,
                 enum glm_phase phase, int watched, uint64_t *bytes, struct fail *f)
{
    dry->scratch.peak = 0;
    try_quantum(&g->plan, dry, r, n, phase, AS_IT_IS, watched);
    if (phase == GLM_PRIOR) try_quantum(&g->plan, dry, r, n, phase, INT_MAX, watched);
    for (int i = 0; phase == GLM_DECODE && i < VAE_PIECES; i++)
        try_quantum(&g->plan, dry, r, n, phase, i, watched);
    *bytes = dry->scratch.peak;
    return dry->ops->sync(dry, f);
}

int glm_plan(const struct glm *g, const struct glm_req *q, struct glm_cost *out, struct fail *f)
{
    struct glm_run r;
    int rc = run_prepare(&r, &g->model, q, f);
    if (rc) return rc;
    rc = plan_run(g, &r, 0, f);
    *out = r.cost;
    run_drop(&r);
    return rc;
}

int glm_plan_batch(const struct glm *g, const struct glm_req *q, int n, uint64_t *scratch,
                   struct fail *f)
{
    struct glm_run r, *list[LIMIT_BATCH];
    struct dev *dry;
    uint64_t bytes;
    assert(n >= 1 && n <= LIMIT_BATCH);
    *scratch = 0;
    int rc = run_prepare(&r, &g->model, q, f);
    if (rc) return rc;
    rc = dry_new(g, &dry, f);
    if (rc) goto out;
    run_place(&r, &g->model.cfg, dry->type, NULL, 0);
    for (int i = 0; i < n; i++)
        list[i] = &r;
    for (int p = 0; p < GLM_PHASES && !rc; p++) {
        rc = plan_scratch(g, dry, list, n, (enum glm_phase)p, 0, &bytes, f);
        if (bytes > *scratch) *scratch = bytes;
    }
    dry_free(dry);
out:
    run_drop(&r);
    return rc;
}
