/* vae - the flow's arithmetic and the decoder's norms and colours. */
#include "kernels/cpu/device.h"
#include "kernels/cpu/half.h"
#include "kernels/cpu/ops.h"

#include <math.h>
#include <string.h>

static void *at(tensor t, int64_t row, int64_t col)
{
    return (char *)t.data + (size_t)(row * t.ld + col) * dtype_size(t.type);
}

static float value(tensor t, int64_t row, int64_t col)
{
    if (t.type == DT_F32) return *(const float *)at(t, row, col);
    return half_float(*(const uint16_t *)at(t, row, col));
}

static void store(tensor t, int64_t row, int64_t col, float v)
{
    if (t.type == DT_F32)
        *(float *)at(t, row, col) = v;
    else
        *(uint16_t *)at(t, row, col) = half_bits(v);
}

static float rounded(const struct cpu *c, float v)
{
    return c->bf ? half_round(v) : v;
}

/* Element (token, column) of the tokens is (channel, pixel) of the latents. */
static int64_t pixel_of(int64_t token, int64_t col, int w)
{
    const int64_t y = token / (w / 2) * 2 + col / 2 % 2, x = token % (w / 2) * 2 + col % 2;

    return y * w + x;
}

void cpu_patchify(struct dev *d, tensor tokens, tensor latents, int h, int w)
{
    if (!cpu_ready(d)) return;
    assert(latents.type == DT_F32 && latents.cols == (int64_t)h * w && h % 2 == 0 && w % 2 == 0);
    assert(tokens.rows == latents.cols / 4 && tokens.cols == latents.rows * 4);
    for (int64_t t = 0; t < tokens.rows; t++)
        for (int64_t c = 0; c < tokens.cols; c++)
            store(tokens, t, c, value(latents, c / 4, pixel_of(t, c % 4, w)));
}

void cpu_unpatchify(struct dev *d, tensor latents, tensor tokens, int h, int w)
{
    if (!cpu_ready(d)) return;
    assert(latents.type == DT_F32 && latents.cols == (int64_t)h * w && h % 2 == 0 && w % 2 == 0);
    assert(tokens.rows == latents.cols / 4 && tokens.cols == latents.rows * 4);
    for (int64_t t = 0; t < tokens.rows; t++)
        for (int64_t c = 0; c < tokens.cols; c++)
            store(latents, c / 4, pixel_of(t, c % 4, w), value(tokens, t, c));
}

void cpu_euler(struct dev *d, tensor x, tensor vc, tensor vu, float guidance, float sigma,
               float dsigma, tensor clean)
{
    if (!cpu_ready(d)) return;
    assert(x.type == DT_F32 && vc.type == DT_F32);
    for (int64_t i = 0; i < x.rows; i++) {
        float *xs = at(x, i, 0), *cl = tensor_given(clean) ? at(clean, i, 0) : NULL;
        const float *c = at(vc, i, 0), *u = tensor_given(vu) ? at(vu, i, 0) : NULL;

        for (int64_t p = 0; p < x.cols; p++) {
            float v = u ? u[p] + guidance * (c[p] - u[p]) : c[p];

            if (cl) cl[p] = xs[p] - sigma * v;
            xs[p] = xs[p] + dsigma * v;
        }
    }
}

void cpu_denorm(struct dev *d, tensor z, tensor x, const struct weight *mean,
                const struct weight *std)
{
    const struct cpu *c = cpu_of(d);
    const float *m = cpu_weight_of(mean)->data, *s = cpu_weight_of(std)->data;

    if (!cpu_ready(d)) return;
    assert(z.rows == x.cols && z.cols == x.rows && x.type == DT_F32 && z.type == d->type);
    for (int64_t p = 0; p < z.rows; p++)
        for (int64_t i = 0; i < z.cols; i++)
            store(z, p, i, rounded(c, rounded(c, value(x, i, p)) * s[i]) + m[i]);
}

void cpu_renorm(struct dev *d, tensor x, tensor z, const struct weight *mean,
                const struct weight *std)
{
    const struct cpu *c = cpu_of(d);
    const float *m = cpu_weight_of(mean)->data, *s = cpu_weight_of(std)->data;

    if (!cpu_ready(d)) return;
    assert(z.rows == x.cols && z.cols == x.rows && x.type == DT_F32 && z.type == d->type);
    for (int64_t i = 0; i < x.rows; i++)
        for (int64_t p = 0; p < x.cols; p++)
            store(x, i, p, rounded(c, rounded(c, value(z, p, i) - m[i]) / s[i]));
}

/* -- group norm: sums[row][2][channels], every row of the picture on its own, joined in order -- */

size_t cpu_norm_work(int64_t rows, int64_t channels)
{
    return (size_t)(rows * 2 * channels) * sizeof(double);
}

struct sums {
    tensor x;
    double *to;
    int64_t width;
};

static void sum_rows(const struct cpu *c, const void *ctx, int64_t row, int64_t n)
{
    const struct sums *s = ctx;
    const int64_t ch = s->x.cols;

    for (int64_t i = row; i < row + n; i++) {
        double *to = s->to + i * 2 * ch;

        memset(to, 0, sizeof *to * 2 * (size_t)ch);
        c->isa->gn_sums(to, at(s->x, i * s->width, 0), s->x.ld, s->width, ch, c->bf);
    }
}

void cpu_norm_sums(struct dev *d, tensor sums, tensor x, int width, int row, int groups)
{
    const int64_t ch = x.cols, rows = x.rows / width;
    struct sums s = {.x = x, .to = (double *)sums.data + 2 * row * ch, .width = width};

    if (!cpu_ready(d)) return;
    assert(x.type == d->type && ch % groups == 0 && x.rows % width == 0);
    assert(tensor_bytes(sums) >= cpu_norm_work(row + rows, ch));
    cpu_rows(cpu_of(d), rows, width * ch * 4, sum_rows, &s);
}

/* Statistics of every group, folded with the affine part into one factor and one term a channel. */
void cpu_norm_fold(struct dev *d, tensor norm, tensor sums, int h, int width, int groups,
                   const struct weight *w, const struct weight *b, float eps)
{
    const float *factor = cpu_weight_of(w)->data, *term = cpu_weight_of(b)->data;
    const int64_t ch = norm.cols, each = ch / groups;
    float *scale = at(norm, 0, 0), *shift = at(norm, 1, 0);
    const double *s = sums.data, n = (double)each * h * width;

    if (!cpu_ready(d)) return;
    assert(norm.type == DT_F32 && norm.rows == 2 && tensor_bytes(sums) >= cpu_norm_work(h, ch));
    for (int64_t first = 0; first < ch; first += each) {
        double sum = 0, sq = 0;
        double mean, var, r;

        for (int64_t i = 0; i < h; i++)
            for (int64_t c = first; c < first + each; c++) {
                sum += s[i * 2 * ch + c];
                sq += s[i * 2 * ch + ch + c];
            }
        mean = sum / n;
        var = sq / n - mean * mean;
        r = 1 / sqrt((var > 0 ? var : 0) + (double)eps);
        for (int64_t c = first; c < first + each; c++) {
            const double a = r * (double)factor[c];

            scale[c] = (float)a;
            shift[c] = (float)((double)term[c] - mean * a);
        }
    }
}

struct norm {
    tensor y, x, norm;
    enum activation act;
};

static void norm_rows(const struct cpu *c, const void *ctx, int64_t row, int64_t n)
{
    const struct norm *g = ctx;
    const struct gn_block b = {.y = at(g->y, row, 0),
                               .x = at(g->x, row, 0),
                               .ldy = g->y.ld,
                               .ldx = g->x.ld,
                               .n = n,
                               .channels = g->x.cols,
                               .a = at(g->norm, 0, 0),
                               .b = at(g->norm, 1, 0)};

    c->isa->gn_apply(&b, g->act, c->bf);
}

void cpu_norm_act(struct dev *d, tensor y, tensor x, tensor norm, enum activation act)
{
    const struct norm g = {.y = y, .x = x, .norm = norm, .act = act};

    if (!cpu_ready(d)) return;
    assert(x.type == d->type && y.type == d->type && y.rows == x.rows && y.cols == x.cols);
    assert(norm.type == DT_F32 && norm.rows == 2 && norm.cols == x.cols);
    cpu_rows(cpu_of(d), x.rows, x.cols * 8, norm_rows, &g);
}

static uint8_t byte_of(float v)
{
    v = v > 0 ? v < 255 ? v : 255 : 0; /* NaN: 0 */
    return (uint8_t)nearbyintf(v);
}

void cpu_to_rgb8(struct dev *d, tensor rgb, tensor x)
{
    const struct cpu *c = cpu_of(d);

    if (!cpu_ready(d)) return;
    assert(rgb.type == DT_U8 && rgb.rows == x.rows && rgb.cols == 3 && x.cols == 3);
    for (int64_t p = 0; p < x.rows; p++)
        for (int64_t i = 0; i < 3; i++) {
            float v = rounded(c, rounded(c, value(x, p, i) * 0.5f) + 0.5f);

            *(uint8_t *)at(rgb, p, i) = byte_of(255.0f * (v > 0 ? v < 1 ? v : 1 : 0));
        }
}

void cpu_latent_rgb(struct dev *d, tensor rgb, tensor latents, tensor map)
{
    const int64_t ch = latents.rows;

    if (!cpu_ready(d)) return;
    assert(rgb.type == DT_U8 && rgb.rows == latents.cols && rgb.cols == 3);
    assert(map.type == DT_F32 && map.rows == 3 && map.cols == ch + 1);
    for (int64_t p = 0; p < rgb.rows; p++)
        for (int64_t o = 0; o < 3; o++) {
            const float *m = at(map, o, 0);
            float v = m[ch];

            for (int64_t i = 0; i < ch; i++)
                v += m[i] * value(latents, i, p);
            *(uint8_t *)at(rgb, p, o) = byte_of(v);
        }
}
