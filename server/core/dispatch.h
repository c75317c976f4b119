/* dispatch - the one rule that says which waiting job starts next, and on which device.
 *
 * Pure: plain states in, a choice out. The hub asks it to start jobs, the forecast and the quote
 * ask it to play the queue forward, so that an estimate cannot drift from what then happens.
 *
 * The rule
 * - Of each lane the first in the queue's order may go, and a job that must wait for memory is not
 *   overtaken in its lane. A user who has as many jobs on devices as it may is passed over.
 * - An urgent job goes first, and starts although the cap is reached: it then gets every quantum of
 *   its device (batcher.h), so that the others pause there. Where it has no memory beside them, one
 *   is displaced: suspended, to go on later; of the last lane, and in it the one whose turn was
 *   last.
 * - A normal job goes before one of `batch`, until so much other work has started while that waited
 *   as DISPATCH_BATCH times its own: no lane waits for ever while others come.
 * - Of the devices that have a place and memory, the one with the smallest part of its places
 *   taken, the lower index when two are alike. */
#ifndef SERVER_CORE_DISPATCH_H
#define SERVER_CORE_DISPATCH_H

#include "proto/limits.h"
#include "proto/user.h"
#include "server/core/ledger.h"

#include <stdbool.h>

#define DISPATCH_WINDOW 4  /* waiting jobs of each lane that the rule may look at: the first ones */
#define DISPATCH_BATCH  15 /* work of other lanes for each job of `batch`: it has a sixteenth */

/* A resident, as far as another may take its place. */
struct dispatch_resident {
    enum user_lane lane;
    double begin; /* its place in its lane (struct job_share) */
    bool leaving; /* its memory will be free soon */
    bool fixed;   /* it is not displaced: what it has done would be lost */
    int slot;     /* its user's */
};

struct dispatch_device {
    int cap;              /* residents at most; 0: it takes none now */
    struct ledger ledger; /* its residents, each with an entry, and its budget */
    struct dispatch_resident resident[LEDGER_MAX]; /* of the same index as in the ledger */
};

struct dispatch_state {
    struct dispatch_device device[LIMIT_DEVICES];
    int devices;
    int limit;       /* residents on all devices together */
    double passed_s; /* device-seconds that others have started while `batch` waited */
};

/* A waiting job. */
struct dispatch_job {
    const struct job_plan *plan; /* NULL: not made yet */
    bool leaving; /* the worker has not yet reported its last run freed: it cannot start before */
    enum user_lane lane;
    double begin, cost_s; /* its place in its lane, and device-seconds it will take */
    int slot, most;       /* its user, and that user's jobs on devices at most; 0: no bound */
};

enum dispatch_verdict {
    DISPATCH_WAIT,    /* none can start now */
    DISPATCH_PLAN,    /* the rule needs the plan of waiting[job] */
    DISPATCH_START,   /* waiting[job] starts on device[device] */
    DISPATCH_DISPLACE /* resident[resident] of device[device] is to be suspended for it */
};

struct dispatch_choice {
    enum dispatch_verdict verdict;
    int job, device, resident;
};

/* May the user of this job have one more on the devices? Those who may not are left out of what
 * dispatch_next() is given. */
bool dispatch_allows(const struct dispatch_state *, const struct dispatch_job *);
/* waiting: of each lane the first jobs in the queue's order, at most DISPATCH_WINDOW, in all n. */
struct dispatch_choice dispatch_next(const struct dispatch_state *,
                                     const struct dispatch_job *waiting, int n);
/* This job starts, and others of `batch` go on waiting or not: writes passed_s. */
void dispatch_started(struct dispatch_state *, const struct dispatch_job *, bool batch_waits);
/* The bookkeeping of a resident that joins or leaves a device, in the ledger and beside it. */
void dispatch_hold(struct dispatch_device *, uint64_t id, const struct dispatch_job *);
void dispatch_release(struct dispatch_device *, uint64_t id);
/* Is any place free? False: dispatch_next() would say WAIT unless something urgent waits. */
bool dispatch_room(const struct dispatch_state *);
/* Does a device have a place for it, but not the memory? */
bool dispatch_lacks_memory(const struct dispatch_state *, const struct job_plan *);

#endif
