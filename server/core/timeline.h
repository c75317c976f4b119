/* timeline - the queue played forward: when jobs will start and finish.
 *
 * It plays the rules that the service plays: dispatch_next() says which job starts next and where,
 * order_join() gives it its place there, and batcher_pick() says whose quanta are computed,
 * together or alone. They go on, at the measured rate, until the first of them is through with
 * its stage: a job costs a few steps over the residents, however many quanta it has. Copies of
 * weights between phases are a part of the measured rates. Pure; thread: the loop's. */
#ifndef SERVER_CORE_TIMELINE_H
#define SERVER_CORE_TIMELINE_H

#include "server/core/dispatch.h"
#include "server/core/eta.h"
#include "server/core/order.h"

#include <stdbool.h>

/* One job. */
struct timeline_item {
    const struct job_plan *plan; /* NULL: not made yet; nothing can be said about it */
    struct dispatch_job turn;    /* but for its plan */
    int pixels;
    struct glm_progress view; /* where it stands; all zero when it waits */
    int device;               /* of a resident; out: of one that waited */
    struct order_place place; /* of one that is a resident, or was */
    double start_s, end_s;    /* out: from now; start 0 for residents; negative: cannot be said */
};

struct timeline_run {
    struct timeline_item *item; /* NULL: its end is of no interest */
    uint64_t hold;              /* its entry in the ledger */
    struct dispatch_job turn;
    struct order_place place;
    enum eta_stage stage;
    double work[ETA_STAGES];    /* planned, that is left */
    double quantum[ETA_STAGES]; /* of one quantum */
    int size[ETA_STAGES];       /* class of its quanta */
    double own[ETA_STAGES];     /* what each quantum adds to a shared one (eta_own) */
    double rate;                /* work a second of its own, at present */
};

#define TIMELINE_PARKED 16 /* runs that urgent jobs have displaced */

struct timeline {
    const struct eta *eta;
    double now; /* seconds from its beginning */
    bool open;  /* everything that waits has started: one more job can be added */
    uint64_t holds;
    struct dispatch_state on; /* the same residents as in device[] */
    struct {
        struct timeline_run run[LEDGER_MAX];
        int n;
    } device[LIMIT_DEVICES];
    struct timeline_run parked[TIMELINE_PARKED]; /* they wait again, before all of their lane */
    int n_parked;
    const struct timeline_item *lane_end[LANES]; /* behind the last waiting one of each; or NULL */
};

/* items: first the residents, then the waiting ones in the queue's order. on: caps, budgets and
 * limit; what its ledgers hold does not count, the residents do. Writes start_s, end_s
 * and device of all items. after (may be NULL): the moment when the last item has started. */
void timeline_play(const struct eta *, struct timeline_item *items, int residents, int n,
                   const struct dispatch_state *on, struct timeline *after);
/* One more job at the end of the queue, which comes since_s after the timeline's beginning: writes
 * its times from then, and leaves the timeline where it has started. Costs as much as a few
 * residents, not a queue. Those that are ahead start as before, as it waits behind them. */
void timeline_add(struct timeline *, double since_s, struct timeline_item *);

#endif
