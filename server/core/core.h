/* core - the hub's inside, shared by the files that make it up; nobody else includes it.
 *
 *   hub.c    from outside in: connections, restart, timer         desk.c  commands and their answers
 *   life.c   the moves of one job: accept, start, end             push.c  places, estimates, statistics
 *   crew.c   the device: who is on it, its notes, cap, watchdog
 *
 * A change that others must hear of calls push_touch(); every entry from outside ends with
 * hub_settle(), which starts what can start and pushes what is due. Thread: the loop's. */
#ifndef SERVER_CORE_CORE_H
#define SERVER_CORE_CORE_H

#include "server/core/client.h"
#include "server/core/eta.h"
#include "server/core/hub.h"
#include "server/core/job.h"
#include "server/core/ledger.h"
#include "server/core/queue.h"
#include "server/core/registry.h"
#include "server/core/stats.h"

#define HUB_PUSH_US     250000  /* places, estimates and statistics: at most four times a second */
#define HUB_PROGRESS_US 16000   /* of one job; the last of a phase always goes */
#define HUB_AGAIN_US    1000000 /* until the disk is asked again to take an end */
#define HUB_LOSSES_MAX  3 /* runs that one job may lose with the device before it is to blame */

/* One device and who is on it. */
struct crew {
    int index;
    struct job *resident[LEDGER_MAX];
    int n_resident;
    struct ledger ledger;
    bool ready, stuck;
    bool failed; /* since it was ready last */
    int cap;
    int cap_memory, cap_failure; /* what fits, what is left after failures */
    int cap_worth;               /* more gain nothing; 0: unknown */
    char why_cap[192];           /* or why there is none */
    int64_t heard_us;            /* the last sign of life */
};

struct hub {
    struct hub_conf conf;
    struct hub_out out;
    struct shelf shelf;
    struct sched queue;
    struct peers peers;
    struct eta eta; /* of all devices: they are of one kind */
    struct tally tally;
    int in[JOB_STATES]; /* jobs in each state; those that are over: also the forgotten ones */
    uint64_t last_order;
    int n_storing, n_encoding; /* answers that the store and the encoder still owe */
    int64_t again_us; /* when ends that disk or memory refused are tried again; INT64_MAX: none */
    bool stopping;

    struct crew crew[LIMIT_DEVICES];
    int n_crew;
    char why_cap[256];
    bool planning; /* waiting jobs may lack a plan */

    /* what is pushed */
    bool touched;      /* places or states changed since the last push */
    bool moved;        /* quanta were done since then */
    int64_t pushed_us; /* when that was */
    struct eta_item *items;
    int n_items;
    struct blob *stats;
    uint64_t stats_seq;
};

/* --- hub.c --- */
void hub_settle(struct hub *, int64_t now);
void hub_post(struct hub *, int64_t now, struct job *, const struct event *);
int64_t hub_unix_ms(const struct hub *, int64_t now);

/* --- life.c --- */
void life_move(struct hub *, struct job *, enum job_move);
/* Decide how a job ends: off the queue, off the device, to the disk. why: FAILED only. */
void life_end(struct hub *, struct job *, enum job_state outcome, const struct fail *why);
void life_put_back(struct hub *, int64_t now, struct job *);
void life_start(struct hub *, int64_t now, struct job *, struct crew *);
/* Accept a request that has passed every check; takes the spec. NULL: no memory. */
struct job *life_accept(struct hub *, int64_t now, struct spec *, const char *key,
                        const uint8_t *digest);
/* The direct answer to a submit of this job, and the start of following it. */
void life_answer(struct hub *, const struct job *, struct answer *, bool watch);
struct job *life_find(const struct hub *, uint64_t id); /* NULL also while it is being accepted */
void life_again(struct hub *, int64_t now);             /* ends that were refused */

/* --- crew.c --- */
/* Start what can start. */
void crew_fill(struct hub *, int64_t now);
void crew_init(struct hub *);
void crew_hold(struct crew *, int64_t now, struct job *);
void crew_release(struct hub *, struct job *);
bool crew_ready(const struct hub *);    /* a model is open: plans can be made */
bool crew_working(const struct hub *);  /* a device draws, or could */
int crew_residents(const struct hub *); /* on all devices */
int crew_cap(const struct hub *);       /* of those that are ready; of all when none is */
/* Why the first waiting job is not on a device. */
enum event_why crew_why(const struct hub *, const struct job *);
/* Plan a job, and check that it can ever run. 0 or the reason. */
int crew_plan(const struct hub *, const struct spec *, struct plan *, struct fail *f);
/* Plan some of the waiting jobs that arrived before the model did. */
void crew_plan_some(struct hub *);
void crew_watch(struct hub *, int64_t now);
int64_t crew_due(const struct hub *);
void crew_followed(struct hub *, struct job *);
struct hub_wish crew_wish(const struct job *);

/* --- push.c --- */
void push_touch(struct hub *);
/* Its place, at once: it has just been accepted or put back. */
void push_queue_new(struct hub *, int64_t now, struct job *);
void push_due(struct hub *, int64_t now);
int64_t push_time(const struct hub *);
int64_t push_eta_ms(int64_t now, int64_t at_us); /* from now; -1: unknown */
/* Play the queue forward with one more job (item->plan, pixels) at its end; writes its times. */
void push_quote(struct hub *, struct eta_item *item);
/* When the first waiting job will start, by the newest estimate, from now; -1: unknown. Cheap: whoever
 * knocks at a full queue all the time must not make the server count. */
int64_t push_first_ms(const struct hub *, int64_t now);

/* --- desk.c --- */
struct blob *desk_stats(struct hub *, int64_t now, const char *ref);

#endif
