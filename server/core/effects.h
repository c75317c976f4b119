/* effects - what the hub asks of store and worker, and what they report to it: structs alone, no
 * function.
 *
 * Store and worker include this and not the hub. Everything but the callbacks of struct hub_out is
 * plain data, its pointers borrowed for the time of a call. Thread: any; a struct belongs to the
 * thread that made the copy. The callbacks run on the loop's. */
#ifndef SERVER_CORE_EFFECTS_H
#define SERVER_CORE_EFFECTS_H

#include "kernels/glm.h"
#include "proto/answer.h"
#include "proto/command.h"
#include "proto/event.h"
#include "proto/fail.h"
#include "proto/limits.h"
#include "proto/spec.h"
#include "proto/sweep.h"
#include "proto/user.h"

#include <stdbool.h>
#include <stdint.h>

struct blob;

/* What one picture will take, planned by the dry device before anything runs. */
struct job_plan {
    struct glm_cost cost;
    uint64_t scratch_more; /* bytes of scratch that each further picture of its batch adds */
};

/* What a picture goes through: the phases, the prior's prompt and its tokens apart. */
enum eta_stage {
    ETA_GLYPH,
    ETA_VISION,
    ETA_ENCODE,
    ETA_PREFILL,
    ETA_TOKENS,
    ETA_DENOISE,
    ETA_DECODE,
    ETA_STAGES
};

#define ETA_SIZES  16 /* classes of quanta: by pixels, or by the prompt's length (eta.h) */
#define ETA_JUDGED 64 /* newest jobs of a kind whose forecast and time are compared */

/* What can come between a forecast and its job. One that waits for a place depends on those that
 * it waits for; one that has a place on smaller ones that come later, the more of them there are:
 * by how many quarters of the newest jobs are smaller. */
enum eta_kind { ETA_SMALLEST, ETA_SMALL, ETA_LARGE, ETA_LARGEST, ETA_WAITS, ETA_KINDS };

struct eta_rate {
    double work, seconds; /* decayed sums; seconds 0: never measured */
};

/* What has been measured of the devices (eta.h). Plain numbers: kept for the next start of the
 * server with the same model and device. */
struct eta_known {
    struct eta_rate rate[ETA_STAGES][ETA_SIZES][LIMIT_BATCH];
    double tail_s;                     /* from the device to the disk; 0: not measured */
    double off[ETA_KINDS][ETA_JUDGED]; /* ln(actual / played), a ring each */
    int judged[ETA_KINDS];   /* how many were written; those beyond the ring replaced older ones */
    double came[ETA_JUDGED]; /* planned work of the newest jobs, a ring */
    int n_came;              /* how many were written */
};

/* What hub_new() is given. */
struct hub_conf {
    uint64_t boot;   /* 1, 2, 3 .. which start of the server with its data folder */
    int64_t unix_ms; /* Unix time at clock 0: now / 1000 + unix_ms is Unix time */
    const struct spec_limits *limits; /* what requests may ask for; may change between calls */
    int queue_max;                    /* jobs that may wait, 1 .. LIMIT_QUEUE_MAX */
    int devices;       /* 1 .. LIMIT_DEVICES of one kind, numbered from 0; 0 means 1 */
    int concurrency;   /* residents at most, on all of them; 0: what memory allows and is useful */
    int job_seconds;   /* of device time a job */
    int stuck_seconds; /* silence of a busy device before it counts as stuck */
    int kept;          /* jobs that are over and stay in memory; LIMIT_JOBS_KEPT */
    /* of one user, without users of one connection; of one connection; 0: no bound (bucket.h) */
    int submits_per_s, messages_per_s;
    int private_s; /* for which the picture of a private job waits to be fetched */
    int64_t done, failed, cancelled; /* jobs ended before this start, for the statistics */
};

/* Limits that change while it runs: from the next job, start or look at a running one. As in struct
 * hub_conf. */
struct hub_tuning {
    int queue_max, concurrency, job_seconds, stuck_seconds;
    int submits_per_s, messages_per_s, private_s;
};

#define SHARE_HASH_BYTES 32
#define SHARE_TEXT       54 /* of the secret in a shared job's address, with its NUL */

/* What the store keeps of a job. */
struct hub_row {
    uint64_t job, order; /* order: of acceptance; unique, grows */
    int64_t created_ms;
    uint32_t owner;        /* id of the user; USER_NONE: of a service without users */
    const char *key;       /* "" none; unique among its owner's jobs that are remembered */
    const uint8_t *digest; /* SPEC_DIGEST_BYTES: of the request */
    const struct spec *spec;
    uint64_t accepted_seq;
    bool held;      /* not over: it does not start */
    uint64_t rank;  /* among its owner's jobs; 0: its order */
    bool favourite; /* its picture goes last */
    /* restored: it is shared until then (Unix time; 0: it is not), with this secret's hash */
    int64_t shared_ms;
    uint8_t share[SHARE_HASH_BYTES];
    const char *webhook;      /* a new one's: where its end is posted to; NULL: nowhere */
    bool private;             /* to be answered, but not kept: neither the row nor its file */
    unsigned in_memory;       /* private: bit i: its picture i is in memory, with the job */
    int unwatched_ms;         /* not over: cancelled after so long without a viewer; 0: never */
    struct sweep_place place; /* of a cell; parent 0: it is none */
    /* of a sweep, JSON: its fields and values, its cells (cells.h); NULL: it is none */
    const char *sweep, *cells;
    int steps; /* of denoising, after which it ends or has ended; 0: those of its spec */
    bool kept; /* restored, and DONE: its tokens are there */
    /* only when it is over; else state is STATE_QUEUED */
    enum event_state state;
    bool again;                      /* the disk was given this end before, and refused it */
    uint64_t result_seq, end_seq;    /* result_seq 0 unless DONE */
    const char *result_digest;       /* DONE: 64 hex digits */
    int64_t result_bytes, result_us; /* DONE: of the file; running time */
    uint64_t model;                  /* DONE: which model has drawn it; 0: unknown */
    const struct fail *error;        /* FAILED */
    struct blob *tokens;             /* DONE: kept with it; NULL: what is there stays */
};

/* Whom a job is shared with from now on. */
struct hub_share {
    uint64_t job, ticket;           /* ticket: names it in the answer */
    int64_t until_ms;               /* Unix time; 0: with none */
    uint8_t hash[SHARE_HASH_BYTES]; /* of the secret that guests come with */
};

/* What previews of one job are wanted: bit c of classes stands for board class c (board.h). */
struct preview_demand {
    uint32_t classes; /* 0: none, do not draw any */
    int max_px;       /* longest side of the largest class */
    int every_ms;     /* not more often than this */
};

/* A job becomes resident. */
struct hub_work {
    uint64_t job;
    const struct spec *spec;     /* seed chosen */
    const struct job_plan *plan; /* NULL: unknown; it shares quanta of tokens only */
    double place;     /* in the device's order: those with the lowest are served first (order.h) */
    uint64_t scratch; /* for glm_reserve() before its first quantum */
    struct preview_demand demand;
    /* Where its run goes on, as a RUN_SUSPENDED had it; RUN_RESUMED follows. NULL: from the newest
     * one on disk, if `keep`. Without one, and where it is of another program, model or kind of
     * device, the run begins anew. */
    struct blob *checkpoint;
    /* checkpoints are taken and may be written to disk, and the picture has texts that say what it
     * shows: not for private jobs */
    bool keep;
    int steps; /* of denoising, after which it ends; 0: those of the spec */
    /* Of a spec with prior_from: the job's tokens, which are on disk. The hub leaves them out, as
     * who reads the disk puts them in; a run that lacks them ends with RUN_FAILED, ERR_CONFLICT. */
    struct blob *tokens;
    /* Of a private job: the files that it begins with, which are nowhere else; NULL: on disk. */
    struct blob *source[LIMIT_IMAGES];
};

/* Pictures of one user, the oldest, favourites last: they go at at_ms (Unix time), or went then. */
struct removal {
    uint32_t owner;
    bool done;
    int n; /* 0: none goes any more */
    uint64_t job[LIMIT_REMOVALS];
    int64_t bytes, at_ms;
};

/* Which finished pictures a client would have listed; ref and what are borrowed. */
struct hub_search {
    uint64_t ticket; /* names it in the answer */
    bool all;        /* of whomever; else of the owner */
    uint32_t owner;
    uint64_t only; /* a guest's: this job or its cells alone; 0: no guest */
    int limit;     /* rows */
    const char *ref;
    const struct command_search *what;
};

/* A job that is to go from the disk. */
struct hub_deletion {
    uint64_t job;
    uint64_t ticket; /* names it in the answer */
    bool private;    /* it was never there */
};

/* A file that a client has sent whole, to become a picture that jobs begin with. */
struct hub_file {
    uint64_t ticket; /* names it in the answer */
    uint32_t owner;
    bool private; /* nothing of it may be on disk */
    int64_t created_ms;
    struct blob *bytes;
};

/* What became of it. */
struct hub_image {
    uint64_t ticket;
    struct spec_image image;
    int64_t bytes; /* of the PNG */
    bool private;
    struct blob *png;    /* of a private one, borrowed; else NULL */
    const char *changed; /* JSON: an array of words */
};

struct hub_out {
    void *arg;
    /* disk: one row, or those of a sweep's cells and then its own: all of them or none. Answered
     * once, for the last of them. Of a spec with prior_from the tokens of that job are copied, if
     * they are there. The files of the pictures that it begins with are kept as long as the row; of
     * a private one those that are not in memory, until its end. */
    void (*store_accept)(void *arg, const struct hub_row *, int n);
    /* One row, and before it the file of its picture (NULL: it has none). */
    void (*store_end)(void *arg, const struct hub_row *, struct blob *file);
    /* `favourite` of a job, or `held`, `rank` or `unwatched_ms` of one that is not over, is another
     * now. Not answered: what the disk refuses holds until the next start of the server. */
    void (*store_place)(void *arg, const struct hub_row *);
    /* Keep it in the job's row. Answered by one hub_share_stored(). */
    void (*store_share)(void *arg, const struct hub_share *);
    /* `steps` of a job that is not over is another now. Answered by hub_stored(). */
    void (*store_finish)(void *arg, const struct hub_row *);
    /* A job that is over goes, with its picture, unless another has the same one, and with its
     * cells. Answered by one hub_deleted(), until when recall() does not find it. */
    void (*store_delete)(void *arg, const struct hub_deletion *);
    /* Find finished pictures, behind all that was stored and deleted before. Answered by one
     * hub_found() with the whole message. */
    void (*search)(void *arg, const struct hub_search *);
    /* Call each, with each_arg, for a job that is over and has a row, unless it was deleted. False:
     * there is none. */
    bool (*recall)(void *arg, uint64_t job,
                   int (*each)(void *arg, const struct hub_row *, struct fail *f), void *each_arg);
    /* May the end of a job be posted to this address? ERR_BAD_FIELD. */
    int (*webhook)(void *arg, const char *url, struct fail *f);
    /* Whether a picture of this user is still on disk. */
    bool (*has_picture)(void *arg, uint32_t owner, const char *digest);
    /* A picture that a job of this user may begin with, by its digest: its size, and that at which
     * the engine reads it where that is known. ERR_NOT_FOUND, also for another user's; ERR_IO. */
    int (*source)(void *arg, uint32_t owner, struct spec_image *, struct fail *f);
    /* Decode a file and keep it as a PNG, a private one in the answer alone. Answered by one
     * hub_image(). */
    void (*take_image)(void *arg, const struct hub_file *);
    /* Write the rows of this user's uploads, the newest first (answer_image_row). */
    void (*list_images)(void *arg, uint32_t owner, struct text *out);
    /* Remove one of its uploads. Answered by one hub_discarded(). forgotten: one in memory went, so
     * that it is no error that the disk has none. */
    void (*discard_image)(void *arg, uint64_t ticket, uint32_t owner,
                          const uint8_t digest[SPEC_DIGEST_BYTES], bool forgotten);
    /* Keep it for the next start of this job, instead of an earlier one; a copy that the disk
     * refuses is lost and nothing else. Not answered; goes when the job's end is stored. */
    void (*store_checkpoint)(void *arg, uint64_t job, struct blob *);
    /* device d */
    void (*start)(void *arg, int d, const struct hub_work *);
    void (*drop)(void *arg, int d, uint64_t job); /* free the run, then RUN_DROPPED */
    /* Save the run, free it, then RUN_SUSPENDED; a run that has ended by then sends its end alone.
     * What its decoder has done is not saved, so there it is better left to finish. */
    void (*suspend)(void *arg, int d, uint64_t job);
    /* The run ends after so many denoising steps, or those that it has done. */
    void (*finish)(void *arg, int d, uint64_t job, int steps);
    void (*demand)(void *arg, int d, uint64_t job, const struct preview_demand *);
    /* Jobs in the quantum that is being computed now, 0 when none; called when the device is
     * silent. */
    int (*busy)(void *arg, int d, uint64_t *jobs, int max);
    /* What a request will take, on any of the devices. Called only while one is between
     * DEVICE_READY and DEVICE_FAILED. Checks the request against the model: ERR_BAD_PROMPT,
     * ERR_BAD_FIELD .. */
    int (*plan)(void *arg, const struct spec *, struct job_plan *out, struct fail *f);
    /* What the model reads in a prompt; called under the same condition. */
    int (*words)(void *arg, const char *prompt, struct glm_words *out, struct fail *f);
    /* A message waits for this connection: call hub_next() until NULL, as fast as it can send. */
    void (*wake)(void *arg, void *session);
    uint64_t (*random)(void *arg); /* 64 unpredictable bits */
    /* A secret of 256 of them for a shared job, and its hash. */
    void (*secret)(void *arg, char text[SHARE_TEXT], uint8_t hash[SHARE_HASH_BYTES]);
    /* An administrator has changed limits, which are in force. */
    void (*tuned)(void *arg, const struct hub_tuning *);
    /* The newest lines of the log whose number is greater than `after`, the oldest first; how
     * many. */
    int (*log)(void *arg, uint64_t after, struct answer_line *out, int max);
    /* What was measured, to be kept for the next start: at most once a minute, and at the end. */
    void (*rates)(void *arg, const struct eta_known *);
};

enum device_event_kind {
    DEVICE_READY,  /* the model is open; budget holds */
    RATE_MEASURED, /* a quantum of no job: before, after (run[0].view), cost and pixels */
    QUANTUM_DONE,  /* n runs advanced by one quantum */
    RUN_FINISHED,  /* job's picture is finished, its run is freed */
    RUN_DROPPED,   /* job's run was dropped and is freed */
    RUN_RESUMED,   /* job's run went on from a checkpoint and stands at run[0].view */
    /* checkpoint: where job's run stands, which goes on; the next comes when this one is freed */
    CHECKPOINT_TAKEN,
    /* job's run is freed; checkpoint: where it stood, NULL: at its beginning, or it cannot be saved
     * (fail) */
    RUN_SUSPENDED,
    RUN_FAILED, /* job's run failed by itself and is freed; ERR_OUT_OF_MEMORY lowers the cap, and
                    * after its last quantum the job is drawn again; ERR_CONFLICT: its tokens are
                    * not there or not of this model, it draws its own */
    /* the device failed: the n runs it held are lost, DEVICE_READY follows when it is back */
    DEVICE_FAILED,
    /* It does not come back: fail says why, batch how often it was tried; the n runs on their way
     * to it are lost. It is tried again and again, so DEVICE_READY may follow at any time. */
    DEVICE_LOST
};

struct device_event {
    enum device_event_kind kind;
    int device;
    uint64_t job;             /* RUN_ .., CHECKPOINT_TAKEN */
    uint64_t budget;          /* DEVICE_READY: bytes for runs and scratch */
    uint64_t model;           /* DEVICE_READY: its configuration and weights; 0: not known */
    double rate;              /* DEVICE_READY: planned work a second, roughly; 0: unknown */
    int batch_useful;         /* DEVICE_READY: more at a time gain nothing; 0: no bound */
    enum glm_phase phase;     /* QUANTUM_DONE: of the quantum */
    int64_t elapsed_us;       /* QUANTUM_DONE; of the device, for CHECKPOINT_TAKEN, RUN_SUSPENDED */
    unsigned previews_missed; /* QUANTUM_DONE: since the last one, as the encoder was behind */
    int n;                    /* QUANTUM_DONE, DEVICE_FAILED, DEVICE_LOST: runs */
    int batch;                /* DEVICE_FAILED: of the failing quantum; DEVICE_LOST: tries */
    struct {
        uint64_t job;
        struct glm_progress view; /* QUANTUM_DONE: after it */
    } run[LIMIT_BATCH];
    struct blob *checkpoint;       /* CHECKPOINT_TAKEN, RUN_SUSPENDED: the sender's reference */
    struct blob *tokens;           /* RUN_FINISHED, of a run with `keep`: as the checkpoint */
    int steps;                     /* RUN_FINISHED: of denoising that were done */
    const struct eta_known *known; /* READY: what an earlier start has measured; NULL: nothing */
    /* RATE_MEASURED: of the picture that was measured, and where it stood before the quantum */
    struct glm_cost cost;
    struct glm_progress before;
    int pixels;
    struct fail fail; /* RUN_FAILED, RUN_SUSPENDED, DEVICE_FAILED, DEVICE_LOST */
};

#endif
