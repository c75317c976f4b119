/* engine - the inside of glm.h: what the files of engine/ and report/ share.
 *
 * Memory has three lifetimes here: the model's (stages), a run's (one block, placed by run_place)
 * and a quantum's (dev.scratch). Within a run's block the phases take turns: the prior's cache, the
 * DiT's projected codes and the decoder's half-made picture have the same address.
 * Thread: the device's worker, except plan_*, which any thread may call. */
#ifndef KERNELS_ENGINE_ENGINE_H
#define KERNELS_ENGINE_ENGINE_H

#include "kernels/engine/preview_colors.h"
#include "kernels/engine/stages.h"
#include "kernels/glm.h"
#include "kernels/model/condition.h"
#include "weights/suggestions.h"
#include "weights/tokenizer/prompt.h"

/* Tokens that the host may be ahead of the device: it never waits for the one that it has just
 * asked for. */
enum { GLM_AHEAD = 3 };

enum preview_known { PREVIEW_NOTHING, PREVIEW_LATENTS, PREVIEW_ALL };

struct glm {
    struct model model;
    struct dev *dev, *dry; /* dry: like dev, without arithmetic; for glm_step's own questions */
    struct dev *like;      /* the GPU that a plan is for, without one; or NULL */
    struct stages stages, dry_stages;     /* the model on dev; on the dry device */
    struct preview_colors preview_colors; /* codes and latents to colours, for previews, */
    enum preview_known preview_known;     /* as far as they are known */
    struct preview_fit *preview_fit;      /* while they are still to be fitted */
    struct glm_info info;
    struct suggestions suggestions; /* info points into it */
    /* bytes of the device for weights and pictures; UINT64_MAX: as many as are free */
    uint64_t usable;
    char name[128], digest[65], device[160], residency[320];
    char version[64];              /* of the program */
    uint64_t next_run;             /* numbers runs */
    uint64_t checked[LIMIT_BATCH]; /* the runs of the batch whose scratch was last made sure of */
    enum glm_phase checked_phase;
    uint64_t ahead[GLM_AHEAD]; /* marks of quanta that the device may still be at, oldest first */
    int aheads;
};

/* A condition image of a run, as both towers read it. */
struct condition {
    struct condition_size size;
    uint8_t *seen, *encoded; /* host [16 rows, 16 cols, 3], [vae.h, vae.w, 3]; NULL in a plan */
    int64_t cell, cells;     /* its first one among those of all images, and how many */
};

struct glm_run {
    struct glm *g;
    uint64_t id; /* from 1 */
    enum glm_phase phase;
    int done;         /* quanta of this phase */
    struct fail fail; /* of this run alone; code 0: none */
    struct prompt prompt;
    struct byt5 text;
    struct glm_cost cost;
    double share[GLM_PHASES]; /* of the whole time, by plan */
    double prefill;           /* of the prior's time: the prompt, by plan */
    int teacher_forced;       /* the tokens are given (traces) */
    int skip_prior;           /* they are given, and there is no prior phase */
    uint64_t noise_seed;
    int injected;        /* anything is */
    uint8_t request[32]; /* BLAKE2b-256 of all that the picture depends on */
    int first_step;      /* the denoising step that it begins with: 0, or its checkpoint's */
    int stop;            /* denoising ends after so many steps; 0: after all */
    struct prior_seq prior;
    struct dit_state dit;
    struct vae_state vae;
    void *mem; /* the block, on the device */
    size_t bytes;
    int32_t *tokens; /* host [samples]: read back for previews and for the DiT */
    struct condition image[LIMIT_IMAGES];
    int images;
    int64_t cells;  /* of all images */
    tensor code;    /* I32 [cells, 1]: theirs, images in order */
    int32_t *codes; /* host [cells]: read back when all are known */
    float *rows;    /* host: some rows of a tensor on their way to the device */
    /* A run that was loaded encodes its images again and then goes on from here; 0: it was not. */
    enum glm_phase resume;
    int resume_done;
    uint8_t *staging; /* host [3 h w]: a preview before it is made smaller */
};

/* The dry device's scratch: more than any plan. */
#define DRY_SCRATCH ((size_t)1 << 46)

/* open.c: glm_open without preview colours. A plan has no device but the dry one, which is like the
 * CPU or like a GPU; a bare engine has a device, but may lack files: weights that are not there
 * are zeros (measurements). */
enum engine_use { ENGINE_DRAW, ENGINE_BARE, ENGINE_PLAN_CPU, ENGINE_PLAN_CUDA };
int engine_open(struct glm **, const struct glm_opts *, enum engine_use, struct fail *);

/* devices.c: the device that opts.device names; and the compute type of the CPU device. */
int devices_open(struct dev **, const struct glm_opts *, struct fail *);
enum dtype devices_type(const struct glm_opts *);

/* run.c: the host side of a run (texts, sizes, schedule), without device memory. */
int run_prepare(struct glm_run *, const struct glm *, const struct glm_req *, struct fail *);
void run_drop(struct glm_run *);
/* Places every tensor; returns the bytes used. */
size_t run_place(struct glm_run *, const struct model_config *, enum dtype, void *base);
/* Puts what does not change into a placed run's memory: tables, noise, the prompt's rows; waits. */
int run_fill(struct glm_run *, struct dev *, const struct model_config *, const struct glm_inject *,
             struct fail *);
/* The prompt's rows of the embedding: when the codes of its images are known. */
int run_fill_text(struct glm_run *, struct dev *, struct fail *);
/* Where the run stands, or will stand when its images are encoded again. */
enum glm_phase run_phase(const struct glm_run *);
int run_done(const struct glm_run *);
/* One quantum of n runs in the same phase, on any device; moves their counters. */
void run_quantum(const struct graph *, const struct stages *, struct glm_run *const *, int n,
                 enum glm_phase);
int run_quanta(const struct glm_run *, enum glm_phase);

/* conditions.c: the condition images of a request: checked, counted, resized; then what ends with
 * run_drop. */
int conditions_prepare(struct glm_run *, const struct glm *, const struct glm_req *, struct fail *);
void conditions_drop(struct glm_run *);
void conditions_place(struct glm_run *, struct arena *);
/* Image k's quantum of the phases GLM_VISION and GLM_ENCODE; and the end of the first. */
void conditions_see(const struct graph *, const struct stages *, struct glm_run *, int k);
void conditions_encode(const struct graph *, const struct stages *, struct glm_run *, int k);
int conditions_seen(struct glm_run *, struct fail *);
/* The prompt's ids with codes in place of placeholders, malloced; NULL: no memory. */
int32_t *conditions_ids(const struct glm_run *);

/* tokens.c: what a request that skips the prior gives instead, checked, into r->tokens. */
int tokens_read(struct glm_run *, const struct glm *, const struct glm_req *, struct fail *);

/* plan.c: what a prepared run costs (cost, share); and the scratch that a batch needs from here to
 * the end of its phase. `tapped`: with the extra work of a trace. */
int plan_run(const struct glm *, struct glm_run *, int tapped, struct fail *);
int plan_scratch(const struct glm *, struct dev *dry, struct glm_run *const *, int n,
                 enum glm_phase, int tapped, uint64_t *bytes, struct fail *);

/* step.c: glm_step under a tap. */
int glm_step_tapped(struct glm *, struct glm_run **, int n, const struct tap *, struct fail *);

#endif
