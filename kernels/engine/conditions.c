/* conditions - the condition images of a run: what is kept of them, and their two phases. */
#include "kernels/engine/engine.h"
#include "kernels/model/flow.h"
#include "kernels/number.h"

#include <stdlib.h>
#include <string.h>

/* Floats that are made on the host at a time. */
enum { HOST_FLOATS = 1 << 16 };

static int check_images(const struct glm *g, const struct glm_req *q, struct fail *f)
{
    if (!q->images) return 0;
    if (!g->info.images) return fail_field(f, ERR_BAD_FIELD, "images", "%s", g->info.no_images);
    if (q->images < 0 || q->images > g->info.images)
        return fail_field(f, ERR_BAD_FIELD, "images", "%d images are given; %d are possible",
                          q->images, g->info.images);
    for (int i = 0; i < q->images; i++)
        if (q->image[i].width < 1 || q->image[i].height < 1)
            return fail_field(f, ERR_BAD_FIELD, "images", "image %d has no pixels", i + 1);
    return 0;
}

static int no_memory(struct fail *f)
{
    return fail_set(f, ERR_OUT_OF_MEMORY, "no host memory for a condition image");
}

static size_t bytes_of(struct resample_size s)
{
    return 3 * (size_t)s.w * (size_t)s.h;
}

/* A new picture of this size. */
static int resized(uint8_t **out, struct resample_size to, const uint8_t *rgb,
                   struct resample_size from, enum resample_filter filter, struct fail *f)
{
    *out = malloc(bytes_of(to));
    if (!*out) return no_memory(f);
    return resample(*out, to, rgb, from, filter, f);
}

/* Both towers' pictures of an image, which is first brought to a legal size. */
static int read_image(struct condition *c, const struct glm_image *image, struct fail *f)
{
    const int patch = CONFIG_PATCH_PIXELS;
    const struct resample_size own = {image->width, image->height}, legal = c->size.legal;
    const struct resample_size seen = {c->size.grid.cols * patch, c->size.grid.rows * patch};
    uint8_t *base;
    int err = resized(&base, legal, image->rgb, own, RESAMPLE_LANCZOS, f);

    if (!err) err = resized(&c->seen, seen, base, legal, RESAMPLE_BICUBIC, f);
    if (!err) err = resized(&c->encoded, c->size.vae, base, legal, RESAMPLE_LANCZOS, f);
    free(base);
    return err;
}

/* Room for two rows of any tensor, and for some of most. */
static int allocate(struct glm_run *r, const struct model_config *c, struct fail *f)
{
    uint64_t widest = number_max((uint64_t)c->vit.width, CONDITION_PATCH);

    widest = number_max(widest, number_max((uint64_t)c->dit.time, 4 * (uint64_t)c->dit.cond));
    r->codes = calloc((size_t)r->cells, sizeof *r->codes);
    r->rows = calloc(HOST_FLOATS + 2 * widest, sizeof *r->rows);
    return r->codes && r->rows ? 0 : no_memory(f);
}

int conditions_prepare(struct glm_run *r, const struct glm *g, const struct glm_req *q,
                       struct fail *f)
{
    const struct model_config *c = &g->model.cfg;
    int err = check_images(g, q, f);

    for (; !err && r->images < q->images; r->images++) {
        const struct glm_image *image = &q->image[r->images];
        struct condition *to = &r->image[r->images];

        condition_size(&c->image, image->width, image->height, &to->size);
        to->cell = r->cells;
        to->cells = (int64_t)to->size.grid.rows * to->size.grid.cols;
        r->cells += to->cells;
        if (image->rgb) err = read_image(to, image, f);
    }
    r->dit.cached = 4 * r->cells;
    return err || !r->images ? err : allocate(r, c, f);
}

void conditions_drop(struct glm_run *r)
{
    for (int i = 0; i < LIMIT_IMAGES; i++) {
        free(r->image[i].seen);
        free(r->image[i].encoded);
    }
    free(r->codes);
    free(r->rows);
}

void conditions_place(struct glm_run *r, struct arena *a)
{
    r->code = r->images ? arena_tensor(a, DT_I32, r->cells, 1) : tensor_none();
}

int glm_image_size(const struct glm *g, int width, int height, int *used_width, int *used_height)
{
    struct condition_size s;
    const int changed = condition_size(&g->model.cfg.image, width, height, &s);

    *used_width = s.legal.w;
    *used_height = s.legal.h;
    return changed;
}

/* --- rows of tensors, from the host ----------------------------------------------------------- */

/* Fills rows row .. row + n - 1 of a tensor. */
struct rows {
    const struct glm_run *run;
    const struct condition *image;
    const struct stages *stages;
    void (*fill)(const struct rows *, int64_t row, int64_t n, int64_t cols, float *out);
};

/* How many of so many columns are made at a time. */
static int64_t most_rows(int64_t cols)
{
    return HOST_FLOATS / cols > 1 ? HOST_FLOATS / cols : 1;
}

/* A plan has no pixels, and nothing to put. */
static void put_rows(struct dev *d, tensor t, struct rows s)
{
    const int64_t most = most_rows(t.cols);

    if (!s.image->seen) return;
    for (int64_t r = 0; r < t.rows; r += most) {
        const int64_t n = t.rows - r < most ? t.rows - r : most;

        s.fill(&s, r, n, t.cols, s.run->rows);
        graph_put(d, tensor_rows(t, r, n), s.run->rows);
    }
}

static void fill_patches(const struct rows *s, int64_t row, int64_t n, int64_t cols, float *out)
{
    for (int64_t i = 0; i < n; i++)
        condition_patch(out + i * cols, &s->run->g->model.cfg.image, s->image->seen,
                        s->image->size.grid, row + i);
}

/* The table's rows are read into the end of the host's rows. */
static void fill_positions(const struct rows *s, int64_t row, int64_t n, int64_t cols, float *out)
{
    const struct vision *w = &s->stages->vision;
    const int round = s->run->g->dev->type == DT_BF16;

    for (int64_t i = 0; i < n; i++)
        condition_position(out + i * cols, out + (most_rows(cols) * cols), w->cfg, w->position,
                           s->image->size.grid, row + i, round);
}

static void fill_pixels(const struct rows *s, int64_t row, int64_t n, int64_t cols, float *out)
{
    condition_pixels(out, s->image->encoded + row * cols, n * cols);
}

static void fill_rotations(const struct rows *s, int64_t row, int64_t n, int64_t cols, float *out)
{
    positions_patch_rows(out, (int)cols, 2 * s->image->size.grid.cols, row, n);
}

/* Time 0, as it is: the steps of a picture have theirs minus 1. */
static void fill_times(const struct rows *s, int64_t row, int64_t n, int64_t cols, float *out)
{
    (void)s, (void)row, (void)n;
    flow_sinusoid(out, (int)cols, 0.0f);
}

static void fill_size(const struct rows *s, int64_t row, int64_t n, int64_t cols, float *out)
{
    (void)row, (void)n;
    flow_size_sinusoid(out, (int)(cols / 4), s->image->size.vae.h, s->image->size.vae.w);
}

/* --- vision ----------------------------------------------------------------------------------- */

void conditions_see(const struct graph *g, const struct stages *n, struct glm_run *r, int k)
{
    struct dev *d = g->dev;
    const struct condition *c = &r->image[k];
    struct rows rows = {.run = r, .image = c, .stages = n, .fill = fill_patches};
    size_t mark = arena_mark(&d->scratch);
    tensor patches = graph_temp(g, c->cells, CONDITION_PATCH);
    tensor positions = graph_temp(g, c->cells, n->vision.cfg->width);

    if (!d->scratch.failed) {
        put_rows(d, patches, rows);
        rows.fill = fill_positions;
        put_rows(d, positions, rows);
        vision_encode(g, &n->vision, tensor_rows(r->code, c->cell, c->cells), patches, positions);
    }
    arena_release(&d->scratch, mark);
}

int32_t *conditions_ids(const struct glm_run *r)
{
    const struct token_list *ids = &r->prompt.ids;
    const int32_t placeholder = r->g->model.cfg.token.image;
    int32_t *out = malloc(ids->n * sizeof *out + 1);
    int64_t k = 0;

    for (size_t i = 0; out && i < ids->n; i++)
        out[i] = ids->v[i] == placeholder && k < r->cells ? r->codes[k++] : ids->v[i];
    return out;
}

int conditions_seen(struct glm_run *r, struct fail *f)
{
    struct dev *d = r->g->dev;

    d->ops->get(d, r->codes, r->code);
    return d->ops->sync(d, f);
}

/* --- encode ----------------------------------------------------------------------------------- */

/* A condition image as a picture that is drawn in one step, without text, in scratch. */
static struct dit_state picture_of(const struct graph *g, const struct condition *c,
                                   const struct dit_config *cfg)
{
    struct arena *a = &g->dev->scratch;
    struct dit_state s = {.h = c->size.vae.h / CONFIG_LATENT_PIXELS,
                          .w = c->size.vae.w / CONFIG_LATENT_PIXELS,
                          .width = c->size.vae.w,
                          .height = c->size.vae.h,
                          .steps = 1};

    dit_place(&s, a, cfg, g->dev->type, 0);
    dit_place_prior(&s, a, cfg, g->dev->type);
    return s;
}

/* Codes, each for 2 x 2 patches. */
static void put_prior(const struct graph *g, const struct glm_run *r, const struct condition *c,
                      tensor ids, const char *name)
{
    int32_t *v = (int32_t *)(void *)r->rows;

    for (int64_t row = 0; c->seen && row < ids.rows; row += HOST_FLOATS) {
        const int64_t n = ids.rows - row < HOST_FLOATS ? ids.rows - row : HOST_FLOATS;

        condition_prior(v, r->codes + c->cell, c->size.grid, row, n);
        g->dev->ops->put(g->dev, tensor_rows(ids, row, n), v);
    }
    tap_vector(g, ids, "%s.prior_ids", name);
}

static void encode_pixels(const struct graph *g, const struct stages *n, struct glm_run *r,
                          const struct condition *c, tensor latents, const char *name)
{
    struct dev *d = g->dev;
    const struct resample_size s = c->size.vae;
    const struct rows rows = {.run = r, .image = c, .stages = n, .fill = fill_pixels};
    size_t mark = arena_mark(&d->scratch);
    tensor pixels = graph_temp(g, (int64_t)s.h * s.w, 3);

    if (!d->scratch.failed) {
        put_rows(d, pixels, rows);
        vae_encode(g, &n->encoder, latents, pixels, s.h, s.w, name);
    }
    arena_release(&d->scratch, mark);
}

void conditions_encode(const struct graph *g, const struct stages *n, struct glm_run *r, int k)
{
    struct dev *d = g->dev;
    const struct condition *c = &r->image[k];
    struct rows rows = {.run = r, .image = c, .stages = n, .fill = fill_rotations};
    char name[16], pass[24];
    size_t mark = arena_mark(&d->scratch);
    const struct dit_state s = picture_of(g, c, n->dit.cfg);

    snprintf(name, sizeof name, "cond.%d", k);
    snprintf(pass, sizeof pass, "%s.dit", name);
    if (!d->scratch.failed) {
        encode_pixels(g, n, r, c, s.latents, name);
        put_rows(d, s.rope, rows);
        rows.fill = fill_times;
        put_rows(d, s.times, rows);
        rows.fill = fill_size;
        put_rows(d, s.size, rows);
        put_prior(g, r, c, s.ids, name);
        dit_project_prior(g, &n->dit, &s);
        dit_remember(g, &n->dit, &s, &r->dit, 4 * c->cell, pass);
    }
    arena_release(&d->scratch, mark);
    for (int i = 0; g->tap && k + 1 == r->images && i < n->dit.cfg->layers; i++) {
        tap_planes(g, dit_cache(&r->dit, i, 0), n->dit.cfg->heads, n->dit.cfg->head_dim,
                   "dit.cache.%d.k", i);
        tap_planes(g, dit_cache(&r->dit, i, 1), n->dit.cfg->heads, n->dit.cfg->head_dim,
                   "dit.cache.%d.v", i);
    }
}
