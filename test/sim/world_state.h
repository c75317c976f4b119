/* world_state - what the simulated world holds, its random numbers, the truth about each job. */
#ifndef TEST_SIM_WORLD_STATE_H
#define TEST_SIM_WORLD_STATE_H

#include "server/core/batcher.h"
#include "server/core/capacity.h"
#include "server/core/core.h"
#include "server/core/forecast.h"
#include "server/core/hub.h"
#include "server/core/previews.h"
#include "test/sim/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WORLD_ORDERS = 16384, WORLD_MAP = 1 << 17, WORLD_DEVICES = 2, WORLD_USERS = 16 };
enum { WORLD_IMAGES = 512 };

/* A picture on disk that jobs may begin with: an upload, or a result that one has begun with. */
struct kept_image {
    uint32_t owner;
    uint8_t digest[SPEC_DIGEST_BYTES];
    size_t bytes;
    int64_t used_us;
    bool upload;
};

/* An upload on its way to the disk, or one that is to be removed (without bytes). */
struct image_way {
    uint64_t ticket;
    uint32_t owner;
    bool private, forgotten;
    uint8_t digest[SPEC_DIGEST_BYTES];
    struct blob *bytes;
};

/* A row on disk, or on its way there. */
struct saved {
    struct hub_row row;
    struct spec spec;
    struct fail error;
    char key[LIMIT_KEY_BYTES + 1], result_digest[65];
    uint8_t digest[SPEC_DIGEST_BYTES];
    char *sweep, *cells;
    int more; /* on its way: so many rows behind it are written with it, or not at all */
    bool file;
    bool kept;       /* its tokens are there */
    bool finish;     /* on its way: no row, but the steps of one */
    bool share;      /* the same: whom its job is shared with */
    bool early;      /* the same, and the hub was told already that it is on disk */
    bool deletion;   /* the same: its job goes */
    uint64_t ticket; /* of a share or a deletion */
    bool going;      /* its deletion is on its way */
    bool deleted;    /* its row is gone; what clients read of it before stays known */
    int at;          /* on disk: index of it in disk and marks */
};

/* What is looked for among all rows after each operation, side by side. */
struct mark {
    uint64_t job, digest; /* digest: the beginning of its picture's; 0: it has none */
    bool waits, deleted, favourite;
};

/* What the test knows about a job on its own, to check the hub by. */
struct truth {
    uint64_t id;
    struct saved *disk; /* NULL: not on disk */
    bool told;          /* a client has read its end */
    int told_state;
    uint64_t told_seq;
    int64_t unwatched_us; /* it has had no viewer since then; 0: it has one */
    int unwatched_ms;     /* what that may last */
    double overall;       /* the most that a client read since the last restart */
    int starts, ends;
    int steps_done;          /* of its newest finished run */
    struct blob *checkpoint; /* on disk; NULL: none */
    long forecast_step;      /* the step whose forecast holds; it waited then */
    double forecast_s;       /* when it would start, from then; < 0: unknown */
};

struct fake_run {
    uint64_t job;
    struct glm_progress view;
    struct glm_cost cost;
    int steps, stop; /* of denoising: asked for; at which it ends, 0: all */
    bool skip;       /* it has no prior */
    bool resumed;    /* while it is made: from a checkpoint */
};

struct order {
    bool start, suspend, finish; /* else drop */
    struct blob *checkpoint;     /* start: a reference, or NULL */
    int device;
    uint64_t job;
    int steps;           /* finish, start: as in struct hub_work */
    uint64_t prior_from; /* start: what its spec says */
    double place;
    struct preview_demand demand;
};

/* A worker and its device. */
struct fake_device {
    struct fake_run runs[LEDGER_MAX];
    struct batcher_run served[LEDGER_MAX];
    int64_t used_us[LEDGER_MAX]; /* what each was charged by the rule of a control arm */
    int n_runs;
    bool open;
};

struct world {
    uint64_t seed, random;
    long step;
    int64_t now;
    struct hub *hub;
    struct hub_conf conf;
    struct spec_limits limits;
    uint64_t budget;
    uint64_t model; /* of its devices; 0: not known, so that no picture is found again */
    struct user users[WORLD_USERS]; /* of the service; kept over restarts */
    int n_users;
    double largest_s; /* of all jobs so far, what the largest counts for (level.h) */

    struct saved **disk; /* in order of acceptance */
    struct mark *marks;  /* of each */
    int n_disk;
    struct saved *writes[WORLD_ORDERS]; /* ring */
    unsigned write_first, write_end;

    struct order orders[WORLD_ORDERS]; /* to the worker, ring */
    unsigned order_first, order_end;
    struct device_event *events[WORLD_ORDERS]; /* from the worker, ring */
    unsigned event_first, event_end;
    uint64_t pictures[WORLD_ORDERS]; /* with the encoder, ring */
    unsigned picture_first, picture_end;
    struct kept_image kept_image[WORLD_IMAGES];
    int n_kept_images;
    size_t image_bound;                       /* bytes of a user's uploads; 0: none */
    struct image_way image_way[WORLD_IMAGES]; /* ring */
    unsigned image_first, image_end;
    struct fake_device dev[WORLD_DEVICES];
    uint64_t busy_jobs[LIMIT_BATCH];
    int n_busy;

    struct truth *map[WORLD_MAP];
    void (*woken)(struct world *, void *session);
    long forecasts;    /* made, the last one is the newest */
    bool forecast_due; /* one is made before the next call that may start a job */
    long checked;      /* starts that a forecast stood for */
    /* instead of the batcher's: the control arm of its tests */
    int (*choose)(const struct fake_device *, int *picked);
    void (*charge)(struct fake_device *, const int *picked, int n, int64_t us);
    /* what a quantum takes; NULL: as planned */
    int64_t (*takes)(struct world *, const struct fake_device *, const int *picked, int n);
    struct eta_known known; /* as they were kept last, and how often */
    int kept;
    uint64_t secret;      /* of a shared job, the newest that was given */
    bool early_shares;    /* the disk answers before it has them: the control arm of the check */
    int tuned;            /* how often limits were changed by message */
    long lost_tokens;     /* starts that failed for want of them */
    bool wrong_forecasts; /* count them instead of failing: the control arm of the check */
    int n_wrong;
};

#define MUST(w, condition, ...)                                                               \
    do {                                                                                      \
        if (condition) break;                                                                 \
        fprintf(stderr, "seed %llu step %ld: %s: ", (unsigned long long)(w)->seed, (w)->step, \
                #condition);                                                                  \
        fprintf(stderr, __VA_ARGS__);                                                         \
        fprintf(stderr, "\n");                                                                \
        fail();                                                                               \
    } while (0)

static inline uint64_t world_random(struct world *w)
{
    uint64_t z = (w->random += 0x9e3779b97f4a7c15ULL);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

/* 0 .. n - 1 */
static inline int pick(struct world *w, int n)
{
    return (int)(world_random(w) % (uint64_t)n);
}

static inline bool chance(struct world *w, double p)
{
    return (double)(world_random(w) >> 11) / 9007199254740992.0 < p;
}

/* --- truth ------------------------------------------------------------------------------------ */

static inline struct truth *truth_of(struct world *w, uint64_t id)
{
    size_t i = (size_t)(id * 0x9e3779b97f4a7c15ULL >> 40) & (WORLD_MAP - 1);

    while (w->map[i] && w->map[i]->id != id)
        i = (i + 1) & (WORLD_MAP - 1);
    if (!w->map[i]) {
        w->map[i] = calloc(1, sizeof **w->map);
        assert_non_null(w->map[i]);
        w->map[i]->id = id;
    }
    return w->map[i];
}

static inline uint64_t digest_mark(const char *digest)
{
    char head[17] = "";

    memcpy(head, digest, strnlen(digest, sizeof head - 1));
    return strtoull(head, NULL, 16);
}

/* What is on disk has changed. */
static inline void disk_mark(struct world *w, const struct saved *s)
{
    assert_ptr_equal(w->disk[s->at], s);
    w->marks[s->at] = (struct mark){.job = s->row.job,
                                    .digest = digest_mark(s->result_digest),
                                    .waits = s->row.state == STATE_QUEUED,
                                    .deleted = s->deleted,
                                    .favourite = s->row.favourite};
}

static inline void disk_delete(struct world *w, struct saved *s)
{
    s->deleted = true;
    disk_mark(w, s);
}

/* The bytes of a picture depend on its request and the steps that were done. */
static inline void picture_digest(const struct spec *s, int steps, char out[65])
{
    unsigned long long h = (unsigned long long)s->seed * 0x9e3779b97f4a7c15ULL;

    h += (unsigned long long)s->noise_seed * 0xbf58476d1ce4e5b9ULL;
    h += (unsigned long long)s->width * 4096 + (unsigned long long)s->height;
    h += (unsigned long long)steps << 40;
    snprintf(out, 65, "%016llx%016llx%016llx%016llx", h, h * 3, h * 5, h * 7);
}

/* Its next quantum alone. */
static inline double quantum_us(const struct fake_run *r)
{
    return eta_quantum(&r->cost, eta_stage_of(r->view.phase, r->view.prefill)) / WORLD_WORK_PER_US;
}

/* What a quantum takes on the virtual device: exactly what is planned. */
static inline int64_t shared_us(const struct fake_device *d, const int *picked, int n)
{
    double us = 0;

    for (int i = 0; i < n; i++)
        us += quantum_us(&d->runs[picked[i]]) * (i > 0 ? d->served[picked[i]].own : 1);
    return (int64_t)us;
}

#endif
