/* job - one request for one picture, from its first byte on disk to its terminal event.
 *
 * What a job may do next is one table in job.c; nothing else assigns job->state. A job owns its
 * spec, its board and its list of subscriptions; it lives as long as the hub remembers it. Thread:
 * the loop's.
 *
 *   ADMIT ──stored──▶ QUEUED ──start──▶ RUNNING ──drawn──▶ SAVING
 *     │                 ▲ └────────┐       │ │                │
 *     └─refuse─▶ (gone) └─requeued─┼───────┘ │                │
 *                                  └──end────┴──▶ ENDING ◀────┘ ──▶ DONE | FAILED | CANCELLED
 *
 * QUEUED ──drawn──▶ SAVING: its picture was finished before the worker was told to suspend it.
 * A sweep (sweeps.h) goes from QUEUED to RUNNING with its first cell, and to ENDING with its last.
 * ENDING: how it ends is decided and on its way to the disk; `end` is posted when it is stored, so
 * that a crash in between cannot give a job two ends. */
#ifndef SERVER_CORE_JOB_H
#define SERVER_CORE_JOB_H

#include "proto/cells.h"
#include "proto/event.h"
#include "proto/spec.h"
#include "server/core/account.h"
#include "server/core/board.h"
#include "server/core/effects.h"
#include "server/core/ledger.h"
#include "server/core/order.h"

#include <stdbool.h>
#include <stdint.h>

enum job_state {
    JOB_ADMIT,   /* on its way to the disk; its submit is not answered yet */
    JOB_QUEUED,  /* on disk, waits */
    JOB_RUNNING, /* on the device */
    JOB_SAVING,  /* drawn, off the device; with the encoder */
    JOB_ENDING,  /* its end is on its way to the disk */
    JOB_DONE,
    JOB_FAILED,
    JOB_CANCELLED,
    JOB_STATES
};

enum job_move {
    MOVE_STORED,   /* accepted: it is on disk */
    MOVE_START,    /* becomes resident */
    MOVE_REQUEUE,  /* its run or its picture was lost, or the server stops */
    MOVE_FINISHED, /* the picture left the device; also when it was to be suspended: too late */
    MOVE_END,      /* its end is decided */
    MOVE_DONE,     /* the end is on disk */
    MOVE_FAILED,
    MOVE_CANCELLED,
    JOB_MOVES
};

struct client;
struct device;
struct subscription;
struct pending_reply;

/* Written by lifecycle when it starts and ends, by device_events while it lasts. */
struct job_run {
    /* NULL: none; else its ledger counts the bytes until the worker reports the run freed */
    struct device *device;
    bool dropping;            /* a drop or suspend was sent to the worker; never while RUNNING */
    bool displaced;           /* it waits because an urgent job took its place */
    struct order_place place; /* in the order of its device; also while it is suspended */
    int waits; /* why it was not in the device's last quantum (enum event_why); -1: it was */
    int64_t started_us;
    int64_t used_us;               /* its share of device time, which the time limit counts */
    int64_t spent_us;              /* from the start to the finished picture, for the result */
    int64_t past_us, past_used_us; /* the same two of the runs that this one goes on from .. */
    int64_t ran_us, ran_used_us;   /* .. and with the last one, should the next go on from it */
    int retries;              /* runs that were lost: with their device, or for want of memory */
    struct glm_progress view; /* of the newest quantum */
    struct blob *checkpoint;  /* QUEUED: where it was suspended; else NULL */
    bool keep;                /* its checkpoints may be written to disk */
    bool whole;   /* the tokens kept for it are none for this engine: it draws its own */
    double from;  /* view.overall where this run began: 0, or at its checkpoint */
    double floor; /* overall when the last run was lost, or `from` if that is more */
    /* floor .. 1 as view.overall goes from `from` to 1: never goes back */
    double overall;
    int64_t progress_us; /* when progress was posted */
    /* the preview demand that was sent to the worker (previews) */
    uint32_t demand_classes;
    int demand_every_ms;
};

/* Written by lanes. */
struct job_share {
    double begin;    /* where it begins in its lane's virtual time */
    double cost;     /* virtual seconds that it counts for */
    int64_t used_us; /* device time of runs before the present one */
};

/* Written by forecast. Times of the clock, < 0: unknown. */
struct job_forecast {
    int64_t start_us, end_us;
    int64_t played_us; /* its end, not corrected */
    /* when it was accepted, and the time that was played for it from then; 0: unknown */
    int64_t accepted_us, first_us;
    enum eta_kind kind; /* by which its times are corrected; of the first estimate */
    /* what its newest `queue` holds; place 0: none was sent. Of its newest `progress` the last two:
     * why -1: it was drawn. */
    int sent_place, sent_ahead, sent_why;
    int64_t sent_end_us, sent_lo_us, sent_hi_us;
};

/* Written by lifecycle. */
struct job_end {
    enum job_state outcome; /* ENDING: DONE, FAILED or CANCELLED */
    struct fail error;      /* FAILED */
    char digest[65];        /* DONE: of the file, hex */
    int64_t bytes;          /* DONE: of the file */
    struct blob *file;      /* while it is being stored; of a private job until it is forgotten */
    int64_t until_us;       /* a private job is over, and remembered until then */
    struct blob *tokens;    /* the same; NULL: none */
    bool kept;              /* DONE: its tokens are on disk */
    int steps;              /* DONE: denoising steps that were done; 0: those of its spec */
    uint64_t model;         /* DONE: which has drawn it; 0: unknown .. */
    uint8_t picture[SPEC_DIGEST_BYTES]; /* .. else of what the picture depends on beside it */
    bool early;                         /* ADMIT: it was cancelled before it was on disk */
    bool on_disk;           /* ENDING: its end is durable, only the events are left to post */
    bool refused;           /* ENDING: the disk refused its end, and has not taken it since */
    int64_t cancelled_us;   /* when; 0: it was not */
    enum event_state tried; /* ENDING: which end the disk was given; STATE_QUEUED: none */
    bool asked;             /* refused: it is on its way to the disk again */
};

/* Written by abandon. */
struct job_leave {
    int unwatched_ms;         /* it is cancelled after so long without a viewer; 0: never */
    int64_t since_us;         /* it has had none since then; 0: it has one */
    struct client *submitter; /* the open connection that submitted it; NULL: none */
};

/* Written by sweeps, of a job that is one. */
struct job_cell {
    struct cell kept; /* what its row has of it */
    struct job *job;  /* until its end is noted */
    int sent;         /* the state that was posted last, -1: none; new cells wait */
};
struct job_sweep {
    char *axes, *kept; /* JSON, owned: as it was asked for; and its cells, for its row */
    struct event_counts counts;
    int sent_over;           /* cells that were over when progress was posted */
    bool touched;            /* a cell has moved since that was noted */
    struct job *next, *prev; /* all sweeps that are not over */
    int n;
    struct job_cell cell[];
};

/* Written by shares: guests see it, and its cells, until then. */
struct job_guests {
    int64_t until_ms;               /* Unix time; 0: it is not shared */
    uint8_t hash[SHARE_HASH_BYTES]; /* of the secret that they come with */
    int storing;                    /* changes that are on their way to the disk */
    int64_t disk_ms;                /* what the disk has taken, as until_ms and hash */
    uint8_t disk_hash[SHARE_HASH_BYTES];
};

/* Written by registry: its places in the lists of all jobs. */
struct job_links {
    struct job *next_id, *next_key, *next_picture; /* hash chains */
    struct job *newer, *older;                     /* all jobs in order of acceptance */
    struct job *next_over;                         /* those that are over, in order of their end */
};

struct job {
    /* written once, when it is accepted or restored */
    uint64_t id;
    uint64_t order; /* of acceptance: 1, 2, 3 .. over all starts of the server */
    struct account *owner;
    char key[LIMIT_KEY_BYTES + 1];     /* "" none */
    uint8_t digest[SPEC_DIGEST_BYTES]; /* of the request, before a seed was picked */
    struct spec spec;                  /* owned; with the seed */
    int64_t created_ms;                /* Unix time */
    struct sweep_place place;          /* of a cell; parent 0: it is none */
    struct job_sweep *sweep;           /* of a sweep, owned; NULL: it is none */

    /* written by sweeps */
    struct job *parent; /* the sweep that notes what becomes of it; NULL: none */
    bool unnoted;       /* its sweep needs it: it stays in memory, over or not */

    /* written by job_move() */
    enum job_state state;
    enum job_state before; /* ENDING: what it was until then, which is what clients still see */

    /* written by lifecycle and commands */
    bool held;      /* ADMIT, QUEUED: its owner holds it back; it is not in the queue */
    uint64_t rank;  /* among its owner's jobs: first its order */
    bool favourite; /* its picture goes last */
    bool private;   /* written once: private.h */
    struct blob *source[LIMIT_IMAGES]; /* the same, of a private job: sources.h; NULL: on disk */
    int steps;          /* it ends after so many denoising steps (finish); 0: those of its spec */
    bool storing_steps; /* that is on its way to the disk */
    bool steps_lost;    /* the disk refused it: a killed server would not know */
    struct job_plan plan;
    bool planned; /* plan is valid; false while the model is not loaded */

    struct job_share share;
    struct job_run run;
    struct job_forecast forecast;
    struct job_end end;
    struct job_leave leave;
    struct job_guests guests;
    struct board board;

    /* written by client */
    struct subscription *subscriptions;
    /* what waits for the disk, newest first: ADMIT: submits, storing_steps: finishes */
    struct pending_reply *waiters;

    struct job_links links;
};

/* The state a move leads to, or -1 when the table does not allow it. */
int job_next(enum job_state, enum job_move);
/* Make a move. 0, or ERR_CONFLICT (state unchanged). */
int job_move(struct job *, enum job_move);

bool job_over(const struct job *);                /* DONE, FAILED or CANCELLED */
enum event_state job_public(const struct job *);  /* its state on the wire; not for ADMIT */
enum event_state job_outcome(const struct job *); /* how it ends, decided or over */
const char *job_state_name(enum job_state);
/* Its picture, of a job that is done or was, was drawn by this model: it can be found by what it
 * depends on, once it is over; not one that ended after fewer steps, and not without memory. */
void job_identify(struct job *, uint64_t model);
/* What it has to do with a sweep, with room for the ids of its cells; borrows from it. */
struct event_sweep job_sweep(const struct job *, uint64_t cells[LIMIT_CELLS]);
/* The picture of a job that is done, with room for its address; borrows from both. */
struct event_result job_result(const struct job *, char url[URL_TEXT]);

/* What the engine is to draw; borrows the prompt. */
struct spec job_drawn(const struct job *);

/* Takes the spec (leaves it empty). NULL when memory is short. seq: where its board begins. */
struct job *job_new(uint64_t id, struct account *owner, struct spec *, uint64_t seq);
void job_free(struct job *); /* no subscription and no waiter may be left */

#endif
