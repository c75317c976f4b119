/* ops_harness - what the tests of operations share: every device that this machine can run, random
 * tensors with gaps between their rows, and a comparison that a NaN fails. */
#ifndef TEST_KERNELS_OPS_HARNESS_H
#define TEST_KERNELS_OPS_HARNESS_H

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/half.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct harness {
    struct dev *d;
    const struct ops *op;
    const char *isa;
    int bf, threads;
    struct arena mem;
    char *base, *scratch;
    uint32_t seed;
    char what[128]; /* the case that runs: for messages */
};

enum { HARNESS_BYTES = 48 << 20, HARNESS_SCRATCH = 4 << 20 };

static inline void harness_open(struct harness *l, const struct isa *isa, enum dtype type,
                                int threads)
{
    struct fail f;

    *l = (struct harness){.isa = isa->name, .bf = type == DT_BF16, .threads = threads, .seed = 1};
    assert_int_equal(cpu_open_isa(&l->d, type, threads, isa, &f), 0);
    l->op = l->d->ops;
    l->base = aligned_alloc(ARENA_ALIGN, HARNESS_BYTES);
    l->scratch = aligned_alloc(ARENA_ALIGN, HARNESS_SCRATCH);
    assert_true(l->base && l->scratch);
    arena_init(&l->mem, l->base, HARNESS_BYTES);
    arena_init(&l->d->scratch, l->scratch, HARNESS_SCRATCH);
}

static inline void harness_close(struct harness *l)
{
    struct fail f;
    int err = l->op->sync(l->d, &f);

    if (err) print_error("%s\n", f.message);
    assert_int_equal(err, 0);
    assert_int_equal(l->d->scratch.used, 0);
    l->op->free(l->d);
    free(l->base);
    free(l->scratch);
}

/* The matrix unit in plain C (test/kernels/cpu/tiles.h): bfloat16 alone. */
extern const struct isa isa_emulated;

/* Run `test` on every instruction set x type x {1, 2} threads. */
static inline void harness_each(void (*test)(struct harness *))
{
    const struct isa *isa[ISA_MOST + 1];
    int n = isa_list(isa);

    isa[n++] = &isa_emulated;
    for (int i = 0; i < n; i++)
        for (int bf = isa[i] == &isa_emulated; bf < 2; bf++)
            for (int threads = 1; threads <= 2; threads++) {
                struct harness l;

                harness_open(&l, isa[i], bf ? DT_BF16 : DT_F32, threads);
                test(&l);
                harness_close(&l);
            }
}

static inline double harness_random(struct harness *l) /* about [-1, 1), not too regular */
{
    l->seed = l->seed * 1664525u + 1013904223u;
    return ((double)(l->seed >> 8) / (1 << 23)) - 1;
}

static inline void harness_set(tensor t, int64_t i, int64_t j, double v)
{
    int64_t at = i * t.ld + j;

    if (t.type == DT_F32)
        ((float *)t.data)[at] = (float)v;
    else if (t.type == DT_BF16)
        ((uint16_t *)t.data)[at] = half_bits((float)v);
    else if (t.type == DT_I32)
        ((int32_t *)t.data)[at] = (int32_t)v;
    else
        ((uint8_t *)t.data)[at] = (uint8_t)v;
}

static inline double harness_get(tensor t, int64_t i, int64_t j)
{
    int64_t at = i * t.ld + j;

    if (t.type == DT_F32) return (double)((const float *)t.data)[at];
    if (t.type == DT_BF16) return (double)half_float(((const uint16_t *)t.data)[at]);
    if (t.type == DT_I32) return ((const int32_t *)t.data)[at];
    return ((const uint8_t *)t.data)[at];
}

/* A tensor with 3 unused elements after each row, all NaN or 0xff: an operation that reads or
 * writes them is found. */
static inline tensor harness_empty(struct harness *l, enum dtype type, int64_t rows, int64_t cols)
{
    tensor t = arena_tensor(&l->mem, type, rows, cols + 3);

    assert_non_null(t.data);
    memset(t.data, 0xff, tensor_bytes(t));
    return tensor_cols(t, 0, cols);
}

/* y = act(GN(x)) of a picture one pixel wide. */
static inline void harness_group_norm(struct dev *d, struct arena *mem, tensor y, tensor x,
                                      const struct weight *w, int groups)
{
    const int h = (int)x.rows;
    const size_t n = d->ops->work_size(d, WORK_NORM, h, x.cols, groups);
    tensor sums = arena_tensor(mem, DT_U8, 1, (int64_t)n),
           norm = arena_tensor(mem, DT_F32, 2, x.cols);

    d->ops->norm_sums(d, sums, x, 1, 0, groups);
    d->ops->norm_fold(d, norm, sums, h, 1, groups, w, w, 1e-6f);
    d->ops->norm_act(d, y, x, norm, ACT_SILU);
}

static inline tensor harness_tensor(struct harness *l, enum dtype type, int64_t rows, int64_t cols)
{
    tensor t = harness_empty(l, type, rows, cols);

    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            harness_set(t, i, j, harness_random(l));
    return t;
}

static inline tensor harness_same(struct harness *l, tensor t)
{
    tensor c = harness_empty(l, t.type, t.rows, t.cols);

    memcpy(c.data, t.data, tensor_bytes(t));
    return c;
}

/* The gaps behind the rows are as harness_empty left them. */
static inline void harness_gaps(struct harness *l, tensor t)
{
    const size_t size = dtype_size(t.type);

    for (int64_t i = 0; i < t.rows; i++) {
        const unsigned char *p = (const unsigned char *)t.data + (size_t)(i * t.ld + t.cols) * size;

        for (size_t k = 0; k < 3 * size; k++)
            if (p[k] != 0xff) fail_msg("%s: wrote behind row %lld", l->what, (long long)i);
    }
}

/* max |got - want| / max |want| <= tol, and nothing behind the rows. */
static inline void harness_near(struct harness *l, tensor got, const double *want, double tol)
{
    double worst = 0, top = 1e-30;

    for (int64_t i = 0; i < got.rows; i++)
        for (int64_t j = 0; j < got.cols; j++) {
            double w = want[i * got.cols + j], e = fabs(harness_get(got, i, j) - w);

            if (fabs(w) > top) top = fabs(w);
            if (!(e <= worst)) worst = e;
            if (isnan(worst))
                fail_msg("%s: NaN at %lld, %lld", l->what, (long long)i, (long long)j);
        }
    if (!(worst <= tol * top))
        fail_msg("%s: error %g of %g > %g (%s, %s, %d threads)", l->what, worst, top, tol, l->isa,
                 l->bf ? "bf16" : "f32", l->threads);
    harness_gaps(l, got);
}

static inline void harness_bytes_equal(struct harness *l, tensor a, tensor b)
{
    const size_t n = (size_t)a.cols * dtype_size(a.type);

    for (int64_t i = 0; i < a.rows; i++)
        if (memcmp((char *)a.data + (size_t)(i * a.ld) * dtype_size(a.type),
                   (char *)b.data + (size_t)(i * b.ld) * dtype_size(b.type), n))
            fail_msg("%s: row %lld differs in its bits (%s, %s, %d threads)", l->what, (long long)i,
                     l->isa, l->bf ? "bf16" : "f32", l->threads);
}

static inline enum dtype harness_type(const struct harness *l)
{
    return l->bf ? DT_BF16 : DT_F32;
}

static inline double harness_tol(const struct harness *l)
{
    return l->bf ? 1.2e-2 : 2e-6;
}

static inline void harness_reset(struct harness *l, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vsnprintf(l->what, sizeof l->what, format, ap);
    va_end(ap);
    arena_release(&l->mem, 0);
}

static inline double *harness_doubles(struct harness *l, int64_t n)
{
    double *p = arena_alloc(&l->mem, sizeof *p * (size_t)n);

    assert_non_null(p);
    memset(p, 0, sizeof *p * (size_t)n);
    return p;
}

/* Source values as the model's files have them: F32 here,
 * exact in bfloat16 so that both types agree. */
static inline float *harness_source(struct harness *l, int64_t n, double scale)
{
    float *p = arena_alloc(&l->mem, sizeof *p * (size_t)n);

    assert_non_null(p);
    for (int64_t i = 0; i < n; i++)
        p[i] = half_round((float)(harness_random(l) * scale));
    return p;
}

static inline struct weight *harness_weight(struct harness *l, enum weight_use use,
                                            const float *data, const float *bias, int64_t rows,
                                            int64_t cols, int k)
{
    struct fail f;
    struct weight *w;
    struct weight_spec s = {.use = use, .n = 1, .k = k, .name = "test"};

    s.part[0] = (struct source){data, DTYPE_F32, rows, cols};
    if (bias) s.bias[0] = (struct source){bias, DTYPE_F32, rows, 1};
    assert_int_equal(l->op->weight_new(l->d, &w, &s, &f), 0);
    assert_int_equal(l->op->weight_bytes(w), l->op->weight_size(l->d, &s));
    return w;
}

/* every_NAME(state): the case NAME on every device. */
#define EACH(name)                         \
    static void every_##name(void **state) \
    {                                      \
        (void)state;                       \
        harness_each(name);                \
    }

#endif
