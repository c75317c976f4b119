/* favour - one mark on a job, and two kinds of notices. */
#include "server/core/favour.h"

#include "server/core/lifecycle.h"
#include "server/core/notify.h"
#include "server/core/respond.h"

#include <stdio.h>

static void mark(struct hub *h, struct job *j, bool favourite)
{
    if (j->favourite == favourite) return;
    j->favourite = favourite;
    lifecycle_placed(h, j);
}

void favour_obey(struct hub *h, struct pending_reply *a, const struct command *c)
{
    struct job *j = respond_job(h, a->client, c->job);

    if (!j) {
        respond_unknown(h, a, c);
        return;
    }
    respond_ok(h, a, c, j);
    mark(h, j, c->on);
    for (int i = 0; j->sweep && i < j->sweep->n; i++) {
        struct job *cell = lifecycle_find(h, j->sweep->cell[i].kept.job);

        if (cell) mark(h, cell, c->on);
    }
}

static void say(const struct removal *r, struct notice *n)
{
    const char *pictures = r->n == 1 ? "picture" : "pictures";
    double mb = (double)r->bytes / 1e6;

    if (r->done)
        snprintf(n->text, sizeof n->text,
                 "Your %d oldest %s (%.1f MB) %s removed, as they took more than you may have.",
                 r->n, pictures, mb, r->n == 1 ? "was" : "were");
    else if (r->n > 0)
        snprintf(n->text, sizeof n->text,
                 "Your %d oldest %s (%.1f MB) will be removed, as they take more than you may "
                 "have. Save them, delete others, or mark as favourites what is to stay longest.",
                 r->n, pictures, mb);
}

/* They are gone from the disk: as if their owner had deleted them. */
static void forget(struct hub *h, uint64_t id)
{
    struct job *j = lifecycle_find(h, id);

    if (!j || !job_over(j) || j->run.device) return;
    clients_forget(&h->clients, j);
    registry_forget(&h->registry, j);
}

void favour_removal(struct hub *h, int64_t now, const struct removal *r)
{
    struct account *a = accounts_find(&h->accounts, r->owner);
    struct notice n = {.kind = r->done ? NOTICE_REMOVED : NOTICE_QUOTA,
                       .own = r->n > 0,
                       .at_ms = r->at_ms,
                       .count = r->n,
                       .bytes = r->bytes};

    say(r, &n);
    for (int i = 0; i < r->n && i < LIMIT_NOTICE_JOBS; i++)
        n.job[i] = r->job[i];
    if (a) notify_notice(h, now, a, &n);
    n = (struct notice){.kind = NOTICE_QUOTA};
    if (a && r->done) notify_notice(h, now, a, &n); /* it is done */
    for (int i = 0; r->done && i < r->n; i++)
        forget(h, r->job[i]);
    if (r->done) notify_touch(h);
}
