/* step - runs made and freed, and moved by one quantum: scratch, work, wait, what follows of it. */
#include "kernels/engine/engine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int glm_run_new(struct glm_run **out, struct glm *g, const struct glm_req *q, struct fail *f)
{
    struct glm_run *r = calloc(1, sizeof *r);
    int err;

    *out = NULL;
    if (!r) return fail_set(f, ERR_OUT_OF_MEMORY, "no host memory for a picture");
    err = run_prepare(r, g, q, f);
    if (err) goto failed;
    r->g = g;
    err = plan_run(g, r, q->inject != NULL, f);
    if (!err && q->skip_prior) err = tokens_read(r, g, q, f); /* the dry device wrote there */
    if (err) goto failed;
    r->bytes = run_place(r, &g->model.cfg, g->dev->type, NULL);
    err = g->dev->ops->mem_new(g->dev, &r->mem, r->bytes, f);
    if (err) goto failed;
    run_place(r, &g->model.cfg, g->dev->type, r->mem);
    err = run_fill(r, g->dev, &g->model.cfg, q->inject, f);
    if (err) goto failed;
    r->id = ++g->next_run;
    *out = r;
    return 0;
failed:
    r->g = g;
    glm_run_free(r);
    return err;
}

void glm_run_free(struct glm_run *r)
{
    struct dev *d;

    if (!r) return;
    d = r->g->dev;
    if (r->mem) d->ops->mem_free(d, r->mem, r->bytes);
    run_drop(r);
    free(r);
}

/* --- a quantum ------------------------------------------------------------------------------- */

static void fail_not_finite(struct glm_run *r, const char *phase)
{
    fail_set(&r->fail, ERR_MODEL, "the model's numbers are not finite after phase %s", phase);
    fail_advise(&r->fail, "use --dtype f32; if it stays, the model's files are damaged");
}

/* Strict sampling may have sampled what is no image code; then this run, and no other, is over. */
static int check_samples(struct glm_run *r, struct fail *f)
{
    struct dev *d = r->g->dev;
    int32_t state[AR_STATE];
    int err;

    d->ops->get(d, state, r->prior.state);
    err = d->ops->sync(d, f);
    if (err || !state[AR_BAD]) return err;
    if (r->prior.strict) {
        fail_set(&r->fail, ERR_MODEL,
                 "token %d of the picture is not an image code (strict sampling)",
                 state[AR_BAD] - 1);
        fail_advise(&r->fail, "draw again with another seed, or without strict sampling");
    } else {
        fail_not_finite(r, "prior");
    }
    return 0;
}

/* Detects NaN and Inf: the decoder would print them as black, without an error. */
static int check_latents(struct glm_run *r, struct fail *f)
{
    struct dev *d = r->g->dev;
    const int64_t n = r->dit.latents.rows * r->dit.latents.cols;
    float *v = malloc((size_t)n * sizeof *v);
    int err;

    if (!v) return fail_set(f, ERR_OUT_OF_MEMORY, "no host memory to look at a picture");
    d->ops->get(d, v, r->dit.latents);
    err = d->ops->sync(d, f);
    for (int64_t i = 0; i < n && !err && !r->fail.code; i++)
        if (!isfinite(v[i])) fail_not_finite(r, "denoise");
    free(v);
    return err;
}

/* Stopped before its last step: the picture that this one predicted. */
static int end_denoising(struct glm_run *r, struct fail *f)
{
    struct dev *d = r->g->dev;

    if (r->dit.step < r->dit.steps) d->ops->copy(d, r->dit.latents, r->dit.clean);
    return check_latents(r, f);
}

/* The codes of the images are known, and with them the prompt's rows. */
static int end_vision(struct glm_run *r, struct fail *f)
{
    const int err = conditions_seen(r, f);

    return err || r->skip_prior ? err : run_fill_text(r, r->g->dev, f);
}

/* To where a run that was loaded stood, now that its images are encoded. */
static void resume(struct glm_run *r)
{
    r->phase = r->resume;
    r->done = r->resume_done;
    r->resume = GLM_GLYPH;
}

/* To the next phase that has quanta. */
static int end_phase(struct glm_run *r, struct fail *f)
{
    int err = 0;

    if (r->resume) {
        resume(r);
        return 0;
    }
    if (r->phase == GLM_VISION) err = end_vision(r, f);
    if (r->phase == GLM_PRIOR) err = check_samples(r, f);
    if (r->phase == GLM_DENOISE) err = end_denoising(r, f);
    do
        r->phase++;
    while (r->phase < GLM_DONE && !run_quanta(r, r->phase));
    r->done = 0;
    return err;
}

static int move_on(struct glm_run *r, struct fail *f)
{
    return ++r->done < run_quanta(r, r->phase) ? 0 : end_phase(r, f);
}

/* Scratch for this batch to the end of its phase; asks the dry device once for every composition of
 * a batch. */
static int ensure_scratch(struct glm *g, struct glm_run **r, int n, int tapped, struct fail *f)
{
    uint64_t ids[LIMIT_BATCH] = {0}, bytes;
    int err;

    for (int i = 0; i < n; i++)
        ids[i] = r[i]->id;
    if (g->checked_phase == r[0]->phase && !memcmp(ids, g->checked, sizeof ids)) return 0;
    err = plan_scratch(g, g->dry, r, n, r[0]->phase, tapped, &bytes, f);
    if (!err) err = scratch_reserve(g->dev, bytes, f);
    if (err) return err;
    memcpy(g->checked, ids, sizeof ids);
    g->checked_phase = r[0]->phase;
    return 0;
}

/* Wait for the quantum; in the prior, where the device can go on meanwhile, for an earlier one. */
static int settle(struct glm *g, enum glm_phase phase, int tapped, struct fail *f)
{
    const struct ops *op = g->dev->ops;
    int err;

    if (phase != GLM_PRIOR || tapped || !op->mark) {
        g->aheads = 0;
        return op->sync(g->dev, f);
    }
    err = g->aheads == GLM_AHEAD ? op->wait(g->dev, g->ahead[0], f) : 0;
    if (g->aheads == GLM_AHEAD)
        memmove(g->ahead, g->ahead + 1, sizeof g->ahead[0] * (size_t)--g->aheads);
    g->ahead[g->aheads++] = op->mark(g->dev);
    return err;
}

int glm_step_tapped(struct glm *g, struct glm_run **r, int n, const struct tap *tap, struct fail *f)
{
    struct graph graph = {.dev = g->dev, .tap = tap, .offload = g->stages.offload};
    int err;

    assert(n >= 1 && n <= LIMIT_BATCH);
    for (int i = 0; i < n; i++)
        assert(r[i]->phase == r[0]->phase && r[i]->phase < GLM_DONE && !r[i]->fail.code);
    err = ensure_scratch(g, r, n, tap != NULL, f);
    if (err) return err;
    run_quantum(&graph, &g->stages, r, n, r[0]->phase);
    err = settle(g, r[0]->phase, tap != NULL, f);
    if (!err && g->dev->scratch.failed)
        err = fail_set(f, ERR_INTERNAL, "scratch was planned too small");
    for (int i = 0; i < n && !err; i++)
        err = move_on(r[i], f);
    if (err) g->dev->ops->reset(g->dev);
    if (err) g->aheads = 0;
    g->dev->scratch.failed = 0;
    return err;
}

int glm_step(struct glm *g, struct glm_run **batch, int n, struct fail *f)
{
    return glm_step_tapped(g, batch, n, NULL, f);
}

int glm_run_finish(struct glm_run *r, int steps, struct fail *f)
{
    int done = run_phase(r) == GLM_DENOISE ? run_done(r) : 0, err;

    assert(steps >= 1);
    if (r->phase > GLM_DENOISE || r->stop || r->fail.code) return 0;
    if (steps < done) steps = done;
    if (steps >= r->dit.steps) return 0;
    r->stop = steps;
    if (done < steps) return 0;
    if (r->resume) resume(r); /* no step will look at its images */
    err = end_phase(r, f);
    if (err) r->g->dev->ops->reset(r->g->dev);
    if (err) r->g->aheads = 0;
    return err;
}

int glm_run_steps(const struct glm_run *r)
{
    return r->dit.step;
}

int glm_reserve(struct glm *g, uint64_t scratch, struct fail *f)
{
    return scratch_reserve(g->dev, (size_t)scratch, f);
}
