/* work - the messages of a worker's mailbox. Sent by the loop, handled and freed by the worker. */
#ifndef SERVER_WORKER_WORK_H
#define SERVER_WORKER_WORK_H

#include "proto/spec.h"
#include "server/base/mbox.h"
#include "server/core/effects.h"

enum work_kind { WORK_START, WORK_DROP, WORK_WISH, WORK_RELEASE, WORK_STOP };

struct work {
    struct msg m; /* enum work_kind */
    uint64_t job, scratch;
    struct spec spec;
    struct hub_wish wish;
};

/* For START: what is to run; the spec is copied. NULL when memory is short. */
struct work *work_start(const struct hub_work *);
/* For the others; wish for WISH only. NULL when memory is short. */
struct work *work_new(enum work_kind, uint64_t job, const struct hub_wish *wish);
void work_free(struct work *);

#endif
