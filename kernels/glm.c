/* glm - opening and closing the engine, and what may be asked of it. */
#include "kernels/cuda/cuda.h"
#include "kernels/digest.h"
#include "kernels/engine.h"
#include "kernels/host.h"
#include "kernels/learn.h"
#include "weights/json.h"

#include <stdlib.h>
#include <string.h>

const char *glm_phase_name(enum glm_phase p)
{
    static const char *const name[] = {"glyph", "prior", "denoise", "decode", "done"};
    return name[p];
}

/* The folder's own name, without trailing slashes. */
static void set_name(struct glm *g, const char *path)
{
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    snprintf(g->name, sizeof g->name, "%.*s", (int)(end - start), path + start);
}

static enum dtype type_of(const struct glm_opts *o)
{
    return o->type == GLM_F32 ? DT_F32 : o->type == GLM_BF16 ? DT_BF16 : cpu_best_type();
}

/* The number of the card that "cuda" or "cuda:N" names; -1: neither. */
static int card_of(const char *want)
{
    char *end;
    if (!strcmp(want, "cuda")) return 0;
    if (strncmp(want, "cuda:", 5) || want[5] < '0' || want[5] > '9') return -1;
    long n = strtol(want + 5, &end, 10);
    return *end || n > 1023 ? -1 : (int)n;
}

static int open_cuda(struct glm *g, const struct glm_opts *o, int card, struct fail *f)
{
    const struct cuda_opts c = {.index = card, .cache = o->cache};
    return cuda_open(&g->dev, o->type == GLM_F32 ? DT_F32 : DT_BF16, &c, f);
}

/* auto: the first card if there is one, else the CPU. */
static int open_device(struct glm *g, const struct glm_opts *o, struct fail *f)
{
    const char *want = o->device ? o->device : "auto";
    const int card = !strcmp(want, "auto") ? (cuda_count(NULL) ? 0 : -1) : card_of(want);
    if (card < 0 && strcmp(want, "auto") && strcmp(want, "cpu")) {
        fail_set(f, ERR_USAGE, "no device \"%.40s\"", want);
        return fail_advise(f, "use --device auto, cpu, cuda or cuda:N");
    }
    int rc = card < 0 ? cpu_open(&g->dev, type_of(o), o->threads, f) : open_cuda(g, o, card, f);
    return rc ? rc : dry_open(&g->dry, g->dev->type, g->dev, f);
}

/* Of the device: a card's own memory, or what this process may use. */
static void read_memory(struct glm *g)
{
    if (g->dev && !strcmp(g->dev->ops->name, "cuda"))
        cuda_memory(g->dev, &g->info.memory_total, &g->info.memory_free);
    else
        host_memory(&g->info.memory_total, &g->info.memory_free);
}

/* Bind twice: the dry device first, which says what scratch the preparation needs. */
static int open_nets(struct glm *g, struct fail *f)
{
    int rc = scratch_reserve(g->dry, DRY_SCRATCH, f);
    if (!rc) rc = net_bind(&g->plan, g->dry, &g->model, f);
    if (!rc) rc = net_prepare(&g->plan, &g->model, f);
    if (!g->dev) return rc;
    if (!rc) rc = scratch_reserve(g->dev, g->dry->scratch.peak, f);
    if (!rc) rc = net_bind(&g->net, g->dev, &g->model, f);
    return rc ? rc : net_prepare(&g->net, &g->model, f);
}

/* What a model draws best is not written anywhere; its VAE was trained at sample_size, and a model for
 * pictures that small needs fewer steps. */
static int read_defaults(struct glm *g, const char *dir, struct fail *f)
{
    struct json_doc d;
    if (!json_open(&d, dir, "vae/config.json", f)) {
        int side = (int)json_get_int_or(&d, "sample_size", 1, 65536, 1024);
        side = side / LIMIT_SIDE_STEP * LIMIT_SIDE_STEP;
        side = side < LIMIT_SIDE_MIN ? LIMIT_SIDE_MIN : side;
        side = side > g->info.side_max ? g->info.side_max : side;
        g->info.default_width = g->info.default_height = side;
        g->info.default_steps = side <= 256 ? 20 : LIMIT_STEPS_DEFAULT;
        g->info.default_guidance = 1.5;
    }
    int rc = d.rc;
    json_close(&d);
    return rc;
}

static int fill_info(struct glm *g, const char *dir, struct fail *f)
{
    g->info.model = g->name;
    g->info.digest = g->digest;
    g->info.device = g->device;
    g->info.type = g->dry->type == DT_BF16 ? "bf16" : "f32";
    g->info.weight_bytes = net_bytes(g->dev ? &g->net : &g->plan);
    g->info.side_max = run_side_max(&g->model.cfg);
    read_memory(g);
    snprintf(g->device, sizeof g->device, "%s", g->dev ? g->dev->label : "dry");
    return read_defaults(g, dir, f);
}

/* An engine that only plans has no device but the dry one. */
static int open_engine(struct glm *g, const struct glm_opts *o, int plan_only, struct fail *f)
{
    int rc =
        plan_only ? model_open_sizes(&g->model, o->model, f) : model_open(&g->model, o->model, f);
    if (rc) return rc;
    set_name(g, o->model);
    digest_model(g->digest, &g->model);
    if (!plan_only)
        rc = open_device(g, o, f);
    else
        rc = dry_open(&g->dry, type_of(o), NULL, f);
    if (!rc) rc = open_nets(g, f);
    return rc ? rc : fill_info(g, o->model, f);
}

int engine_open(struct glm **out, const struct glm_opts *o, int plan_only, struct fail *f)
{
    struct glm *g = calloc(1, sizeof *g);
    *out = NULL;
    if (!g) return fail_set(f, ERR_OUT_OF_MEMORY, "no memory for the engine");
    int rc = open_engine(g, o, plan_only, f);
    if (rc)
        glm_close(g);
    else
        *out = g;
    return rc;
}

int glm_open(struct glm **out, const struct glm_opts *o, struct fail *f)
{
    int rc = engine_open(out, o, 0, f);
    if (!rc && o->cache) rc = learn_maps(*out, o->cache, f);
    if (rc && *out) {
        glm_close(*out);
        *out = NULL;
    }
    return rc;
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
    maps_free(&g->maps);
    net_close(&g->net);
    net_close(&g->plan);
    close_device(g->dry);
    close_device(g->dev);
    model_close(&g->model);
    free(g);
}

void glm_info(const struct glm *g, struct glm_info *out)
{
    *out = g->info;
}

int glm_check(const char *model, FILE *out)
{
    return model_check(model, out);
}
