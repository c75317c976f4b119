/* isa - the inner loops of the CPU device, one table of them per instruction set.
 *
 * A row function works on one row or on a few; nothing here knows threads, devices or tensors. `bf`
 * says how activations are stored: 0 float, 1 bfloat16. Everything computes in float; a result is
 * rounded where it is stored. What one row gives depends on that row alone.
 *
 * Matrix products: weights are packed in panels of `nr` columns, panel after panel, [k][nr] inside
 * (form PACK_DP: [k/2][nr][2]); the last panel and an odd k are filled with zeros. Rows of A come
 * as blocks of at most GEMM_KC values with the fixed stride GEMM_STRIDE. Every element of the
 * product is one chain of multiply-adds over k in ascending order, so its bits do not depend on any
 * blocking.
 * Thread: any; all tables are constant. */
#ifndef KERNELS_CPU_ISA_H
#define KERNELS_CPU_ISA_H

#include "kernels/ops.h"

enum {
    GEMM_KC = 384, /* k values of a block: a panel of it (32 x 384 floats) stays near */
    /* floats between rows of a packed block of A; not a power of two: cache sets */
    GEMM_STRIDE = 400,
    ATTN_Q = 128, /* queries and keys of one block of scores: whole vectors */
    ATTN_K = 128,
    ATTN_MOST = 512 /* queries for which a block of keys and values is copied once */
};

/* How weights and blocks of A are stored. */
enum pack {
    PACK_F32, /* both float */
    PACK_BF,  /* weights bfloat16, widened in the loop; A float */
    PACK_DP   /* both bfloat16 in pairs of k: the dot-product instruction of AVX-512 BF16 */
};

/* What happens to a finished element: y = act(c + bias) + r, rounded to y's type. */
struct epilogue {
    void *y;
    const void *r;     /* optional: same type as y, may be y */
    int64_t ldy, ldr;  /* elements */
    const float *bias; /* optional: one value for each column of the block, padded to nr */
    enum activation act;
    int bf; /* y and r are bfloat16; then c + bias is rounded before act, act before r */
};

/* Where blocks of A come from: row i of a matrix, or (side > 0) the side x side neighbourhood of
 * pixel i of a picture [height * width, channels], zeros outside, read as its nearest 2x
 * enlargement with `up`. Values of a pixel are counted tap by tap, rows first, channels inside. */
struct im2col {
    const void *x;
    int64_t ld; /* elements between rows or pixels */
    int side, height, width, channels, up;
    int half; /* 1: every second row and column, padded below and on the right alone */
};

/* Pixels of a line around n output pixels. */
static inline int64_t lines_wide(const struct im2col *g, int64_t n)
{
    return ((n - 1) << g->half) + g->side;
}

/* C[m, n] (+)= A[m, k] B[k, n] for m <= isa->rows and n <= isa->cols. */
struct gemm_block {
    const void *a; /* rows with GEMM_STRIDE floats (or pairs) between them */
    int lda, run,
        jump;      /* of lines (struct isa): floats from row to row, side by side, and then on */
    const void *b; /* first panel, already moved to this block's k */
    int64_t panel; /* bytes from panel to panel */
    int m, n, k;
    float *c;            /* sums [m, isa->ldc] */
    int first, last;     /* the first block of k starts from zero, the last one runs the epilogue */
    struct epilogue out; /* moved to this block's first row and column */
};

/* Some queries of one head, all keys. Strides in elements. */
struct attn_block {
    const void *q, *k, *v;
    void *o;
    int64_t ldq, ldk, ldv, ldo;
    int nq, d; /* nq <= ATTN_MOST */
    int64_t nk;
    float scale;
    const float *bias; /* optional: of (query 0, key 0), one step right per key, left per query */
    int64_t causal;    /* query i sees keys 0 .. causal + i; < 0: all */
    int decoded;       /* all queries of a decoded row's head of keys: a few */
    float *work;       /* isa->attn_work(d) floats, 64-byte aligned */
};

/* y = act(x a[c] + b[c]) for n pixels, ld* elements apart. */
struct gn_block {
    void *y;
    const void *x;
    int64_t ldy, ldx, n, channels;
    const float *a, *b;
};

struct isa {
    const char *name;
    int nr;         /* columns of a panel */
    int unit;       /* rows of a register tile */
    int rows, cols; /* of a block of C: whole units, whole panels; */
    int ldc;        /* and floats between its rows: no power of two either */
    int has_dp;     /* PACK_DP exists here */

    void (*gemm[3])(const struct gemm_block *); /* by enum pack */
    /* A convolution of few channels: copies of every neighbourhood would take as long as their
     * product. Instead A is the `side` lines of the picture around the n output pixels from `row`
     * on, which are in one line, as floats [side][line][channels]; line: lines_wide(n). Row i of A
     * is g->run = side * channels values from lda * i on, then those of the next line, `jump` on.
     * By enum pack, without PACK_DP. */
    void (*conv[2])(const struct gemm_block *);
    void (*lines)(const struct im2col *, float *a, int64_t row, int64_t n, enum pack);
    /* Rows [row, row + rows) of A, values [k0, k0 + k), as `pack` wants them, GEMM_STRIDE apart. */
    void (*im2col)(const struct im2col *, void *a, int64_t row, int64_t rows, int64_t k0, int64_t k,
                   enum pack);

    /* y = x rsqrt(mean(x^2) + eps) w; with `add` the row y += that. */
    void (*rms)(void *y, const void *x, const float *w, int64_t n, float eps, int add, int bf);
    /* y = (x - mean) / deviation w + b. */
    void (*ln)(void *y, const void *x, const float *w, const float *b, int64_t n, float eps,
               int bf);
    void (*ln_mod)(void *y, const void *x, const void *scale, const void *shift, int64_t n,
                   float eps, int bf);
    void (*gate_add)(void *x, const void *a, const void *gate, int64_t n, int bf);
    /* LN over the n values of each of the heads side by side, then rotation by cos[n/2], sin[n/2]
     * (cs NULL: none). */
    void (*qk)(void *x, const float *cs, int64_t heads, int64_t n, float eps, int bf);
    /* Rotation of pairs (i, i + rot/2); bf: products and sum are rounded. */
    void (*rope)(void *x, const float *cs, int64_t rot, int bf);
    void (*glu)(void *y, const void *gate, const void *up, int64_t n, enum activation, int bf);
    void (*add_act)(void *y, const void *a, const void *b, int64_t n, enum activation, int bf);

    size_t (*attn_work)(int d);
    void (*attn)(const struct attn_block *, int bf);

    /* sum and sum of squares of every channel over n pixels, added to s[c], s[channels + c]. */
    void (*gn_sums)(double *s, const void *x, int64_t ld, int64_t n, int64_t channels, int bf);
    void (*gn_apply)(const struct gn_block *, enum activation, int bf);
};

extern const struct isa isa_base, isa_avx2, isa_avx512, isa_avx512bf, isa_amx;

enum { ISA_MOST = 5 };

/* The tables that this processor can run, best first; returns how many. */
int isa_list(const struct isa *out[ISA_MOST]);

#endif
