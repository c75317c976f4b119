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
    struct glm_image image[LIMIT_IMAGES]; /* pixels in the reference's file */
    struct safetensors_entry *entry;      /* names and data are owned */
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

/* Room for further rows of an entry. */
static void *extend(struct trace *t, struct safetensors_entry *e, int64_t rows)
{
    int64_t row = 1;
    size_t size;
    char *data;

    for (int i = 1; i < e->nd; i++)
        row *= e->dim[i];
    size = (size_t)row * dtype_bytes(e->dtype);
    data = realloc((void *)(uintptr_t)e->data, size * (size_t)(e->dim[0] + rows) + 1);
    if (!data) return broke(t), NULL;
    e->data = data;
    data += size * (size_t)e->dim[0];
    e->dim[0] += rows;
    return data;
}

/* What one image after the other shows; all of them are one tensor in the reference's trace. */
static struct safetensors_entry *seen_before(struct trace *t, const char *name)
{
    for (size_t i = 0; i < t->n && !strncmp(name, "vit.", 4); i++)
        if (!strcmp(t->entry[i].name, name)) return &t->entry[i];
    return NULL;
}

/* A new entry with room for its data, or further rows of one; or NULL. */
static void *add(struct trace *t, const char *name, enum stored_dtype type, int nd,
                 const int64_t *dim)
{
    int64_t count = 1;
    struct safetensors_entry *e;

    if (t->err) return NULL;
    e = seen_before(t, name);
    if (e) return extend(t, e, dim[0]);
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
    return t->err = fail_advise(t->fail, "It must be a trace of the model in --model.");
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
    t->req.image = t->image;
    t->req.images = (int)json_array_size(images);
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

static int read_images(struct trace *t)
{
    if (t->req.images > LIMIT_IMAGES) return bad_reference(t, "has too many condition images");
    for (int k = 0; k < t->req.images; k++) {
        char name[32];
        const struct stored_tensor *x;

        snprintf(name, sizeof name, "cond.%d.rgb", k);
        x = safetensors_find(t->ref, name);
        if (!x || x->dtype != DTYPE_U8 || x->nd != 3 || x->dim[2] != 3 || x->dim[0] < 1
            || x->dim[1] < 1 || x->dim[0] > INT16_MAX || x->dim[1] > INT16_MAX)
            return bad_reference(t, "lacks the pixels of a condition image");
        t->image[k] =
            (struct glm_image){.rgb = x->data, .width = (int)x->dim[1], .height = (int)x->dim[0]};
    }
    return 0;
}

/* --- what the graph never has as a tensor ----------------------------------------------------- */

static void add_positions(struct trace *t)
{
    const struct prompt *p = &t->run->prompt;
    int64_t n[2] = {(int64_t)p->ids.n, p->tokens + 1};
    struct position *pos = calloc((size_t)(n[0] + n[1]), sizeof *pos);
    struct grid grid[LIMIT_IMAGES];
    int end;

    if (!pos) {
        broke(t);
        return;
    }
    for (int i = 0; i < t->run->images; i++)
        grid[i] = t->run->image[i].size.grid;
    end = positions_prompt(pos, p->ids.v, (int)n[0], t->g->model.cfg.token.image, grid,
                           t->run->images);
    positions_samples(pos + n[0], end, p->preview, p->large);
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

/* Of the images, then of what is sampled: the large one first. */
static void add_grids(struct trace *t)
{
    const struct prompt *p = &t->run->prompt;
    int32_t grids[3 * (LIMIT_IMAGES + 2)];
    int n = 0;

    for (int i = 0; i < t->run->images; i++, n++)
        memcpy(grids + 3 * n,
               (int32_t[]){1, t->run->image[i].size.grid.rows, t->run->image[i].size.grid.cols},
               3 * sizeof *grids);
    memcpy(grids + 3 * n++, (int32_t[]){1, p->large.rows, p->large.cols}, 3 * sizeof *grids);
    if (p->preview.rows)
        memcpy(grids + 3 * n++, (int32_t[]){1, p->preview.rows, p->preview.cols},
               3 * sizeof *grids);
    add_ints(t, "ar.grids", grids, 2, (int64_t[]){n, 3});
}

static void add_prior(struct trace *t)
{
    const struct prompt *p = &t->run->prompt;
    int64_t count = (int64_t)p->ids.n, n = (int64_t)t->inject.token_count;

    add_ints(t, "ar.prompt_ids", p->ids.v, 1, &count);
    add_ints(t, "ar.tokens", t->tokens, 1, &n);
    add_grids(t);
    add_positions(t);
}

/* The prompt with the codes of its images, which are known at the end. */
static void add_input_ids(struct trace *t)
{
    int32_t *ids = conditions_ids(t->run);
    int64_t count = (int64_t)t->run->prompt.ids.n;

    if (ids)
        add_ints(t, "ar.input_ids", ids, 1, &count);
    else
        broke(t);
    free(ids);
}

static void add_images(struct trace *t)
{
    for (int k = 0; k < t->req.images; k++) {
        const struct glm_image *i = &t->image[k];
        const int64_t dim[3] = {i->height, i->width, 3};
        char name[32];
        uint8_t *out;

        snprintf(name, sizeof name, "cond.%d.rgb", k);
        out = add(t, name, DTYPE_U8, 3, dim);
        if (out) memcpy(out, i->rgb, (size_t)(dim[0] * dim[1] * dim[2]));
    }
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

/* What the first two rows, one in the middle and the last are sampled from; each once. */
static void add_probs(struct trace *t)
{
    int64_t n = t->g->model.cfg.ar.rows, last = t->logit_rows - 1, count = 0, *rows;
    const int64_t want[4] = {0, 1, t->logit_rows / 2, last};
    int64_t row[4];
    float *probs;

    for (int i = 0; i < 4; i++)
        if (want[i] <= last && (!count || want[i] > row[count - 1])) row[count++] = want[i];
    rows = add(t, "ar.sample.rows", DTYPE_I64, 1, &count);
    probs = add(t, "ar.sample.probs", DTYPE_F32, 2, (int64_t[]){count, n});
    if (rows) memcpy(rows, row, (size_t)count * sizeof *row);
    for (int64_t i = 0; probs && i < count && !t->err; i++)
        t->err = trace_sampling_probs(probs + i * n, NULL, t->logits + row[i] * n, 1, (int)n,
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
    add_input_ids(t);
    add_images(t);
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
    if (!t.err) read_images(&t);
    t.req.inject = &t.inject;
    if (!t.err) draw(&t);
    if (t.ref) meta[0][1] = safetensors_meta(t.ref, "trace");
    if (!t.err)
        t.err = safetensors_write(out_path, t.entry, t.n, (const char *const(*)[2])meta, 1, t.fail);
    trace_free(&t);
    return t.err;
}
