/* preview - what can be seen of a picture: previews while it is made, and the result. */
#include "kernels/engine/engine.h"

#include <string.h>

/* rgb [h, w, 3] to out, averaging k x k pixels, k the least with which `longest` is kept. */
static int shrink(const uint8_t *rgb, int h, int w, int longest, struct glm_picture *out,
                  struct fail *f)
{
    int side = h > w ? h : w, k = (side + longest - 1) / longest;

    out->width = w / k ? w / k : 1;
    out->height = h / k ? h / k : 1;
    if ((size_t)out->width * (size_t)out->height * 3 > out->capacity)
        return fail_set(f, ERR_INTERNAL, "no room for a preview of %dx%d", out->width, out->height);
    for (int y = 0; y < out->height; y++)
        for (int x = 0; x < out->width; x++)
            for (int c = 0; c < 3; c++) {
                int sum = 0, n = 0;

                for (int j = y * k; j < (y + 1) * k && j < h; j++)
                    for (int i = x * k; i < (x + 1) * k && i < w; i++, n++)
                        sum += rgb[(j * w + i) * 3 + c];
                out->rgb[(y * out->width + x) * 3 + c] = (uint8_t)((sum + n / 2) / n);
            }
    return 1;
}

/* Sampled, and known to be: the device may still be at the last ones. */
static int64_t tokens_done(const struct glm_run *r)
{
    const int64_t n = r->phase == GLM_PRIOR ? r->prior.sampled - r->g->aheads : r->prior.sampled;

    return n > 0 ? n : 0;
}

/* The large grid as far as it is sampled, over the preview grid, over grey. */
static int show_codes(struct glm_run *r, int longest, struct glm_picture *out, struct fail *f)
{
    struct dev *d = r->g->dev;
    const struct preview_colors *m = &r->g->preview_colors;
    struct grid big = r->prompt.large, small = r->prompt.preview;
    const int64_t seen = tokens_done(r);
    int err;
    int64_t head = (int64_t)small.rows * small.cols;

    if (d->ops->peek) {
        err = d->ops->peek(d, r->tokens, r->prior.tokens, f);
    } else {
        d->ops->get(d, r->tokens, r->prior.tokens);
        err = d->ops->sync(d, f);
    }
    if (err) return err;
    for (int y = 0; y < big.rows; y++)
        for (int x = 0; x < big.cols; x++) {
            int64_t at = head + y * big.cols + x;
            uint8_t *to;
            int32_t id;

            if (at >= seen && head)
                at = (int64_t)(y * small.rows / big.rows) * small.cols + x * small.cols / big.cols;
            to = r->staging + 3 * (y * big.cols + x);
            id = at < seen ? r->tokens[at] : -1;
            if (id >= 0 && id < m->codes)
                memcpy(to, m->code + 3 * id, 3);
            else
                memset(to, 128, 3);
        }
    return shrink(r->staging, big.rows, big.cols, longest, out, f);
}

static int show_latents(struct glm_run *r, int longest, struct glm_picture *out, struct fail *f)
{
    struct dev *d = r->g->dev;
    const struct preview_colors *m = &r->g->preview_colors;
    int h = r->dit.h, w = r->dit.w, err;
    size_t mark = arena_mark(&d->scratch);
    tensor map = arena_tensor(&d->scratch, DT_F32, 3, m->channels + 1);
    tensor rgb = arena_tensor(&d->scratch, DT_U8, (int64_t)h * w, 3);

    if (d->scratch.failed) {
        err = fail_set(f, ERR_INTERNAL, "no scratch for a preview");
    } else {
        d->ops->put(d, map, m->latent);
        d->ops->latent_rgb(d, rgb, r->dit.clean, map);
        d->ops->get(d, r->staging, rgb);
        err = d->ops->sync(d, f);
    }
    arena_release(&d->scratch, mark);
    d->scratch.failed = 0;
    return err ? err : shrink(r->staging, h, w, longest, out, f);
}

int glm_run_preview(struct glm_run *r, int longest, struct glm_picture *out, struct fail *f)
{
    const enum preview_known know = r->g->preview_known;

    if (know == PREVIEW_NOTHING || longest < 1) return 0;
    if (r->phase >= GLM_DECODE || r->dit.step > 0) return show_latents(r, longest, out, f);
    if (know == PREVIEW_ALL && r->phase >= GLM_PRIOR && tokens_done(r) > 0)
        return show_codes(r, longest, out, f);
    return 0;
}

int glm_run_image(struct glm_run *r, struct glm_picture *out, struct fail *f)
{
    struct dev *d = r->g->dev;

    if (r->phase != GLM_DONE) return fail_set(f, ERR_INTERNAL, "the picture is not finished");
    if (tensor_bytes(r->vae.rgb) > out->capacity)
        return fail_set(f, ERR_INTERNAL, "no room for a picture of %dx%d", r->dit.width,
                        r->dit.height);
    out->width = r->dit.width;
    out->height = r->dit.height;
    d->ops->get(d, out->rgb, r->vae.rgb);
    return d->ops->sync(d, f);
}
