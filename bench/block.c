/* block - one DiT block of the released width (4096, 32 heads, feed-forward 16384) on the CPU.
 *
 *   block [f32|bf16 [image tokens [threads [runs]]]]
 *
 * Random weights, 32 text rows and the image rows in one sequence, the operations in the order of
 * kernels/model/dit.c. Prints the seconds of every run; bench/block.py puts PyTorch beside it. */
#include "kernels/cpu/cpu.h"
#include "weights/safetensors/dtype.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WIDTH = 4096, HEADS = 32, HEAD = 128, TEXT = 32 };

struct block {
    struct dev *d;
    const struct ops *op;
    struct weight *qkv, *out, *up, *down;
    tensor x, y, mod, table, wide, qkv_rows;
    int64_t rows;
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *need(void *p)
{
    if (p) return p;
    fputs("block: no memory\n", stderr);
    exit(1);
}

/* Uniform, of about the size that trained weights have. */
static void noise(float *p, size_t n, float scale)
{
    uint32_t s = 12345;

    for (size_t i = 0; i < n; i++) {
        s = s * 1664525 + 1013904223;
        p[i] = ((float)(s >> 8) / 8388608.0f - 1) * scale;
    }
}

static struct weight *weight(struct block *b, int64_t out, int64_t in)
{
    const size_t n = (size_t)(out * in);
    float *v = need(malloc(n * sizeof *v)), *bias = need(calloc((size_t)out, sizeof *bias));
    struct weight_spec s = {.use = USE_LINEAR, .n = 1, .name = "block"};
    struct weight *w = NULL;
    struct fail f;

    noise(v, n, 1 / sqrtf((float)in));
    s.part[0] = (struct source){v, DTYPE_F32, out, in};
    s.bias[0] = (struct source){bias, DTYPE_F32, out, 1};
    if (b->op->weight_new(b->d, &w, &s, &f)) {
        fprintf(stderr, "block: %s\n", f.message);
        exit(1);
    }
    free(v);
    free(bias);
    return w;
}

static tensor fresh(struct block *b, enum dtype type, int64_t rows, int64_t cols)
{
    const size_t n = (size_t)(rows * cols);
    float *v = need(malloc(n * sizeof *v));
    uint16_t *h = need(malloc(n * sizeof *h));
    void *base = NULL;
    tensor t;

    noise(v, n, 1);
    for (size_t i = 0; i < n; i++)
        h[i] = f32_to_bf16(v[i]);
    if (b->op->mem_new(b->d, &base, n * dtype_size(type), NULL)) need(NULL);
    t = tensor_at(base, type, rows, cols);
    b->op->put(b->d, t, type == DT_F32 ? (void *)v : (void *)h);
    free(v);
    free(h);
    return t;
}

static void run(struct block *b)
{
    const struct ops *op = b->op;
    struct seg s[2] = {{.row = 0, .n = TEXT, .rope = -1}, {.row = TEXT, .n = b->rows - TEXT}};
    const tensor q = tensor_cols(b->qkv_rows, 0, WIDTH), k = tensor_cols(b->qkv_rows, WIDTH, WIDTH);
    const tensor o = tensor_at(b->wide.data, b->d->type, b->rows, WIDTH);
    const struct attn_seq seq = {
        .q = q, .k = k, .v = tensor_cols(b->qkv_rows, 2 * WIDTH, WIDTH), .o = b->y};
    const struct attn attn = {HEADS, HEADS, HEAD, 1 / sqrtf(HEAD), tensor_none()};

    for (int i = 0; i < 2; i++)
        s[i].shift = i * WIDTH, s[i].scale = (2 + i) * WIDTH, s[i].gate = (4 + i) * WIDTH;
    op->ln_mod(b->d, b->y, b->x, b->mod, s, 2, 1e-5f);
    op->linear(b->d, b->qkv_rows, b->y, b->qkv, ACT_NONE, 0);
    op->qk_norm_rope(b->d, tensor_cols(b->qkv_rows, 0, 2 * WIDTH), 2 * HEADS, b->table, s, 2,
                     1e-5f);
    op->attention(b->d, &attn, &seq, 1);
    op->linear(b->d, o, b->y, b->out, ACT_NONE, 0);
    op->gate_add(b->d, b->x, o, b->mod, s, 2);
    op->ln_mod(b->d, b->y, b->x, b->mod, s, 2, 1e-5f);
    op->linear(b->d, b->wide, b->y, b->up, ACT_GELU_TANH, 0);
    op->linear(b->d, b->y, b->wide, b->down, ACT_NONE, 0);
    op->gate_add(b->d, b->x, b->y, b->mod, s, 2);
}

int main(int argc, char **argv)
{
    const enum dtype type = argc > 1 && !strcmp(argv[1], "bf16") ? DT_BF16 : DT_F32;
    const int64_t image = argc > 2 ? strtol(argv[2], NULL, 10) : 1024;
    const int threads = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 0;
    const int runs = argc > 4 ? (int)strtol(argv[4], NULL, 10) : 3;
    struct block b = {.rows = image + TEXT};
    struct fail f;
    const size_t scratch = (size_t)64 << 20;

    if (image < 1 || cpu_open(&b.d, type, threads, &f)) {
        fprintf(stderr, "block: %s\n", image < 1 ? "no image tokens" : f.message);
        return 1;
    }
    b.op = b.d->ops;
    arena_init(&b.d->scratch, need(aligned_alloc(ARENA_ALIGN, scratch)), scratch);
    b.qkv = weight(&b, 3 * WIDTH, WIDTH), b.out = weight(&b, WIDTH, WIDTH);
    b.up = weight(&b, 4 * WIDTH, WIDTH), b.down = weight(&b, WIDTH, 4 * WIDTH);
    b.x = fresh(&b, type, b.rows, WIDTH), b.y = fresh(&b, type, b.rows, WIDTH);
    b.mod = fresh(&b, type, 1, 12 * WIDTH), b.table = fresh(&b, DT_F32, image, HEAD);
    b.wide = fresh(&b, type, b.rows, 4 * WIDTH), b.qkv_rows = fresh(&b, type, b.rows, 3 * WIDTH);
    for (int i = 0; i <= runs; i++) {
        const double t = now();

        run(&b);
        if (b.op->sync(b.d, &f)) {
            fprintf(stderr, "block: %s\n", f.message);
            return 1;
        }
        if (i) printf("%.4f\n", now() - t); /* the first one warms up */
    }
    return 0;
}
