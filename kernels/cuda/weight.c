/* weight - tensors of the model to the device, in the layout that kernels and libraries read. */
#include "kernels/cuda/device.h"
#include "kernels/cuda_sizes.h"
#include "weights/safetensors/dtype.h"

#include <stdlib.h>
#include <string.h>

/* values converted at a time */
enum { PIECE = 1 << 20 };

/* Where values go: to the device, or to the host memory that they are fetched from. */
struct packing {
    struct cuda *c;
    char *dst;
    int to_host;
    /* bytes of a stored value */
    size_t size;
    /* PIECE floats, then as much again for values in another order */
    char *piece;
};

static int64_t rows_of(const struct weight_spec *s)
{
    int64_t n = 0;

    for (int i = 0; i < s->n; i++)
        n += s->part[i].rows;
    return n;
}

/* Bytes of one stored value. */
static size_t unit(const struct cuda *c, const struct weight_spec *s)
{
    return s->use == USE_VECTOR || !c->bf ? 4 : 2;
}

static int has_bias(const struct weight_spec *s)
{
    return s->bias[0].data && (s->use == USE_LINEAR || s->use == USE_CONV);
}

static int taps_of(const struct weight_spec *s)
{
    return s->use == USE_CONV ? s->k * s->k : 1;
}

size_t cuda_weight_size(const struct dev *d, const struct weight_spec *s)
{
    return cuda_sizes_weight_size(d->type, s);
}

size_t cuda_weight_bytes(const struct weight *w)
{
    return cuda_weight_of(w)->bytes;
}

/* n values from element `at`, as the device stores them. They are rounded to T first, as in the
 * reference; out has room for floats. */
static void convert(const struct packing *p, const struct source *s, int64_t at, int64_t n)
{
    const struct stored_tensor t = {
        .dtype = (enum stored_dtype)s->type, .data = s->data, .count = at + n};
    float *f = (float *)(void *)p->piece;
    uint16_t h;

    if (p->size == 2 && s->type == DTYPE_BF16) {
        memcpy(p->piece, (const char *)s->data + 2 * (size_t)at, (size_t)n * 2);
        return;
    }
    dtype_to_f32(&t, at, n, f);
    for (int64_t i = 0; i < n && p->c->bf; i++) {
        h = f32_to_bf16(f[i]);
        if (p->size == 2)
            memcpy(p->piece + 2 * i, &h, 2);
        else
            f[i] = bf16_to_f32(h);
    }
}

/* A row [in][taps] to [taps][in]. */
static void transpose(char *to, const char *from, int64_t in, int taps, size_t size)
{
    for (int64_t i = 0; i < in; i++)
        for (int t = 0; t < taps; t++)
            memcpy(to + (size_t)(t * in + i) * size, from + (size_t)(i * taps + t) * size, size);
}

/* n stored values to p->dst, which moves on. */
static void put(struct packing *p, const void *from, int64_t n)
{
    if (p->to_host)
        memcpy(p->dst, from, (size_t)n * p->size);
    else
        cuda_upload(p->c, p->dst, from, (size_t)n * p->size);
    p->dst += (size_t)n * p->size;
}

/* All values of a source, rows of convolutions transposed. */
static void pack(struct packing *p, const struct source *s, int taps)
{
    const int64_t row = taps > 1 ? s->cols : 1, all = s->rows * s->cols;
    const int64_t step = PIECE / row * row;
    char *turned = p->piece + (size_t)PIECE * 4;
    const char *ready = taps > 1 ? turned : p->piece;
    int64_t n;

    for (int64_t at = 0; at < all; at += step) {
        n = all - at < step ? all - at : step;
        convert(p, s, at, n);
        for (int64_t r = 0; taps > 1 && r < n; r += row)
            transpose(turned + (size_t)r * p->size, p->piece + (size_t)r * p->size, row / taps,
                      taps, p->size);
        put(p, ready, n);
    }
}

/* n zeros. */
static void pack_zeros(struct packing *p, int64_t n)
{
    int64_t m;

    memset(p->piece, 0, (size_t)PIECE * 4);
    for (; n > 0; n -= m) {
        m = n < PIECE ? n : PIECE;
        put(p, p->piece, m);
    }
}

/* -- phases of an enlarging convolution -------------------------------------------------------- */

/* The taps of a side [first, last) that fall on pixel `at` of the two that phase `phase` reads: of
 * rows 2i - 1, 2i, 2i + 1 the last two are one row of the small picture, of 2i, 2i + 1, 2i + 2 the
 * first two. */
static int first_tap(int phase, int at)
{
    return at ? 1 + phase : 0;
}

static int last_tap(int phase, int at)
{
    return at ? 3 : 1 + phase;
}

/* The taps of one input [3][3] that fall on pixel (y, x) of the window, added and rounded once. */
static uint16_t fold_tap(const uint16_t *from, int phase, int y, int x)
{
    float sum = 0;

    for (int i = first_tap(phase / 2, y); i < last_tap(phase / 2, y); i++)
        for (int j = first_tap(phase % 2, x); j < last_tap(phase % 2, x); j++)
            sum += bf16_to_f32(from[3 * i + j]);
    return f32_to_bf16(sum);
}

/* A row [in][3][3] to [2][2][in]. */
static void fold(uint16_t *to, const uint16_t *from, int64_t in, int phase)
{
    for (int64_t i = 0; i < in; i++)
        for (int t = 0; t < 4; t++)
            to[t * in + i] = fold_tap(from + 9 * i, phase, t / 2, t % 2);
}

static void pack_phase(struct packing *p, const struct source *s, int phase)
{
    const int64_t row = s->cols, all = s->rows * row, step = PIECE / row * row;
    const uint16_t *from = (const uint16_t *)(void *)p->piece;
    uint16_t *to = (uint16_t *)(void *)(p->piece + (size_t)PIECE * 4);
    int64_t n;

    for (int64_t at = 0; at < all; at += step) {
        n = all - at < step ? all - at : step;
        convert(p, s, at, n);
        for (int64_t r = 0; r < n; r += row)
            fold(to + r / 9 * 4, from + r, row / 9, phase);
        put(p, to, n / 9 * 4);
    }
}

/* -- weights ----------------------------------------------------------------------------------- */

/* The biases of all parts, one after another. */
static void pack_biases(struct packing *p, const struct weight_spec *s)
{
    struct source b;

    for (int i = 0; i < s->n; i++) {
        b = s->bias[i];
        b.rows = s->part[i].rows;
        b.cols = 1;
        pack(p, &b, 1);
    }
}

static void fill_phases(struct packing *p, char *start, const struct weight_spec *s)
{
    p->dst = start + cuda_sizes_phases(DT_BF16, s);
    for (int i = 0; i < 4 * s->n; i++)
        pack_phase(p, &s->part[i % s->n], i / s->n);
    p->dst = start + cuda_sizes_phases_bias(DT_BF16, s);
    for (int i = 0; i < 4; i++)
        pack_biases(p, s);
}

static int fill(struct cuda *c, struct cuda_weight *w, const struct weight_spec *s, struct fail *f)
{
    char *const start = s->home ? s->home : w->data;
    struct packing p = {.c = c, .dst = start, .to_host = s->home != NULL, .size = unit(c, s)};

    p.piece = malloc((size_t)PIECE * 8);
    if (!p.piece) return fail_set(f, ERR_OUT_OF_MEMORY, "no memory to load %s", s->name);
    for (int i = 0; i < s->n; i++)
        pack(&p, &s->part[i], taps_of(s));
    pack_zeros(&p, (w->rows - w->out) * s->part[0].cols);
    p.dst = start + cuda_sizes_weight_data(c->dev.type, s);
    if (w->bias) {
        pack_biases(&p, s);
        pack_zeros(&p, w->rows - w->out);
    }
    if (w->phases) fill_phases(&p, start, s);
    free(p.piece);
    return cuda_failure(c, f);
}

void cuda_weight_parts(struct cuda_weight *w, enum dtype type, const struct weight_spec *s)
{
    char *const data = w->data;

    if (has_bias(s)) w->bias = data + cuda_sizes_weight_data(type, s);
    if (!cuda_sizes_has_phases(type, s)) return;
    w->phases = data + cuda_sizes_phases(type, s);
    w->phases_bias = data + cuda_sizes_phases_bias(type, s);
}

int cuda_weight_new(struct dev *d, struct weight **out, const struct weight_spec *s, struct fail *f)
{
    struct cuda_weight *w = calloc(1, sizeof *w);
    int err;

    *out = NULL;
    assert(s->n >= 1 && s->n <= 4);
    if (!w) return fail_set(f, ERR_OUT_OF_MEMORY, "no memory for %s", s->name);
    *w = (struct cuda_weight){.use = s->use,
                              .out = rows_of(s),
                              .rows = cuda_sizes_weight_rows(d->type, s),
                              .in = s->part[0].cols / taps_of(s),
                              .k = s->k,
                              .bytes = cuda_weight_size(d, s),
                              .data = s->at,
                              .placed = s->at != NULL};
    err = w->placed ? 0 : cuda_mem_new(d, &w->data, w->bytes, f);
    if (!err) cuda_weight_parts(w, d->type, s);
    if (!err) err = fill(cuda_of(d), w, s, f);
    if (err) {
        cuda_weight_free(d, (struct weight *)w);
        return err;
    }
    *out = (struct weight *)w;
    return 0;
}

void cuda_weight_free(struct dev *d, struct weight *weight)
{
    struct cuda_weight *w = (struct cuda_weight *)weight;

    if (!w) return;
    if (!w->placed) cuda_mem_free(d, w->data, w->bytes);
    free(w);
}
