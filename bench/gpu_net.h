/* gpu_net - the stages of the model with random weights, without a model's files: what gpu_speed
 * and gpu_stage run.
 *
 * Configurations: the released model's shapes, or shapes small enough for the emulated GPU. Weights
 * come from a buffer of noise in host memory, the same on every device, or (a GPU's, when
 * `made_there`) are made in place. A failure ends the program: these are measurements.
 * Thread: one. */
#ifndef BENCH_GPU_NET_H
#define BENCH_GPU_NET_H

#include "kernels/cuda/cuda.h"
#include "kernels/model/dit.h"
#include "kernels/model/prior.h"
#include "kernels/model/vae.h"
#include "kernels/model/vae_encoder.h"
#include "kernels/model/vision.h"

struct maker {
    struct dev *d;
    struct arena mem; /* tensors */
    uint16_t *noise;  /* host, bf16, `values` of them */
    int64_t values;
    int made_there;
    uint64_t made; /* weights so far: each has other values */
};

struct net_config {
    struct ar_config ar;
    struct sample_config sampling;
    struct dit_config dit;
    struct vae_config vae;
    struct vit_config vit;
    int codes, code_dim; /* of the quantiser */
};

/* The released model with so many layers (0: all of them), or a small one that crosses the same
 * tiles. */
struct net_config net_released(int layers);
struct net_config net_small(void);

void maker_open(struct maker *, struct dev *, size_t bytes, size_t scratch);
/* Ends the program when err is set or one of the arenas was too small. */
void maker_check(struct maker *, int err, const struct fail *, const char *what);
tensor maker_tensor(struct maker *, enum dtype, int64_t rows, int64_t cols);
/* Contents from the noise, of T or F32. */
void maker_fill(struct maker *, tensor);

const struct weight *make_square(struct maker *, int64_t n); /* linear n x n */
void make_prior(struct maker *, struct prior *, const struct net_config *);
void make_dit(struct maker *, struct dit *, const struct net_config *);
void make_vae(struct maker *, struct vae *, const struct net_config *); /* v->blocks is allocated */
void make_encoder(struct maker *, struct vae_encoder *, const struct net_config *); /* as well */
void make_vision(struct maker *, struct vision *, const struct net_config *);

#endif
