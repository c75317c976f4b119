/* gemv - y = act(x w' + bias) for at most 16 rows of x: each weight is read from memory once.
 *
 * bf16: a block computes 16 columns of y; its 8 warps share k in slabs of 64 values. A lane reads
 * 16-byte pieces of rows g and g + 8 of w (g = lane / 4). A piece is the tensor cores' right
 * operand twice over, register for register: the sum over k may name its terms in any order, so
 * piece t of a quad serves as the rows that the instruction wants, in w and x alike. Rows of x are
 * the left operand's rows, the missing ones zero: a row's result does not depend on how many there
 * are. A ring of three or four slabs (192 or 256 bytes a thread) is in flight: a slab's registers
 * are filled anew once it is used, and nothing but the next use reads them, so a weight is not
 * waited for before its turn (test/cuda/test_sass.py holds the machine code to that). The first
 * slabs are requested before the previous kernel has ended. Sums of the warps are added in one
 * order through shared memory. For a gated layer a block's 16 columns are 8 gates and the 8 values
 * that they let through: what is stored is their product.
 *
 * float: a warp computes one column of y; for checks, not for speed. */
#include "kernels/cuda/kernel.cuh"

enum { WARPS = 8, TILE = 16, SLAB = 64 };

/* d[16 x 8] += a[16 x 16] b[16 x 8], bf16 in, float sums. */
static __device__ __forceinline__ void mma(float d[4], uint32_t a0, uint32_t a1, uint32_t a2,
                                           uint32_t a3, uint32_t b0, uint32_t b1)
{
#ifdef SIMT
    const uint32_t mine[6] = {a0, a1, a2, a3, b0, b1};
    const unsigned char(*all)[64] = simt_exchange(mine, sizeof mine);
    const int g = simt_lane() / 4, t = simt_lane() % 4;

    for (int i = 0; i < 4; i++) {
        const int row = g + i / 2 * 8, col = 2 * t + i % 2;
        double sum = d[i];

        for (int k = 0; k < 16; k++) {
            /* a: register k / 8 * 2 + row / 8 of lane (row % 8) * 4 + k % 8 / 2; b likewise */
            bf16 u, v;

            memcpy(&u, all[row % 8 * 4 + k % 8 / 2] + (k / 8 * 2 + row / 8) * 4 + k % 2 * 2, 2);
            memcpy(&v, all[col * 4 + k % 8 / 2] + 16 + k / 8 * 4 + k % 2 * 2, 2);
            sum += (double)to_float(u) * (double)to_float(v);
        }
        d[i] = (float)sum;
    }
    __syncwarp();
#else
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
        "{%8,%9}, "
        "{%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
#endif
}

/* A weight is read once, so it is not kept in the first cache. */
static __device__ __forceinline__ uint4 load_once(const bf16 *p)
{
#ifdef SIMT
    return *(const uint4 *)(const void *)p;
#else
    uint4 u;

    asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0,%1,%2,%3}, [%4];"
                 : "=r"(u.x), "=r"(u.y), "=r"(u.z), "=r"(u.w)
                 : "l"(p));
    return u;
#endif
}

/* The pieces of one slab: row g at k + 8 t and k + 32 + 8 t, then row g + 8; zeros past the end. */
struct slab {
    uint4 w[4];
};

static __device__ __forceinline__ void load_slab(slab &s, const bf16 *r0, const bf16 *r1, int k,
                                                 int end)
{
    const uint4 zero = {0, 0, 0, 0};

    s.w[0] = r0 && k < end ? load_once(r0 + k) : zero;
    s.w[1] = r0 && k + 32 < end ? load_once(r0 + k + 32) : zero;
    s.w[2] = r1 && k < end ? load_once(r1 + k) : zero;
    s.w[3] = r1 && k + 32 < end ? load_once(r1 + k + 32) : zero;
}

/* Rows g (and with NT 2: g + 8) of x, at k and k + 32; zeros past the end. */
template <int NT>
static __device__ __forceinline__ void use_slab(float d[2][4], const slab &s,
                                                const bf16 *const x[2], int k, int end)
{
    const uint4 zero = {0, 0, 0, 0};

#pragma unroll
    for (int half = 0; half < 2; half++, k += 32) {
        const uint4 a = x[0] && k < end ? *(const uint4 *)(const void *)(x[0] + k) : zero;
        const uint4 b =
            NT == 2 && x[1] && k < end ? *(const uint4 *)(const void *)(x[1] + k) : zero;

#pragma unroll
        for (int j = 0; j < 2; j++) {
            const uint4 w = s.w[2 * j + half];

            mma(d[j], a.x, b.x, a.y, b.y, w.x, w.y);
            mma(d[j], a.z, b.z, a.w, b.w, w.z, w.w);
        }
    }
}

/* One finished element, with the roundings of the CPU device. */
template <class T>
static __device__ __forceinline__ void finish(const struct cu_product &p, int row, int col, float v)
{
    if (p.bias) v += to_float(((const T *)p.bias)[col]);
    if (p.y_f32) {
        float *y = (float *)p.y + row * p.ldy + col;

        v = activate(v, p.act);
        *y = p.add ? *y + v : v;
        return;
    }
    T *y = (T *)p.y + row * p.ldy + col;
    if (p.act != CU_ACT_NONE) v = activate(rnd<T>(v), p.act);
    *y = from_float<T>(p.add ? to_float(*y) + rnd<T>(v) : v);
}

/* up act(gate), with the roundings of a product that is stored and read again. */
static __device__ __forceinline__ void finish_glu(const struct cu_product &p, int row, int col,
                                                  float gate, float up)
{
    if (p.bias) {
        gate += to_float(((const bf16 *)p.bias)[col]);
        up += to_float(((const bf16 *)p.bias)[p.n / 2 + col]);
    }
    const float open = rnd<bf16>(activate(rnd<bf16>(gate), p.act));
    ((bf16 *)p.y)[row * p.ldy + col] = from_float<bf16>(rnd<bf16>(up) * open);
}

/* NT: 8 or 16 rows of x. RING: slabs in flight, as many as registers allow without spilling. */
template <int NT, int RING>
__global__ void __launch_bounds__(32 * WARPS) gemv_kernel(const struct cu_product p)
{
    __shared__ float sums[WARPS][TILE][8 * NT];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    const int cols = p.glu ? TILE / 2 : TILE, end = p.glu ? p.n / 2 : p.n;
    const int col = blockIdx.x * cols, step = WARPS * SLAB, other = p.glu ? end : 8;
    const bf16 *w = (const bf16 *)p.w;
    const bf16 *r0 = col + g < end ? w + (int64_t)(col + g) * p.k : NULL;
    const bf16 *r1 = col + g + other < p.n && r0 ? w + (int64_t)(col + g + other) * p.k : NULL;
    const bf16 *x[2];
    float d[2][4] = {};
    int k = warp * SLAB + 8 * t;
    slab ring[RING];

#pragma unroll
    for (int i = 0; i < RING; i++)
        load_slab(ring[i], r0, r1, k + i * step, p.k);
    dep_launch();
    dep_wait();
#pragma unroll
    for (int i = 0; i < 2; i++)
        x[i] = 8 * i + g < p.m ? (const bf16 *)p.x + (8 * i + g) * p.ldx : NULL;
    for (; k - 8 * t < p.k; k += RING * step) {
#pragma unroll
        for (int i = 0; i < RING; i++) {
            use_slab<NT>(d, ring[i], x, k + i * step, p.k);
            load_slab(ring[i], r0, r1, k + (RING + i) * step, p.k);
        }
    }
#pragma unroll
    for (int j = 0; j < 2; j++)
#pragma unroll
        for (int i = 0; i < 2 * NT; i++)
            sums[warp][8 * j + 2 * t + i % 2][g + i / 2 * 8] = d[j][i];
    __syncthreads();
    for (int i = threadIdx.x; i < cols * p.m; i += blockDim.x) {
        const int row = i / cols, c = i % cols;
        float v = 0, up = 0;

        if (col + c >= end) continue;
        for (int j = 0; j < WARPS; j++) {
            v += sums[j][c][row];
            if (p.glu) up += sums[j][c + 8][row];
        }
        if (p.glu)
            finish_glu(p, row, col + c, v, up);
        else
            finish<bf16>(p, row, col + c, v);
    }
}

/* The plain form: a warp a column of y, rows of x one after another; lanes share k. */
template <class T> __global__ void plain_kernel(const struct cu_product p)
{
    const int col = blockIdx.x * WARPS + threadIdx.x / 32, lane = threadIdx.x % 32;

    dep_launch();
    dep_wait();
    if (col >= p.n) return;
    const T *w = (const T *)p.w + (int64_t)col * p.k;
    for (int r = 0; r < p.m; r++) {
        const T *x = (const T *)p.x + r * p.ldx;
        float v = 0;

        for (int k = lane; k < p.k; k += 32)
            v += to_float(x[k]) * to_float(w[k]);
        v = warp_sum(v);
        if (lane == 0) finish<T>(p, r, col, v);
    }
}

int cu_gemv_can(const struct cu_product *p, int bf)
{
    if (p->m > CU_GEMV_ROWS) return 0;
    if (!bf) return !p->glu;
    return p->k % 8 == 0 && p->ldx % 8 == 0 && ((uintptr_t)p->x | (uintptr_t)p->w) % 16 == 0;
}

void cu_gemv(const struct cu_queue *q, int bf, const struct cu_product *p)
{
    const dim3 grid((p->n + TILE - 1) / TILE); /* with glu: n / 2 in pieces of TILE / 2 */

    if (!p->m || !p->n) return;
    if (!bf)
        launch(plain_kernel<float>, dim3((p->n + WARPS - 1) / WARPS), dim3(32 * WARPS), 0, q, *p);
    else if (p->m <= 8)
        launch(gemv_kernel<1, 4>, grid, dim3(32 * WARPS), 0, q, *p);
    else
        launch(gemv_kernel<2, 3>, grid, dim3(32 * WARPS), 0, q, *p);
}
