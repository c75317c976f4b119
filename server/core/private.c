/* private - a look over all jobs when the first time has passed. */
#include "server/core/private.h"

#include "server/core/lifecycle.h"
#include "server/core/notify.h"

#include <string.h>

enum { AGAIN_US = 1000000 }; /* until one that somebody still needs is looked at again */

bool private_open(const struct account *a, const struct job *j)
{
    return !j->private || a == j->owner;
}

void private_over(struct hub *h, int64_t now, struct job *j)
{
    int64_t until = now + (int64_t)h->conf.private_s * 1000000;

    if (!j->private) return;
    j->end.until_us = until;
    if (until < h->private_us) h->private_us = until;
}

void private_stop(struct hub *h)
{
    struct job *older;
    struct fail f;

    fail_set(&f, ERR_SHUTTING_DOWN, "The server stops, and private jobs are not kept");
    fail_advise(&f, "Submit it again when the server is back.");
    for (struct job *j = h->registry.newest; j; j = older) {
        older = j->links.older;
        if (!j->private || j->sweep || j->state >= JOB_ENDING)
            continue; /* a sweep ends by its cells */
        if (j->state == JOB_ADMIT)
            lifecycle_cancel(h, j);
        else
            lifecycle_end(h, j, JOB_FAILED, &f);
    }
}

struct blob *private_picture(const struct hub *h, uint32_t user, const char *digest, uint64_t *job)
{
    for (const struct job *j = h->registry.newest; j; j = j->links.older) {
        if (!j->private || j->state != JOB_DONE || j->owner->user.id != user) continue;
        if (strcmp(j->end.digest, digest) != 0 || j->end.until_us <= h->called_us) continue;
        *job = j->id;
        return j->end.file;
    }
    return NULL;
}

static void forget(struct hub *h, struct job *j)
{
    clients_forget(&h->clients, j);
    registry_forget(&h->registry, j);
    notify_touch(h);
}

void private_fetched(struct hub *h, int64_t now, uint64_t job)
{
    struct job *j = registry_find(&h->registry, job);

    if (!j || !j->private || !job_over(j)) return;
    j->end.until_us = now;
    h->private_us = now;
}

/* Whoever fetches it as soon as `result` has come is still to hear `end`. */
static bool may_go(const struct job *j)
{
    return !j->run.device && !j->parent && !j->subscriptions;
}

void private_look(struct hub *h, int64_t now)
{
    struct job *older;

    if (now < h->private_us) return;
    h->private_us = INT64_MAX;
    for (struct job *j = h->registry.newest; j; j = older) {
        int64_t until = j->end.until_us;

        older = j->links.older;
        if (!j->private || !job_over(j)) continue;
        if (until <= now && may_go(j)) {
            forget(h, j);
            continue;
        }
        if (until <= now) until = now + AGAIN_US;
        if (until < h->private_us) h->private_us = until;
    }
}

int64_t private_due(const struct hub *h)
{
    return h->private_us;
}
