/* conv - convolutions: by cuDNN where it can, whole or in bands of rows, else by our own kernel. */
#include "kernels/cuda/cudnn.h"
#include "kernels/cuda/device.h"

/* bytes of an enlarged band that waits for its convolution */
#define BAND_BYTES ((size_t)64 << 20)

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
    const int width = v->up ? 2 * v->width : v->width;
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
                           .pad_h = pad,
                           .ldy = y.ld,
                           .ldx = x.ld};

    if (tensor_given(add)) add = tensor_rows(add, (int64_t)at * width, (int64_t)n * width);
    d.add = add.data;
    d.lda = add.ld;
    return cudnn_conv(c->cudnn, &d);
}

/* Rows of a band of a picture of `rows` so that the band buffer holds them with a halo row on
 * either side. 0: not even one row fits. */
static int band_rows(int rows, int width, int64_t channels)
{
    const size_t most = BAND_BYTES / ((size_t)width * (size_t)channels * 2);

    if (most < 3) return 0;
    return tensor_band(rows, most < (size_t)rows + 2 ? (int)most - 2 : rows);
}

/* cuDNN cannot read a picture enlarged: bands of it are made at the end of the workspace.
 * *done: rows that are on the stream, whatever is returned. */
static int conv_up(struct cuda *c, const struct conv *v, int *done)
{
    const int width = 2 * v->width, channels = (int)v->w->in, halo = v->w->k / 2;
    const int n = band_rows(v->rows, width, channels);
    char *const at = c->work + CUDA_WORK - BAND_BYTES;
    tensor band;
    int taken = 0, m;

    for (*done = 0; n && *done < v->rows; *done += m) {
        m = v->rows - *done < n ? v->rows - *done : n;
        band = tensor_at(at, DT_BF16, (int64_t)(m + 2 * halo) * width, channels);
        cu_enlarge(&c->q, 1, band.data, v->x.data, v->x.ld, v->h, v->width, channels,
                   v->first + *done - halo, m + 2 * halo);
        taken = conv_cudnn(c, v, *done, m, band, 0);
        if (taken <= 0) return taken;
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
                                 .half = 1,
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
