/* deletion - forgotten at once, answered when the disk has forgotten it, too. */
#include "server/core/deletion.h"

#include "server/core/ending.h"
#include "server/core/lifecycle.h"
#include "server/core/registry.h"
#include "server/core/respond.h"

#include "proto/answer.h"

static int check(const struct job *j, struct fail *f)
{
    if (!job_over(j)) {
        fail_field(f, ERR_CONFLICT, "job", "The job is not over");
        return fail_advise(f, "Cancel it first, and wait for its end.");
    }
    if (j->parent) {
        fail_field(f, ERR_CONFLICT, "job", "The sweep that it belongs to is not over");
        return fail_advise(f, "Cancel the sweep first, and wait for its end.");
    }
    if (!j->run.device) return 0;
    fail_field(f, ERR_CONFLICT, "job", "The device has not let go of the job yet");
    f->retry_after_ms = 1000;
    return fail_advise(f, "Send it again in a moment.");
}

/* The job, and the cells that it has in memory. */
static int check_all(const struct hub *h, const struct job *j, struct fail *f)
{
    int err = check(j, f);

    for (int i = 0; !err && j->sweep && i < j->sweep->n; i++) {
        const struct job *cell = registry_find(&h->registry, j->sweep->cell[i].kept.job);

        if (cell) err = check(cell, f);
    }
    return err;
}

static void forget(struct hub *h, struct job *j)
{
    clients_forget(&h->clients, j);
    registry_forget(&h->registry, j);
}

static void forget_all(struct hub *h, struct job *j)
{
    for (int i = 0; j->sweep && i < j->sweep->n; i++) {
        struct job *cell = registry_find(&h->registry, j->sweep->cell[i].kept.job);

        if (cell) forget(h, cell);
    }
    forget(h, j);
}

void deletion_obey(struct hub *h, struct pending_reply *a, const struct command *c)
{
    struct job *j = respond_job(h, a->client, c->job);
    struct hub_deletion d = {.job = c->job};
    struct fail f;
    struct text t;

    if (!j) {
        respond_unknown(h, a, c);
    } else if (check_all(h, j, &f) != 0) {
        respond_error(h, a, c, &f);
    } else {
        respond_begin(&t);
        answer_ok(a->ref, COMMAND_DELETE, j->id, (int)job_public(j), &t);
        d.ticket = respond_later(h, a, &t);
        d.private = j->private;
        h->n_storing++;
        h->out.store_delete(h->out.arg, &d);
        forget_all(h, j);
    }
}

void deletion_stored(struct hub *h, int64_t now, const struct hub_deletion *d,
                     const struct fail *why)
{
    const struct command about = {.kind = COMMAND_DELETE, .job = d->job};

    ending_answered(h, now, why);
    respond_stored(h, d->ticket, &about, why);
}
