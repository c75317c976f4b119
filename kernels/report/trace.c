/* trace - `darkroom trace`: draw what a reference trace drew and write every stage under its names.
 *
 * The graph shows its tensors to a tap; what the graph never has as a tensor (ids, positions, the
 * schedule) is added by hand. Floats are written as f32, integers as i64, the picture as u8. */
#include "kernels/engine/engine.h"
#include "kernels/glm_report.h"
#include "kernels/model/flow.h"
#include "kernels/report/trace_file.h"
#include "kernels/report/trace_sampling.h"
#include "weights/safetensors/safetensors_write.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 96 };

struct trace {
    struct glm *g;
    struct glm_run *run;
    struct safetensors *ref;
    struct glm_req req;
    struct glm_inject inject;
    json_t *meta;
    char *prompt;
    int32_t *tokens;
    float *latents;
    struct safetensors_entry *entry; /* names and data are owned */
    size_t n, cap;
    float *logits; /* host [draws, rows]: row by row from the tap */
    int64_t logit_rows;
    int err;
    struct fail *fail;
};

/* --- collecting ------------------------------------------------------------------------------- */

static void broke(struct trace *t)
{
    if (!t->err) t->err = fail_set(t->fail, ERR_OUT_OF_MEMORY, "no memory for the trace");
}

/* A new entry with room for its data, or NULL. */
static void *add(struct trace *t, const char *name, enum stored_dtype type, int nd,
                 const int64_t *dim)
{
    int64_t count = 1;
    struct safetensors_entry *e;

    if (t->err) return NULL;
    if (t->n == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 256;
        struct safetensors_entry *more = realloc(t->entry, cap * sizeof *more);

        if (!more) return broke(t), NULL;
        t->entry = more;
        t->cap = cap;
    }
    e = &t->entry[t->n];
    *e = (struct safetensors_entry){.dtype = type, .nd = nd};
    for (int i = 0; i < nd; i++)
        count *= e->dim[i] = dim[i];
    e->name = strdup(name);
    e->data = calloc((size_t)count + 1, dtype_bytes(type));
    t->n++;
    if (!e->name || !e->data) return broke(t), NULL;
    return (void *)(uintptr_t)e->data;
}

static void add_ints(struct trace *t, const char *name, const int32_t *v, int nd,
                     const int64_t *dim)
{
    int64_t *out = add(t, name, DTYPE_I64, nd, dim), n = 1;

    for (int i = 0; i < nd; i++)
        n *= dim[i];
    for (int64_t i = 0; out && i < n; i++)
        out[i] = v[i];
}

/* A device tensor as packed floats on the host; the caller frees. */
static float *fetch(struct trace *t, tensor x)
{
    struct dev *d = t->g->dev;
    int64_t n = x.rows * x.cols;
    float *v = calloc((size_t)n + 1, sizeof *v);
    int err;

    if (!v) return broke(t), NULL;
    d->ops->get(d, v, x);
    err = d->ops->sync(d, t->fail);
    if (err && !t->err) t->err = err;
    if (x.type == DT_BF16) {
        const uint16_t *half = (const uint16_t *)v;

        for (int64_t i = n - 1; i >= 0; i--)
            v[i] = bf16_to_f32(half[i]);
    }
    return v;
}

static void see_picture(struct trace *t, const char *name, const float *v, tensor x, int h, int w)
{
    float *out = add(t, name, DTYPE_F32, 3, (int64_t[]){x.cols, h, w});

    for (int64_t p = 0; out && p < x.rows; p++)
        for (int64_t c = 0; c < x.cols; c++)
            out[c * x.rows + p] = v[p * x.cols + c];
}

static void see_floats(struct trace *t, const char *name, tensor x, enum tap_shape shape, int h,
                       int w)
{
    float *v = fetch(t, x), *out = NULL;
    int64_t n = x.rows * x.cols;

    if (!v) return;
    if (!strcmp(name, "ar.logits")) {
        memcpy(t->logits + t->logit_rows++ * x.cols, v, (size_t)n * sizeof *v);
    } else if (shape == TAP_PICTURE) {
        see_picture(t, name, v, x, h, w);
    } else {
        int nd = shape == TAP_VECTOR ? 1 : shape == TAP_PLANES ? 3 : 2;
        int64_t dim[3] = {shape == TAP_VECTOR ? n : x.rows, shape == TAP_PLANES ? h : x.cols, w};

        out = add(t, name, DTYPE_F32, nd, dim);
        if (out) memcpy(out, v, (size_t)n * sizeof *v);
    }
    free(v);
}

/* Texts are rows of one matrix here; the reference has [texts, longest, width]. */
static int see_glyph(struct trace *t, const char *name, tensor x)
{
    int texts = !strncmp(name, "glyph.block", 11) ? t->run->text.n : 1;
    float *v, *out;

    if (!strstr(name, ".block.") || strncmp(name, "glyph", 5)) return 0;
    v = fetch(t, x);
    out = add(t, name, DTYPE_F32, 3, (int64_t[]){texts, x.rows / texts, x.cols});
    if (v && out) memcpy(out, v, tensor_bytes(tensor_at(NULL, DT_F32, x.rows, x.cols)));
    free(v);
    return 1;
}

static void see(void *ctx, const char *name, tensor x, enum tap_shape shape, int h, int w)
{
    struct trace *t = ctx;

    if (t->err) return;
    if (x.type == DT_I32) {
        int32_t *v = (int32_t *)(void *)fetch(t, x);

        if (v) add_ints(t, name, v, 1, (int64_t[]){x.rows * x.cols});
        free(v);
    } else if (!see_glyph(t, name, x)) {
        see_floats(t, name, x, shape, h, w);
    }
}

/* --- the request and its injections ----------------------------------------------------------- */

static int bad_reference(struct trace *t, const char *what)
{
    fail_set(t->fail, ERR_USAGE, "the reference trace %s", what);
    return t->err =
               fail_advise(t->fail, "It must be a text-to-image trace of the model in --model.");
}

static int read_request(struct trace *t, enum glm_type *type)
{
    const char *text = safetensors_meta(t->ref, "trace"), *prompt = NULL, *dtype = "f32";
    json_t *images = NULL;

    t->meta = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (!t->meta
        || json_unpack(t->meta, "{s:s, s:i, s:i, s:i, s:F, s?:s, s?:o}", "prompt", &prompt,
                       "height", &t->req.height, "width", &t->req.width, "steps", &t->req.steps,
                       "guidance", &t->req.guidance, "dtype", &dtype, "images", &images))
        return bad_reference(t,
                             "has no metadata `trace` with prompt, height, width, steps, guidance");
    if (json_array_size(images))
        return bad_reference(t, "has condition pictures; only text-to-image can be traced");
    if (*type == GLM_AUTO) *type = strcmp(dtype, "bf16") ? GLM_F32 : GLM_BF16;
    t->req.prompt = prompt;
    t->req.prompt_len = strlen(prompt);
    return 0;
}

static int read_tokens(struct trace *t)
{
    const struct stored_tensor *x = safetensors_find(t->ref, "ar.tokens");
    int64_t *wide, rows;

    if (!x || x->nd != 1) return bad_reference(t, "has no list ar.tokens");
    wide = calloc((size_t)x->count + 1, sizeof *wide);
    t->tokens = calloc((size_t)x->count + 1, sizeof *t->tokens);
    if (!wide || !t->tokens)
        broke(t);
    else if (dtype_to_i64(x, 0, x->count, wide))
        bad_reference(t, "has ar.tokens that are no integers");
    rows = t->g->model.cfg.ar.rows;
    for (int64_t i = 0; !t->err && i < x->count; i++) {
        if (wide[i] < 0 || wide[i] >= rows)
            bad_reference(t, "has tokens that the model cannot draw");
        t->tokens[i] = (int32_t)wide[i];
    }
    free(wide);
    t->inject.tokens = t->tokens;
    t->inject.token_count = (size_t)x->count;
    return t->err;
}

static int read_latents(struct trace *t)
{
    const struct stored_tensor *x = safetensors_find(t->ref, "flow.latents.0");
    int64_t want = (int64_t)t->g->model.cfg.dit.channels * (t->req.height / CONFIG_LATENT_PIXELS)
                   * (t->req.width / CONFIG_LATENT_PIXELS);

    if (!x || x->count != want) return bad_reference(t, "has no flow.latents.0 of this size");
    t->latents = calloc((size_t)want + 1, sizeof *t->latents);
    if (!t->latents)
        broke(t);
    else if (dtype_to_f32(x, 0, want, t->latents))
        bad_reference(t, "has flow.latents.0 in a type that is no float");
    t->inject.latents = t->latents;
    return t->err;
}

/* --- what the graph never has as a tensor ----------------------------------------------------- */

static void add_positions(struct trace *t)
{
    const struct prompt *p = &t->run->prompt;
    int64_t n[2] = {(int64_t)p->ids.n, p->tokens + 1};
    struct position *pos = calloc((size_t)(n[0] + n[1]), sizeof *pos);

    if (!pos) {
        broke(t);
        return;
    }
    positions_text(pos, (int)n[0]);
    positions_samples(pos + n[0], (int)n[0], p->preview, p->large);
    for (int k = 0; k < 2; k++) {
        const struct position *from = pos + (k ? n[0] : 0);
        int64_t *out =
            add(t, k ? "ar.decode_pos" : "ar.prefill_pos", DTYPE_I64, 2, (int64_t[]){3, n[k]});

        for (int64_t i = 0; out && i < n[k]; i++) {
            out[i] = from[i].t;
            out[n[k] + i] = from[i].h;
            out[2 * n[k] + i] = from[i].w;
        }
    }
    free(pos);
}

static void add_prior(struct trace *t)
{
    const struct prompt *p = &t->run->prompt;
    int64_t count = (int64_t)p->ids.n, n = (int64_t)t->inject.token_count;
    int32_t grids[6] = {1, p->large.rows, p->large.cols, 1, p->preview.rows, p->preview.cols};

    add_ints(t, "ar.prompt_ids", p->ids.v, 1, &count);
    add_ints(t, "ar.input_ids", p->ids.v, 1, &count);
    add_ints(t, "ar.grids", grids, 2, (int64_t[]){2, 3});
    add_ints(t, "ar.tokens", t->tokens, 1, &n);
    add_positions(t);
}

/* ids and mask [texts, longest], padded on the right. */
static void add_glyph(struct trace *t, const char *name, const struct byt5 *b)
{
    char full[NAME_BYTES];
    int64_t longest = 0;
    int64_t *ids, *mask;

    for (int i = 0; i < b->n; i++)
        if ((int64_t)(b->start[i + 1] - b->start[i]) > longest)
            longest = (int64_t)(b->start[i + 1] - b->start[i]);
    snprintf(full, sizeof full, "%s.ids", name);
    ids = add(t, full, DTYPE_I64, 2, (int64_t[]){b->n, longest});
    snprintf(full, sizeof full, "%s.mask", name);
    mask = add(t, full, DTYPE_I64, 2, (int64_t[]){b->n, longest});
    for (int i = 0; ids && mask && i < b->n; i++)
        for (size_t k = b->start[i]; k < b->start[i + 1]; k++) {
            ids[i * longest + (int64_t)(k - b->start[i])] = b->ids.v[k];
            mask[i * longest + (int64_t)(k - b->start[i])] = 1;
        }
}

static void add_schedule(struct trace *t)
{
    const struct dit_state *s = &t->run->dit;
    double *mu = add(t, "flow.mu", DTYPE_F64, 1, (int64_t[]){1});
    float *v;

    if (mu) *mu = flow_mu(&t->g->model.cfg.flow, dit_patches(s));
    v = add(t, "flow.timesteps", DTYPE_F32, 1, (int64_t[]){s->steps});
    if (v) memcpy(v, s->timestep, (size_t)s->steps * sizeof *v);
    v = add(t, "flow.sigmas", DTYPE_F32, 1, (int64_t[]){s->steps + 1});
    if (v) memcpy(v, s->sigma, ((size_t)s->steps + 1) * sizeof *v);
    v = add(t, "flow.latents.0", DTYPE_F32, 3,
            (int64_t[]){t->g->model.cfg.dit.channels, s->h, s->w});
    if (v) memcpy(v, t->latents, tensor_bytes(s->latents));
}

static void add_logits(struct trace *t)
{
    int64_t rows = t->g->model.cfg.ar.rows, n = t->logit_rows;
    float *out = add(t, "ar.logits", DTYPE_F32, 2, (int64_t[]){n, rows});

    if (out) memcpy(out, t->logits, (size_t)(n * rows) * sizeof *out);
}

/* What the first two rows, one in the middle and the last are sampled from. A preview grid alone
 * has more rows than that. */
static void add_probs(struct trace *t)
{
    int64_t n = t->g->model.cfg.ar.rows, count = t->logit_rows;
    const int64_t want[4] = {0, 1, count / 2, count - 1};
    int64_t *rows = add(t, "ar.sample.rows", DTYPE_I64, 1, (int64_t[]){4});
    float *probs = add(t, "ar.sample.probs", DTYPE_F32, 2, (int64_t[]){4, n});

    if (rows) memcpy(rows, want, sizeof want);
    for (int i = 0; probs && i < 4 && !t->err; i++)
        t->err = trace_sampling_probs(probs + i * n, NULL, t->logits + want[i] * n, 1, (int)n,
                                      &t->g->model.cfg.sample, t->fail);
}

static void add_image(struct trace *t)
{
    struct glm_picture p = {0};
    int64_t dim[3] = {t->req.height, t->req.width, 3};

    p.rgb = add(t, "image", DTYPE_U8, 3, dim);
    p.capacity = (size_t)(dim[0] * dim[1] * dim[2]);
    if (p.rgb && glm_run_image(t->run, &p, t->fail))
        t->err = t->fail ? (int)t->fail->code : ERR_DEVICE;
}

/* The encoding of "": the engine has it since it was opened, a trace shows how it is made. */
static void tap_empty(struct trace *t, const struct tap *tap)
{
    struct graph g = {.dev = t->g->dev, .tap = tap, .offload = t->g->stages.offload};
    struct byt5 ids;
    int err = byt5_prompt(&ids, "", 0, t->g->model.cfg.glyph.vocab, t->fail);
    size_t mark;
    tensor rows;

    if (err) {
        t->err = err;
        return;
    }
    add_glyph(t, "glyph_uncond", &ids);
    mark = arena_mark(&g.dev->scratch);
    rows = graph_temp(&g, 1, t->g->model.cfg.glyph.width);
    if (!g.dev->scratch.failed) glyph_encode(&g, &t->g->stages.glyph, &ids, rows, "glyph_uncond");
    arena_release(&g.dev->scratch, mark);
    byt5_free(&ids);
}

/* --- the command ------------------------------------------------------------------------------ */

static void draw(struct trace *t)
{
    const struct tap tap = {.see = see, .ctx = t};

    t->err = glm_run_new(&t->run, t->g, &t->req, t->fail);
    if (t->err) return;
    t->logits = calloc(t->inject.token_count * (size_t)t->g->model.cfg.ar.rows, sizeof(float));
    if (!t->logits) broke(t);
    add_prior(t);
    add_glyph(t, "glyph", &t->run->text);
    add_schedule(t);
    while (!t->err && t->run->phase != GLM_DONE) {
        int err = glm_step_tapped(t->g, &t->run, 1, &tap, t->fail);

        if (!t->err) t->err = err;
    }
    if (!t->err && t->req.guidance > 1) tap_empty(t, &tap);
    add_logits(t);
    add_probs(t);
    add_image(t);
}

static void trace_free(struct trace *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free((void *)(uintptr_t)t->entry[i].name);
        free((void *)(uintptr_t)t->entry[i].data);
    }
    free(t->entry);
    free(t->logits);
    free(t->tokens);
    free(t->latents);
    glm_run_free(t->run);
    glm_close(t->g);
    safetensors_close(t->ref);
    json_decref(t->meta);
}

int glm_report_trace(const struct glm_opts *o, const char *like, const char *out_path,
                     struct fail *f)
{
    struct fail own;
    struct trace t = {.fail = f ? f : &own};
    struct glm_opts opts = *o;
    const char *meta[1][2] = {{"trace", NULL}};

    t.err = trace_file_open(&t.ref, like, t.fail);
    if (!t.err) read_request(&t, &opts.type);
    if (!t.err) t.err = engine_open(&t.g, &opts, ENGINE_DRAW, t.fail);
    if (!t.err) read_tokens(&t);
    if (!t.err) read_latents(&t);
    t.req.inject = &t.inject;
    if (!t.err) draw(&t);
    if (t.ref) meta[0][1] = safetensors_meta(t.ref, "trace");
    if (!t.err)
        t.err = safetensors_write(out_path, t.entry, t.n, (const char *const(*)[2])meta, 1, t.fail);
    trace_free(&t);
    return t.err;
}
