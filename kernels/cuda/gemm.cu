/* gemm - products and convolutions on plain cores: tiles of 64 x 64, any shape, any alignment.
 *
 * For what the libraries cannot do (odd widths), for machines without them, and exact in float. A
 * convolution is the same product, its left operand gathered from the picture. Each element is one
 * chain of multiply-adds over k in ascending order, so its bits depend on nothing else. */
#include "kernels/cuda/kernel.cuh"

enum { TM = 64, TN = 64, TK = 16, PAD = 4 };

/* Left operands: element (m, k) as a float, 0 outside. */
template <class T> struct rows_of {
    const T *x;
    int64_t ld;
    int m, k;
    __device__ float at(int i, int j) const
    {
        return i < m && j < k ? to_float(x[i * ld + j]) : 0.0f;
    }
};

template <class T> struct picture_of {
    const T *x;
    int64_t ld;
    /* h, w: of the whole result; first: its row that row 0 is in */
    int h, w, c, side, up, first;
    __device__ float at(int i, int j) const
    {
        const int tap = j / c, dy = tap / side - side / 2, dx = tap % side - side / 2;
        const int y = first + i / w + dy, z = i % w + dx;

        if (first + i / w >= h || tap >= side * side || y < 0 || y >= h || z < 0 || z >= w)
            return 0.0f;
        const int64_t from = up ? (int64_t)(y / 2) * (w / 2) + z / 2 : (int64_t)y * w + z;
        return to_float(x[from * ld + j % c]);
    }
};

/* Every second window: the first one begins at the corner. */
template <class T> struct half_of {
    const T *x;
    int64_t ld;
    /* h, w: of x; ow: of the result */
    int h, w, ow, c, side;
    __device__ float at(int i, int j) const
    {
        const int tap = j / c, y = i / ow * 2 + tap / side, z = i % ow * 2 + tap % side;

        if (tap >= side * side || y >= h || z >= w) return 0.0f;
        return to_float(x[((int64_t)y * w + z) * ld + j % c]);
    }
};

/* What is done with a finished element. */
struct out_of {
    void *y;
    const void *bias, *add;
    int64_t ldy, lda;
    int m, n, act, y_f32;
};

template <class T> static __device__ void finish(const out_of &o, int row, int col, float v)
{
    if (row >= o.m || col >= o.n) return;
    if (o.bias) v += to_float(((const T *)o.bias)[col]);
    if (o.y_f32) {
        v = activate(v, o.act);
        if (o.add) v += ((const float *)o.add)[row * o.lda + col];
        ((float *)o.y)[row * o.ldy + col] = v;
        return;
    }
    if (o.act != CU_ACT_NONE) v = activate(rnd<T>(v), o.act);
    if (o.add) v = rnd<T>(v) + to_float(((const T *)o.add)[row * o.lda + col]);
    ((T *)o.y)[row * o.ldy + col] = from_float<T>(v);
}

template <class T, class A>
__global__ void __launch_bounds__(256) gemm_kernel(const A a, const T *w, int k, const out_of o)
{
    __shared__ float as[TK][TM + PAD], bs[TK][TN + PAD];
    const int row = blockIdx.x * TM, col = blockIdx.y * TN;
    const int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
    float sum[4][4] = {};

    dep_launch();
    dep_wait();
    for (int k0 = 0; k0 < k; k0 += TK) {
        for (int i = threadIdx.x; i < TM * TK; i += 256) {
            const int r = i / TK, j = i % TK;

            as[j][r] = a.at(row + r, k0 + j);
            bs[j][r] =
                col + r < o.n && k0 + j < k ? to_float(w[(int64_t)(col + r) * k + k0 + j]) : 0;
        }
        __syncthreads();
#pragma unroll 4
        for (int j = 0; j < TK; j++) {
            float u[4], v[4];

#pragma unroll
            for (int i = 0; i < 4; i++) {
                u[i] = as[j][ty + 16 * i];
                v[i] = bs[j][tx + 16 * i];
            }
#pragma unroll
            for (int r = 0; r < 4; r++)
#pragma unroll
                for (int c = 0; c < 4; c++)
                    sum[r][c] += u[r] * v[c];
        }
        __syncthreads();
    }
#pragma unroll
    for (int r = 0; r < 4; r++)
#pragma unroll
        for (int c = 0; c < 4; c++)
            finish<T>(o, row + ty + 16 * r, col + tx + 16 * c, sum[r][c]);
}

template <class T> static void gemm(const struct cu_queue *q, const struct cu_product *p)
{
    const rows_of<T> a = {(const T *)p->x, p->ldx, p->m, p->k};
    const out_of o = {p->y,   p->bias, p->add ? p->y : NULL, p->ldy, p->ldy, p->m, p->n,
                      p->act, p->y_f32};

    launch(gemm_kernel<T, rows_of<T>>, dim3((p->m + TM - 1) / TM, (p->n + TN - 1) / TN), dim3(256),
           0, q, a, (const T *)p->w, p->k, o);
}

void cu_gemm(const struct cu_queue *q, int bf, const struct cu_product *p)
{
    if (!p->m || !p->n) return;
    if (bf)
        gemm<bf16>(q, p);
    else
        gemm<float>(q, p);
}

template <class T, class A>
static void conv_rows(const struct cu_queue *q, const struct cu_conv *c, A a, int ow)
{
    const int m = c->rows * ow;
    const out_of o = {c->y, c->bias, c->add, c->ldy, c->lda, m, c->n, CU_ACT_NONE, 0};

    launch(gemm_kernel<T, A>, dim3((m + TM - 1) / TM, (c->n + TN - 1) / TN), dim3(256), 0, q, a,
           (const T *)c->w, c->side * c->side * c->c, o);
}

template <class T> static void conv(const struct cu_queue *q, const struct cu_conv *c)
{
    const int h = c->up ? 2 * c->h : c->h, w = c->up ? 2 * c->w_in : c->w_in, ow = c->w_in / 2;

    if (c->half)
        conv_rows<T>(q, c, half_of<T>{(const T *)c->x, c->ldx, c->h, c->w_in, ow, c->c, c->side},
                     ow);
    else
        conv_rows<T>(
            q, c, picture_of<T>{(const T *)c->x, c->ldx, h, w, c->c, c->side, c->up, c->first}, w);
}

void cu_conv(const struct cu_queue *q, int bf, const struct cu_conv *c)
{
    if (bf)
        conv<bf16>(q, c);
    else
        conv<float>(q, c);
}

/* A thread for V channels of a pixel. */
template <int V> __global__ void interleave_kernel(const struct cu_interleave v)
{
    const int64_t i = ((int64_t)blockIdx.x * blockDim.x + threadIdx.x) * V,
                  line = (int64_t)2 * v.w * v.n;
    const int row = v.first + (int)blockIdx.y, column = (int)(i / v.n);
    float t[V];

    dep_launch();
    dep_wait();
    if (i >= line) return;
    const int64_t window = (int64_t)((row + 1) / 2 - v.window) * (v.w + 1) + (column + 1) / 2;
    const int phase = 2 * (row % 2) + column % 2, channel = (int)(i % v.n);
    load<bf16, V>(t, (const bf16 *)v.z + (window * 4 + phase) * v.n + channel);
    store<bf16, V>((bf16 *)v.y + ((int64_t)blockIdx.y * 2 * v.w + column) * v.ldy + channel, t);
}

void cu_interleave(const struct cu_queue *q, const struct cu_interleave *v)
{
    const int wide_v = wide<bf16>::V, line = 2 * v->w * v->n;

    if (v->n % wide_v == 0 && v->ldy % wide_v == 0 && ((uintptr_t)v->z | (uintptr_t)v->y) % 16 == 0)
        launch(interleave_kernel<wide<bf16>::V>, dim3((line / wide_v + 255) / 256, v->rows),
               dim3(256), 0, q, *v);
    else
        launch(interleave_kernel<1>, dim3((line + 255) / 256, v->rows), dim3(256), 0, q, *v);
}
