/* hub - the heart of the service: applies inputs to jobs and emits what follows from them.
 *
 * No socket, no clock, no lock: time is an argument (microseconds of a monotonic clock, any origin),
 * effects go through struct hub_out. Everything a connection is ever sent comes out of hub_next() as a
 * finished message.
 *
 * Rules for the shell around it
 * - One thread calls the hub. No function of the hub is called from inside a callback of hub_out.
 * - Callbacks borrow their pointers for the time of the call; a blob that is kept needs blob_ref().
 * - After a round of inputs: hub_due() says when hub_tick() is wanted next. Calling it more often is fine.
 * - Every store_accept and store_end is answered by exactly one hub_stored, for one job in their
 *   order. An accepted row without an end is handed to hub_restore() at the next start.
 * - An end that the disk refuses is kept back and stored again a second later (as `failed` when it was a
 *   result), until the disk takes it: what was told once must stay so.
 * - Every start is answered by exactly one end of that run: NOTE_DRAWN, NOTE_GONE, NOTE_FAILED, or its
 *   job listed in NOTE_DEVICE. A drop for a job that the worker does not hold is ignored without a word.
 * - The worker sends NOTE_DRAWN before it hands the picture to the encoder; the encoder answers each
 *   picture with exactly one hub_encoded.
 * - The worker steps the batch that turn_pick() chooses and sends NOTE_QUANTUM after each, before the
 *   note that ends a run.
 *
 * What survives a restart: jobs, their order, keys, seeds, results, and the sequence numbers of
 * `accepted`, `result` and `end`. Progress does not: a job that ran waits again, and its `overall`
 * begins again with `queue`; within one run of the server it never goes back. */
#ifndef SERVER_CORE_HUB_H
#define SERVER_CORE_HUB_H

#include "kernels/glm.h"
#include "proto/command.h"
#include "proto/event.h"
#include "proto/spec.h"
#include "server/base/blob.h"
#include "server/core/ledger.h"

#include <stdbool.h>
#include <stdint.h>

struct hub;
struct peer; /* the hub's side of one connection */

struct hub_conf {
    uint64_t boot;   /* 1, 2, 3 .. which start of the server with its data folder */
    int64_t unix_ms; /* Unix time at clock 0: now / 1000 + unix_ms is Unix time */
    const struct spec_limits *limits; /* what requests may ask for; may change between calls */
    int queue_max;                    /* jobs that may wait, 1 .. LIMIT_QUEUE_MAX */
    int devices;     /* 1 .. LIMIT_DEVICES of one kind, numbered from 0; 0 means 1 */
    int concurrency; /* residents at most, on all of them; 0: what memory allows and they are worth */
    int job_seconds;                 /* of device time a job */
    int stuck_seconds;               /* silence of a busy device before it counts as stuck */
    int kept;                        /* jobs that are over and stay in memory; LIMIT_JOBS_KEPT */
    int64_t done, failed, cancelled; /* jobs ended before this start, for the statistics */
};

/* What the store keeps of a job. */
struct hub_row {
    uint64_t job, order; /* order: of acceptance; unique, grows */
    int64_t created_ms;
    const char *key;       /* "" none; unique among jobs that are remembered, not for ever */
    const uint8_t *digest; /* SPEC_DIGEST_BYTES: of the request */
    const struct spec *spec;
    uint64_t accepted_seq;
    /* only when it is over; else state is STATE_QUEUED */
    enum event_state state;
    uint64_t result_seq, end_seq;    /* result_seq 0 unless DONE */
    const char *result_digest;       /* DONE: 64 hex digits */
    int64_t result_bytes, result_us; /* DONE: of the file; running time */
    const struct fail *error;        /* FAILED */
};

/* What previews of one job are wanted: bit c of classes stands for board class c (board.h). */
struct hub_wish {
    uint32_t classes; /* 0: none, do not draw any */
    int max_px;       /* longest side of the largest class */
    int every_ms;     /* not more often than this */
};

/* A job becomes resident. */
struct hub_work {
    uint64_t job;
    const struct spec *spec; /* seed chosen */
    uint64_t scratch;        /* for glm_reserve() before its first quantum */
    struct hub_wish wish;
};

struct hub_out {
    void *arg;
    /* disk: one row; store_end also writes the result's file (NULL unless DONE) before the row */
    void (*store_accept)(void *arg, const struct hub_row *);
    void (*store_end)(void *arg, const struct hub_row *, struct blob *file);
    /* device d */
    void (*start)(void *arg, int d, const struct hub_work *);
    void (*drop)(void *arg, int d, uint64_t job); /* free the run, then NOTE_GONE */
    void (*wish)(void *arg, int d, uint64_t job, const struct hub_wish *);
    /* Jobs in the quantum that is being computed now, 0 when none; called when the device is silent. */
    int (*busy)(void *arg, int d, uint64_t *jobs, int max);
    /* What a request will take, on any of the devices. Called only while one is between NOTE_READY and NOTE_DEVICE.
     * Checks the request against the model: ERR_BAD_PROMPT, ERR_BAD_FIELD .. */
    int (*plan)(void *arg, const struct spec *, struct plan *out, struct fail *f);
    /* There is something for this connection: hub_next() until NULL, at its own pace. */
    void (*wake)(void *arg, void *session);
    uint64_t (*random)(void *arg); /* 64 unpredictable bits */
};

/* --- life --------------------------------------------------------------------------------------- */

/* conf and out are copied. 0 or ERR_OUT_OF_MEMORY. */
int hub_new(struct hub **out, const struct hub_conf *, const struct hub_out *);
void hub_free(struct hub *); /* closes what is open; calls nothing of hub_out */
/* One row of the last runs, in order of acceptance, before any other input. Unended jobs wait again;
 * ended ones are there to be watched and to answer their keys. */
int hub_restore(struct hub *, int64_t now, const struct hub_row *, struct fail *f);

/* Time limits, watchdog, estimates, statistics. */
void hub_tick(struct hub *, int64_t now);
int64_t hub_due(const struct hub *); /* when hub_tick() is wanted; INT64_MAX: not at all */

/* Stop: no new jobs; runs are dropped and wait on disk for the next start; every waiting job's viewers
 * hear `stopping`. hub_idle(): nothing is on the device, with the encoder or on its way to the disk. */
void hub_drain(struct hub *, int64_t now);
bool hub_idle(const struct hub *);

/* --- connections -------------------------------------------------------------------------------- */

/* session comes back in wake(). NULL when memory is short. */
struct peer *hub_open(struct hub *, void *session);
void hub_close(struct hub *, struct peer *);

/* One message of a client: decoded, obeyed, answered exactly once, answers in the order of commands.
 * Nothing in it can fail towards the caller. */
void hub_text(struct hub *, int64_t now, struct peer *, const char *text, size_t len);
/* The same for a command that is decoded already (takes its spec). */
void hub_command(struct hub *, int64_t now, struct peer *, struct command *);
/* Say an error that answers nothing readable: binary or oversize message, `shutting_down`. */
void hub_error(struct hub *, struct peer *, const struct fail *);

/* The next message for a connection, or NULL. The caller owns the reference. Answers come first, then
 * events of jobs in turn (text before the previews of other jobs), then statistics. */
struct blob *hub_next(struct hub *, int64_t now, struct peer *, bool *binary);
/* Bytes of answers that wait: above LIMIT_OUTBOX_BYTES close the connection (4008). Events do not count,
 * they never pile up. */
size_t hub_backlog(const struct peer *);

/* --- answers of the other threads ---------------------------------------------------------------- */

/* The row of store_accept or store_end is on disk (why NULL) or will never be. */
void hub_stored(struct hub *, int64_t now, uint64_t job, const struct fail *why);

/* The finished file and the hex BLAKE2b-256 of it; file NULL: it failed. file is borrowed. */
void hub_encoded(struct hub *, int64_t now, uint64_t job, struct blob *file, const char *digest,
                 const struct fail *why);

/* A preview in the classes of the wish; images are borrowed (board.h: struct board_image). */
struct board_image;
void hub_preview(struct hub *, int64_t now, uint64_t job, enum event_phase,
                 const struct board_image *, int n);

enum note_kind {
    NOTE_READY,   /* the model is open; budget holds */
    NOTE_QUANTUM, /* n runs advanced by one quantum */
    NOTE_DRAWN,   /* job's picture is finished, its run is freed */
    NOTE_GONE,    /* job's run was dropped and is freed */
    NOTE_FAILED,  /* job's run failed by itself and is freed; ERR_OUT_OF_MEMORY lowers the cap */
    NOTE_DEVICE, /* the device failed: the n runs it held are lost, NOTE_READY follows when it is back */
    /* It does not come back: fail says why, batch how often it was tried; the n runs on their way to it are lost. It is
     * tried again and again, so NOTE_READY may follow at any time. */
    NOTE_AWAY
};

struct note {
    enum note_kind kind;
    int device;
    uint64_t job;    /* DRAWN, GONE, FAILED */
    uint64_t budget; /* READY: bytes for runs and scratch */
    int worth;       /* READY: more pictures at a time gain nothing by sharing; 0: no such bound */
    enum glm_phase phase; /* QUANTUM: of the quantum */
    int64_t elapsed_us;   /* QUANTUM */
    int n;                /* QUANTUM, DEVICE, AWAY: runs */
    int batch;            /* DEVICE: the first so many shared the failing quantum; AWAY: tries */
    struct {
        uint64_t job;
        struct glm_view view; /* QUANTUM: after it */
    } run[LIMIT_BATCH];
    struct fail fail; /* FAILED, DEVICE, AWAY */
};
void hub_note(struct hub *, int64_t now, const struct note *);

/* --- for hello, /healthz and tests ---------------------------------------------------------------- */

struct hub_counts {
    bool ready, stopping;
    int cap, running, queued;
    int64_t done, failed, cancelled;
};
void hub_counts(const struct hub *, struct hub_counts *out);
const char *
hub_why_cap(const struct hub *); /* one sentence for people; valid until the next input */

#endif
