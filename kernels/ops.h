/* ops - the contract of a device: one table of operations, implemented by cpu, cuda and dry.
 *
 * The model graph (kernels/model) is written once against this table. Rules for all of it:
 *   order    operations take effect in the order of the calls; they may be asynchronous. Host
 *            memory given to put() may be reused when put() returns.
 *   errors   the first failure sticks to the device; later operations do nothing; sync() reports it
 *            and keeps it until reset().
 *   memory   no operation allocates: tensors come from arenas, and workspace, where an operation
 *            needs some, is taken from `dev.scratch` inside the call and released before it
 *            returns. The dry device takes the same bytes, so a plan is exact.
 *   types    T is the compute type of the device (F32 exact, BF16 fast). Unless said otherwise
 *            activations are T, accumulation and statistics are f32, and a result is rounded once.
 *   batches  a row's result does not depend, in any bit, on the other rows of the call, on the
 *            number of threads or on what else is in the batch. One exception: linear() may take
 *            another way for at most LIMIT_BATCH rows than for more, so rows of one token are never
 *            mixed with prompts.
 *   aliasing an output may be the same tensor as an input only where that is written.
 * Thread: the device's own worker; nothing here is thread safe. */
#ifndef KERNELS_OPS_H
#define KERNELS_OPS_H

#include "kernels/ar_state.h"
#include "kernels/arena.h"
#include "kernels/tensor.h"
#include "proto/fail.h"

struct dev;
struct weight; /* a device's own packed form of one or several tensors of the model */

enum activation { ACT_NONE, ACT_SILU, ACT_GELU_TANH, ACT_GELU_ERF };

/* How a weight will be used decides its packing. */
enum weight_use {
    USE_LINEAR, /* [out, in], optional bias [out]: linear() */
    USE_CONV,   /* [out, in, k, k] cross-correlation, k 1 or 3, optional bias: conv() */
    USE_TABLE,  /* [rows, cols], row-major in T: embed() */
    USE_VECTOR  /* [n] in f32: norms, maps */
};

/* Where a weight comes from: one tensor of the model's files in host memory. */
struct source {
    const void *data;
    int type; /* enum stored_dtype of weights/safetensors/safetensors.h: F32, F16 or BF16 */
    int64_t rows, cols; /* conv: out and in*k*k; vector: n and 1 */
};

/* Up to 4 parts stacked along the rows (q, k, v in one matrix); biases likewise, all or none. */
struct weight_spec {
    enum weight_use use;
    int n;
    int k;  /* conv: kernel side, 1 or 3; else 0 */
    int up; /* conv: used with `up` alone: a device may pack it for that, too */
    struct source part[4];
    struct source bias[4]; /* data NULL: none */
    const char *name;      /* for messages */
    /* Offloaded weights (offload.h); NULL: it gets memory of its own and stays. */
    void *at;   /* device memory of weight_size bytes that it takes */
    void *home; /* with `at`: host memory to pack it into; fetch() brings it */
};

/* A run of rows that share one modulation vector: one stream of one picture in one branch. */
struct seg {
    int64_t row, n;       /* rows [row, row + n) of x */
    int64_t vec;          /* row of mod */
    int64_t shift, scale; /* ln_mod: columns of mod where these vectors start */
    int64_t gate;         /* gate_add: column of mod where the gate starts */
    int64_t rope;         /* qk_norm_rope: first row of the table, or -1 for no rotation */
};

/* One sequence of attention(): its queries and its keys. */
struct attn_seq {
    tensor q, o; /* [nq, heads*head_dim] */
    tensor k, v; /* [nk, kv_heads*head_dim] */
};

struct attn {
    int heads, kv_heads, head_dim;
    float scale;
    /* optional f32 [heads, 2*span - 1]: column j - i + span - 1 is added to the score of query i
     * and key j; span >= every nq and nk */
    tensor bias;
};

/* One sequence of ar_attention(): rows [row, row + n) of qkv, its caches and its place in them. */
struct ar_seq {
    int64_t row, n;
    /* T [capacity, kv_heads*head_dim]: the cache of this layer */
    tensor k, v;
    /* f32 [capacity, rot]: cos (rot/2), then sin (rot/2), of each cache row's position */
    tensor rope;
    /* I32 [1, AR_STATE]: the first row goes to cache row state[AR_LEN], which need not be 0: a long
     * prompt comes chunk by chunk. k, v and rope end with the last row or later */
    tensor state;
};

/* One row of sample(). */
struct sample {
    tensor state;          /* I32 [1, AR_STATE]: SAMPLED += 1, NEXT = token, LEN += advance */
    tensor tokens;         /* I32 [1, count]: the token goes to column SAMPLED */
    tensor teacher_forced; /* optional I32 [1, count]: take the token from here instead (traces) */
    int64_t advance;       /* rows that the forward pass before this sample appended to the cache */
    uint64_t seed;         /* with picture and SAMPLED the counter of the random number (rng.h) */
    uint32_t picture;      /* index of the picture within its job */
    double temperature, top_p; /* double: 1 - top_p is taken before it is rounded */
    int top_k;
    int codes;  /* number of image codes */
    int strict; /* 0: ids >= codes are masked before top-k; 1: such a token sets AR_BAD */
};

/* Operations that take workspace from dev.scratch, and what its size depends on. */
enum workspace {
    WORK_LINEAR,    /* m, k, n */
    WORK_ATTENTION, /* queries, keys, head_dim of the largest sequence */
    WORK_AR,        /* the same; rows of all sequences for queries */
    WORK_SAMPLE,    /* rows, vocabulary, 0 */
    WORK_CONV,      /* pixels of y, inputs, outputs */
    WORK_NORM,      /* the sums of norm_sums(): rows of the picture, channels, groups */
    WORK_LATENT_RGB /* pixels, channels, 0 */
};

/* What the dry device adds up; the others leave it alone. */
struct cost {
    double flops;        /* 2 x multiply-adds of matrix products, convolutions and attention */
    double weight_bytes; /* bytes of weights, and of the prior's cache, read */
};

/* What kind of device it is: for plans. */
struct dev_traits {
    int own_memory;        /* 1: a GPU's, copied to and from; 0: the host's */
    int times_algorithms;  /* 1: the first product of a shape is slow */
    int batch_useful;      /* pictures that gain by sharing a batch, at most; 0: no such bound */
    double flops_per_byte; /* that take as long as reading a byte of weights */
    double preview_flops;  /* what the fit of preview colours may cost: some seconds */
    int conditions;        /* 1: it has the operations that only condition images need */
};

/* What every device starts with: its table, its kind and what the graph may read. */
struct dev {
    const struct ops *ops;
    struct dev_traits traits;
    enum dtype type;      /* T */
    struct arena scratch; /* shared by all runs; empty between two quanta */
    struct cost cost;
    /* planned work a second, roughly, before anything was drawn; 0: unknown */
    double rate;
    char label[64]; /* for logs and for clients: "cpu (2 threads, avx512bf, bf16)" */
    /* what the bits of its results depend on, and nothing else: "cpu avx512bf bf16" */
    char bits[256];
};

struct ops {
    const char *name;

    /* -- memory ------------------------------------------------------------------------------- */
    /* ARENA_ALIGN aligned and zeroed. */
    int (*mem_new)(struct dev *, void **base, size_t bytes, struct fail *);
    void (*mem_free)(struct dev *, void *base, size_t bytes);
    void (*put)(struct dev *, tensor dst, const void *host); /* packed rows of dst's type */
    void (*get)(struct dev *, void *host, tensor src);       /* packed; valid after sync() */
    void (*copy)(struct dev *, tensor dst, tensor src);      /* same shape and type */
    void (*zero)(struct dev *, tensor dst);
    int (*sync)(struct dev *, struct fail *); /* wait; 0 or the sticky failure */
    void (*reset)(struct dev *);              /* forget the sticky failure */
    void (*free)(struct dev *);
    /* Optional, NULL where nothing is gained: a quantum that makes the same calls with the same
     * tensors every time, its changing numbers in device memory. begin() returns 1 when it has
     * repeated what `key` did before: then nothing else is to be called. 0: the calls follow, and
     * end() closes them. */
    int (*begin)(struct dev *, uint64_t key);
    void (*end)(struct dev *);
    /* Optional, NULL where operations are done when they return: the host may run ahead of the
     * device. mark() names everything asked for so far, wait() lasts until that is done; peek()
     * reads what is known to be done, without waiting for what is under way. The last 8 marks are
     * good. */
    uint64_t (*mark)(struct dev *);
    int (*wait)(struct dev *, uint64_t mark, struct fail *);
    int (*peek)(struct dev *, void *host, tensor src, struct fail *);

    /* -- weights: made at load, freed with the model ------------------------------------------- */
    int (*weight_new)(struct dev *, struct weight **, const struct weight_spec *, struct fail *);
    void (*weight_free)(struct dev *, struct weight *);
    size_t (*weight_bytes)(const struct weight *);

    /* -- offloaded weights; NULL where the device's memory is the host's ----------------------- */
    /* Host memory that the device copies from at full speed. */
    int (*home_new)(struct dev *, void **base, size_t bytes, struct fail *);
    void (*home_free)(struct dev *, void *base, size_t bytes);
    /* at = home: begins when the operations called before have ended, and goes on beside those
     * called after. Returns a ticket > 0; fetches end in their order. */
    uint64_t (*fetch)(struct dev *, void *at, const void *home, size_t bytes);
    /* The operations called after this wait for that fetch. */
    void (*arrive)(struct dev *, uint64_t ticket);

    /* -- what the dry device asks the device that it stands for -------------------------------- */
    /* Bytes of the packed weight, and of an operation's workspace: exactly what it takes. */
    size_t (*weight_size)(const struct dev *, const struct weight_spec *);
    size_t (*work_size)(const struct dev *, enum workspace, int64_t, int64_t, int64_t);

    /* -- matrices ------------------------------------------------------------------------------ */
    /* y[m,n] = act(x[m,k] w' + b), or y += that with `add`. x: T. y: T or F32. */
    void (*linear)(struct dev *, tensor y, tensor x, const struct weight *w, enum activation,
                   int add);
    /* y[m,d] = row ids[i] of the table; an id < 0 gives zeros. ids: I32 [m,1]. */
    void (*embed)(struct dev *, tensor y, const struct weight *table, tensor ids);

    /* -- norms and elementwise ----------------------------------------------------------------- */
    /* y = x rsqrt(mean(x^2) + eps) w. BF16: the normalised value is rounded, then the product.
     * y may be x. */
    void (*rms)(struct dev *, tensor y, tensor x, const struct weight *w, float eps);
    /* x += rms(a) w, then y = rms(x) w2: the prior's sandwich norm, residual and next norm; y may
     * be a. */
    void (*rms_add_rms)(struct dev *, tensor x, tensor a, const struct weight *w, tensor y,
                        const struct weight *w2, float eps);
    /* y = LN(x) (1 + scale) + shift, no affine; mod: T. y may be x. Rows outside all segs:
     * untouched. */
    void (*ln_mod)(struct dev *, tensor y, tensor x, tensor mod, const struct seg *, int nseg,
                   float eps);
    /* x += gate a. */
    void (*gate_add)(struct dev *, tensor x, tensor a, tensor mod, const struct seg *, int nseg);
    /* In place on x [rows, heads*head_dim] (a view of columns is fine): LN over each head, no
     * affine, then, where seg.rope >= 0, rotation of the pairs (i, i + head_dim/2) of seg's row r
     * by table row rope + r; table: f32 [n, head_dim], cos then sin. */
    void (*qk_norm_rope)(struct dev *, tensor x, int heads, tensor table, const struct seg *,
                         int nseg, float eps);
    /* glu() of x w' + b, which is not always kept: gu [m,2n] is room for it. */
    void (*linear_glu)(struct dev *, tensor y, tensor gu, tensor x, const struct weight *w,
                       enum activation);
    /* y[m,n] = up act(gate); gu [m,2n] = gate | up. */
    void (*glu)(struct dev *, tensor y, tensor gu, enum activation);
    /* y = act(a + b); b optional; y may be a. */
    void (*add_act)(struct dev *, tensor y, tensor a, tensor b, enum activation);

    /* -- attention ----------------------------------------------------------------------------- */
    /* o = softmax(scale q k' + bias) v for every sequence, no mask. */
    void (*attention)(struct dev *, const struct attn *, const struct attn_seq *, int nseq);
    /* qkv [m, (heads + 2 kv_heads) head_dim] = q | k | v: rotate the first `rot` dimensions of
     * every head of q and k (pairs i, i + rot/2), append k and v to the caches, then o [m,
     * heads*head_dim] = causal attention over the cache. qkv is overwritten; AR_LEN is read and not
     * advanced (sample() does). BF16: the rotation's products and sum are rounded, cos and sin come
     * rounded in the table. */
    void (*ar_attention)(struct dev *, tensor o, tensor qkv, const struct attn *, int rot,
                         const struct ar_seq *, int nseq);

    /* -- sampling ------------------------------------------------------------------------------ */
    /* Row i of logits (f32 [n, vocab]): temperature, top-k, top-p, one token; see MODEL.md. */
    void (*sample)(struct dev *, tensor logits, const struct sample *, int n);

    /* -- flow: latents f32 [channels, h*w]; tokens T [h/2 * w/2, channels*4] (c, dy, dx) ------- */
    void (*patchify)(struct dev *, tensor tokens, tensor latents, int h, int w);
    void (*unpatchify)(struct dev *, tensor latents, tensor tokens, int h, int w);
    /* v = vu + guidance (vc - vu), or vc when vu is not given; clean (optional) = x - sigma v;
     * x += dsigma v. All f32 [channels, h*w]. */
    void (*euler)(struct dev *, tensor x, tensor vc, tensor vu, float guidance, float sigma,
                  float dsigma, tensor clean);

    /* -- pictures: T [h*w, channels] ----------------------------------------------------------- */
    /* z[p,c] = T(x[c,p]) std[c] + mean[c], each step rounded to T; x f32 [channels, h*w]. */
    void (*denorm)(struct dev *, tensor z, tensor x, const struct weight *mean,
                   const struct weight *std);
    /* y = conv(x) (+ add: same shape as y, may be y; optional). x is h x width; with `up` it is
     * read as its nearest 2x enlargement and the result is 2h x 2 width. Zero padding k/2. y holds
     * the rows of the result from `first` on, as many as it has room for: a band of a picture whose
     * x brings its neighbours along has first = k/2. Where y's rows are its columns rounded up to
     * 8, what is between them may be overwritten. */
    void (*conv)(struct dev *, tensor y, tensor x, const struct weight *w, int h, int width, int up,
                 int first, tensor add);
    /* Group norm in three steps, so that a picture may pass by in bands of rows, to the same bits.
     * sums (U8, WORK_NORM bytes for the whole picture): every row has a place of its own; x holds
     * the picture's rows from `row` on. */
    void (*norm_sums)(struct dev *, tensor sums, tensor x, int width, int row, int groups);
    /* norm f32 [2, channels]: GN(x) w + b = x norm[0] + norm[1], from the sums of all h rows. */
    void (*norm_fold)(struct dev *, tensor norm, tensor sums, int h, int width, int groups,
                      const struct weight *w, const struct weight *b, float eps);
    /* y = act(x norm[0] + norm[1]); y may be x. */
    void (*norm_act)(struct dev *, tensor y, tensor x, tensor norm, enum activation);
    /* rgb U8 [h*w,3] = rne(255 T(clamp(x/2 + 1/2, 0, 1))), the argument rounded to T. */
    void (*to_rgb8)(struct dev *, tensor rgb, tensor x);
    /* rgb U8 [h*w,3] = clamp(rne(sum_c map[o,c] latents[c,p] + map[o,channels])), 0..255 units;
     * map: f32 [3, channels + 1]; latents f32 [channels, h*w]: previews. */
    void (*latent_rgb)(struct dev *, tensor rgb, tensor latents, tensor map);

    /* -- condition images alone; NULL without traits.conditions -------------------------------- */
    /* y = LN(x) w + b, rounded once; y may be x. */
    void (*layer_norm)(struct dev *, tensor y, tensor x, const struct weight *w,
                       const struct weight *b, float eps);
    /* ids[i] = the j with the largest scores[i][j] factor[j], the lowest of equal ones. ids: I32
     * [m,1]; scores: f32 [m,n]; factor: [n]. */
    void (*argmax)(struct dev *, tensor ids, tensor scores, const struct weight *factor);
    /* y [h/2 * width/2, out] = conv() at every second row and column of x, h x width, which is
     * padded with zeros below and on the right alone: the first result covers rows and columns 0
     * to 2. h and width are even. */
    void (*conv_half)(struct dev *, tensor y, tensor x, const struct weight *w, int h, int width);
    /* x[c,p] = (z[p,c] - mean[c]) / std[c], each step rounded to T; x f32 [channels, h*w]. */
    void (*renorm)(struct dev *, tensor x, tensor z, const struct weight *mean,
                   const struct weight *std);
};

/* The CPU device; threads 0: all that the process may use (affinity and cgroup). 0 or an error. */
int cpu_open(struct dev **out, enum dtype type, int threads, struct fail *);
/* The type that is faster on this processor: BF16 with AMX or AVX-512 BF16, else F32. */
enum dtype cpu_best_type(void);
/* A device without arithmetic: memory and workspace as `like` would take (NULL: the CPU device).
 * `like` must outlive it. */
int dry_open(struct dev **out, enum dtype type, const struct dev *like, struct fail *);

#endif
