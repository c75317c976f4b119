/* reserve - a list; what was taken is replaced when there is memory again. */
#include "server/base/reserve.h"

#include <assert.h>
#include <stdlib.h>

void reserve_fill(struct reserve *r)
{
    assert(r->bytes >= sizeof(struct msg));
    while (r->n < RESERVE_MESSAGES) {
        struct msg *m = calloc(1, r->bytes);

        if (!m) return;
        m->next = r->first;
        r->first = m;
        r->n++;
    }
}

void *reserve_take(struct reserve *r)
{
    struct msg *m;

    reserve_fill(r);
    m = r->first;
    if (!m) abort();
    r->first = m->next;
    r->n--;
    m->next = NULL;
    return m;
}

void reserve_free(struct reserve *r)
{
    while (r->first) {
        struct msg *m = r->first;

        r->first = m->next;
        free(m);
    }
    r->n = 0;
}
