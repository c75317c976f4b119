/* dit - the diffusion transformer: one denoising step of several pictures and both guidance
 * branches.
 *
 * Every (picture, branch) is one sequence [text; image] and all of them are contiguous in one
 * matrix, so a step has one product per weight for all of them. Modulation depends on time and
 * size only: one row for each distinct pair. What does not change from step to step (projected text
 * and prior, rotation tables, sinusoids) is made once a picture; what does not even depend on the
 * picture (the text "" and the dropped prior of the unconditional branch) once a model.
 *
 * Condition images: each passes through the blocks once, alone, at time 0 and without text; what
 * its rows give as keys and values is kept for every layer (dit_remember). The conditional branch's
 * rows attend to those as well as to their own; the unconditional branch does not see them.
 * Source: GlmImageTransformer2DModel, GlmImageKVCache. */
#ifndef KERNELS_MODEL_DIT_H
#define KERNELS_MODEL_DIT_H

#include "kernels/model/bind.h"
#include "kernels/model/graph.h"

/* Modulation vectors of a block, in this order: each for the image stream, then for the text. */
enum {
    MOD_SHIFT_ATTN,
    MOD_SCALE_ATTN = 2,
    MOD_GATE_ATTN = 4,
    MOD_SHIFT_FF = 6,
    MOD_SCALE_FF = 8,
    MOD_GATE_FF = 10,
    MODS = 12
};

struct dit_layer {
    int group;
    const struct weight *mod;  /* [12 width, time], bias */
    const struct weight *qkv;  /* [3 width, width], bias */
    const struct weight *out;  /* [width, width], bias */
    const struct weight *up;   /* [4 width, width], bias */
    const struct weight *down; /* [width, 4 width], bias */
};

struct dit {
    const struct dit_config *cfg;
    const struct weight *image;           /* [width, 4 channels], bias */
    const struct weight *glyph1, *glyph2; /* [width, text], [width, width], bias */
    const struct weight *prior;           /* [codes, width] */
    const struct weight *prior1, *prior2; /* [width, width], bias */
    const struct weight *time1, *time2;   /* [time, time], bias */
    const struct weight *size1, *size2;   /* [time, 4 cond], [time, time], bias */
    struct dit_layer layer[LIMIT_LAYERS];
    const struct weight *norm_out;           /* [2 width, time], bias: scale, then shift */
    const struct weight *out;                /* [4 channels, width], bias */
    const struct weight *no_text, *no_prior; /* [1, width]: the unconditional branch's rows */
    /* groups: the text's projector (used with the glyph encoder), what comes before the layers,
     * what comes after them */
    int text, first, last;
};

/* One picture while it is denoised. All tensors are in its run's memory. */
struct dit_state {
    int h, w;          /* latents; h/2 x w/2 patches */
    int width, height; /* pixels */
    int steps;
    float guidance;  /* <= 1: the conditional branch alone */
    int step;        /* steps done */
    float *timestep; /* host [steps] */
    float *sigma;    /* host [steps + 1] */
    tensor text;     /* T [L, width]: projected glyph rows */
    tensor prior;    /* T [N, width]: projected codes */
    tensor ids;      /* I32 [N, 1]: codes of the patches */
    tensor rope;     /* f32 [N, head_dim] */
    tensor times;    /* T [steps, time]: sinusoids of the timesteps */
    tensor size;     /* T [1, 4 cond]: sinusoids of crop and size */
    tensor latents;  /* f32 [channels, h w] */
    tensor clean;    /* f32 [channels, h w]: the picture that the last step predicted */
    /* T [layers * 2 * cached, width]: keys, then values of layer 0, of 1 .. of all condition
     * images' patches; cached 0: there are none */
    tensor cache;
    int64_t cached;
};

void dit_bind(struct dit *, struct bind *, const struct dit_config *);

/* The unconditional rows, computed once with `empty` [1, text], the glyph encoding of "". */
int dit_bind_empty(struct dit *, struct bind *, const struct graph *, tensor empty);

/* Tensors that live from the start, and those of the denoising phase alone. */
void dit_place(struct dit_state *, struct arena *, const struct dit_config *, enum dtype,
               int64_t text);
void dit_place_prior(struct dit_state *, struct arena *, const struct dit_config *, enum dtype);

static inline int64_t dit_patches(const struct dit_state *s)
{
    return (int64_t)(s->h / 2) * (s->w / 2);
}

/* text = glyph projector of `rows` [L, text]. */
void dit_project_text(const struct graph *, const struct dit *, const struct dit_state *,
                      tensor rows);
/* prior = prior projector of the codes in `ids`. */
void dit_project_prior(const struct graph *, const struct dit *, const struct dit_state *);

/* The keys and values of a condition image for `to`'s cache, from row `row` of every half. s: the
 * image as a picture of one step, without text: its latents, prior, rotations, and times of
 * time 0. `name` for traces ("cond.0.dit"). */
void dit_remember(const struct graph *, const struct dit *, const struct dit_state *s,
                  const struct dit_state *to, int64_t row, const char *name);
/* Keys (half 0) or values (half 1) of one layer in the cache. */
tensor dit_cache(const struct dit_state *, int layer, int half);

/* One Euler step of n pictures (<= LIMIT_BATCH). */
void dit_step(const struct graph *, const struct dit *, struct dit_state *const *, int n);

#endif
