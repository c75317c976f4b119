/* condition - legal sizes, patches, positions. */
#include "kernels/model/condition.h"

#include "weights/safetensors/dtype.h"

#include <math.h>
#include <string.h>

enum { LEGAL_STEP = 2 * CONFIG_PATCH_PIXELS }; /* pixels of a side to which one cell belongs */

/* Shortest and longest side: the roots of areas. */
static int side_of(int64_t area)
{
    return (int)nearbyint(sqrt((double)area));
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* Cells along a side: half of it, times the scale, in whole patches, half to even. */
static int cells(int side, double scale)
{
    return larger(1, (int)nearbyint(side / 2 * scale / CONFIG_PATCH_PIXELS));
}

/* The grids that both towers make of this size; 1: they agree. */
static int agree(const struct image_config *c, int w, int h, struct condition_size *s)
{
    const int least = side_of(c->min_pixels), most = side_of(c->max_pixels);
    const int patch = CONFIG_PATCH_PIXELS, low = smaller(w, h), high = larger(w, h);
    double scale = 1;

    if (low < patch || high > LIMIT_ASPECT_MAX * low) return 0;
    if (low < least) scale = (double)least / low;
    if (high * scale > most) scale = (double)most / high;
    s->legal = (struct resample_size){w, h};
    s->grid = (struct grid){cells(h, scale), cells(w, scale)};
    s->vae = (struct resample_size){w / patch * patch, h / patch * patch};
    return s->vae.w == s->grid.cols * LEGAL_STEP && s->vae.h == s->grid.rows * LEGAL_STEP;
}

static int to_step(double side, int least, int most)
{
    const int n = LEGAL_STEP, s = (int)nearbyint(side / n) * n;

    return larger((least + n - 1) / n * n, smaller(s, most / n * n));
}

/* The same shape as far as the limits allow, then whole steps. */
static struct resample_size nearest(const struct image_config *c, int w, int h)
{
    const int least = side_of(c->min_pixels), most = side_of(c->max_pixels);
    const int low = smaller(w, h), high = larger(w, h);
    double scale = 1;
    struct resample_size s;

    if (low < least) scale = (double)least / low;
    if (high * scale > most) scale = (double)most / high;
    s.w = to_step(w * scale, least, most);
    s.h = to_step(h * scale, least, most);
    s.w = smaller(s.w, LIMIT_ASPECT_MAX * s.h);
    s.h = smaller(s.h, LIMIT_ASPECT_MAX * s.w);
    return s;
}

int condition_size(const struct image_config *c, int w, int h, struct condition_size *s)
{
    struct resample_size legal;

    if (agree(c, w, h, s)) return 0;
    legal = nearest(c, w, h);
    agree(c, legal.w, legal.h, s);
    return 1;
}

void condition_patch(float out[CONDITION_PATCH], const struct image_config *c, const uint8_t *rgb,
                     struct grid g, int64_t cell)
{
    const int side = CONFIG_PATCH_PIXELS;
    const int64_t line = (int64_t)g.cols * side;
    const int64_t first = cell / g.cols * side * line + cell % g.cols * side;

    for (int i = 0; i < 3; i++)
        for (int y = 0; y < side; y++)
            for (int x = 0; x < side; x++) {
                const float v = (float)rgb[3 * (first + y * line + x) + i] / 255.0f;

                *out++ = (v - c->mean[i]) / c->std[i];
            }
}

/* Where cell i of n reads a table of `side` entries: the entry before it, the share of the next. */
static int between(int i, int n, int side, float *share)
{
    const float norm = 2.0f * (((float)i + 0.5f) / (float)n) - 1.0f;
    float at = ((norm + 1.0f) * (float)side - 1.0f) / 2.0f;

    at = fminf(fmaxf(at, 0.0f), (float)(side - 1));
    *share = at - floorf(at);
    return (int)at;
}

static float maybe_round(float x, int round)
{
    return round ? bf16_to_f32(f32_to_bf16(x)) : x;
}

void condition_position(float *out, float *row, const struct vit_config *v,
                        const struct stored_tensor *table, struct grid g, int64_t cell, int round)
{
    float right, below;
    const int x = between((int)(cell % g.cols), g.cols, v->side, &right);
    const int y = between((int)(cell / g.cols), g.rows, v->side, &below);

    memset(out, 0, sizeof *out * (size_t)v->width);
    for (int k = 0; k < 4; k++) {
        const int px = x + k % 2, py = y + k / 2;
        const float w = (k % 2 ? right : 1 - right) * (k / 2 ? below : 1 - below);

        if (px >= v->side || py >= v->side) continue; /* its share is 0 */
        dtype_to_f32(table, ((int64_t)py * v->side + px) * v->width, v->width, row);
        for (int i = 0; i < v->width; i++)
            out[i] += w * maybe_round(row[i], round);
    }
}

void condition_pixels(float *out, const uint8_t *rgb, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = 2.0f * ((float)rgb[i] / 255.0f) - 1.0f;
}

void condition_prior(int32_t *ids, const int32_t *codes, struct grid g, int64_t first, int64_t n)
{
    const int64_t cols = 2 * (int64_t)g.cols;

    for (int64_t i = first; i < first + n; i++)
        *ids++ = codes[i / cols / 2 * g.cols + i % cols / 2];
}
