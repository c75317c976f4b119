/* event - an event of one job, as its board keeps it: one slot for each kind, the newest replaces.
 *
 * Every event carries its job and a sequence number; all subscriptions get the same bytes, which
 * are therefore encoded once. Strings are borrowed for the time of the call. Thread: any, no
 * state. */
#ifndef PROTO_EVENT_H
#define PROTO_EVENT_H

#include "proto/fail.h"
#include "proto/frame.h"
#include "proto/spec.h"
#include "proto/sweep.h"
#include "proto/text.h"

#include <stdint.h>

/* Slots of a board; of `cell`, one for each cell of a sweep. */
enum event_kind {
    EVENT_ACCEPTED,
    EVENT_QUEUE,
    EVENT_PHASE,
    EVENT_PROGRESS,
    EVENT_PREVIEW, /* the only binary one */
    EVENT_CELL,    /* of a sweep alone */
    EVENT_RESULT,  /* of a picture alone */
    EVENT_END,     /* terminal: the last of its job, once */
    EVENT_KINDS
};

/* The first four are numbers of frame.h, too; of pictures that begin with others, those behind them
 * come after the first. */
enum event_phase {
    PHASE_NONE = -1,
    PHASE_GLYPH,
    PHASE_PRIOR,
    PHASE_DENOISE,
    PHASE_DECODE,
    PHASE_VISION,
    PHASE_ENCODE,
    PHASES
};
enum event_state { STATE_QUEUED, STATE_RUNNING, STATE_DONE, STATE_FAILED, STATE_CANCELLED, STATES };

/* Why a job waits. */
enum event_why {
    WHY_TURN,     /* others are before it */
    WHY_SLOTS,    /* next, but as many jobs as the cap allows run */
    WHY_MEMORY,   /* next, but it does not fit beside the running jobs */
    WHY_STARTING, /* the model is being loaded */
    WHY_DEVICE,   /* every device has failed and is being opened again */
    WHY_DISK,     /* finished pictures wait for the disk, which takes nothing */
    WHY_URGENT,   /* an urgent job took its place; it goes on from where it stood */
    WHY_PAUSED,   /* an administrator lets nothing start */
    WHY_HELD,     /* its owner holds it back; it has no place and no times */
    WHY_STOPPING, /* the server stops; the job is kept for its next start */
    WHYS
};

/* What a job has to do with a sweep. */
struct event_sweep {
    const struct sweep_place *place; /* of a cell; NULL or without parent: it is none */
    const char *axes;                /* of a sweep: its fields and values, JSON; NULL: it is none */
    const uint64_t *cells;           /* of a sweep: its cells' jobs, in order */
    int n_cells;
};

struct event_accepted {
    const struct spec *spec; /* with the chosen seed */
    const char *key;         /* the client's, or "" */
    int64_t created_ms;      /* Unix time */
    /* from now until its result, in the answer to submit; 0 or less: not written */
    int64_t eta_ms, eta_lo_ms, eta_hi_ms;
    struct event_sweep sweep;
    bool cached;  /* in the answer to submit: the picture was there already */
    bool private; /* nothing of it is on disk */
};
struct event_queue {
    int position;     /* 1: next to start; 0: it is held */
    int ahead;        /* jobs that wait before it and jobs that run */
    int64_t start_ms; /* from now until it starts; < 0: unknown; so are all times below */
    int64_t eta_ms;   /* from now until its result */
    int64_t eta_lo_ms, eta_hi_ms;
    enum event_why why;
};
struct event_phase_start {
    enum event_phase phase;
    int total; /* quanta of this phase */
};
struct event_progress {
    enum event_phase phase; /* PHASE_NONE: of a sweep, whose quanta are its cells */
    int done, total;        /* quanta of this phase */
    double overall;         /* 0 .. 1, never decreases within a run of the server */
    int64_t eta_ms;
    bool waits;         /* others on the device are drawn before it goes on .. */
    enum event_why why; /* .. because of this: TURN or URGENT */
};
struct event_preview {
    enum event_phase phase;
    enum frame_format format;
    int width, height;
    const void *image; /* encoded bytes */
    uint32_t bytes;
};
struct event_result {
    const char *url;    /* "/i/<digest>.png" */
    const char *digest; /* BLAKE2b-256 of the file, 64 hex digits */
    int width, height;
    int64_t seed;
    double seconds; /* of running time */
    int64_t bytes;
    int steps_done; /* of denoising, when it was finished before the last; else 0 */
};
struct event_cell {
    int cell;
    enum event_state state;
    const struct event_result *result; /* when DONE, else NULL */
    const struct fail *error;          /* when FAILED, else NULL */
};
struct event_counts {
    int cells, done, failed, cancelled; /* cells: all; the others are over */
};
struct event_end {
    enum event_state state;            /* DONE, FAILED or CANCELLED */
    const struct fail *error;          /* when FAILED, else NULL */
    const struct event_counts *counts; /* of a sweep's cells; NULL: it is none */
    const char *cells;                 /* of a sweep: JSON, an array (cells.h) */
};

struct event {
    enum event_kind kind;
    union {
        struct event_accepted accepted;
        struct event_queue queue;
        struct event_phase_start phase;
        struct event_progress progress;
        struct event_preview preview;
        struct event_cell cell;
        struct event_result result;
        struct event_end end;
    } u;
};

/* Write the whole message to out, which is empty: JSON, or a binary frame for EVENT_PREVIEW.
 * ref: the request that this answers (only `accepted` can be an answer), or "" or NULL. */
void event_encode(const struct event *, uint64_t job, uint64_t seq, const char *ref,
                  struct text *out);

/* Names on the wire; assert on a value outside its enum. */
const char *event_kind_name(enum event_kind);
const char *event_phase_name(enum event_phase);
const char *event_state_name(enum event_state);
const char *event_why_name(enum event_why);

/* Value of a name, -1 when there is none. */
int event_phase_parse(const char *name);
int event_state_parse(const char *name);

/* Write a failure's code, message, hint, and field and retry_after_ms where they are set, into the
 * object that is open. */
void event_write_fail(const struct fail *, struct text *out);
/* Write eta_range_ms: [lo, hi], or null when one is unknown (< 0). */
void event_write_range(int64_t lo_ms, int64_t hi_ms, struct text *out);
/* Write parent, cell and at, or sweep and cells, into the object that is open; nothing of a job
 * that has nothing to do with a sweep. */
void event_write_sweep(const struct event_sweep *, struct text *out);
/* Write counts into it. */
void event_write_counts(const struct event_counts *, struct text *out);
/* Write a result's members into the object that is open. */
void event_write_result(const struct event_result *, struct text *out);

#endif
