/* quota - a file goes before its row, as everywhere in the store. */
#include "server/store/quota.h"

#include "server/store/erase.h"

#include <stdlib.h>
#include <string.h>

void quota_free(struct quota *q)
{
    free(q->at);
    q->at = NULL;
    q->n = q->room = 0;
}

/* NULL: no memory; the user is told another time. */
static struct grace *grace_of(struct quota *q, uint32_t owner, int64_t now_us)
{
    struct grace *at;

    for (int i = 0; i < q->n; i++)
        if (q->at[i].owner == owner) return &q->at[i];
    if (q->n == q->room) {
        at = realloc(q->at, (size_t)(q->room + 16) * sizeof *at);
        if (!at) return NULL;
        q->at = at;
        q->room += 16;
    }
    q->at[q->n] = (struct grace){.owner = owner, .until_us = now_us + q->grace_us};
    return &q->at[q->n++];
}

static bool same(const struct removal *a, const struct removal *b)
{
    return a->n == b->n && memcmp(a->job, b->job, (size_t)a->n * sizeof *a->job) == 0;
}

/* In one transaction. */
static int remove_list(struct quota *q, const struct removal *list, struct fail *f)
{
    int err = rows_begin(q->rows, f);

    for (int i = 0; i < list->n && !err; i++) {
        struct row_picture p;

        err = rows_picture(q->rows, list->job[i], &p, f);
        if (err == ERR_NOT_FOUND)
            err = 0; /* deleted meanwhile */
        else if (!err)
            err = erase_old(q->rows, q->pictures, &p, q->log, f);
    }
    if (!err) err = rows_commit(q->rows, f);
    if (err) rows_rollback(q->rows);
    return err;
}

static int remove_now(struct quota *q, uint32_t owner, int64_t bytes, int64_t unix_ms,
                      struct fail *f)
{
    struct removal gone = {.owner = owner, .done = true, .at_ms = unix_ms};
    int err;

    rows_quota_list(q->rows, owner, bytes, &gone);
    err = gone.n > 0 ? remove_list(q, &gone, f) : 0;
    if (err || gone.n == 0) return err;
    log_info(q->log, "store: the %d oldest picture%s of user %u %s removed (its --disk)", gone.n,
             gone.n == 1 ? "" : "s", owner, gone.n == 1 ? "was" : "were");
    q->tell(q->arg, &gone);
    return gone.n;
}

/* One that is over its bound: what is due goes, and it is told what will. */
static int look_at(struct quota *q, const struct row_excess *x, int64_t now_us, int64_t unix_ms,
                   struct fail *f)
{
    struct grace *g = grace_of(q, x->owner, now_us);
    struct removal next = {.owner = x->owner};
    bool due = !g || now_us >= g->until_us;
    int64_t beyond = due ? x->bytes : x->bytes - x->bound / 4;

    if (beyond > 0) return remove_now(q, x->owner, beyond, unix_ms, f);
    g->over = true;
    rows_quota_list(q->rows, x->owner, x->bytes, &next);
    next.at_ms = unix_ms + (g->until_us - now_us) / 1000;
    if (same(&next, &g->told)) return 0;
    g->told = next;
    q->tell(q->arg, &next);
    return 0;
}

/* Who is within its bound again is told, too, unless it was by what went. */
static void forget(struct quota *q, int64_t now_us)
{
    for (int i = q->n - 1; i >= 0; i--) {
        struct grace *g = &q->at[i];
        bool over = g->over;

        g->over = false;
        if (over) continue;
        if (g->told.n > 0 && now_us < g->until_us)
            q->tell(q->arg, &(struct removal){.owner = g->owner});
        *g = q->at[--q->n];
    }
}

int quota_look(struct quota *q, int64_t now_us, int64_t unix_ms, struct fail *f)
{
    struct row_excess x = {.owner = USER_NONE};
    int removed = 0, got = 0;

    while (got >= 0 && rows_over_quota(q->rows, x.owner, &x)) {
        got = look_at(q, &x, now_us, unix_ms, f);
        if (got > 0) removed += got;
    }
    if (got < 0) return got;
    if (removed == 0) forget(q, now_us); /* else the next look, at once */
    return removed;
}

int64_t quota_due(const struct quota *q)
{
    int64_t due = INT64_MAX;

    for (int i = 0; i < q->n; i++)
        if (q->at[i].until_us < due) due = q->at[i].until_us;
    return due;
}
