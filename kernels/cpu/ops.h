/* ops - what the files of the CPU device share: the device, its weights, and who does what.
 *
 * An operation is cut into tasks by rows, columns or heads; every task runs the loops of one
 * instruction set (isa.h) in the thread buffer. These are allocated when the device is
 * opened, so an operation allocates nothing. Thread: the device's worker. */
#ifndef KERNELS_CPU_OPS_H
#define KERNELS_CPU_OPS_H

#include "kernels/cpu/isa.h"
#include "kernels/cpu/pool.h"
#include "kernels/ops.h"

#define CPU_HEAD_DIM_MAX 512 /* of attention: what a thread buffer has room for */

struct cpu {
    struct dev dev; /* first: a struct dev * of this device is one of these */
    const struct isa *isa;
    enum pack pack; /* of the weights */
    int bf;         /* T is bfloat16 */
    struct pool *pool;
    char *buffers;      /* one for every thread of the pool */
    size_t buffer_size; /* bytes of one */
    int failed;         /* sticky */
    struct fail fail;
};

/* linear, conv: panels (isa.h). table: rows of T. vector: floats. */
struct weight {
    enum weight_use use;
    int64_t out, in; /* conv: in = k*k*channels; table: rows, cols */
    int k;           /* conv: side */
    size_t bytes;    /* of data and bias */
    void *data;
    float *bias; /* NULL or `out` values, padded with zeros to whole panels */
};

static inline struct cpu *cpu_of(struct dev *d)
{
    return (struct cpu *)d;
}

/* 0 when an earlier failure, of the device or of its scratch, forbids further work. */
int cpu_ready(struct dev *);
void cpu_fail(struct cpu *, enum err, const char *why);

/* The thread buffer of `thread`: workspace of the task that it runs. */
static inline void *cpu_buffer(const struct cpu *c, int thread)
{
    return c->buffers + (size_t)thread * c->buffer_size;
}

/* Runs fn over rows 0 .. n-1 in runs of rows, as many as `bytes` of traffic a row make worthwhile. */
typedef void cpu_rows_fn(const struct cpu *, const void *ctx, int64_t row, int64_t n);
void cpu_rows(struct cpu *, int64_t n, int64_t bytes, cpu_rows_fn *, const void *ctx);

/* weight.c */
int cpu_weight_new(struct dev *, struct weight **, const struct weight_spec *, struct fail *);
void cpu_weight_free(struct dev *, struct weight *);
size_t cpu_weight_bytes(const struct weight *);
size_t cpu_weight_size(const struct dev *, const struct weight_spec *);

/* matrix.c: products */
void cpu_linear(struct dev *, tensor y, tensor x, const struct weight *, enum activation, int add);
void cpu_conv(struct dev *, tensor y, tensor x, const struct weight *, int h, int w, int up,
              int first, tensor add);
void cpu_embed(struct dev *, tensor y, const struct weight *table, tensor ids);

/* row.c: norms and elementwise */
void cpu_rms(struct dev *, tensor y, tensor x, const struct weight *, float eps);
void cpu_rms_add(struct dev *, tensor x, tensor a, const struct weight *, float eps);
void cpu_rms_add_rms(struct dev *, tensor x, tensor a, const struct weight *, tensor y,
                     const struct weight *, float eps);
void cpu_ln_mod(struct dev *, tensor y, tensor x, tensor mod, const struct seg *, int, float eps);
void cpu_gate_add(struct dev *, tensor x, tensor a, tensor mod, const struct seg *, int);
void cpu_qk_norm_rope(struct dev *, tensor x, int heads, tensor table, const struct seg *, int,
                      float eps);
void cpu_glu(struct dev *, tensor y, tensor gu, enum activation);
void cpu_linear_glu(struct dev *, tensor y, tensor gu, tensor x, const struct weight *,
                    enum activation);
void cpu_add_act(struct dev *, tensor y, tensor a, tensor b, enum activation);

/* attention.c */
void cpu_attention(struct dev *, const struct attn *, const struct attn_seq *, int);
void cpu_ar_attention(struct dev *, tensor o, tensor qkv, const struct attn *, int rot,
                      const struct ar_seq *, int);

/* sample.c */
void cpu_sample(struct dev *, tensor logits, const struct sample *, int n);
size_t cpu_sample_work(int64_t rows, int64_t vocab);

/* vae.c */
void cpu_patchify(struct dev *, tensor tokens, tensor latents, int h, int w);
void cpu_unpatchify(struct dev *, tensor latents, tensor tokens, int h, int w);
void cpu_euler(struct dev *, tensor x, tensor vc, tensor vu, float guidance, float sigma,
               float dsigma, tensor clean);
void cpu_denorm(struct dev *, tensor z, tensor x, const struct weight *mean,
                const struct weight *std);
void cpu_norm_sums(struct dev *, tensor sums, tensor x, int width, int row, int groups);
void cpu_norm_fold(struct dev *, tensor norm, tensor sums, int h, int width, int groups,
                   const struct weight *w, const struct weight *b, float eps);
void cpu_norm_act(struct dev *, tensor y, tensor x, tensor norm, enum activation);
size_t cpu_norm_work(int64_t rows, int64_t channels);
void cpu_to_rgb8(struct dev *, tensor rgb, tensor x);
void cpu_latent_rgb(struct dev *, tensor rgb, tensor latents, tensor map);

/* Open with one of isa_list()'s tables instead of the best: tests. */
int cpu_open_isa(struct dev **, enum dtype, int threads, const struct isa *, struct fail *);

#endif
