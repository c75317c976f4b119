/* recall - one row at a time, by its job: a read of the database's index. */
#include "server/core/recall.h"

#include "server/core/restore.h"

static int make(void *arg, const struct hub_row *row, struct fail *f)
{
    (void)f;
    return restore_forgotten(arg, row);
}

static void recall(struct hub *h, uint64_t job)
{
    if (job && !registry_find(&h->registry, job)) h->out.recall(h->out.arg, job, make, h);
}

void recall_named(struct hub *h, const struct client *p, const struct command *c)
{
    if (p->account->user.role == ROLE_GUEST)
        return; /* its job is in memory, or its share is over */
    recall(h, c->job);
    recall(h, c->parent);
    if (c->kind == COMMAND_SUBMIT || c->kind == COMMAND_QUOTE) recall(h, c->spec.prior_from);
}
