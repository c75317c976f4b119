/* ops - how fast the CPU device's operations are: `ops [threads [instruction set]]` prints a table.
 *
 * Shapes are those of the bundled model (width 192) and of the released one (4096). The fastest of
 * many runs counts. Compare rows of one run only: machines and their neighbours differ. */
#include "kernels/cpu/cpu.h"
#include "weights/safetensors/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct bench {
    struct dev *d;
    const struct ops *op;
    enum dtype type;
    int threads;
    struct arena mem;
    char *base, *scratch;
};

static const size_t MEM = (size_t)1 << 30, SCRATCH = (size_t)64 << 20;

/* Wall time; with one thread the processor's time, which other programs disturb less. */
static double now(int threads)
{
    struct timespec t;

    clock_gettime(threads > 1 ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static tensor fresh(struct bench *b, enum dtype type, int64_t rows, int64_t cols)
{
    tensor t = arena_tensor(&b->mem, type, rows, cols);

    if (!t.data) exit(1);
    for (int64_t i = 0; i < rows * cols; i++) {
        float v = (float)(i * 7919 % 1000) / 1000 - 0.5f;
        uint32_t u;

        memcpy(&u, &v, sizeof u);
        if (type == DT_F32) ((float *)t.data)[i] = v;
        if (type == DT_BF16) ((uint16_t *)t.data)[i] = (uint16_t)(u >> 16);
    }
    return t;
}

static struct weight *weight(struct bench *b, enum weight_use use, int64_t n, int64_t k, int side)
{
    const size_t mark = arena_mark(&b->mem);
    const tensor w = fresh(b, DT_BF16, n, k), bias = fresh(b, DT_BF16, n, 1);
    struct weight_spec s = {.use = use, .n = 1, .k = side, .name = "bench"};
    struct weight *p;

    s.part[0] = (struct source){w.data, DTYPE_BF16, n, k};
    s.bias[0] = (struct source){bias.data, DTYPE_BF16, n, 1};
    if (b->op->weight_new(b->d, &p, &s, NULL)) exit(1);
    arena_release(&b->mem, mark);
    return p;
}

/* Seconds of the fastest call in a third of a second. */
#define FASTEST(best, call)                                   \
    do {                                                      \
        double spent = 0;                                     \
        (best) = 1e9;                                         \
        for (int runs = 0; spent < 0.3 || runs < 3; runs++) { \
            const double t0 = now(b->threads);                \
            double dt;                                        \
                                                              \
            call;                                             \
            dt = now(b->threads) - t0;                        \
            if (dt < (best)) (best) = dt;                     \
            spent += dt;                                      \
        }                                                     \
    } while (0)

static void show(double t, double flops, double bytes)
{
    printf("%10.1f us", t * 1e6);
    if (flops > 0) printf(" %8.1f GFLOP/s", flops / t * 1e-9);
    if (bytes > 0) printf(" %8.1f GB/s", bytes / t * 1e-9);
    printf("\n");
}

static void linears(struct bench *b)
{
    static const struct {
        int m, k, n;
        enum activation act;
    } s[] = {
        {1, 192, 320, ACT_NONE},           {1, 192, 1024, ACT_NONE},
        {1, 512, 192, ACT_NONE},           {1, 192, 2080, ACT_NONE},
        {4, 192, 1024, ACT_NONE},          {16, 192, 1024, ACT_NONE},
        {65, 192, 192, ACT_NONE},          {400, 192, 192, ACT_NONE},
        {560, 192, 576, ACT_NONE},         {560, 192, 768, ACT_GELU_TANH},
        {560, 768, 192, ACT_NONE},         {1, 4096, 4096, ACT_NONE},
        {64, 4096, 4096, ACT_NONE},        {1024, 4096, 4096, ACT_NONE},
        {256, 4096, 16384, ACT_GELU_TANH},
    };

    for (size_t i = 0; i < sizeof s / sizeof *s; i++) {
        const size_t mark = arena_mark(&b->mem);
        struct weight *w = weight(b, USE_LINEAR, s[i].n, s[i].k, 0);
        const tensor x = fresh(b, b->type, s[i].m, s[i].k), y = fresh(b, b->type, s[i].m, s[i].n);
        double t;

        FASTEST(t, b->op->linear(b->d, y, x, w, s[i].act, 0));
        printf("  linear %4d x %4d x %5d %-10s", s[i].m, s[i].k, s[i].n, s[i].act ? "gelu" : "");
        show(t, 2.0 * s[i].m * s[i].k * s[i].n, 0);
        b->op->weight_free(b->d, w);
        arena_release(&b->mem, mark);
    }
}

static void convs(struct bench *b)
{
    static const struct {
        int side, ci, co, up;
    } s[] = {{32, 64, 64, 0},  {64, 64, 48, 1}, {128, 32, 32, 0}, {256, 16, 16, 0},
             {256, 32, 16, 0}, {256, 16, 3, 0}, {64, 512, 512, 0}};

    for (size_t i = 0; i < sizeof s / sizeof *s; i++) {
        const size_t mark = arena_mark(&b->mem);
        const int n = s[i].side * s[i].side, in = s[i].up ? s[i].side / 2 : s[i].side;
        struct weight *w = weight(b, USE_CONV, s[i].co, s[i].ci * 9, 3);
        const tensor x = fresh(b, b->type, in * in, s[i].ci), y = fresh(b, b->type, n, s[i].co);
        double t;

        FASTEST(t, b->op->conv(b->d, y, x, w, in, in, s[i].up, 0, tensor_none()));
        printf("  conv 3x3 %3d^2, %3d to %3d %-8s", s[i].side, s[i].ci, s[i].co,
               s[i].up ? "up" : "");
        show(t, 18.0 * n * s[i].ci * s[i].co, 0);
        b->op->weight_free(b->d, w);
        arena_release(&b->mem, mark);
    }
}

static void attentions(struct bench *b)
{
    static const struct {
        int heads, dim, rows;
    } s[] = {{6, 32, 280}, {6, 32, 1050}, {32, 128, 1056}};

    for (size_t i = 0; i < sizeof s / sizeof *s; i++) {
        const size_t mark = arena_mark(&b->mem);
        const int w = s[i].heads * s[i].dim, n = s[i].rows;
        const tensor qkv = fresh(b, b->type, n, 3 * w), o = fresh(b, b->type, n, w);
        const struct attn a = {
            .heads = s[i].heads, .kv_heads = s[i].heads, .head_dim = s[i].dim, .scale = 0.1f};
        const struct attn_seq q = {.q = tensor_cols(qkv, 0, w),
                                   .k = tensor_cols(qkv, w, w),
                                   .v = tensor_cols(qkv, 2 * w, w),
                                   .o = o};
        double t;

        FASTEST(t, b->op->attention(b->d, &a, &q, 1));
        printf("  attention %2d x %3d, %4d rows   ", s[i].heads, s[i].dim, n);
        show(t, 4.0 * n * n * w, 0);
        arena_release(&b->mem, mark);
    }
}

/* The prior of the bundled model: one token of each of n sequences behind 300 others. */
static void decode(struct bench *b, int n)
{
    enum { HEADS = 6, KV = 2, DIM = 32, CAP = 400, VOCAB = 2080, DRAWS = 1 << 20 };
    const size_t mark = arena_mark(&b->mem);
    const tensor qkv = fresh(b, b->type, n, (HEADS + 2 * KV) * DIM);
    const tensor o = fresh(b, b->type, n, HEADS * DIM), logits = fresh(b, DT_F32, n, VOCAB);
    const struct attn a = {.heads = HEADS, .kv_heads = KV, .head_dim = DIM, .scale = 0.17f};
    struct ar_seq s[16];
    struct sample w[16];
    double t;

    for (int i = 0; i < n; i++) {
        s[i] = (struct ar_seq){.row = i,
                               .n = 1,
                               .k = fresh(b, b->type, CAP, KV * DIM),
                               .v = fresh(b, b->type, CAP, KV * DIM),
                               .rope = fresh(b, DT_F32, CAP, 16),
                               .state = fresh(b, DT_I32, 1, AR_STATE)};
        memset(s[i].state.data, 0, sizeof(int32_t) * AR_STATE);
        ((int32_t *)s[i].state.data)[AR_LEN] = 300;
        w[i] = (struct sample){.state = fresh(b, DT_I32, 1, AR_STATE),
                               .tokens = fresh(b, DT_I32, 1, DRAWS),
                               .temperature = 1,
                               .top_p = 0.9,
                               .codes = 2048};
        memset(w[i].state.data, 0, sizeof(int32_t) * AR_STATE);
    }
    FASTEST(t, b->op->ar_attention(b->d, o, qkv, &a, 16, s, n));
    printf("  ar_attention, %d tokens after 300", n);
    show(t, 0, 0);
    FASTEST(t, b->op->sample(b->d, logits, w, n));
    printf("  sample, %d rows of %d          ", n, VOCAB);
    show(t, 0, 0);
    arena_release(&b->mem, mark);
}

#define ROW(name, passes, call)                         \
    do {                                                \
        FASTEST(t, call);                               \
        printf("  %-14s %4d x %4d       ", name, m, n); \
        show(t, 0, (passes)*traffic);                   \
    } while (0)

static void rows(struct bench *b)
{
    static const int shape[][2] = {{1, 192}, {560, 192}, {1056, 4096}};

    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
        const size_t mark = arena_mark(&b->mem);
        const int m = shape[i][0], n = shape[i][1];
        const double traffic = (double)m * n * (double)dtype_size(b->type);
        const tensor x = fresh(b, b->type, m, n), y = fresh(b, b->type, m, n);
        const tensor mod = fresh(b, b->type, 1, 4 * n), gu = fresh(b, b->type, m, 2 * n);
        const tensor table = fresh(b, DT_F32, m, 32);
        struct weight *w = weight(b, USE_VECTOR, n, 1, 0);
        const struct seg seg = {.n = m, .scale = n, .gate = 2 * n};
        double t;

        ROW("rms", 2, b->op->rms(b->d, y, x, w, 1e-5f));
        ROW("ln_mod", 2, b->op->ln_mod(b->d, y, x, mod, &seg, 1, 1e-5f));
        ROW("gate_add", 3, b->op->gate_add(b->d, x, y, mod, &seg, 1));
        ROW("qk_norm_rope", 2, b->op->qk_norm_rope(b->d, x, n / 32, table, &seg, 1, 1e-5f));
        ROW("glu silu", 3, b->op->glu(b->d, y, gu, ACT_SILU));
        ROW("gelu erf", 2, b->op->add_act(b->d, y, x, tensor_none(), ACT_GELU_ERF));
        b->op->weight_free(b->d, w);
        arena_release(&b->mem, mark);
    }
}

static void norms(struct bench *b)
{
    static const int shape[][2] = {{65536, 16}, {16384, 32}, {1024, 64}};

    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
        const size_t mark = arena_mark(&b->mem);
        const int m = shape[i][0], n = shape[i][1];
        const double traffic = (double)m * n * (double)dtype_size(b->type);
        const tensor x = fresh(b, b->type, m, n);
        struct weight *w = weight(b, USE_VECTOR, n, 1, 0);
        double t;
        const int side = (int)sqrt(m);
        const int64_t bytes = (int64_t)b->op->work_size(b->d, WORK_NORM, side, n, 1);
        const tensor sums = fresh(b, DT_U8, 1, bytes), norm = fresh(b, DT_F32, 2, n);

        ROW("norm_sums", 1, b->op->norm_sums(b->d, sums, x, side, 0, 1));
        b->op->norm_fold(b->d, norm, sums, side, side, 1, w, w, 1e-6f);
        ROW("norm_act", 2, b->op->norm_act(b->d, x, x, norm, ACT_SILU));
        b->op->weight_free(b->d, w);
        arena_release(&b->mem, mark);
    }
}

static void all(const struct isa *isa, enum dtype type, int threads)
{
    struct bench b = {.type = type};
    struct fail f;

    if (cpu_open_isa(&b.d, type, threads, isa, &f)) {
        printf("%s\n", f.message);
        exit(1);
    }
    b.op = b.d->ops;
    b.threads = pool_threads(cpu_of(b.d)->pool);
    b.base = aligned_alloc(ARENA_ALIGN, MEM);
    b.scratch = aligned_alloc(ARENA_ALIGN, SCRATCH);
    if (!b.base || !b.scratch) exit(1);
    arena_init(&b.mem, b.base, MEM);
    arena_init(&b.d->scratch, b.scratch, SCRATCH);
    printf("%s, %s, %d threads\n", isa->name, type == DT_F32 ? "f32" : "bf16", b.threads);
    linears(&b);
    convs(&b);
    attentions(&b);
    decode(&b, 1);
    decode(&b, 4);
    rows(&b);
    norms(&b);
    b.op->free(b.d);
    free(b.base);
    free(b.scratch);
}

int main(int argc, char **argv)
{
    const struct isa *isa[ISA_MOST];
    const int n = isa_list(isa), threads = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 0;
    const char *only = argc > 2 ? argv[2] : NULL;

    for (int i = 0; i < n; i++)
        for (int type = DT_F32; type <= DT_BF16; type++)
            if (!only || !strcmp(only, isa[i]->name)) all(isa[i], (enum dtype)type, threads);
    return 0;
}
