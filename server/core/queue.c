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
    return a->order < b->order;
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
