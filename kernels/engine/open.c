/* open - opening and closing the engine, and what may be asked of it. */
#include "kernels/cuda/cuda.h"
#include "kernels/cuda_sizes.h"
#include "kernels/engine/capacity.h"
#include "kernels/engine/engine.h"
#include "kernels/engine/preview_fit.h"
#include "kernels/memory/host_memory.h"
#include "weights/digest.h"

#include <stdlib.h>
#include <string.h>

const char *glm_phase_name(enum glm_phase p)
{
    static const char *const name[] = {"glyph",   "vision", "encode", "prior",
                                       "denoise", "decode", "done"};

    return name[p];
}

/* The folder's own name, without trailing slashes. */
static void set_name(struct glm *g, const char *path)
{
    size_t end = strlen(path);
    size_t start;

    while (end > 1 && path[end - 1] == '/')
        end--;
    start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    snprintf(g->name, sizeof g->name, "%.*s", (int)(end - start), path + start);
}

/* Of the device: a GPU's own memory, or what this process may use; less where that is asked
 * for. */
static void read_memory(struct glm *g, const struct glm_opts *o)
{
    struct glm_info *i = &g->info;
    uint64_t held, left;

    if (g->dev && g->dev->traits.own_memory) {
        cuda_memory(g->dev, &i->memory_total, &i->memory_free);
        return;
    }
    host_memory(&i->memory_total, &i->memory_free);
    if (!o->vram || o->vram >= i->memory_total) return;
    i->memory_total = o->vram;
    held = stages_bytes(&g->stages);
    left = o->vram > held ? o->vram - held : 0;
    if (left < i->memory_free) i->memory_free = left;
}

/* Bytes for weights and pictures, before there are any. */
static uint64_t usable(const struct glm *g, const struct glm_opts *o)
{
    const struct glm_info *i = &g->info;
    uint64_t most, slack, left;

    if (!g->dev->ops->fetch) return o->vram ? i->memory_free : UINT64_MAX;
    most = cuda_sizes_usable(i->memory_total);
    slack = i->memory_total / 64;
    left = i->memory_free > slack ? i->memory_free - slack : 0;
    return left < most ? left : most;
}

/* A GPU that is too small for all weights offloads some to the host; on a host they stay where they
 * are. */
static int plan_weights(struct glm *g, const struct glm_opts *o, struct offload **offload,
                        struct fail *f)
{
    const struct weight_list *list = &g->dry_stages.list;
    struct capacity t;
    int err;

    *offload = NULL;
    read_memory(g, o);
    g->usable = usable(g, o);
    if (g->usable == UINT64_MAX) return 0;
    err = capacity_of(g, g->usable, g->dev->ops->fetch != NULL, &t, f);
    if (err) return err;
    snprintf(g->residency, sizeof g->residency, "%s: %s", residency_mode_name(t.plan.mode), t.why);
    if (t.plan.mode == RESIDENCY_ALL) return 0;
    return offload_open(offload, g->dev, &t.plan, list->group, list->groups, f);
}

/* In the host's memory other programs come and go: a quarter of what is free is left to them. */
static uint64_t room(const struct glm *g)
{
    if (!g->dev) return 0;
    if (g->usable == UINT64_MAX) return g->info.memory_free / 4 * 3;
    return g->usable - g->info.weight_bytes;
}

/* Whether pictures may begin with images; if not, why. */
static void read_conditions(struct glm *g)
{
    g->info.images = g->dry_stages.conditions ? LIMIT_IMAGES : 0;
    if (g->info.images) return;
    g->info.no_images = g->suggestions.no_images;
    if (!g->info.no_images)
        g->info.no_images = "This device cannot use condition images yet; --device cpu can.";
}

/* Bind twice: the dry device first, which says what scratch the preparation needs and whether all
 * fits. */
static int open_stages(struct glm *g, const struct glm_opts *o, struct fail *f)
{
    struct offload *offload = NULL;
    const int conditions = !g->suggestions.no_images;
    int err = scratch_reserve(g->dry, DRY_SCRATCH, f);
    size_t scratch;

    if (!err) err = stages_bind(&g->dry_stages, g->dry, &g->model, NULL, conditions, f);
    if (!err) err = stages_prepare(&g->dry_stages, &g->model, f);
    if (!err) read_conditions(g);
    if (err || !g->dev) return err;
    scratch = g->dry->scratch.peak;
    err = plan_weights(g, o, &offload, f);
    if (err) return err;
    err = stages_bind(&g->stages, g->dev, &g->model, offload, conditions, f);
    if (!err) err = scratch_reserve(g->dev, scratch, f);
    return err ? err : stages_prepare(&g->stages, &g->model, f);
}

/* No file says what a model draws best: pictures as its VAE was trained with, and a model for small
 * ones needs fewer steps. */
static int read_defaults(struct glm *g, const char *dir, struct fail *f)
{
    int side = 0, err = config_sample_size(dir, &side, f);

    side = side / LIMIT_SIDE_STEP * LIMIT_SIDE_STEP;
    side = side < LIMIT_SIDE_MIN ? LIMIT_SIDE_MIN : side;
    side = side > g->info.side_max ? g->info.side_max : side;
    g->info.default_width = g->info.default_height = side;
    g->info.default_steps = side <= 256 ? 20 : LIMIT_STEPS_DEFAULT;
    g->info.default_guidance = 1.5;
    return err;
}

static void read_suggestions(struct glm *g, const char *dir)
{
    struct suggestions *s = &g->suggestions;

    suggestions_load(s, dir);
    g->info.sizes = (const int(*)[2])s->size;
    g->info.n_sizes = s->sizes;
    g->info.examples = (const char *const *)s->prompt;
    g->info.n_examples = s->prompts;
}

static int fill_info(struct glm *g, const char *dir, struct fail *f)
{
    g->info.model = g->name;
    g->info.digest = g->digest;
    g->info.device = g->device;
    g->info.residency = g->residency;
    g->info.type = g->dry->type == DT_BF16 ? "bf16" : "f32";
    g->info.batch_useful = g->dry->traits.batch_useful;
    g->info.rate = g->dev ? g->dev->rate : 0;
    g->info.own_memory = g->dry->traits.own_memory;
    g->info.side_max = config_side_max(&g->model.cfg);
    snprintf(g->device, sizeof g->device, "%s", g->dev ? g->dev->label : "dry");
    snprintf(g->residency, sizeof g->residency, "everything resident");
    read_suggestions(g, dir);
    return read_defaults(g, dir, f);
}

/* A plan for a GPU that is not there is made in the type that a GPU would draw in. */
static enum dtype plan_type(const struct glm_opts *o, enum engine_use use)
{
    return use == ENGINE_PLAN_CUDA && o->type != GLM_F32 ? DT_BF16 : devices_type(o);
}

static int open_like(struct glm *g, const struct glm_opts *o, enum engine_use use, struct fail *f)
{
    return use == ENGINE_PLAN_CUDA ? cuda_sizes_open(&g->like, plan_type(o, use), f) : 0;
}

static int open_engine(struct glm *g, const struct glm_opts *o, enum engine_use use, struct fail *f)
{
    int err = use == ENGINE_DRAW ? model_open(&g->model, o->model, f)
                                 : model_open_sizes(&g->model, o->model, f);

    if (err) return err;
    set_name(g, o->model);
    snprintf(g->version, sizeof g->version, "%s", o->version ? o->version : "");
    digest_model(g->digest, &g->model);
    err = use <= ENGINE_BARE ? devices_open(&g->dev, o, f) : open_like(g, o, use, f);
    if (!err)
        err = dry_open(&g->dry, g->dev ? g->dev->type : plan_type(o, use),
                       g->dev ? g->dev : g->like, f);
    if (!err) err = fill_info(g, o->model, f);
    if (!err) err = open_stages(g, o, f);
    if (err) return err;
    g->info.weight_bytes = stages_bytes(g->dev ? &g->stages : &g->dry_stages);
    read_memory(g, o);
    g->info.memory_room = room(g);
    return 0;
}

int engine_open(struct glm **out, const struct glm_opts *o, enum engine_use use, struct fail *f)
{
    struct glm *g = calloc(1, sizeof *g);
    int err;

    *out = NULL;
    if (!g) return fail_set(f, ERR_OUT_OF_MEMORY, "no memory for the engine");
    err = open_engine(g, o, use, f);
    if (err)
        glm_close(g);
    else
        *out = g;
    return err;
}

/* A quantum of the phase, whatever was done before. */
static int rehearse_phase(struct glm *g, struct glm_run *r, enum glm_phase phase, struct fail *f)
{
    r->phase = phase;
    r->done = 0;
    return glm_step(g, &r, 1, f);
}

/* On a GPU, before the first request: a prompt and a denoising step of a small picture, and the
 * vision tower over a small image, every product with more rows than are done by hand, so that each
 * shape's algorithm is timed now. */
static int rehearse(struct glm *g, struct fail *f)
{
    static const char prompt[] = "\"a text of more than sixteen bytes\"";
    static const uint8_t black[3 * 32 * 32];
    const struct glm_image image = {black, 32, 32};
    const int side = g->info.side_max < 96 ? g->info.side_max : 96;
    const struct glm_req q = {.prompt = prompt,
                              .prompt_len = sizeof prompt - 1,
                              .width = side,
                              .height = side,
                              .steps = 1,
                              .guidance = 1.5,
                              .image = &image,
                              .images = g->info.images > 0};
    struct glm_run *r;
    int err;

    if (!g->dev->traits.times_algorithms || g->stages.offload) return 0;
    err = glm_run_new(&r, g, &q, f);
    if (err) return err;
    err = rehearse_phase(g, r, GLM_GLYPH, f);
    if (!err && q.images) err = rehearse_phase(g, r, GLM_VISION, f);
    if (!err) err = rehearse_phase(g, r, GLM_PRIOR, f);
    if (!err) err = rehearse_phase(g, r, GLM_DENOISE, f);
    glm_run_free(r);
    return err;
}

int glm_open(struct glm **out, const struct glm_opts *o, struct fail *f)
{
    int err = engine_open(out, o, ENGINE_DRAW, f);

    if (!err && o->cache) err = preview_fit_open(*out, o->cache, f);
    if (!err) err = rehearse(*out, f);
    if (err && *out) {
        glm_close(*out);
        *out = NULL;
    }
    return err;
}

int glm_preview_fit(struct glm *g, struct fail *f)
{
    return preview_fit_step(g, f);
}

static void close_device(struct dev *d)
{
    if (!d) return;
    scratch_free(d);
    d->ops->free(d);
}

void glm_close(struct glm *g)
{
    if (!g) return;
    preview_fit_close(g);
    preview_colors_free(&g->preview_colors);
    stages_close(&g->stages);
    stages_close(&g->dry_stages);
    close_device(g->dry);
    close_device(g->like);
    close_device(g->dev);
    suggestions_free(&g->suggestions);
    model_close(&g->model);
    free(g);
}

void glm_info(const struct glm *g, struct glm_info *out)
{
    *out = g->info;
}

unsigned glm_at_hand(const struct glm *g)
{
    static const unsigned side[RESIDENCY_SIDES] = {
        1U << GLM_GLYPH | 1U << GLM_VISION | 1U << GLM_PRIOR,
        1U << GLM_ENCODE | 1U << GLM_DENOISE | 1U << GLM_DECODE};

    const struct offload *h = g->stages.offload;

    return h && h->side >= 0 && h->plan.mode > RESIDENCY_IMAGES ? side[h->side] : ~0U;
}

void glm_decode_last(struct glm *g)
{
    if (g->stages.offload) offload_ahead(g->stages.offload, PART_VAE);
}
