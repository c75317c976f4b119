/* core - struct hub: the state that the files of the core share.
 *
 * Nothing outside the core and its tests includes this.
 *
 * Layers, each using only what stands before it:
 *   data       board account job ledger dispatch device queue registry client batcher eta lanes
 *              timeline stats notices bucket recent
 *   helpers    notify capacity previews report forecast lifecycle sweeps private sources request
 *              acceptance ending placing abandon reorder shares
 *   inputs     restore device_events respond submit uploads admin favour commands
 *   hub        every entry from outside; each ends by starting what can start and pushing what
 *              is due
 * Thread: the loop's. */
#ifndef SERVER_CORE_CORE_H
#define SERVER_CORE_CORE_H

#include "server/core/account.h"
#include "server/core/client.h"
#include "server/core/device.h"
#include "server/core/effects.h"
#include "server/core/eta.h"
#include "server/core/job.h"
#include "server/core/lanes.h"
#include "server/core/ledger.h"
#include "server/core/queue.h"
#include "server/core/registry.h"
#include "server/core/stats.h"
#include "server/core/timeline.h"

#define HUB_PUSH_US     250000  /* places, estimates and statistics: at most four times a second */
#define HUB_PROGRESS_US 16000   /* of one job; the last of a phase always goes */
#define HUB_AGAIN_US    1000000 /* until the disk is asked again to take an end */
#define HUB_LOOK_US     1000000 /* at least so often the hub is called while a device works */
#define HUB_PAUSE_US    5000000 /* a longer gap between two calls: the process stood still */
/* played forward in a few tens of microseconds */
#define HUB_CHEAP_JOBS  256
#define HUB_RATES_US    60000000 /* what was measured is kept so often at most */
#define HUB_RETRIES_MAX 3        /* runs that one job may lose before it ends as failed */

/* A private upload: nowhere but here, and where jobs hold its file. */
struct private_image {
    struct account *owner;
    uint64_t host; /* that sent it */
    struct spec_image image;
    struct blob *file;
    int64_t until_us; /* remembered until then */
    struct private_image *next;
};

struct hub {
    struct hub_conf conf;
    struct hub_out out;
    struct registry registry;
    struct queue queue;
    struct lanes lanes;
    struct accounts accounts;
    struct account guest; /* of all guests; each client knows which job it may see */
    struct clients clients;
    struct eta eta; /* of all devices: they are of one kind */
    struct stats stats;
    int in[JOB_STATES]; /* jobs in each state; those that are over: also the forgotten ones */
    uint64_t tickets;   /* that searches, uploads and shares had */
    uint64_t last_order;
    int n_storing, n_encoding; /* answers that the store and the encoder still owe */
    int64_t again_us;   /* when ends that disk or memory refused are tried again; INT64_MAX: none */
    int n_refused;      /* jobs whose end the disk refused: nothing is started until it took them */
    int n_held;         /* waiting jobs that are held */
    struct job *sweeps; /* those that are not over */
    bool sweeps_touched; /* a cell of one has moved since that was noted */
    struct fail disk;    /* why the disk takes nothing; code 0: it does */
    int64_t called_us;   /* when the hub was called last */
    /* when jobs without a viewer are looked at; INT64_MIN: at once, INT64_MAX: not at all */
    int64_t abandon_us;
    int64_t private_us;     /* when private jobs are looked at; INT64_MAX: there are none */
    struct upload *uploads; /* files on their way, private to uploads.c .. */
    size_t upload_bytes;    /* .. and the bytes that they will have */
    struct private_image *private_images;
    size_t private_bytes; /* of their files */
    int64_t uploads_us;   /* when both are looked at; INT64_MAX: not at all */
    int64_t share_us;     /* when shared jobs are looked at; INT64_MAX: there are none */
    int64_t drain_us;     /* when it stops at the latest; INT64_MAX: it is not to */
    bool stopping;
    bool draining;    /* nothing starts, and the hub stops by drain_us */
    bool paused;      /* nothing starts until an administrator has it go on */
    int64_t rates_us; /* when what was measured was kept */

    struct devices devices;
    uint64_t model; /* that the devices have; 0: not known */
    bool planning;  /* waiting jobs may lack a plan */

    /* what is pushed */
    bool touched;      /* places or states changed since the last push */
    bool moved;        /* quanta were done since then */
    int64_t pushed_us; /* when that was */
    int unplaced;      /* waiting jobs that have not been sent a place */
    struct timeline_item *items;
    int n_items;
    struct timeline tail; /* of the newest estimate: when all that wait have started */
    int64_t estimated_us; /* when that was made */
    bool added;           /* jobs were added to the tail since then */
    int refused;          /* submits that a full queue refused and that are told to come back */
    uint64_t stats_seq;   /* of the newest statistics */
};

#endif
