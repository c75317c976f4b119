/* offload - fetch what is wanted, then what will be, as far as that evicts nothing of this turn. */
#include "kernels/memory/offload.h"

#include <stdlib.h>
#include <string.h>

static int open_places(struct offload *h, struct fail *f)
{
    for (int i = 0; i < h->n; i++) {
        void *home;

        h->place[i].at = (char *)h->area + h->group[i].at;
        h->place[i].here = !h->group[i].moves;
        if (!h->group[i].moves) continue;
        h->away[h->group[i].side]++;
        if (h->dev->ops->home_new(h->dev, &home, h->group[i].bytes, f)) {
            fail_set(f, ERR_OUT_OF_MEMORY,
                     "weights that take turns on the device need %.1f GB of host memory",
                     (double)h->plan.home / 1e9);
            return fail_advise(f, "use a machine with more memory, or a larger card");
        }
        h->place[i].home = home;
    }
    return 0;
}

int offload_open(struct offload **out, struct dev *d, const struct residency *plan,
                 const struct residency_group *group, int n, struct fail *f)
{
    struct offload *h = calloc(1, sizeof *h);
    int err;

    *out = NULL;
    if (!h) return fail_set(f, ERR_OUT_OF_MEMORY, "no memory for the list of layers");
    *h = (struct offload){.dev = d, .plan = *plan, .n = n, .side = -1};
    h->group = calloc((size_t)n, sizeof *h->group);
    h->place = calloc((size_t)n, sizeof *h->place);
    err = h->group && h->place ? d->ops->mem_new(d, &h->area, plan->area, f)
                               : fail_set(f, ERR_OUT_OF_MEMORY, "no memory for the list of layers");
    if (!err) {
        memcpy(h->group, group, (size_t)n * sizeof *group);
        err = open_places(h, f);
    }
    if (err) {
        offload_close(h);
        return err;
    }
    *out = h;
    return 0;
}

void offload_close(struct offload *h)
{
    if (!h) return;
    for (int i = 0; h->place && i < h->n; i++)
        if (h->place[i].home) h->dev->ops->home_free(h->dev, h->place[i].home, h->group[i].bytes);
    if (h->area) h->dev->ops->mem_free(h->dev, h->area, h->plan.area);
    free(h->group);
    free(h->place);
    free(h);
}

void offload_locate(const struct offload *h, int group, uint64_t offset, void **at, void **home)
{
    const struct offload_place *p = &h->place[group];

    *at = p->at + offset;
    *home = p->home ? p->home + offset : NULL;
}

static void fetch(struct offload *h, int g)
{
    struct offload_place *p = &h->place[g];

    for (int i = 0; i < h->n; i++) {
        if (i == g || !h->place[i].here || !residency_overlap(&h->group[i], &h->group[g])) continue;
        h->place[i].here = 0;
        h->place[i].ticket = 0;
        h->away[h->group[i].side]++;
    }
    p->ticket = h->dev->ops->fetch(h->dev, p->at, p->home, h->group[g].bytes);
    p->here = 1;
    h->away[h->group[g].side]--;
    h->fetched += h->group[g].bytes;
}

/* The next group of the part, in a circle: after the last layer comes the first of the next token
 * or step. */
static int next(const struct offload *h, int g)
{
    int k = g;

    do
        k = (k + 1) % h->n;
    while (h->group[k].part != h->group[g].part);
    return k;
}

/* 1: bringing k would evict one of the part's groups from `from` up to it, which are used
 * before. */
static int too_early(const struct offload *h, int from, int k)
{
    for (int i = from; i != k; i = next(h, i))
        if (residency_overlap(&h->group[i], &h->group[k])) return 1;
    return 0;
}

static void fetch_ahead(struct offload *h, int g)
{
    for (int k = next(h, g); k != g; k = next(h, k)) {
        if (h->place[k].here) continue;
        if (too_early(h, g, k)) return;
        fetch(h, k);
    }
}

void offload_want(struct offload *h, int g)
{
    struct offload_place *p = &h->place[g];

    h->side = h->group[g].side;
    if (!p->here) fetch(h, g);
    if (p->ticket) h->dev->ops->arrive(h->dev, p->ticket);
    p->ticket = 0;
    if (h->away[h->side]) fetch_ahead(h, g);
}

static int in_the_way(const struct offload *h, int g, int busy)
{
    for (int i = 0; i < h->n; i++)
        if (h->group[i].part == busy && residency_overlap(&h->group[i], &h->group[g])) return 1;
    return 0;
}

void offload_ahead(struct offload *h, int busy)
{
    int side = 0;

    for (int i = 0; i < h->n; i++)
        if (h->group[i].part == busy) side = !h->group[i].side;
    for (int i = 0; i < h->n && h->away[side]; i++)
        if (h->group[i].side == side && !h->place[i].here && !h->group[i].ring
            && !h->group[i].images && !in_the_way(h, i, busy))
            fetch(h, i);
}

int offload_steady(struct offload *h, int part)
{
    int streams = 0;

    for (int i = 0; i < h->n; i++)
        if (h->group[i].part == part) streams |= h->group[i].ring;
    for (int i = 0; i < h->n && !streams; i++)
        if (h->group[i].part == part) offload_want(h, i);
    return !streams;
}
