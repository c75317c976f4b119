/* reorder - the waiting jobs of one owner and lane exchange their ranks. */
#include "server/core/reorder.h"

#include "server/core/lifecycle.h"
#include "server/core/notify.h"

#include <assert.h>

/* The waiting jobs of this one's owner and lane by rank, held ones too; queue_free() is due. */
static int list_waiting(const struct hub *h, const struct job *of, struct queue *out)
{
    queue_init(out);
    if (queue_reserve(out, of->owner->waiting) != 0) return ERR_OUT_OF_MEMORY;
    for (struct job *j = h->registry.newest; j; j = j->links.older)
        if (j->state == JOB_QUEUED && j->owner == of->owner && j->spec.lane == of->spec.lane
            && !j->sweep)
            out->at[out->n++] = j;
    assert(out->n <= of->owner->waiting);
    queue_sort(out, queue_older);
    return 0;
}

static int index_of(const struct queue *q, const struct job *j)
{
    int i = 0;

    while (q->at[i] != j)
        i++;
    assert(i < q->n);
    return i;
}

/* The job at `from` gets the rank at `to`, those between each that of the next one towards it. */
static void rotate_ranks(const struct queue *q, int from, int to)
{
    uint64_t rank = q->at[to]->rank;
    int by = from < to ? -1 : 1;

    for (int i = to; i != from; i += by)
        q->at[i]->rank = q->at[i + by]->rank;
    q->at[from]->rank = rank;
}

int reorder_before(struct hub *h, struct job *j, const struct job *before)
{
    struct queue q;
    int from, to, err = list_waiting(h, j, &q);

    assert(j->state == JOB_QUEUED && (!before || before->owner == j->owner));
    if (err) return err;
    from = index_of(&q, j);
    to = before ? index_of(&q, before) : q.n;
    if (from < to) to--;
    rotate_ranks(&q, from, to);
    for (int i = from < to ? from : to; from != to && i <= (from < to ? to : from); i++)
        lifecycle_placed(h, q.at[i]);
    queue_free(&q);
    lanes_ranked(&h->lanes, j);
    /* at once: equal begins are told by rank; others' places may change with new costs */
    if (lanes_settle(&h->lanes, &h->queue, &h->accounts)) notify_touch(h);
    return 0;
}
