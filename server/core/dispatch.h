/* dispatch - the one rule that says which waiting job starts next, and on which device.
 *
 * Pure: plain states in, a choice out. The hub asks it to start jobs, the forecast and the quote
 * ask it to play the queue forward, so that an estimate cannot drift from what then happens.
 *
 * Today's rule: the first in the queue's order and nothing else, so a job that must wait for memory
 * is not overtaken; of the devices that have a place and memory for it, the one with the smallest
 * part of its places taken, the lower index when two are alike. */
#ifndef SERVER_CORE_DISPATCH_H
#define SERVER_CORE_DISPATCH_H

#include "proto/limits.h"
#include "server/core/ledger.h"

#include <stdbool.h>

#define DISPATCH_WINDOW 16 /* waiting jobs that the rule may look at: the first of the queue */

struct dispatch_device {
    int cap;              /* residents at most; 0: it takes none now */
    struct ledger ledger; /* its residents, each with an entry, and its budget */
};

struct dispatch_state {
    struct dispatch_device device[LIMIT_DEVICES];
    int devices;
    int limit; /* residents on all devices together */
};

/* A waiting job. */
struct dispatch_job {
    const struct job_plan *plan; /* NULL: not made yet */
    bool leaving; /* the worker has not yet reported its last run freed: it cannot start before */
};

enum dispatch_verdict {
    DISPATCH_WAIT, /* none can start now */
    DISPATCH_PLAN, /* the rule needs the plan of waiting[job] */
    DISPATCH_START /* waiting[job] starts on device[device] */
};

struct dispatch_choice {
    enum dispatch_verdict verdict;
    int job, device;
};

/* waiting: the first n jobs of the queue in its order, n <= DISPATCH_WINDOW. */
struct dispatch_choice dispatch_next(const struct dispatch_state *,
                                     const struct dispatch_job *waiting, int n);
/* Is any place free? False: dispatch_next() would say WAIT whatever waits. */
bool dispatch_room(const struct dispatch_state *);
/* Does a device have a place for it, but not the memory? */
bool dispatch_lacks_memory(const struct dispatch_state *, const struct job_plan *);

#endif
