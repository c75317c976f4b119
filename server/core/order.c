/* order - a place behind all that cannot wait. */
#include "server/core/order.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

static int by_place(const void *a, const void *b)
{
    double x = ((const struct order_member *)a)->place->at;
    double y = ((const struct order_member *)b)->place->at;

    return (x > y) - (x < y);
}

/* late: it would end so, behind this one. */
static bool passes(const struct order_member *before, double cost_s, bool late)
{
    if (!(before->left_s > cost_s)) return false;
    return before->place->delay_s >= cost_s || (late && before->place->bound_s >= cost_s);
}

void order_join(struct order_place *p, double cost_s, struct order_member *others, int n)
{
    double end = cost_s, share = cost_s * (n + 1), before;
    int at = n;

    assert(n >= 0 && cost_s >= 0);
    if (p->at > 0) return;
    qsort(others, (size_t)n, sizeof *others, by_place);
    for (int i = 0; i < n; i++)
        end += others[i].left_s;
    while (at > 0 && passes(&others[at - 1], cost_s, end > ORDER_SHARE * share)) {
        at--;
        others[at].place->delay_s -= cost_s;
        others[at].place->bound_s -= cost_s;
        end -= others[at].left_s;
    }
    before = at > 0 ? others[at - 1].place->at : 0;
    p->at = at < n ? (before + others[at].place->at) / 2 : before + 1;
    p->delay_s = ORDER_DELAY * end;
    p->bound_s = ORDER_MOST * share - end;
}
