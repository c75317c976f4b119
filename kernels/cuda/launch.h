/* launch - every kernel of ours as a C function that puts it on a queue.
 *
 * Strides (ld*) are elements. `bf` says how activations are stored: 0 float, 1 bfloat16. Launchers
 * choose grid and access width from shapes and alignment, never fail and allocate nothing; launch
 * errors are cudaGetLastError()'s. A row's or a picture's result never depends on its neighbours.
 * Thread: the owner of the queue. */
#ifndef KERNELS_CUDA_LAUNCH_H
#define KERNELS_CUDA_LAUNCH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where kernels go. pdl: 1 with programmatic dependent launch (Hopper and later). */
struct cu_queue {
    /* a cudaStream_t */
    void *stream;
    int pdl;
};

/* enum activation of kernels/ops.h, value by value (checked in cuda.c). */
enum { CU_ACT_NONE, CU_ACT_SILU, CU_ACT_GELU_TANH, CU_ACT_GELU_ERF };

enum {
    CU_SEGS = 64,      /* most segments of one call: 4 a picture, 16 pictures */
    CU_SEQS = 16,      /* most sequences of one decode call */
    CU_SPLITS = 64,    /* parts of the keys of one decode attention */
    CU_KEYS = 16,      /* fewest keys of a part */
    CU_GROUP = 16,     /* most query heads on one key head */
    CU_HEAD_DIM = 128, /* largest head */
    CU_VOCAB = 131072, /* most tokens to sample from */
    CU_GEMV_ROWS = 16  /* most rows of x of a product that reads its weights once */
};

/* A run of rows with its vectors: offsets into mod in elements; rope -1: none. */
struct cu_seg {
    int row, n, shift, scale, gate, rope;
};

struct cu_segs {
    int n;
    struct cu_seg seg[CU_SEGS];
};

/* -- rows -------------------------------------------------------------------------------------- */

void cu_rms(const struct cu_queue *, int bf, void *y, int64_t ldy, const void *x, int64_t ldx,
            const float *w, int rows, int cols, float eps);
/* x += rms(a) w; y = rms(x) w2. y may be a. */
void cu_rms_add_rms(const struct cu_queue *, int bf, void *x, int64_t ldx, const void *a,
                    int64_t lda, const float *w, void *y, int64_t ldy, const float *w2, int rows,
                    int cols, float eps);
void cu_ln_mod(const struct cu_queue *, int bf, void *y, int64_t ldy, const void *x, int64_t ldx,
               const void *mod, const struct cu_segs *, int rows, int cols, float eps);
void cu_gate_add(const struct cu_queue *, int bf, void *x, int64_t ldx, const void *a, int64_t lda,
                 const void *mod, const struct cu_segs *, int rows, int cols);
/* head_dim even, <= CU_HEAD_DIM */
void cu_qk_norm_rope(const struct cu_queue *, int bf, void *x, int64_t ldx, int heads, int head_dim,
                     const float *table, int64_t ldt, const struct cu_segs *, int rows, float eps);
void cu_glu(const struct cu_queue *, int bf, void *y, int64_t ldy, const void *gu, int64_t ldg,
            int rows, int cols, int act);
/* b NULL: none */
void cu_add_act(const struct cu_queue *, int bf, void *y, int64_t ldy, const void *a, int64_t lda,
                const void *b, int64_t ldb, int rows, int cols, int act);
void cu_embed(const struct cu_queue *, int bf, void *y, int64_t ldy, const void *table,
              const int32_t *ids, int64_t ldi, int rows, int cols);

/* -- products: y = act(x w' + bias), or y += it; w [n, k] packed ------------------------------- */

struct cu_product {
    void *y;
    const void *x, *w;
    /* n values, stored as w is; or NULL */
    const void *bias;
    int64_t ldy, ldx;
    int m, n, k;
    int act, add;
    /* y is float whatever bf says */
    int y_f32;
    /* of few rows in bf16: y [m, n/2] = up act(gate), gate | up = x w' + bias */
    int glu;
};

/* m <= CU_GEMV_ROWS: the weights are read once, and a row's bits are the same for every m.
 * bf: on tensor cores; rows of x and w must be 16-byte aligned (k a multiple of 8): cu_gemv_can. */
int cu_gemv_can(const struct cu_product *, int bf);
void cu_gemv(const struct cu_queue *, int bf, const struct cu_product *);
/* Any shape, on plain cores, k in order: without libraries, and for checks. */
void cu_gemm(const struct cu_queue *, int bf, const struct cu_product *);

/* y [rows*ow, n] = rows `first` and on of conv(x) + bias (+ add): x [h*w, c], w [n, side*side*c],
 * taps row by row. `up`: x is read as its nearest 2x enlargement. `half`: every second row and
 * column of the result, x padded with zeros below and on the right alone. */
struct cu_conv {
    void *y;
    const void *x, *w, *bias, *add;
    int h, w_in, c, n, side, up, half, first, rows;
    int64_t ldy, ldx, lda;
};

void cu_conv(const struct cu_queue *, int bf, const struct cu_conv *);
/* Rows [first, first + rows) of an enlarged picture, y [rows*2w, n] in bfloat16, from its phases:
 * z [.*(w+1), 4, n] begins with row `window`; y(r, s) = z((r+1)/2, (s+1)/2, 2 (r%2) + s%2). */
struct cu_interleave {
    void *y;
    const void *z;
    int64_t ldy;
    int w, n, window, first, rows;
};

void cu_interleave(const struct cu_queue *, const struct cu_interleave *);

/* -- attention --------------------------------------------------------------------------------- */

struct cu_attn {
    const void *q, *k, *v;
    void *o;
    int64_t ldq, ldk, ldv, ldo;
    /* group: query heads on one key head */
    int nq, nk, heads, group, head_dim;
    float scale;
    /* [heads, ldb], column j - i + span - 1; or NULL */
    const float *bias;
    int64_t ldb;
    int span;
    /* causal: query i sees keys 0 .. *start + i; NULL: all nk */
    const int32_t *start;
};

void cu_attention(const struct cu_queue *, int bf, const struct cu_attn *);

/* One sequence of decoding, one row of qkv. */
struct cu_decode_seq {
    /* caches [., kv_heads*head_dim] */
    void *k, *v;
    const float *rope;
    /* rows in the cache, on the device; the new row becomes row *len */
    const int32_t *len;
    int64_t ldk, ldv, ldr;
    /* of qkv and o */
    int row;
};

struct cu_decode {
    const void *qkv;
    void *o;
    int64_t ldqkv, ldo;
    int heads, kv_heads, head_dim, rot;
    float scale;
    /* cu_decode_work bytes */
    float *part;
    int n;
    struct cu_decode_seq seq[CU_SEQS];
};

/* Bytes. */
size_t cu_decode_work(int heads, int head_dim, int seqs);
/* Rotates q and k, appends k and v, attends: two launches whatever n. */
void cu_decode(const struct cu_queue *, int bf, const struct cu_decode *);
/* The same for a run of n rows, without attention: row i goes to cache row *len + i. q is rotated
 * in place. */
void cu_append(const struct cu_queue *, int bf, const struct cu_decode *, int n);

/* -- sampling ---------------------------------------------------------------------------------- */

struct cu_sample_row {
    int32_t *state, *tokens;
    /* given tokens, or NULL */
    const int32_t *teacher_forced;
    uint64_t seed;
    uint32_t picture;
    float temperature;
    /* 1 - top_p, taken in double before it is rounded; <= 0: no nucleus */
    float cut;
    int top_k, codes, strict, advance;
};

struct cu_samples {
    int n;
    struct cu_sample_row d[CU_SEQS];
};

/* work: n rows of 2 vocab floats. */
void cu_sample(const struct cu_queue *, const float *logits, int64_t ld, int vocab, float *work,
               const struct cu_samples *);

/* -- latents and pictures ---------------------------------------------------------------------- */

void cu_patchify(const struct cu_queue *, int bf, void *tokens, int64_t ldt, const float *latents,
                 int64_t ldl, int channels, int h, int w);
void cu_unpatchify(const struct cu_queue *, int bf, float *latents, int64_t ldl, const void *tokens,
                   int64_t ldt, int channels, int h, int w);
struct cu_euler {
    /* clean NULL: not asked for */
    float *x, *clean;
    /* vu NULL: no guidance */
    const float *vc, *vu;
    int64_t ldx, ldclean, ldvc, ldvu;
    int rows, cols;
    float guidance, sigma, dsigma;
};
void cu_euler(const struct cu_queue *, const struct cu_euler *);
void cu_denorm(const struct cu_queue *, int bf, void *z, int64_t ldz, const float *x, int64_t ldx,
               const float *mean, const float *std, int pixels, int channels);
/* sums [row][group][2]: x holds rows of `width` pixels, sums begins with the first of them. */
void cu_norm_sums(const struct cu_queue *, int bf, double *sums, const void *x, int64_t ldx,
                  int rows, int width, int channels, int groups);
void cu_norm_fold(const struct cu_queue *, float *scale, float *shift, const double *sums,
                  const float *w, const float *b, int rows, int width, int channels, int groups,
                  float eps);
/* y = act(x scale + shift); n pixels */
void cu_norm_act(const struct cu_queue *, int bf, void *y, int64_t ldy, const void *x, int64_t ldx,
                 const float *scale, const float *shift, int64_t n, int channels, int act);
void cu_to_rgb8(const struct cu_queue *, int bf, uint8_t *rgb, const void *x, int64_t ldx,
                int pixels);
void cu_latent_rgb(const struct cu_queue *, uint8_t *rgb, const float *latents, int64_t ldl,
                   const float *map, int64_t ldm, int pixels, int channels);

/* -- condition images -------------------------------------------------------------------------- */

/* y = LN(x) w + b, rounded once; y may be x */
void cu_layer_norm(const struct cu_queue *, int bf, void *y, int64_t ldy, const void *x,
                   int64_t ldx, const float *w, const float *b, int rows, int cols, float eps);
/* ids[i] = the j with the largest scores[i][j] factor[j], the lowest of equal ones */
void cu_argmax(const struct cu_queue *, int32_t *ids, int64_t ldi, const float *scores, int64_t lds,
               const float *factor, int rows, int cols);
/* x[c,p] = (z[p,c] - mean[c]) / std[c], each step rounded */
void cu_renorm(const struct cu_queue *, int bf, float *x, int64_t ldx, const void *z, int64_t ldz,
               const float *mean, const float *std, int pixels, int channels);

/* -- for measurements -------------------------------------------------------------------------- */

/* n values of a fixed pseudo-random sequence in [-scale, scale): random weights made on the
 * device. */
void cu_noise(const struct cu_queue *, int bf, void *y, size_t n, float scale, uint64_t seed);

#ifdef __cplusplus
}
#endif
#endif
