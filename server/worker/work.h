/* work - the messages of a worker's mailbox. Sent by the loop, handled and freed by the worker. */
#ifndef SERVER_WORKER_WORK_H
#define SERVER_WORKER_WORK_H

#include "proto/spec.h"
#include "server/base/mbox.h"
#include "server/core/effects.h"

enum work_kind {
    WORK_START,
    WORK_DROP,
    WORK_SUSPEND,
    WORK_FINISH,
    WORK_DEMAND,
    WORK_RELEASE,
    WORK_STOP,
    WORK_RATES,
    WORK_PROBE
};

struct work {
    struct msg m; /* enum work_kind */
    uint64_t job, scratch;
    struct spec spec;
    struct glm_cost cost;
    double place;
    struct preview_demand demand;
    struct blob *checkpoint;           /* START: a reference, or NULL */
    struct blob *tokens;               /* the same */
    struct blob *source[LIMIT_IMAGES]; /* START: references, NULL: on disk */
    bool keep;                         /* START */
    int steps;                         /* START, FINISH: after which the run ends; 0: after all */
    struct eta_known *known;           /* RATES: owned */
};

/* For START: what is to run; the spec is copied. NULL when memory is short. */
struct work *work_start(const struct hub_work *);
/* For the others; demand for DEMAND only. NULL when memory is short. */
struct work *work_new(enum work_kind, uint64_t job, const struct preview_demand *demand);
void work_free(struct work *);

#endif
