/* ops - the operations of the CPU device, file by file; what they compute stands in
 * kernels/ops.h. */
#ifndef KERNELS_CPU_OPS_H
#define KERNELS_CPU_OPS_H

#include "kernels/ops.h"

/* weight.c */
int cpu_weight_new(struct dev *, struct weight **, const struct weight_spec *, struct fail *);
void cpu_weight_free(struct dev *, struct weight *);
size_t cpu_weight_bytes(const struct weight *);
size_t cpu_weight_size(const struct dev *, const struct weight_spec *);

/* matrix.c: products */
void cpu_linear(struct dev *, tensor y, tensor x, const struct weight *, enum activation, int add);
void cpu_conv(struct dev *, tensor y, tensor x, const struct weight *, int h, int w, int up,
              int first, tensor add);
void cpu_conv_half(struct dev *, tensor y, tensor x, const struct weight *, int h, int w);
void cpu_embed(struct dev *, tensor y, const struct weight *table, tensor ids);

/* row.c: norms and elementwise */
void cpu_rms(struct dev *, tensor y, tensor x, const struct weight *, float eps);
void cpu_rms_add_rms(struct dev *, tensor x, tensor a, const struct weight *, tensor y,
                     const struct weight *, float eps);
void cpu_layer_norm(struct dev *, tensor y, tensor x, const struct weight *w,
                    const struct weight *b, float eps);
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
void cpu_argmax(struct dev *, tensor ids, tensor scores, const struct weight *factor);
size_t cpu_sample_work(int64_t rows, int64_t vocab);

/* vae.c */
void cpu_patchify(struct dev *, tensor tokens, tensor latents, int h, int w);
void cpu_unpatchify(struct dev *, tensor latents, tensor tokens, int h, int w);
void cpu_euler(struct dev *, tensor x, tensor vc, tensor vu, float guidance, float sigma,
               float dsigma, tensor clean);
void cpu_denorm(struct dev *, tensor z, tensor x, const struct weight *mean,
                const struct weight *std);
void cpu_renorm(struct dev *, tensor x, tensor z, const struct weight *mean,
                const struct weight *std);
void cpu_norm_sums(struct dev *, tensor sums, tensor x, int width, int row, int groups);
void cpu_norm_fold(struct dev *, tensor norm, tensor sums, int h, int width, int groups,
                   const struct weight *w, const struct weight *b, float eps);
void cpu_norm_act(struct dev *, tensor y, tensor x, tensor norm, enum activation);
size_t cpu_norm_work(int64_t rows, int64_t channels);
void cpu_to_rgb8(struct dev *, tensor rgb, tensor x);
void cpu_latent_rgb(struct dev *, tensor rgb, tensor latents, tensor map);

#endif
