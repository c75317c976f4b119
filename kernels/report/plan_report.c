/* plan_report - `darkroom plan`: what one picture takes, and what GPUs of the usual sizes would
 * make of the model. */
#include "kernels/cuda_sizes.h"
#include "kernels/engine/capacity.h"
#include "kernels/glm_report.h"

#include <string.h>

static double mb(uint64_t bytes)
{
    return (double)bytes / 1e6;
}

static void print_image(const struct glm *g, const struct glm_image *image, FILE *out)
{
    int w, h;
    const int changed = glm_image_size(g, image->width, image->height, &w, &h);

    fprintf(out, "from an image of %dx%d", image->width, image->height);
    if (changed) fprintf(out, ", which is brought to %dx%d", w, h);
    fputc('\n', out);
}

static void print_cost(const struct glm *g, const struct glm_req *q, const struct glm_cost *c,
                       FILE *out)
{
    const struct ar_config *a = &g->model.cfg.ar;
    double sum = 0;

    fprintf(out, "%s, %s: a picture of %dx%d, %d steps, guidance %g\n", g->name, g->info.type,
            q->width, q->height, q->steps, q->guidance);
    for (int i = 0; i < q->images; i++)
        print_image(g, &q->image[i], out);
    if (g->model.absent)
        fprintf(out, "planned from the configuration: %s not here\n",
                g->model.absent >> PARTS == g->model.absent ? "the tokenizer is" : "weights are");
    fprintf(out, "bytes\n");
    fprintf(out, "  weights     %12.3f MB  as long as the model is open\n",
            mb(g->info.weight_bytes));
    fprintf(out, "  words       %12.3f MB  of the embedding, stay in the model's files\n",
            mb((uint64_t)(a->vocab - a->rows) * (uint64_t)a->width * dtype_size(g->dry->type)));
    fprintf(out, "  picture     %12.3f MB  as long as it is drawn\n", mb(c->run_bytes));
    fprintf(out, "  scratch     %12.3f MB  shared by all pictures, alone in the batch\n",
            mb(c->scratch_bytes));
    fprintf(out, "  peak        %12.3f MB\n",
            mb(g->info.weight_bytes + c->run_bytes + c->scratch_bytes));
    fprintf(out, "GFLOP\n");
    for (int p = 0; p < GLM_PHASES; p++) {
        if (!c->quanta[p]) continue;
        fprintf(out, "  %-11s %12.3f in %d quanta\n", glm_phase_name((enum glm_phase)p),
                c->flops[p] / 1e9, c->quanta[p]);
        sum += c->flops[p];
    }
    fprintf(out, "  all         %12.3f\n", sum / 1e9);
}

/* Zero or a negative guidance: what the model draws best. */
static struct glm_req with_defaults(const struct glm *g, const struct glm_req *q)
{
    struct glm_req r = *q;

    if (!r.width) r.width = g->info.default_width;
    if (!r.height) r.height = g->info.default_height;
    if (!r.steps) r.steps = g->info.default_steps;
    if (r.guidance < 0) r.guidance = g->info.default_guidance;
    return r;
}

/* --- sizes ------------------------------------------------------------------------------------ */

/* What the server refuses is refused here too, with the nearest sides that it takes. */
static int check_side(const char *name, int side, int most, struct fail *f)
{
    const int step = LIMIT_SIDE_STEP, least = LIMIT_SIDE_MIN, low = side / step * step;

    if (side >= least && side <= most && side == low) return 0;
    if (side < least || side > most) {
        fail_field(f, ERR_BAD_FIELD, name, "%s is %d; the %s is %d", name, side,
                   side < least ? "least" : "most", side < least ? least : most);
        return fail_advise(f, "Use %d; %d to %d in steps of %d are allowed.",
                           side < least ? least : most, least, most, step);
    }
    fail_field(f, ERR_BAD_FIELD, name, "%s is %d, which is not a multiple of %d", name, side, step);
    return fail_advise(f, "Use %d or %d; %d to %d in steps of %d are allowed.", low, low + step,
                       least, most, step);
}

static int check_size(const struct glm *g, int width, int height, struct fail *f)
{
    const int wide = width > height, step = LIMIT_SIDE_STEP, aspect = LIMIT_ASPECT_MAX;
    const int longer = wide ? width : height, shorter = wide ? height : width;
    int err = check_side("width", width, g->info.side_max, f);

    if (!err) err = check_side("height", height, g->info.side_max, f);
    if (err || longer <= shorter * aspect) return err;
    fail_field(f, ERR_BAD_FIELD, wide ? "height" : "width", "%dx%d is longer than %d:1", width,
               height, aspect);
    return fail_advise(f, "Use a %s of %d or more, or a %s of %d or less.",
                       wide ? "height" : "width",
                       (longer + aspect * step - 1) / (aspect * step) * step,
                       wide ? "width" : "height", shorter * aspect);
}

/* A model follows its prompts at the size that it was trained at; at a quarter of it, the released
 * model ignores them. */
static void warn_of_size(const struct glm *g, const struct glm_req *q, FILE *out)
{
    const int width = g->info.default_width, height = g->info.default_height;

    if ((int64_t)q->width * q->height >= (int64_t)width * height) return;
    fprintf(out,
            "warning: %dx%d is smaller than %dx%d, which the model was made for; it may "
            "ignore the prompt\n",
            q->width, q->height, width, height);
}

/* --- GPUs ------------------------------------------------------------------------------------ */

static int shrink(int side, int eighths)
{
    const int s = side * eighths / 8 / LIMIT_SIDE_STEP * LIMIT_SIDE_STEP;

    return s < LIMIT_SIDE_MIN ? LIMIT_SIDE_MIN : s;
}

/* The largest picture of this shape that fits; 0: none does. */
static int smaller(const struct glm *g, const struct capacity *t, const struct glm_req *q,
                   struct glm_req *out)
{
    for (int k = 7; k > 0; k--) {
        *out = *q;
        out->width = shrink(q->width, k);
        out->height = shrink(q->height, k);
        if (capacity_count(g, t, out, NULL) > 0) return 1;
    }
    return 0;
}

/* The smallest GPU of more than `size` GB that draws this picture; 0: none of up to 1024 GB. */
static int gpu_for(struct glm *g, uint64_t size, const struct glm_req *q)
{
    while (++size <= 1024) {
        struct capacity t;

        if (!capacity_of(g, cuda_sizes_usable(size << 30), 1, &t, NULL)
            && capacity_count(g, &t, q, NULL) > 0)
            return (int)size;
    }
    return 0;
}

/* What would fit instead. */
static void advise(struct glm *g, uint64_t total, int gpu, const struct capacity *t,
                   const struct glm_req *q, FILE *out)
{
    struct glm_req less;
    const int size = gpu ? gpu_for(g, total >> 30, q) : 0;
    const int fits = t->plan.mode != RESIDENCY_NONE && smaller(g, t, q, &less);

    if (fits) fprintf(out, "; ask for %dx%d or less", less.width, less.height);
    if (size) fprintf(out, "%s take a card of %d GB", fits ? ", or" : ";", size);
}

/* One line: the mode, how many at a time, and why. gpu 0: a processor's memory, where nothing
 * comes and goes. */
static void print_gpu(struct glm *g, uint64_t total, int gpu, const struct glm_req *q, FILE *out)
{
    const int small = total < (uint64_t)1 << 30;
    char left[16];
    struct capacity t;
    int cap = 0;

    if (!capacity_of(g, gpu ? cuda_sizes_usable(total) : total, gpu, &t, NULL))
        cap = capacity_count(g, &t, q, NULL);
    fprintf(out, "  %6.4g %s  %-19s  %2d at a time  %s",
            (double)total / (small ? 1 << 20 : 1 << 30), small ? "MB" : "GB",
            residency_mode_name(t.plan.mode), cap, t.why);
    if (cap == LIMIT_BATCH)
        fprintf(out, "; %d share one batch at most", cap);
    else if (t.plan.mode != RESIDENCY_NONE)
        fprintf(out, "; %s are left%s", capacity_bytes(t.room, left),
                cap ? " for pictures" : ", too little");
    if (!cap) advise(g, total, gpu, &t, q, out);
    fputc('\n', out);
}

static int print_gpus(const struct glm_opts *o, const struct glm_req *q, FILE *out, struct fail *f)
{
    static const uint64_t sizes[] = {16, 24, 40, 80, 141};
    struct glm *g;
    int err = engine_open(&g, o, ENGINE_PLAN_CUDA, f);

    if (err) return err;
    if (q->images > g->info.images) {
        fprintf(out, "cards (CUDA): %s\n", g->info.no_images);
        glm_close(g);
        return 0;
    }
    fprintf(out, "cards (CUDA, %s, %dx%d)\n", g->info.type, q->width, q->height);
    if (o->vram) print_gpu(g, o->vram, 1, q, out);
    for (size_t i = 0; !o->vram && i < sizeof sizes / sizeof *sizes; i++)
        print_gpu(g, sizes[i] << 30, 1, q, out);
    glm_close(g);
    return 0;
}

int glm_report_plan(const struct glm_opts *o, const struct glm_req *q, FILE *out, struct fail *f)
{
    const int cuda = o->device && !strncmp(o->device, "cuda", 4);
    const int cpu = o->device && !strcmp(o->device, "cpu");
    struct glm *g;
    struct glm_cost c;
    int err = engine_open(&g, o, cuda || (o->vram && !cpu) ? ENGINE_PLAN_CUDA : ENGINE_PLAN_CPU, f);
    struct glm_req r;

    if (err) return err;
    r = with_defaults(g, q);
    err = check_size(g, r.width, r.height, f);
    if (!err) err = glm_plan(g, &r, &c, f);
    if (!err) warn_of_size(g, &r, out);
    if (!err) print_cost(g, &r, &c, out);
    if (!err && cpu && o->vram) {
        fprintf(out, "memory (CPU, %s, %dx%d)\n", g->info.type, r.width, r.height);
        print_gpu(g, o->vram, 0, &r, out);
    }
    glm_close(g);
    return err || cpu ? err : print_gpus(o, &r, out, f);
}
