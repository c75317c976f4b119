/* prior - the autoregressive decoder: prompt ids to the picture's code grids.
 *
 * Sandwich norms, grouped queries, partial multi-axis rotation, one key/value cache a picture. A
 * call moves several pictures on at once: the first calls of a picture prefill its cache chunk by
 * chunk, and the last of them samples a token; every later one feeds the token sampled last.
 * Pictures past their prefill share all matrix products. The token is sampled on the device. Chunks
 * depend on the prompt alone, so they never show in a picture's bytes.
 * Source: GlmImageTextModel, GenerationMixin.sample. */
#ifndef KERNELS_MODEL_PRIOR_H
#define KERNELS_MODEL_PRIOR_H

#include "kernels/model/bind.h"
#include "kernels/model/graph.h"
#include "kernels/model/positions.h"

struct prior_layer {
    int group;
    const struct weight *norm_attn;          /* [width]: on attention's output */
    const struct weight *norm_ff, *norm_out; /* [width]: before the MLP, on its output */
    const struct weight *norm_next;          /* [width]: before the next layer, or the head */
    const struct weight *qkv;                /* [(heads + 2 kv_heads) head_dim, width], bias */
    const struct weight *out;                /* [width, heads head_dim] */
    const struct weight *gate_up;            /* [2 ffn, width]: gate | up */
    const struct weight *down;               /* [width, ffn] */
};

struct prior {
    const struct ar_config *cfg;
    const struct sample_config *sampling;
    int codes;                          /* image codes are the ids 0 .. codes-1 */
    const struct weight *table;         /* [rows, width]: of the ids that can be sampled */
    const struct stored_tensor *prompt; /* [vocab, width], in the model's files: of all ids */
    struct prior_layer layer[LIMIT_LAYERS];
    const struct weight *norm; /* [width]: before the first layer */
    const struct weight *head; /* [rows, width] */
    int first, last;           /* groups of table and norm, and of the head */
};

/* Rows of a prompt that one call feeds at most: some tenths of a second of a laptop, and enough to
 * keep a GPU busy. */
enum { PRIOR_CHUNK = 256 };

/* One picture's sequence. All tensors are in its run's memory. */
struct prior_seq {
    int64_t prompt;  /* P: rows of the prompt */
    int64_t samples; /* tokens to sample; the cache holds P + samples - 1 rows */
    int64_t chunks; /* calls that prefill the cache with the prompt, in chunks as equal as can be */
    int64_t prefilled;     /* chunks so far, */
    int64_t sampled;       /* and tokens sampled: the host's own counts */
    tensor text;           /* T [P, width]: the prompt's rows of the embedding */
    tensor tokens;         /* I32 [1, samples] */
    tensor teacher_forced; /* I32 [1, samples], or none */
    tensor state;          /* I32 [1, AR_STATE] */
    tensor rope;           /* f32 [P + samples - 1, rotary] */
    /* T [layers * 2 * (P + samples - 1), kv_heads head_dim]: k, v of layer 0, of 1 ... */
    tensor kv;
    uint64_t seed;
    uint32_t picture;
    int strict;
};

void prior_bind(struct prior *, struct bind *, const struct model_config *);

/* What outlives the phase, then what does not. prompt and samples must be set. */
void prior_place_tokens(struct prior_seq *, struct arena *, int teacher_forced);
void prior_place(struct prior_seq *, struct arena *, const struct ar_config *, enum dtype);

/* rows [n, width] of T = the embedding of ids, on the host: nine tenths of the table are words, of
 * which a prompt needs a few rows once, so the table stays in the model's files and only what can
 * be sampled is on the device. */
void prior_embed(const struct prior *, enum dtype, const int32_t *ids, int64_t n, void *rows);

/* How many chunks a prompt is fed in: one when `whole` (a trace shows a prompt's rows in one
 * piece). */
int64_t prior_chunks(int64_t prompt, int whole);
/* Calls of prior_step from the first to the last token; and the state that `calls` of them
 * leave. */
int64_t prior_calls(const struct prior_seq *);
void prior_seek(struct prior_seq *, int64_t calls);

/* P + samples - 1: the last token that is sampled is never fed. */
int64_t prior_cache_rows(const struct prior_seq *);
/* Rows of the cache that are in use between two calls; and those rows of the keys (half 0) or
 * values (half 1) of one layer. */
int64_t prior_cached(const struct prior_seq *);
tensor prior_cache(const struct prior_seq *, int layer, int half);

/* Move n sequences (<= LIMIT_BATCH) on, by a chunk of the prompt or by a token. */
void prior_step(const struct graph *, const struct prior *, struct prior_seq *const *, int n);

#endif
