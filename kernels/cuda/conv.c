/* conv - convolutions: by cuDNN where it can, whole or in bands of rows, else by our own kernel. */
#include "kernels/cuda/cudnn.h"
#include "kernels/cuda/device.h"

/* The arguments of one call; rows: how many rows y has. */
struct conv {
    tensor y, x, add;
    const struct cuda_weight *w;
    int h, width, up, first, rows;
};

/* The rows of y from `at` on. */
static void conv_by_hand(struct cuda *c, const struct conv *v, int at)
{
    const int64_t skip = (int64_t)at * (v->up ? 2 * v->width : v->width);
    const tensor y = tensor_rows(v->y, skip, v->y.rows - skip);
    const tensor add = tensor_given(v->add) ? tensor_rows(v->add, skip, y.rows) : v->add;
    const struct cu_conv by_hand = {.y = y.data,
                                    .x = v->x.data,
                                    .w = v->w->data,
                                    .bias = v->w->bias,
                                    .add = add.data,
                                    .h = v->h,
                                    .w_in = v->width,
                                    .c = (int)v->w->in,
                                    .n = (int)v->w->out,
                                    .side = v->w->k,
                                    .up = v->up,
                                    .first = v->first + at,
                                    .rows = v->rows - at,
                                    .ldy = y.ld,
                                    .ldx = v->x.ld,
                                    .lda = add.ld};

    cu_conv(&c->q, c->bf, &by_hand);
    cuda_launched(c, "a convolution");
}

/* Columns that cuDNN computes: where y has room between its rows, those of the weight's zeros,
 * too. */
static int columns(const struct conv *v)
{
    const int out = (int)v->w->out, rows = (int)v->w->rows;

    return v->y.ld == rows && !tensor_given(v->add) ? rows : out;
}

/* Rows [at, at + n) of y by cuDNN, from the rows of x: padded above and below, or not. */
static int conv_cudnn(struct cuda *c, const struct conv *v, int at, int n, tensor x, int pad)
{
    const int width = v->width, halo = v->w->k / 2;
    const tensor y = tensor_rows(v->y, (int64_t)at * width, (int64_t)n * width);
    tensor add = v->add;
    struct cudnn_conv d = {.y = y.data,
                           .x = x.data,
                           .w = v->w->data,
                           .bias = v->w->bias,
                           .h = (int)(x.rows / width),
                           .w_in = width,
                           .c = (int)v->w->in,
                           .n = columns(v),
                           .side = v->w->k,
                           .above = pad,
                           .below = pad,
                           .left = halo,
                           .right = halo,
                           .stride = 1,
                           .ldy = y.ld,
                           .ldx = x.ld};

    if (tensor_given(add)) add = tensor_rows(add, (int64_t)at * width, (int64_t)n * width);
    d.add = add.data;
    d.lda = add.ld;
    return cudnn_conv(c->cudnn, &d);
}

/* -- enlarged: four phases --------------------------------------------------------------------- */

/* Each pixel of the small picture becomes four, and each of those reads 2x2 small pixels: of its
 * 3x3 taps on the enlarged picture, those on one small pixel are added beforehand (weight.c). So
 * the four are outputs of one 2x2 convolution of the small picture, with 16 multiply-adds where the
 * enlarged one has 36, and are interleaved afterwards. Row r of the result is phase r % 2 of window
 * (r + 1) / 2; window i reads rows i - 1 and i. */

/* Windows [at, at + n) of rows to z [n (width + 1), 4 out] by cuDNN. */
static int phases_cudnn(struct cuda *c, const struct conv *v, int at, int n, void *z)
{
    const struct cuda_weight *w = v->w;
    const int above = at == 0, below = at + n > v->h;
    const int from = at - 1 + above, h = n + 1 - above - below;
    const tensor x = tensor_rows(v->x, (int64_t)from * v->width, (int64_t)h * v->width);
    const struct cudnn_conv d = {.y = z,
                                 .x = x.data,
                                 .w = w->phases,
                                 .bias = w->phases_bias,
                                 .h = h,
                                 .w_in = v->width,
                                 .c = (int)w->in,
                                 .n = 4 * (int)w->out,
                                 .side = 2,
                                 .above = above,
                                 .below = below,
                                 .left = 1,
                                 .right = 1,
                                 .stride = 1,
                                 .ldy = 4 * w->out,
                                 .ldx = x.ld};

    return cudnn_conv(c->cudnn, &d);
}

/* Windows that the band buffer holds; 0: not even one row of them. */
static int band_windows(const struct cuda *c, const struct conv *v, int windows)
{
    const size_t line = (size_t)(v->width + 1) * 4 * (size_t)v->w->out * 2, most = c->band / line;

    return most ? tensor_band(windows, most < (size_t)windows ? (int)most : windows) : 0;
}

/* Band by band through the end of the workspace. *done: rows that are on the stream, whatever is
 * returned. */
static int conv_up(struct cuda *c, const struct conv *v, int *done)
{
    const int end = (v->first + v->rows) / 2 + 1, all = end - (v->first + 1) / 2;
    const int most = v->w->phases && !tensor_given(v->add) ? band_windows(c, v, all) : 0;
    void *const z = c->work + CUDA_WORK - c->band;
    int taken = 0, row, at, n, m;

    for (*done = 0; most && *done < v->rows; *done += m) {
        row = v->first + *done;
        at = (row + 1) / 2;
        n = end - at < most ? end - at : most;
        m = 2 * (at + n) - 1 - row;
        if (m > v->rows - *done) m = v->rows - *done;
        taken = phases_cudnn(c, v, at, n, z);
        if (taken <= 0) return taken;
        cu_interleave(&c->q,
                      &(struct cu_interleave){.y = tensor_rows(v->y, (int64_t)*done * 2 * v->width,
                                                               (int64_t)m * 2 * v->width)
                                                       .data,
                                              .z = z,
                                              .ldy = v->y.ld,
                                              .w = v->width,
                                              .n = (int)v->w->out,
                                              .window = at,
                                              .first = row,
                                              .rows = m});
    }
    return taken;
}

/* All rows, padded; or rows that have all their neighbours in x. */
static int conv_same(struct cuda *c, const struct conv *v)
{
    const int halo = v->w->k / 2, from = v->first - halo, h = v->rows + 2 * halo;
    tensor x;

    if (v->first == 0 && v->rows == v->h) return conv_cudnn(c, v, 0, v->rows, v->x, halo);
    if (from < 0 || from + h > v->h) return 0;
    x = tensor_rows(v->x, (int64_t)from * v->width, (int64_t)h * v->width);
    return conv_cudnn(c, v, 0, v->rows, x, 0);
}

/* 1: cuDNN does it. */
static int half_cudnn(struct cuda *c, const struct cuda_weight *w, tensor y, tensor x, int h,
                      int width)
{
    const struct cudnn_conv d = {.y = y.data,
                                 .x = x.data,
                                 .w = w->data,
                                 .bias = w->bias,
                                 .h = h,
                                 .w_in = width,
                                 .c = (int)w->in,
                                 .n = (int)w->out,
                                 .side = w->k,
                                 .below = w->k / 2,
                                 .right = w->k / 2,
                                 .stride = 2,
                                 .ldy = y.ld,
                                 .ldx = x.ld};
    int taken;

    if (!c->bf || !c->cudnn) return 0;
    taken = cudnn_conv(c->cudnn, &d);
    return cuda_took(c, CUDA_CONVOLUTIONS, taken, cudnn_why(c->cudnn));
}

void cuda_conv_half(struct dev *d, tensor y, tensor x, const struct weight *weight, int h,
                    int width)
{
    struct cuda *c = cuda_of(d);
    const struct cuda_weight *w = cuda_weight_of(weight);
    const struct cu_conv by_hand = {.y = y.data,
                                    .x = x.data,
                                    .w = w->data,
                                    .bias = w->bias,
                                    .h = h,
                                    .w_in = width,
                                    .c = (int)w->in,
                                    .n = (int)w->out,
                                    .side = w->k,
                                    .half = 1,
                                    .rows = h / 2,
                                    .ldy = y.ld,
                                    .ldx = x.ld};

    if (!cuda_ready(c) || !y.rows) return;
    assert(h % 2 == 0 && width % 2 == 0 && x.rows == (int64_t)h * width && 4 * y.rows == x.rows);
    assert(x.cols == w->in && y.cols == w->out);
    if (half_cudnn(c, w, y, x, h, width)) return;
    cu_conv(&c->q, c->bf, &by_hand);
    cuda_launched(c, "a convolution that halves");
}

void cuda_conv(struct dev *d, tensor y, tensor x, const struct weight *w, int h, int width, int up,
               int first, tensor add)
{
    struct cuda *c = cuda_of(d);
    const int ow = up ? 2 * width : width;
    const struct conv v = {.y = y,
                           .x = x,
                           .add = add,
                           .w = cuda_weight_of(w),
                           .h = h,
                           .width = width,
                           .up = up,
                           .first = first,
                           .rows = (int)(y.rows / ow)};
    int taken, done = 0;

    if (!cuda_ready(c) || !y.rows) return;
    assert(x.rows == (int64_t)h * width && x.cols == v.w->in && y.cols == v.w->out);
    assert(y.rows % ow == 0 && first + v.rows <= (up ? 2 * h : h));
    if (c->bf && c->cudnn) {
        taken = up ? conv_up(c, &v, &done) : conv_same(c, &v);
        if (cuda_took(c, CUDA_CONVOLUTIONS, taken, cudnn_why(c->cudnn))) return;
    }
    conv_by_hand(c, &v, done);
}
