/* harness - a real hub whose callbacks do nothing, for tests of what calls it. */
#ifndef TEST_SERVER_HARNESS_H
#define TEST_SERVER_HARNESS_H

#include "server/base/waker.h"
#include "server/core/hub.h"
#include "server/net/session.h"

#include <string.h>

struct harness {
    struct hub *hub;
    struct spec_limits limits;
    int accepts;
    uint64_t job, random;
    uint64_t discard;                          /* ticket of the newest one */
    bool discard_forgotten;                    /* .. for which one in memory went */
    struct hub_deletion deletion;              /* the newest */
    void (*search)(const struct hub_search *); /* NULL: nobody looks */
    void (*take)(const struct hub_file *);     /* the same */
    const struct hub_row *forgotten;           /* what recall finds; NULL: nothing */
};

static void harness_accept(void *arg, const struct hub_row *rows, int n)
{
    struct harness *r = arg;

    r->accepts++;
    r->job = rows[n - 1].job;
}
static void harness_end(void *arg, const struct hub_row *row, struct blob *file)
{
    (void)arg, (void)row, (void)file;
}
static void harness_start(void *arg, int d, const struct hub_work *w)
{
    (void)arg, (void)d, (void)w;
}
static void harness_drop(void *arg, int d, uint64_t job)
{
    (void)arg, (void)d, (void)job;
}
static void harness_place(void *arg, const struct hub_row *row)
{
    (void)arg, (void)row;
}
static void harness_delete(void *arg, const struct hub_deletion *d)
{
    ((struct harness *)arg)->deletion = *d;
}
static bool harness_has_picture(void *arg, uint32_t owner, const char *digest)
{
    (void)arg, (void)owner, (void)digest;
    return true;
}
static void harness_search(void *arg, const struct hub_search *s)
{
    struct harness *r = arg;

    if (r->search) r->search(s);
}
static bool harness_recall(void *arg, uint64_t job,
                           int (*each)(void *arg, const struct hub_row *, struct fail *f),
                           void *each_arg)
{
    struct harness *r = arg;
    struct fail f;

    return r->forgotten && r->forgotten->job == job && !each(each_arg, r->forgotten, &f);
}
static void harness_checkpoint(void *arg, uint64_t job, struct blob *checkpoint)
{
    (void)arg, (void)job, (void)checkpoint;
}
static void harness_demand(void *arg, int d, uint64_t job, const struct preview_demand *w)
{
    (void)arg, (void)d, (void)job, (void)w;
}
static int harness_busy(void *arg, int d, uint64_t *jobs, int max)
{
    (void)arg, (void)d, (void)jobs, (void)max;
    return 0;
}
static int harness_plan(void *arg, const struct spec *s, struct job_plan *out, struct fail *f)
{
    (void)arg, (void)s, (void)f;
    memset(out, 0, sizeof *out);
    out->cost.run_bytes = 1000;
    return 0;
}
static int harness_words(void *arg, const char *prompt, struct glm_words *out, struct fail *f)
{
    (void)arg, (void)f;
    memset(out, 0, sizeof *out);
    out->tokens = (int)strlen(prompt);
    return 0;
}
static int harness_log(void *arg, uint64_t after, struct answer_line *out, int max)
{
    (void)arg, (void)after, (void)out, (void)max;
    return 0;
}
static void harness_tuned(void *arg, const struct hub_tuning *t)
{
    (void)arg, (void)t;
}
static void harness_rates(void *arg, const struct eta_known *known)
{
    (void)arg, (void)known;
}
static uint64_t harness_random(void *arg)
{
    struct harness *r = arg;

    return r->random = r->random * 6364136223846793005u + 1442695040888963407u;
}

static void harness_take(void *arg, const struct hub_file *file)
{
    struct harness *r = arg;

    if (r->take) r->take(file);
}
static int harness_source(void *arg, uint32_t owner, struct spec_image *image, struct fail *f)
{
    (void)arg, (void)owner, (void)image;
    return fail_set(f, ERR_NOT_FOUND, "there is no picture");
}
static void harness_list_images(void *arg, uint32_t owner, struct text *out)
{
    (void)arg, (void)owner, (void)out;
}
static void harness_discard(void *arg, uint64_t ticket, uint32_t owner,
                            const uint8_t digest[SPEC_DIGEST_BYTES], bool forgotten)
{
    (void)owner, (void)digest;
    ((struct harness *)arg)->discard = ticket;
    ((struct harness *)arg)->discard_forgotten = forgotten;
}

static inline int harness_open(struct harness *r)
{
    struct hub_out out = {.arg = r,
                          .store_accept = harness_accept,
                          .store_end = harness_end,
                          .store_place = harness_place,
                          .store_delete = harness_delete,
                          .has_picture = harness_has_picture,
                          .source = harness_source,
                          .take_image = harness_take,
                          .list_images = harness_list_images,
                          .discard_image = harness_discard,
                          .search = harness_search,
                          .recall = harness_recall,
                          .store_checkpoint = harness_checkpoint,
                          .start = harness_start,
                          .drop = harness_drop,
                          .suspend = harness_drop,
                          .demand = harness_demand,
                          .busy = harness_busy,
                          .plan = harness_plan,
                          .words = harness_words,
                          .wake = waker_wake,
                          .random = harness_random,
                          .tuned = harness_tuned,
                          .log = harness_log,
                          .rates = harness_rates};
    struct hub_conf conf;

    memset(r, 0, sizeof *r);
    spec_limits_init(&r->limits);
    conf = (struct hub_conf){.boot = 1,
                             .unix_ms = 1767225600000,
                             .limits = &r->limits,
                             .queue_max = 64,
                             .job_seconds = 300,
                             .stuck_seconds = 60,
                             .private_s = 600,
                             .kept = 64};
    return hub_new(&r->hub, &conf, &out);
}

#endif
