/* run - what a run consists of: its host side, its place in memory, what is put there, its
 * quanta. */
#include "kernels/engine/engine.h"

#include "kernels/model/flow.h"
#include "kernels/number.h"
#include "kernels/rng.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static int check_side(const char *field, int side, int most, struct fail *f)
{
    if (side >= LIMIT_SIDE_STEP && side <= most && side % LIMIT_SIDE_STEP == 0) return 0;
    fail_field(f, ERR_BAD_FIELD, field, "%s is %d", field, side);
    return fail_advise(f, "use a multiple of %d from %d to %d", LIMIT_SIDE_STEP, LIMIT_SIDE_STEP,
                       most);
}

/* A trace may ask for more than the model draws well. */
static int check_request(const struct glm_req *q, const struct model_config *c, struct fail *f)
{
    int most = q->inject ? LIMIT_SIDE_MAX : config_side_max(c);
    int err = check_side("width", q->width, most, f);

    if (!err) err = check_side("height", q->height, most, f);
    if (err) return err;
    if (q->steps < 1 || q->steps > LIMIT_STEPS_MAX)
        return fail_field(f, ERR_BAD_FIELD, "steps", "steps is %d; 1 to %d are possible", q->steps,
                          LIMIT_STEPS_MAX);
    if (!(q->guidance >= 0.0 && q->guidance <= LIMIT_GUIDANCE_MAX))
        return fail_field(f, ERR_BAD_FIELD, "guidance", "guidance is %g; 0 to %g is possible",
                          q->guidance, LIMIT_GUIDANCE_MAX);
    return 0;
}

/* How many tokens to sample: what the grids need, or what a trace gives. */
static int set_samples(struct glm_run *r, const struct glm_req *q, struct fail *f)
{
    const struct glm_inject *in = q->inject;

    r->prior.prompt = (int64_t)r->prompt.ids.n;
    r->prior.chunks = prior_chunks(r->prior.prompt, q->inject != NULL);
    r->prior.samples = r->prompt.tokens;
    if (q->skip_prior) {
        r->prior.chunks = 0;
        prior_seek(&r->prior, prior_calls(&r->prior));
    }
    if (!in || !in->tokens) return 0;
    if (in->token_count < (size_t)r->prompt.tokens
        || in->token_count > (size_t)r->prompt.tokens + 1)
        return fail_set(f, ERR_BAD_REQUEST, "%zu tokens are given; this size draws %d",
                        in->token_count, r->prompt.tokens);
    r->prior.samples = (int64_t)in->token_count;
    return 0;
}

static int allocate(struct glm_run *r, struct fail *f)
{
    size_t cells = (size_t)r->dit.h * (size_t)r->dit.w, steps = (size_t)r->dit.steps;

    r->tokens = calloc((size_t)r->prior.samples, sizeof *r->tokens);
    r->staging = calloc(cells, 3);
    r->dit.timestep = calloc(steps, sizeof(float));
    r->dit.sigma = calloc(steps + 1, sizeof(float));
    if (r->tokens && r->staging && r->dit.timestep && r->dit.sigma) return 0;
    return fail_set(f, ERR_OUT_OF_MEMORY, "no host memory for a picture");
}

static void digest_image(crypto_generichash_state *h, const struct glm_image *image)
{
    const int64_t size[] = {image->width, image->height};

    crypto_generichash_update(h, (const void *)size, sizeof size);
    if (image->rgb) crypto_generichash_update(h, image->rgb, 3 * (size_t)size[0] * (size_t)size[1]);
}

/* Two requests with the same digest are the same picture. */
static void digest_request(struct glm_run *r, const struct glm_req *q)
{
    const int64_t numbers[] = {q->width,
                               q->height,
                               q->steps,
                               (int64_t)q->seed,
                               (int64_t)r->noise_seed,
                               (int64_t)q->picture,
                               q->strict,
                               q->skip_prior,
                               q->images};
    crypto_generichash_state h;

    crypto_generichash_init(&h, NULL, 0, sizeof r->request);
    crypto_generichash_update(&h, (const void *)numbers, sizeof numbers);
    crypto_generichash_update(&h, (const void *)&q->guidance, sizeof q->guidance);
    if (q->tokens) crypto_generichash_update(&h, q->tokens, q->tokens_len);
    for (int i = 0; i < q->images; i++)
        digest_image(&h, &q->image[i]);
    crypto_generichash_update(&h, (const void *)q->prompt, q->prompt_len);
    crypto_generichash_final(&h, r->request, sizeof r->request);
}

/* The prompt's ids, with the cells of the images that conditions_prepare() found. */
static int make_prompt(struct glm_run *r, const struct model *m, const struct glm_req *q,
                       struct fail *f)
{
    struct grid grid[LIMIT_IMAGES];

    for (int i = 0; i < r->images; i++)
        grid[i] = r->image[i].size.grid;
    return prompt_with_images(&r->prompt, m->bpe, &m->cfg, q->prompt, q->prompt_len, q->height,
                              q->width, grid, r->images, !q->inject, f);
}

int run_prepare(struct glm_run *r, const struct glm *g, const struct glm_req *q, struct fail *f)
{
    const struct model *m = &g->model;
    int err;

    memset(r, 0, sizeof *r);
    err = check_request(q, &m->cfg, f);
    if (!err) err = conditions_prepare(r, g, q, f);
    if (!err) err = make_prompt(r, m, q, f);
    if (!err) err = byt5_prompt(&r->text, q->prompt, q->prompt_len, m->cfg.glyph.vocab, f);
    if (!err) err = set_samples(r, q, f);
    r->prior.seed = q->seed;
    r->prior.picture = q->picture;
    r->prior.strict = q->strict;
    r->teacher_forced = q->inject && q->inject->tokens;
    r->injected = q->inject != NULL;
    r->skip_prior = q->skip_prior;
    r->noise_seed = q->two_seeds ? q->noise_seed : q->seed;
    digest_request(r, q);
    r->vae.h = r->dit.h = q->height / CONFIG_LATENT_PIXELS;
    r->vae.w = r->dit.w = q->width / CONFIG_LATENT_PIXELS;
    r->dit.height = q->height;
    r->dit.width = q->width;
    r->dit.steps = q->steps;
    r->dit.guidance = (float)q->guidance;
    if (!err) err = allocate(r, f);
    if (!err)
        flow_schedule(&m->cfg.flow, dit_patches(&r->dit), q->steps, r->dit.timestep, r->dit.sigma);
    if (err) run_drop(r);
    return err;
}

void run_drop(struct glm_run *r)
{
    prompt_free(&r->prompt);
    byt5_free(&r->text);
    conditions_drop(r);
    free(r->tokens);
    free(r->staging);
    free(r->dit.timestep);
    free(r->dit.sigma);
    memset(r, 0, sizeof *r);
}

size_t run_place(struct glm_run *r, const struct model_config *c, enum dtype type, void *base)
{
    struct arena a;
    int64_t text = (int64_t)r->text.start[r->text.n];
    size_t common;

    arena_init(&a, base ? base : (void *)ARENA_ALIGN, SIZE_MAX / 2);
    prior_place_tokens(&r->prior, &a, r->teacher_forced);
    conditions_place(r, &a);
    dit_place(&r->dit, &a, &c->dit, type, text);
    common = arena_mark(&a);
    if (!r->skip_prior) prior_place(&r->prior, &a, &c->ar, type);
    arena_release(&a, common);
    dit_place_prior(&r->dit, &a, &c->dit, type);
    arena_release(&a, common);
    vae_place(&r->vae, &a, &c->vae, type);
    return a.peak;
}

/* --- what is put into a run's memory before its first quantum --------------------------------- */

static void fill_prior(struct glm_run *r, struct dev *d, const struct model_config *c, float *table,
                       struct position *pos)
{
    int64_t rows = prior_cache_rows(&r->prior);
    struct grid grid[LIMIT_IMAGES];
    int end;

    for (int i = 0; i < r->images; i++)
        grid[i] = r->image[i].size.grid;
    end = positions_prompt(pos, r->prompt.ids.v, (int)r->prior.prompt, c->token.image, grid,
                           r->images);
    positions_samples(pos + r->prior.prompt, end, r->prompt.preview, r->prompt.large);
    positions_prior_table(table, &c->ar, pos, (int)rows, d->type == DT_BF16);
    d->ops->put(d, r->prior.rope, table);
}

int run_fill_text(struct glm_run *r, struct dev *d, struct fail *f)
{
    void *rows = malloc(tensor_bytes(r->prior.text) + 1);
    int32_t *ids = conditions_ids(r);
    int err = 0;

    if (!rows || !ids) {
        err = fail_set(f, ERR_OUT_OF_MEMORY, "no host memory for a prompt");
    } else {
        prior_embed(&r->g->stages.prior, d->type, ids, r->prior.prompt, rows);
        d->ops->put(d, r->prior.text, rows);
    }
    free(ids);
    free(rows);
    return err;
}

static void fill_dit(struct glm_run *r, struct dev *d, const struct dit_config *c, float *table)
{
    struct dit_state *s = &r->dit;

    positions_patch_table(table, c->head_dim, s->h / 2, s->w / 2);
    d->ops->put(d, s->rope, table);
    for (int i = 0; i < s->steps; i++) {
        flow_sinusoid(table, c->time, s->timestep[i] - 1.0f);
        graph_put(d, tensor_rows(s->times, i, 1), table);
    }
    flow_size_sinusoid(table, c->cond, s->height, s->width);
    graph_put(d, s->size, table);
}

/* The first noise, rounded to bf16 where the reference draws it in that type. */
static void fill_noise(struct glm_run *r, struct dev *d, const struct glm_inject *in, float *noise)
{
    int64_t n = r->dit.latents.rows * r->dit.latents.cols;

    if (in && in->latents)
        memcpy(noise, in->latents, (size_t)n * sizeof *noise);
    else
        rng_normals(noise, (size_t)n, r->noise_seed, r->prior.picture, RNG_NOISE);
    if (d->type == DT_BF16 && !(in && in->latents))
        for (int64_t i = 0; i < n; i++)
            noise[i] = bf16_to_f32(f32_to_bf16(noise[i]));
    d->ops->put(d, r->dit.latents, noise);
}

/* What the prior works with, or the tokens that it would have sampled. The rows of a prompt with
 * images follow when their codes are known. */
static int fill_prior_phase(struct glm_run *r, struct dev *d, const struct model_config *c,
                            float *table, struct position *pos, struct fail *f)
{
    if (r->skip_prior) {
        d->ops->put(d, r->prior.tokens, r->tokens);
        return 0;
    }
    fill_prior(r, d, c, table, pos);
    return r->images ? 0 : run_fill_text(r, d, f);
}

int run_fill(struct glm_run *r, struct dev *d, const struct model_config *c,
             const struct glm_inject *in, struct fail *f)
{
    size_t prior = (size_t)prior_cache_rows(&r->prior) * (size_t)c->ar.rotary;
    size_t dit = (size_t)dit_patches(&r->dit) * (size_t)c->dit.head_dim;
    size_t latents = (size_t)r->dit.latents.rows * (size_t)r->dit.latents.cols;
    size_t sinus = number_max((size_t)c->dit.time, 4 * (size_t)c->dit.cond);
    size_t n = number_max(number_max(prior, dit), number_max(latents, sinus));
    struct position *pos = calloc((size_t)(r->prior.prompt + r->prompt.tokens + 1), sizeof *pos);
    float *host = calloc(n, sizeof *host);
    int err = 0;

    if (!pos || !host) {
        err = fail_set(f, ERR_OUT_OF_MEMORY, "no host memory for a picture's tables");
    } else {
        err = fill_prior_phase(r, d, c, host, pos, f);
        fill_dit(r, d, &c->dit, host);
        fill_noise(r, d, in, host);
        if (in && in->tokens) d->ops->put(d, r->prior.teacher_forced, in->tokens);
        if (!err) err = d->ops->sync(d, f);
    }
    free(pos);
    free(host);
    return err;
}

/* --- quanta --------------------------------------------------------------------------------- */

enum glm_phase run_phase(const struct glm_run *r)
{
    return r->resume ? r->resume : r->phase;
}

int run_done(const struct glm_run *r)
{
    return r->resume ? r->resume_done : r->done;
}

int run_quanta(const struct glm_run *r, enum glm_phase phase)
{
    switch (phase) {
    case GLM_GLYPH: return 1;
    case GLM_VISION:
    case GLM_ENCODE: return r->images;
    case GLM_PRIOR: return r->skip_prior ? 0 : (int)prior_calls(&r->prior);
    case GLM_DENOISE: return r->stop ? r->stop : r->dit.steps;
    case GLM_DECODE: return VAE_PIECES;
    default: return 0;
    }
}

static void glyph_quantum(const struct graph *g, const struct stages *n, struct glm_run *r)
{
    struct dev *d = g->dev;
    size_t mark = arena_mark(&d->scratch);
    tensor rows = graph_temp(g, r->dit.text.rows, n->glyph.cfg->width);

    if (!d->scratch.failed) {
        glyph_encode(g, &n->glyph, &r->text, rows, "glyph");
        dit_project_text(g, &n->dit, &r->dit, rows);
    }
    arena_release(&d->scratch, mark);
}

/* The large grid's codes, each for 2 x 2 patches, as the DiT's prior. */
static void project_codes(const struct graph *g, const struct stages *n, struct glm_run *r)
{
    struct dev *d = g->dev;
    int cols = r->dit.w / 2;
    int32_t *ids = (int32_t *)(void *)r->staging; /* 12 bytes a patch are there, 4 are needed */
    const int32_t *codes = r->tokens + r->prompt.preview.rows * r->prompt.preview.cols;

    d->ops->get(d, r->tokens, r->prior.tokens);
    if (d->ops->sync(d, NULL)) return;
    for (int64_t i = 0; i < dit_patches(&r->dit); i++)
        ids[i] = codes[i / cols / 2 * r->prompt.large.cols + i % cols / 2];
    d->ops->put(d, r->dit.ids, ids);
    tap_vector(g, r->dit.ids, "prior.ids");
    dit_project_prior(g, &n->dit, &r->dit);
}

static void denoise_quantum(const struct graph *g, const struct stages *n, struct glm_run *const *r,
                            int count)
{
    struct dit_state *s[LIMIT_BATCH];

    for (int i = 0; i < count; i++) {
        s[i] = &r[i]->dit;
        if (s[i]->step == r[i]->first_step) project_codes(g, n, r[i]);
    }
    dit_step(g, &n->dit, s, count);
}

void run_quantum(const struct graph *g, const struct stages *n, struct glm_run *const *r, int count,
                 enum glm_phase phase)
{
    struct prior_seq *s[LIMIT_BATCH];

    switch (phase) {
    case GLM_GLYPH:
        for (int i = 0; i < count; i++)
            glyph_quantum(g, n, r[i]);
        break;
    case GLM_VISION:
        for (int i = 0; i < count; i++)
            conditions_see(g, n, r[i], r[i]->done);
        break;
    case GLM_ENCODE:
        for (int i = 0; i < count; i++)
            conditions_encode(g, n, r[i], r[i]->done);
        break;
    case GLM_PRIOR:
        for (int i = 0; i < count; i++)
            s[i] = &r[i]->prior;
        prior_step(g, &n->prior, s, count);
        break;
    case GLM_DENOISE: denoise_quantum(g, n, r, count); break;
    case GLM_DECODE:
        for (int i = 0; i < count; i++)
            vae_step(g, &n->vae, &r[i]->vae, r[i]->dit.latents);
        break;
    default: break;
    }
}
