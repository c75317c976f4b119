/* queue - the order in which waiting jobs become resident. */
#include "server/core/queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void queue_init(struct queue *s)
{
    memset(s, 0, sizeof *s);
}

void queue_free(struct queue *s)
{
    free(s->at);
    queue_init(s);
}

bool queue_before(const struct job *a, const struct job *b)
{
    return a->order < b->order;
}

int queue_reserve(struct queue *s, int n)
{
    int room = s->room ? s->room : 64;
    struct job **at;

    assert(n >= 0);
    if (n <= s->room) return 0;
    while (room < n)
        room *= 2;
    at = realloc(s->at, (size_t)room * sizeof *at);
    if (!at) return ERR_OUT_OF_MEMORY;
    s->at = at;
    s->room = room;
    return 0;
}

/* How many of the waiting jobs come before j: where it stands, or where it would go. */
static int rank(const struct queue *s, const struct job *j)
{
    int low = 0, high = s->n;

    while (low < high) {
        int mid = low + (high - low) / 2;

        if (queue_before(s->at[mid], j))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

void queue_add(struct queue *s, struct job *j)
{
    int i = rank(s, j);

    assert(s->n < s->room);
    memmove(s->at + i + 1, s->at + i, (size_t)(s->n - i) * sizeof *s->at);
    s->at[i] = j;
    s->n++;
}

void queue_remove(struct queue *s, const struct job *j)
{
    int i = rank(s, j);

    assert(i < s->n && s->at[i] == j);
    s->n--;
    memmove(s->at + i, s->at + i + 1, (size_t)(s->n - i) * sizeof *s->at);
}

int queue_place(const struct queue *s, const struct job *j)
{
    int i = rank(s, j);

    return i < s->n && s->at[i] == j ? i + 1 : 0;
}
