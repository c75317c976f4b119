/* elementwise - gates, gated layers, additions, activations, rows of a table: 16 bytes an access.
 *
 * All are bound by memory: a thread takes 16 bytes where the alignment allows it. */
#include "kernels/cuda/rows.cuh"

template <class T, int V>
__global__ void gate_add_kernel(T *x, int64_t ldx, const T *a, int64_t lda, const T *mod,
                                const struct cu_segs segs, int cols)
{
    const int s = find_seg(segs, blockIdx.x);
    float v[V], d[V], g[V];

    dep_launch();
    dep_wait();
    if (s < 0) return;
    const T *gate = mod + segs.seg[s].gate, *ar = a + blockIdx.x * lda;
    T *xr = x + blockIdx.x * ldx;
    for (int i = threadIdx.x * V; i < cols; i += blockDim.x * V) {
        load<T, V>(v, xr + i);
        load<T, V>(d, ar + i);
        load<T, V>(g, gate + i);
        for (int j = 0; j < V; j++)
            v[j] = v[j] + rnd<T>(g[j] * d[j]);
        store<T, V>(xr + i, v);
    }
}

template <class T>
static void gate_add(const struct cu_queue *q, void *x, int64_t ldx, const void *a, int64_t lda,
                     const void *mod, const struct cu_segs *s, int rows, int cols)
{
    const int v = wide<T>::V;

    if (!rows) return;
    if (cols % v == 0 && aligned16(x, ldx, sizeof(T)) && aligned16(a, lda, sizeof(T))
        && segs_aligned(mod, s, sizeof(T)))
        launch(gate_add_kernel<T, wide<T>::V>, dim3(rows), dim3(row_threads(cols / v)), 0, q,
               (T *)x, ldx, (const T *)a, lda, (const T *)mod, *s, cols);
    else
        launch(gate_add_kernel<T, 1>, dim3(rows), dim3(row_threads(cols)), 0, q, (T *)x, ldx,
               (const T *)a, lda, (const T *)mod, *s, cols);
}

void cu_gate_add(const struct cu_queue *q, int bf, void *x, int64_t ldx, const void *a, int64_t lda,
                 const void *mod, const struct cu_segs *s, int rows, int cols)
{
    if (bf)
        gate_add<bf16>(q, x, ldx, a, lda, mod, s, rows, cols);
    else
        gate_add<float>(q, x, ldx, a, lda, mod, s, rows, cols);
}

/* Elementwise over [rows, cols]: a thread for V columns, rows in grid.y strides. */
#define FOR_ROWS(row, rows) for (int row = blockIdx.y; row < rows; row += gridDim.y)

static dim3 flat_grid(int rows, int pieces)
{
    return dim3((pieces + 255) / 256, rows < 65535 ? rows : 65535);
}

template <class T, int V>
__global__ void glu_kernel(T *y, int64_t ldy, const T *gu, int64_t ldg, int rows, int cols, int act)
{
    const int i = (blockIdx.x * blockDim.x + threadIdx.x) * V;
    float g[V], u[V];

    dep_launch();
    dep_wait();
    if (i >= cols) return;
    FOR_ROWS(r, rows)
    {
        load<T, V>(g, gu + r * ldg + i);
        load<T, V>(u, gu + r * ldg + cols + i);
        for (int j = 0; j < V; j++)
            u[j] = u[j] * rnd<T>(activate(g[j], act));
        store<T, V>(y + r * ldy + i, u);
    }
}

template <class T>
static void glu(const struct cu_queue *q, void *y, int64_t ldy, const void *gu, int64_t ldg,
                int rows, int cols, int act)
{
    const int v = wide<T>::V;

    if (!rows) return;
    if (cols % v == 0 && aligned16(y, ldy, sizeof(T)) && aligned16(gu, ldg, sizeof(T)))
        launch(glu_kernel<T, wide<T>::V>, flat_grid(rows, cols / v), dim3(256), 0, q, (T *)y, ldy,
               (const T *)gu, ldg, rows, cols, act);
    else
        launch(glu_kernel<T, 1>, flat_grid(rows, cols), dim3(256), 0, q, (T *)y, ldy, (const T *)gu,
               ldg, rows, cols, act);
}

void cu_glu(const struct cu_queue *q, int bf, void *y, int64_t ldy, const void *gu, int64_t ldg,
            int rows, int cols, int act)
{
    if (bf)
        glu<bf16>(q, y, ldy, gu, ldg, rows, cols, act);
    else
        glu<float>(q, y, ldy, gu, ldg, rows, cols, act);
}

template <class T, int V>
__global__ void add_act_kernel(T *y, int64_t ldy, const T *a, int64_t lda, const T *b, int64_t ldb,
                               int rows, int cols, int act)
{
    const int i = (blockIdx.x * blockDim.x + threadIdx.x) * V;
    float u[V], v[V];

    dep_launch();
    dep_wait();
    if (i >= cols) return;
    FOR_ROWS(r, rows)
    {
        load<T, V>(u, a + r * lda + i);
        if (b) load<T, V>(v, b + r * ldb + i);
        for (int j = 0; j < V; j++)
            u[j] = activate(b ? rnd<T>(u[j] + v[j]) : u[j], act);
        store<T, V>(y + r * ldy + i, u);
    }
}

template <class T>
static void add_act(const struct cu_queue *q, void *y, int64_t ldy, const void *a, int64_t lda,
                    const void *b, int64_t ldb, int rows, int cols, int act)
{
    const int v = wide<T>::V;

    if (!rows) return;
    if (cols % v == 0 && aligned16(y, ldy, sizeof(T)) && aligned16(a, lda, sizeof(T))
        && (!b || aligned16(b, ldb, sizeof(T))))
        launch(add_act_kernel<T, wide<T>::V>, flat_grid(rows, cols / v), dim3(256), 0, q, (T *)y,
               ldy, (const T *)a, lda, (const T *)b, ldb, rows, cols, act);
    else
        launch(add_act_kernel<T, 1>, flat_grid(rows, cols), dim3(256), 0, q, (T *)y, ldy,
               (const T *)a, lda, (const T *)b, ldb, rows, cols, act);
}

void cu_add_act(const struct cu_queue *q, int bf, void *y, int64_t ldy, const void *a, int64_t lda,
                const void *b, int64_t ldb, int rows, int cols, int act)
{
    if (bf)
        add_act<bf16>(q, y, ldy, a, lda, b, ldb, rows, cols, act);
    else
        add_act<float>(q, y, ldy, a, lda, b, ldb, rows, cols, act);
}

template <class T, int V>
__global__ void embed_kernel(T *y, int64_t ldy, const T *table, const int32_t *ids, int64_t ldi,
                             int rows, int cols)
{
    const int i = (blockIdx.x * blockDim.x + threadIdx.x) * V;

    dep_launch();
    dep_wait();
    if (i >= cols) return;
    FOR_ROWS(r, rows)
    {
        const int32_t id = ids[r * ldi];
        float v[V] = {0};

        if (id >= 0) load<T, V>(v, table + (int64_t)id * cols + i);
        store<T, V>(y + r * ldy + i, v);
    }
}

template <class T>
static void embed(const struct cu_queue *q, void *y, int64_t ldy, const void *table,
                  const int32_t *ids, int64_t ldi, int rows, int cols)
{
    const int v = wide<T>::V;

    if (!rows) return;
    if (cols % v == 0 && aligned16(y, ldy, sizeof(T)) && aligned16(table, cols, sizeof(T)))
        launch(embed_kernel<T, wide<T>::V>, flat_grid(rows, cols / v), dim3(256), 0, q, (T *)y, ldy,
               (const T *)table, ids, ldi, rows, cols);
    else
        launch(embed_kernel<T, 1>, flat_grid(rows, cols), dim3(256), 0, q, (T *)y, ldy,
               (const T *)table, ids, ldi, rows, cols);
}

void cu_embed(const struct cu_queue *q, int bf, void *y, int64_t ldy, const void *table,
              const int32_t *ids, int64_t ldi, int rows, int cols)
{
    if (bf)
        embed<bf16>(q, y, ldy, table, ids, ldi, rows, cols);
    else
        embed<float>(q, y, ldy, table, ids, ldi, rows, cols);
}
