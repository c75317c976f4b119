/* plan - what a picture will take: the graph itself, run on the dry device.
 *
 * A phase's quanta are alike, so a few stand for all: first and last of the prompt's chunks and of
 * the tokens (attention grows evenly in between), the first and second denoising step, every piece
 * of the decoder, every condition image. */
#include "kernels/engine/checkpoint_pieces.h"

#include <limits.h>
#include <string.h>

/* For `share`: how many FLOPs take as long as a call. */
static const double FLOPS_PER_QUANTUM = 2e6;

static void ignore(void *ctx, const char *name, tensor t, enum tap_shape shape, int h, int w)
{
    (void)ctx;
    (void)name;
    (void)t;
    (void)shape;
    (void)h;
    (void)w;
}

static const struct tap IGNORE = {.see = ignore};

enum { AS_IT_IS = -1, LAST_CHUNK = -2 }; /* of a prompt: none is longer */

static void place_in_phase(struct glm_run *r, enum glm_phase phase, int done)
{
    int last = run_quanta(r, phase) - 1, at = done < last ? done : last;

    if (done == LAST_CHUNK) at = (int)r->prior.chunks - 1;
    if (phase == GLM_PRIOR && done == LAST_CHUNK && r->prior.sampled) return;
    if (phase == GLM_PRIOR) prior_seek(&r->prior, at);
    if (phase == GLM_VISION || phase == GLM_ENCODE) r->done = at;
    if (phase == GLM_DENOISE) r->dit.step = at;
    if (phase == GLM_DECODE) r->vae.piece = at;
}

/* One quantum of copies of the runs, as they would be after `done` quanta of the phase. */
static struct cost try_quantum(const struct stages *n, struct dev *dry, struct glm_run *const *r,
                               int count, enum glm_phase phase, int done, int tapped)
{
    struct glm_run copy[LIMIT_BATCH], *list[LIMIT_BATCH];
    struct graph g = {.dev = dry, .tap = tapped ? &IGNORE : NULL};

    for (int i = 0; i < count; i++) {
        copy[i] = *r[i];
        list[i] = &copy[i];
        for (int k = 0; k < copy[i].images; k++)
            copy[i].image[k].seen = NULL; /* nothing is put */
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

/* One run on the dry device: what its quanta cost is asked in stretches. */
struct trial {
    const struct stages *stages;
    struct dev *dry;
    struct glm_run *run;
    int tapped;
};

/* Quanta [from, to) of a phase, whose cost grows evenly from the first to the last. */
static void stretch(const struct trial *t, enum glm_phase phase, int from, int to, struct cost *sum)
{
    struct glm_run *r = t->run;

    if (from >= to) return;
    add(sum, try_quantum(t->stages, t->dry, &r, 1, phase, from, t->tapped), (to - from) / 2.0);
    add(sum, try_quantum(t->stages, t->dry, &r, 1, phase, to - 1, t->tapped), (to - from) / 2.0);
}

/* The last chunk of a prompt samples a token too. */
static void prefill_cost(const struct trial *t, struct cost *sum)
{
    int chunks = (int)t->run->prior.chunks;

    if (!chunks) return;
    stretch(t, GLM_PRIOR, 0, chunks - 1, sum);
    stretch(t, GLM_PRIOR, chunks - 1, chunks, sum);
}

/* Pieces of the decoder, and images. */
static int all_differ(enum glm_phase phase)
{
    return phase == GLM_DECODE || phase == GLM_VISION || phase == GLM_ENCODE;
}

/* All quanta of a phase of one run. */
static struct cost phase_cost(const struct trial *t, enum glm_phase phase)
{
    struct cost sum = {0};
    int quanta = run_quanta(t->run, phase), each = all_differ(phase) ? quanta : 1;

    if (phase == GLM_PRIOR) {
        prefill_cost(t, &sum);
        stretch(t, phase, (int)t->run->prior.chunks, quanta, &sum);
        return sum;
    }
    for (int i = 0; i < each; i++)
        stretch(t, phase, i, i + 1, &sum);
    stretch(t, phase, each, quanta, &sum);
    return sum;
}

static double planned(struct cost c, double byte, int quanta)
{
    return c.flops + byte * c.weight_bytes + FLOPS_PER_QUANTUM * quanta;
}

static void plan_on(const struct glm *g, struct dev *dry, struct glm_run *r, int tapped)
{
    double *work = r->cost.work, all = 0;
    const double byte = dry->traits.flops_per_byte;
    const struct trial t = {.stages = &g->dry_stages, .dry = dry, .run = r, .tapped = tapped};
    struct cost prefill = {0};

    for (int p = 0; p < GLM_PHASES; p++) {
        struct cost c = phase_cost(&t, (enum glm_phase)p);

        r->cost.quanta[p] = run_quanta(r, (enum glm_phase)p);
        r->cost.flops[p] = c.flops;
        work[p] = planned(c, byte, r->cost.quanta[p]);
        all += work[p];
    }
    for (int p = 0; p < GLM_PHASES; p++)
        r->share[p] = work[p] / all;
    prefill_cost(&t, &prefill);
    if (r->prior.chunks)
        r->prefill = planned(prefill, byte, (int)r->prior.chunks) / work[GLM_PRIOR];
    r->cost.prefill = r->prefill;
    r->cost.chunks = (int)r->prior.chunks;
    r->cost.scratch_bytes = dry->scratch.peak;
}

/* A dry device of its own for every question: any thread may ask. */
static int dry_new(const struct glm *g, struct dev **out, struct fail *f)
{
    int err = dry_open(out, g->dry->type, g->dev ? g->dev : g->like, f);

    if (err) return err;
    err = scratch_reserve(*out, DRY_SCRATCH, f);
    if (err) (*out)->ops->free(*out);
    return err;
}

static void dry_free(struct dev *dry)
{
    scratch_free(dry);
    dry->ops->free(dry);
}

int plan_run(const struct glm *g, struct glm_run *r, int tapped, struct fail *f)
{
    struct dev *dry;
    int err = dry_new(g, &dry, f);

    if (err) return err;
    r->cost.run_bytes = run_place(r, &g->model.cfg, dry->type, NULL);
    r->cost.checkpoint_bytes = checkpoint_bytes_max(r);
    plan_on(g, dry, r, tapped);
    err = dry->ops->sync(dry, f);
    dry_free(dry);
    return err;
}

static int most_quanta(struct glm_run *const *r, int n, enum glm_phase phase)
{
    int most = 0;

    for (int i = 0; i < n; i++)
        if (run_quanta(r[i], phase) > most) most = run_quanta(r[i], phase);
    return most;
}

int plan_scratch(const struct glm *g, struct dev *dry, struct glm_run *const *r, int n,
                 enum glm_phase phase, int tapped, uint64_t *bytes, struct fail *f)
{
    dry->scratch.peak = 0;
    try_quantum(&g->dry_stages, dry, r, n, phase, AS_IT_IS, tapped);
    if (phase == GLM_PRIOR) {
        try_quantum(&g->dry_stages, dry, r, n, phase, LAST_CHUNK, tapped);
        try_quantum(&g->dry_stages, dry, r, n, phase, INT_MAX, tapped);
    }
    for (int i = 0; all_differ(phase) && i < most_quanta(r, n, phase); i++)
        try_quantum(&g->dry_stages, dry, r, n, phase, i, tapped);
    *bytes = dry->scratch.peak;
    return dry->ops->sync(dry, f);
}

int glm_plan(const struct glm *g, const struct glm_req *q, struct glm_cost *out, struct fail *f)
{
    struct glm_run r;
    int err = run_prepare(&r, g, q, f);

    if (err) return err;
    err = plan_run(g, &r, 0, f);
    *out = r.cost;
    run_drop(&r);
    return err;
}

int glm_plan_batch(const struct glm *g, const struct glm_req *q, int n, uint64_t *scratch,
                   struct fail *f)
{
    struct glm_run r, *list[LIMIT_BATCH];
    struct dev *dry;
    uint64_t bytes;
    int err;

    assert(n >= 1 && n <= LIMIT_BATCH);
    *scratch = 0;
    err = run_prepare(&r, g, q, f);
    if (err) return err;
    err = dry_new(g, &dry, f);
    if (err) goto out;
    run_place(&r, &g->model.cfg, dry->type, NULL);
    for (int i = 0; i < n; i++)
        list[i] = &r;
    for (int p = 0; p < GLM_PHASES && !err; p++) {
        if (!run_quanta(&r, (enum glm_phase)p)) continue;
        err = plan_scratch(g, dry, list, n, (enum glm_phase)p, 0, &bytes, f);
        if (bytes > *scratch) *scratch = bytes;
    }
    dry_free(dry);
out:
    run_drop(&r);
    return err;
}
