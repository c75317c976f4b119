/* queue - the order in which waiting jobs become resident. */
#include "server/core/queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void queue_init(struct queue *q)
{
    memset(q, 0, sizeof *q);
}

void queue_free(struct queue *q)
{
    free(q->at);
    queue_init(q);
}

bool queue_before(const struct job *a, const struct job *b)
{
    if (a->spec.lane != b->spec.lane) return a->spec.lane < b->spec.lane;
    if (a->share.begin < b->share.begin || a->share.begin > b->share.begin)
        return a->share.begin < b->share.begin;
    return queue_older(a, b);
}

int queue_reserve(struct queue *q, int n)
{
    int room = q->room ? q->room : 64;
    struct job **at;

    assert(n >= 0);
    if (n <= q->room) return 0;
    while (room < n)
        room *= 2;
    at = realloc(q->at, (size_t)room * sizeof *at);
    if (!at) return ERR_OUT_OF_MEMORY;
    q->at = at;
    q->room = room;
    return 0;
}

/* How many of the waiting jobs come before j: where it stands, or where it would go. */
static int rank(const struct queue *q, const struct job *j)
{
    int low = 0, high = q->n;

    while (low < high) {
        int mid = low + (high - low) / 2;

        if (queue_before(q->at[mid], j))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

void queue_add(struct queue *q, struct job *j)
{
    int i = rank(q, j);

    assert(q->n < q->room);
    memmove(q->at + i + 1, q->at + i, (size_t)(q->n - i) * sizeof *q->at);
    q->at[i] = j;
    q->n++;
}

void queue_remove(struct queue *q, const struct job *j)
{
    int i = rank(q, j);

    assert(i < q->n && q->at[i] == j);
    q->n--;
    memmove(q->at + i, q->at + i + 1, (size_t)(q->n - i) * sizeof *q->at);
}

int queue_place(const struct queue *q, const struct job *j)
{
    int i = rank(q, j);

    return i < q->n && q->at[i] == j ? i + 1 : 0;
}

int queue_rank(const struct queue *q, enum user_lane lane, double begin)
{
    const struct job last = {.spec.lane = (int)lane, .share.begin = begin, .rank = UINT64_MAX};

    return rank(q, &last);
}

bool queue_older(const struct job *a, const struct job *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->order < b->order;
}

/* Heap sort: in place, and no worse on any order. */
static void sift_down(struct job **at, int root, int n,
                      bool (*before)(const struct job *, const struct job *))
{
    struct job *j = at[root];

    for (int child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && before(at[child], at[child + 1])) child++;
        if (!before(j, at[child])) break;
        at[root] = at[child];
    }
    at[root] = j;
}

static bool is_sorted(const struct queue *q, bool (*before)(const struct job *, const struct job *))
{
    for (int i = 1; i < q->n; i++)
        if (before(q->at[i], q->at[i - 1])) return false;
    return true;
}

void queue_sort(struct queue *q, bool (*before)(const struct job *, const struct job *))
{
    if (is_sorted(q, before)) return;
    for (int i = q->n / 2 - 1; i >= 0; i--)
        sift_down(q->at, i, q->n, before);
    for (int n = q->n - 1; n > 0; n--) {
        struct job *last = q->at[n];

        q->at[n] = q->at[0];
        q->at[0] = last;
        sift_down(q->at, 0, n, before);
    }
}
