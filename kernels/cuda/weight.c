/* weight - model tensors onto the card, in the layout that its kernels and libraries read. */
#include "kernels/cuda/device.h"
#include "kernels/cuda_sizes.h"
#include "weights/safetensors/dtype.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE = 1 << 20 }; /* values converted at a time */

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

size_t cuda_weight_size(const struct dev *d, const struct weight_spec *s)
{
    return cuda_sizes_weight_size(d->type, s);
}

size_t cuda_weight_bytes(const struct weight *w)
{
    return cuda_weight_of(w)->bytes;
}

/* n values from element `at`, as they are stored on the card. T's rounding comes first, as in the reference. */
static void convert(const struct cuda *c, void *out, const struct source *s, int64_t at, int64_t n,
                    size_t size)
{
    const struct stored_tensor t = {
        .dtype = (enum stored_dtype)s->type, .data = s->data, .count = at + n};
    if (size == 2 && s->type == DTYPE_BF16) {
        memcpy(out, (const char *)s->data + 2 * (size_t)at, (size_t)n * 2);
        return;
    }
    float *f = out; /* a piece has room for floats whatever it becomes */
    dtype_to_f32(&t, at, n, f);
    for (int64_t i = 0; i < n && c->bf; i++) {
        const uint16_t h = f32_to_bf16(f[i]);
        if (size == 2)
            memcpy((char *)out + 2 * i, &h, 2);
        else
            f[i] = bf16_to_f32(h);
    }
}

/* [out][in][k][k] to [out][k][k][in]: one row at a time. */
static void turn(char *to, const char *from, int64_t in, int taps, size_t size)
{
    for (int64_t i = 0; i < in; i++)
        for (int t = 0; t < taps; t++)
            memcpy(to + (size_t)(t * in + i) * size, from + (size_t)(i * taps + t) * size, size);
}

/* To the card, or to its home on the host. */
static char *send(struct cuda *c, char *dst, int home, const struct source *s, int taps,
                  size_t size, char *piece)
{
    const int64_t row = taps > 1 ? s->cols : 1, all = s->rows * s->cols;
    const int64_t step = PIECE / row * row;
    char *turned = piece + (size_t)PIECE * 4;
    for (int64_t at = 0; at < all; at += step) {
        int64_t n = all - at < step ? all - at : step;
        convert(c, piece, s, at, n, size);
        for (int64_t r = 0; taps > 1 && r < n; r += row)
            turn(turned + (size_t)r * size, piece + (size_t)r * size, row / taps, taps, size);
        const char *ready = taps > 1 ? turned : piece;
        if (home)
            memcpy(dst, ready, (size_t)n * size);
        else
            cuda_upload(c, dst, ready, (size_t)n * size);
        dst += (size_t)n * size;
    }
    return dst;
}

static int fill(struct cuda *c, struct cuda_weight *w, const struct weight_spec *s, struct fail *f)
{
    const size_t size = unit(c, s);
    const int home = s->home != NULL;
    char *piece = malloc((size_t)PIECE * 8), *start = home ? s->home : w->data, *dst = start;
    if (!piece) return fail_set(f, ERR_OUT_OF_MEMORY, "no memory to load %s", s->name);
    for (int i = 0; i < s->n; i++)
        dst = send(c, dst, home, &s->part[i], s->use == USE_CONV ? s->k * s->k : 1, size, piece);
    dst = start + cuda_sizes_weight_data(c->dev.type, s);
    for (int i = 0; i < s->n && w->bias; i++) {
        struct source b = s->bias[i];
        b.rows = s->part[i].rows;
        b.cols = 1;
        dst = send(c, dst, home, &b, 1, size, piece);
    }
    free(piece);
    if (!c->failed) return 0;
    if (f) *f = c->fail;
    return c->fail.code;
}

int cuda_weight_new(struct dev *d, struct weight **out, const struct weight_spec *s, struct fail *f)
{
    struct cuda *c = cuda_of(d);
    const int taps = s->use == USE_CONV ? s->k * s->k : 1;
    *out = NULL;
    assert(s->n >= 1 && s->n <= 4);
    struct cuda_weight *w = calloc(1, sizeof *w);
    if (!w) return fail_set(f, ERR_OUT_OF_MEMORY, "no memory for %s", s->name);
    *w = (struct cuda_weight){
        .use = s->use, .out = rows_of(s), .in = s->part[0].cols / taps, .k = s->k};
    w->bytes = cuda_weight_size(d, s);
    w->data = s->at;
    w->placed = s->at != NULL;
    int rc = w->placed ? 0 : cuda_mem_new(d, &w->data, w->bytes, f);
    if (!rc && has_bias(s)) w->bias = (char *)w->data + cuda_sizes_weight_data(d->type, s);
    if (!rc) rc = fill(c, w, s, f);
    if (rc) {
        cuda_weight_free(d, (struct weight *)w);
        return rc;
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
