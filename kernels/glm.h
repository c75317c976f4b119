/* glm - the only door to the engine: open a model, plan, and advance pictures quantum by quantum.
 *
 * A picture is a `struct glm_run`: a state machine with the phases glyph, prior, denoise, decode,
 * and before the prior vision and encode where it begins with condition images.
 * It moves only inside glm_step(), by one quantum (a glyph encoding, a condition image, a chunk of
 * the prompt or one token, one denoising step, one piece of the decoder), so cancel, time limits,
 * previews, fairness and batching all happen between two calls. Same request, same bytes: alone or
 * batched, on any number of threads. Nothing here knows jobs, clients, sockets or users.
 *
 * Thread: glm_open .. glm_close of one engine belong to one thread (the device's worker), except
 * where a comment says "any thread". Memory of a run is freed by glm_run_free only. */
#ifndef KERNELS_GLM_H
#define KERNELS_GLM_H

#include <stddef.h>
#include <stdint.h>

#include "proto/fail.h"
#include "proto/limits.h"

struct glm;
struct glm_run;

enum glm_phase {
    GLM_GLYPH,
    GLM_VISION, /* condition images to codes */
    GLM_ENCODE, /* condition images to keys and values that denoising attends to */
    GLM_PRIOR,
    GLM_DENOISE,
    GLM_DECODE,
    GLM_DONE
};
enum { GLM_PHASES = GLM_DONE };

const char *glm_phase_name(enum glm_phase); /* "glyph" "vision" "encode" "prior" .. "done" */

enum glm_type { GLM_AUTO, GLM_F32, GLM_BF16 };

struct glm_opts {
    const char *model;  /* folder in the released layout */
    const char *device; /* "auto", "cpu", "cuda", "cuda:1": one of glm_devices() */
    enum glm_type type; /* AUTO: what is faster on the device */
    int threads;        /* CPU; 0: all that the process may use */
    uint64_t vram; /* bytes of the device that may be used, as if it had no more; 0: what it has */
    /* folder for what is fitted to a model (preview colours); NULL: no previews */
    const char *cache;
    const char *version; /* of the program, for its checkpoints; NULL: "" */
};

/* What the service may tell its clients about the engine; strings live as long as the engine. */
struct glm_info {
    const char *model;     /* the folder's name */
    const char *digest;    /* hex: identifies configuration and weights, for results' metadata */
    const char *device;    /* "cpu (2 threads, AVX-512, bf16)" */
    const char *type;      /* "f32" or "bf16" */
    int own_memory;        /* 1: the device has memory of its own, 0: it works in the host's */
    int batch_useful;      /* pictures that gain by sharing a batch, at most; 0: no such bound */
    double rate;           /* planned work a second, roughly, until it is measured; 0: unknown */
    uint64_t weight_bytes; /* held by the device for the life of the engine */
    uint64_t memory_total; /* bytes of the device (host: what the process may use) */
    uint64_t memory_free;  /* after the weights, when the engine was opened */
    uint64_t memory_room;  /* of that, for pictures: what a plan may promise */
    const char *residency; /* "everything resident", "stage swap" .. and why, for the operator */
    int side_max;          /* largest side in pixels that the model's tables allow */
    int default_width, default_height, default_steps; /* what this model draws best */
    double default_guidance;
    /* What the model's folder suggests: sizes that it draws well (width, height; the server checks
     * them against its limits) and prompts to try. */
    const int (*sizes)[2];
    int n_sizes;
    const char *const *examples;
    int n_examples;
    int images;            /* condition images of one picture, at most; 0: none are possible, */
    const char *no_images; /* and why, as a sentence */
};

/* A condition image: 8-bit RGB, rows packed, borrowed for the call. Any size; what the model cannot
 * read is brought to the nearest size that it can (glm_image_size). rgb NULL: for a plan. */
struct glm_image {
    const uint8_t *rgb;
    int width, height;
};

struct glm_req {
    const char *prompt; /* UTF-8, need not outlive the call */
    size_t prompt_len;
    int width, height; /* pixels, multiples of 32 */
    int steps;
    double guidance; /* <= 1: no unconditional branch */
    uint64_t seed;   /* draws the tokens, and the noise unless there are two seeds */
    int two_seeds;   /* 1: noise_seed draws the noise */
    uint64_t noise_seed;
    uint32_t picture; /* index within its job: other noise and tokens for the same seed */
    int strict; /* 1: the reference's sampling rule to the letter; fails on a non-image token */
    const struct glm_image *image;   /* in the order in which the prompt may speak of them */
    int images;                      /* 0: the picture is made from words alone */
    const struct glm_inject *inject; /* traces only; else NULL */
    /* 1: there is no prior phase, as the tokens are given: what glm_run_tokens() gave of a picture
     * with the same prompt and size, borrowed for the call. A plan does without them. */
    int skip_prior;
    const void *tokens;
    size_t tokens_len;
};

/* Replace what is random by given values; arrays live until the run is freed. */
struct glm_inject {
    const int32_t *tokens; /* all sampled tokens, or NULL */
    size_t token_count;
    const float *latents; /* first noise [channels, height/8, width/8], or NULL */
};

/* What a request will take, from the dry device: exact for memory, the basis of time estimates. */
struct glm_cost {
    uint64_t run_bytes;        /* resident as long as the run lives */
    uint64_t scratch_bytes;    /* shared: the largest quantum, this run alone in the batch */
    uint64_t checkpoint_bytes; /* of the host: the largest glm_run_save_bytes() */
    double flops[GLM_PHASES];  /* per phase */
    /* planned time per phase, in FLOPs that take as long: arithmetic, reading weights, the calls
     * themselves; one picture in the batch */
    double work[GLM_PHASES];
    int quanta[GLM_PHASES]; /* calls of glm_step per phase */
    int chunks;             /* of the prior's quanta, those that prefill the prompt */
    double prefill;         /* their part of the prior's work: 0 .. 1 */
};

struct glm_progress {
    enum glm_phase phase;
    int done, total; /* quanta of this phase */
    double left;     /* 1..0: of this phase's work; quanta need not be of one length */
    int prefill;     /* 1: in the prior's phase, while the prompt is fed */
    double overall;  /* 0..1 over all phases, by planned cost; never goes back */
};

/* A picture in host memory, 8-bit RGB, rows packed. The caller gives rgb and capacity. */
struct glm_picture {
    uint8_t *rgb;
    size_t capacity; /* bytes of rgb */
    int width, height;
};

/* What a list names, each device as glm_open takes it: "cuda:0,cuda:1" two GPUs, "cpu,cpu" the
 * processor twice; "auto" all GPUs, or the processor where there are none. All of one kind, no
 * GPU twice. How many, or ERR_USAGE. */
typedef char glm_device[16];
int glm_devices(const char *list, glm_device out[LIMIT_DEVICES], struct fail *);

/* Opens, verifies, packs the weights, reads the preview colours if `cache` has them. 0 or an
 * error. */
int glm_open(struct glm **out, const struct glm_opts *, struct fail *);
/* Where `cache` lacks the preview colours: draws the next of the pictures that they are fitted
 * to (tenths of a second each on a laptop). 1: call again; 0: all are fitted; negative: an
 * error, it ends here. The first call is enough for passable previews of the denoising phase.
 * Runs may exist. */
int glm_preview_fit(struct glm *, struct fail *);
void glm_close(struct glm *);
void glm_info(const struct glm *, struct glm_info *out); /* any thread */

/* The size at which a condition image of this size is used. 1: another one than its own. Any
 * thread. */
int glm_image_size(const struct glm *, int width, int height, int *used_width, int *used_height);
/* Checks a request against the model and says what it costs. Any thread, no device work. */
int glm_plan(const struct glm *, const struct glm_req *, struct glm_cost *out, struct fail *);
/* What the model reads in a prompt. */
struct glm_words {
    int tokens; /* of its text, without those that tell the size */
    int texts;  /* quoted ones, which are drawn as lettering, in the model's order */
    struct {
        int at, len; /* bytes of the prompt */
    } text[LIMIT_GLYPH_TEXTS];
};
/* 0, or ERR_BAD_UTF8, ERR_OUT_OF_MEMORY. Any thread, no device work. */
int glm_words(const struct glm *, const char *prompt, size_t len, struct glm_words *out,
              struct fail *);
/* Scratch bytes of n such pictures sharing a batch: the largest quantum. Any thread. */
int glm_plan_batch(const struct glm *, const struct glm_req *, int n, uint64_t *scratch,
                   struct fail *);
/* Makes the shared scratch at least this large: before the first quantum that needs it. */
int glm_reserve(struct glm *, uint64_t scratch, struct fail *);

/* ERR_CONFLICT: the tokens of a request that skips the prior are not there, are damaged, or are of
 * another model or size. */
int glm_run_new(struct glm_run **out, struct glm *, const struct glm_req *, struct fail *);
void glm_run_free(struct glm_run *); /* NULL is fine */

/* How many pictures of this cost fit `room` at a time, each further one adding `more` bytes of
 * scratch: 0 .. LIMIT_BATCH. Pure. */
int glm_admission(uint64_t room, const struct glm_cost *, uint64_t more);

/* Phases that can go on at once, as bits 1 << phase; the others' weights would have to be copied to
 * the device first. All bits where nothing is ever copied. */
unsigned glm_at_hand(const struct glm *);

/* The next step is in phase GLM_DECODE, no run is denoised, and some wait for an earlier phase: let
 * their weights come beside it, as far as there is room. A hint; nothing depends on it. */
void glm_decode_last(struct glm *);

/* Advance n runs (1 .. LIMIT_BATCH) that are in the same phase, of any sizes, by one quantum each.
 * 0, or an error that concerns the device (all n runs are lost) with the reason in fail. A failure
 * of a single run (strict sampling, numbers that are not finite) is reported by glm_run_failed and
 * leaves the others alone. */
int glm_step(struct glm *, struct glm_run **batch, int n, struct fail *);
struct glm_progress glm_run_progress(const struct glm_run *);
int glm_run_failed(const struct glm_run *, struct fail *); /* 0: it has not */

/* Ends the denoising after so many steps (>= 1), or after those that are done, if these are more:
 * then at once. What is decoded is the picture that the last of them predicted, as previews show
 * it: x - sigma_i v with x, sigma_i, v the latents, noise level and velocity at the beginning of
 * step i. For the last step of the schedule that is what it leaves, so a run that has done all its
 * steps is not changed, nor is one that is decoded, was finished before or has failed. 0, or
 * ERR_DEVICE: as from glm_step. */
int glm_run_finish(struct glm_run *, int steps, struct fail *);
int glm_run_steps(const struct glm_run *); /* of denoising that are done */

/* The picture as far as it is known: the token grid as mean colours while in the prior phase, the
 * predicted clean latent while denoising. At most `longest` pixels a side (nearest or box). 1:
 * drawn, 0: nothing to see yet, negative: error. */
int glm_run_preview(struct glm_run *, int longest, struct glm_picture *out, struct fail *);
/* The finished picture; phase GLM_DONE. Capacity width*height*3. */
int glm_run_image(struct glm_run *, struct glm_picture *out, struct fail *);

/* The tokens that the prior sampled, to be kept for other pictures of the same prompt and size:
 * model, size and a digest, then 16 bits a token. How many bytes; 0: they are not known before the
 * end of the first denoising step, are a trace's, or do not fit into 16 bits. */
size_t glm_run_tokens_bytes(const struct glm_run *);
/* Copies them, within host memory; out has room for glm_run_tokens_bytes(), which is not 0. */
void glm_run_tokens(const struct glm_run *, void *out);

/* A checkpoint: where a run stands, as bytes of the host. The run that is made from it goes on to
 * the same picture, bit for bit. It holds tokens, latents, the projected texts, and while tokens
 * are sampled the cache: a prefill of the tokens would make most of it unnecessary, but products
 * of many rows may be rounded otherwise than those of one (ops.h). The picture that the decoder has
 * half made is not in it; decoding begins again.
 *
 * Bytes that a save takes now. 0: there is nothing to save, as the run is at its beginning, is
 * finished, has failed, or is a trace's. */
size_t glm_run_save_bytes(const struct glm_run *);
/* Copies them; out has room for glm_run_save_bytes(), which is not 0. Waits until the device has
 * done all that it was asked. 0, or ERR_DEVICE: as from glm_step. */
int glm_run_save(struct glm_run *, void *out, struct fail *);
/* As glm_run_new, but the run stands where the saved one stood. ERR_CONFLICT: it is of another
 * version of the program, another model, kind of device, number format or request, which might all
 * change the picture's bytes, or is no checkpoint; glm_run_new begins again. Any bytes may be
 * given: what has passed the checks is used safely, but who keeps them must detect what has
 * changed in them since. */
int glm_run_load(struct glm_run **out, struct glm *, const struct glm_req *, const void *bytes,
                 size_t len, struct fail *);

#endif
