/* condition_cases - the operations that condition images alone need, on both devices of a pair. */
#include "test/simt/pair.h"

#include <math.h>
#include <stdlib.h>

static enum dtype T(const struct pair *p)
{
    return p->ref->type;
}

static void layer_norm(struct pair *p, int rows, int cols, int gap, double shift)
{
    both x, far, y;
    int w, b;

    pair_case(p, "layer_norm, %d of %d, around %g", rows, cols, shift);
    x = pair_tensor(p, T(p), rows, cols, gap, 2);
    far = pair_same_value(p, T(p), rows, cols, shift);
    y = pair_tensor(p, T(p), rows, cols, gap, 1);
    w = pair_weight(p, USE_VECTOR, cols, 1, 0, 0, 2);
    b = pair_weight(p, USE_VECTOR, cols, 1, 0, 0, 1);
    PAIR_EACH(p, i, d)
    {
        d->ops->add_act(d, x.t[i], x.t[i], far.t[i], ACT_NONE);
        d->ops->layer_norm(d, y.t[i], x.t[i], p->weight[i][w], p->weight[i][b], 1e-6f);
        d->ops->layer_norm(d, x.t[i], x.t[i], p->weight[i][w], p->weight[i][b], 1e-6f);
    }
    pair_near(p, y, pair_tol(p));
    pair_same(p, x.t[1], y.t[1]);
}

/* Few values, so that many scores are equal; of one row all are negative. */
static void argmax(struct pair *p, int rows, int cols, int levels)
{
    float *v = malloc(sizeof *v * (size_t)(rows * cols));
    both scores, ids;
    int f;
    uint32_t r = 99;

    if (!v) abort();
    pair_case(p, "argmax, %d of %d, %d levels", rows, cols, levels);
    for (int i = 0; i < rows * cols; i++) {
        r = r * 1664525u + 1013904223u;
        v[i] = (float)((int)(r >> 9) % levels - (i / cols == 1 ? levels : levels / 3));
    }
    scores = pair_floats(p, rows, cols, v);
    ids = pair_tensor(p, DT_I32, rows, 1, 2, 1000);
    f = pair_weight(p, USE_VECTOR, cols, 1, 0, 0, levels > 100 ? 1 : 0);
    PAIR_EACH(p, i, d)
    d->ops->argmax(d, ids.t[i], scores.t[i], p->weight[i][f]);
    pair_near(p, ids, 0);
    f = pair_weight(p, USE_VECTOR, cols, 1, 0, 0, 1);
    PAIR_EACH(p, i, d)
    d->ops->argmax(d, ids.t[i], scores.t[i], p->weight[i][f]);
    pair_near(p, ids, 0);
    free(v);
}

static void conv_half(struct pair *p, int h, int w, int ci, int co, int gap)
{
    both x, y;
    int f;

    pair_case(p, "conv_half %d x %d, %d to %d, gap %d", h, w, ci, co, gap);
    x = pair_tensor(p, T(p), (int64_t)h * w, ci, gap, 1);
    y = pair_tensor(p, T(p), (int64_t)h * w / 4, co, 0, 1);
    f = pair_weight(p, USE_CONV, co, (int64_t)ci * 9, 3, 1, 1 / sqrt(ci * 9));
    PAIR_EACH(p, i, d)
    d->ops->conv_half(d, y.t[i], x.t[i], p->weight[i][f], h, w);
    pair_near(p, y, pair_tol(p));
}

/* The picture is the left half of a wider one, as the encoder's means are. */
static void renorm(struct pair *p, int pixels, int channels)
{
    both z, x, m, back;
    int mean, std;

    pair_case(p, "renorm, %d pixels, %d channels", pixels, channels);
    z = pair_tensor(p, T(p), pixels, 2 * (int64_t)channels, 0, 2);
    x = pair_tensor(p, DT_F32, channels, pixels, 3, 1);
    back = pair_tensor(p, T(p), pixels, channels, 0, 1);
    mean = pair_weight(p, USE_VECTOR, channels, 1, 0, 0, 1);
    std = pair_weight(p, USE_VECTOR, channels, 1, 0, 0, 2);
    m = both_cols(z, 0, channels);
    PAIR_EACH(p, i, d)
    {
        d->ops->renorm(d, x.t[i], m.t[i], p->weight[i][mean], p->weight[i][std]);
        d->ops->denorm(d, back.t[i], x.t[i], p->weight[i][mean], p->weight[i][std]);
    }
    pair_near(p, x, T(p) == DT_BF16 ? 0 : 1e-6);
    pair_near(p, back, pair_tol(p));
}

void pair_condition_cases(struct pair *p, enum pair_size size)
{
    if (size == PAIR_ODD) {
        layer_norm(p, 5, 192, 8, 0);
        layer_norm(p, 3, 97, 3, 4);
        layer_norm(p, 2, 4104, 8, 0);
        layer_norm(p, 1, 6, 0, 0);
        argmax(p, 7, 53, 5);
        argmax(p, 3, 2080, 9);
        argmax(p, 3, 2080, 100000);
        argmax(p, 2, 1, 3);
        conv_half(p, 2, 2, 1, 1, 0);
        conv_half(p, 6, 14, 48, 31, 0);
        conv_half(p, 4, 22, 5, 3, 1);
        conv_half(p, 18, 4, 16, 70, 8);
        renorm(p, 133, 16);
        renorm(p, 300, 5);
    } else {
        layer_norm(p, 1024, 1536, 0, 0);
        argmax(p, 256, 16384, 100000);
        conv_half(p, 64, 64, 128, 128, 0);
        conv_half(p, 32, 32, 512, 512, 0);
        conv_half(p, 16, 32, 1024, 1024, 0);
        renorm(p, 16384, 16);
    }
}
