/* device - the devices as the hub sees them: which jobs are on each, what each may hold, whether it
 * works.
 *
 * Data alone: nothing here knows the hub. A device holds a resident from its start until the worker
 * reports that the run is freed, also while it is being dropped, because its memory is taken until
 * then. Thread: the loop's. */
#ifndef SERVER_CORE_DEVICE_H
#define SERVER_CORE_DEVICE_H

#include "proto/concurrency.h"
#include "server/core/dispatch.h"
#include "server/core/eta.h"
#include "server/core/job.h"
#include "server/core/ledger.h"

#include <stdbool.h>
#include <stdint.h>

/* One device and the jobs on it. */
struct device {
    int index;
    struct job *resident[LEDGER_MAX];
    int n_resident;
    struct ledger ledger; /* what its residents hold */
    bool ready, stuck;
    bool failed;                 /* and not ready again since */
    int cap;                     /* residents at most */
    int cap_memory, cap_failure; /* what fits; the cap after an out-of-memory */
    int cap_useful;              /* more gain nothing; 0: unknown */
    struct cap_device why;       /* why no more, or why none */
    int64_t last_seen_us;        /* when its last event came */
    int64_t stood_us;            /* the process stood still so long, in a quantum under way */
};

struct devices {
    struct device at[LIMIT_DEVICES];
    int n;
    char why_cap[256]; /* one sentence for all of them */
    uint64_t why_seq;  /* grows with each change of it, and of each one's own */
};

/* n devices that are not ready; n < 1 means 1. */
void devices_init(struct devices *, int n);
bool devices_ready(const struct devices *);    /* a model is open: plans can be made */
bool devices_working(const struct devices *);  /* one computes, or could */
int devices_residents(const struct devices *); /* on all of them */
int devices_cap(const struct devices *);       /* of those that are ready; of all when none is */
/* The ledger of the largest device that is ready, which bounds what one picture may take; NULL:
 * none. */
const struct ledger *devices_largest(const struct devices *);
/* The devices as dispatch_next() wants them; limit: residents on all of them together. */
void devices_state(const struct devices *, int limit, struct dispatch_state *out);

bool device_works(const struct device *); /* ready and not stuck */
bool device_has_place(const struct device *);
/* Make a job resident, with its place in the order; its plan must fit. It goes on where its
 * checkpoint stands, if it has one. */
void device_hold(struct device *, int64_t now, struct job *, const struct eta *);
/* Its run is not to go on. */
void device_drop(struct job *);
/* The run of a job is freed; it must be on a device. */
void device_release(struct job *);
/* NULL: the job is not on this one. */
struct job *device_find(const struct device *, uint64_t job);

#endif
