/* offload - weights that are copied to the device when they are used: which are there, which on the
 * way.
 *
 * A stage says offload_want() before it uses a group's weights (graph_want, in every layer). What
 * is not there is fetched over what the other side left behind, and the groups that follow in the
 * stage are fetched ahead, beside the work that does not need them yet. Everything happens in the
 * order of the device's operations, so the host never waits. Exists only where weights do not
 * all fit (residency.h). Thread: the device's worker. */
#ifndef KERNELS_MEMORY_OFFLOAD_H
#define KERNELS_MEMORY_OFFLOAD_H

#include "kernels/memory/residency.h"
#include "kernels/ops.h"

struct offload_place {
    char *at;        /* on the device */
    char *home;      /* on the host, as long as it is open; NULL: the group never moves */
    uint64_t ticket; /* of the fetch that was not waited for yet; 0: none */
    int here;
};

struct offload {
    struct dev *dev;
    struct residency plan;
    struct residency_group *group;
    struct offload_place *place; /* of the same index */
    int n;
    int away[RESIDENCY_SIDES]; /* groups that are not here */
    int side;                  /* wanted last; -1: none yet */
    void *area;
    uint64_t fetched; /* bytes, since it was opened */
};

/* Area and homes. group [n] placed by residency_choose() is copied. ERR_OUT_OF_MEMORY of either
 * kind. */
int offload_open(struct offload **out, struct dev *, const struct residency *,
                 const struct residency_group *, int n, struct fail *);
void offload_close(struct offload *); /* NULL is fine; weights in it are of no use any more */

/* Where a weight `offset` bytes into a group is stored: spec.at, spec.home of ops.h. */
void offload_locate(const struct offload *, int group, uint64_t offset, void **at, void **home);

/* The operations that follow use the weights of this group, until the next want. */
void offload_want(struct offload *, int group);
/* `busy` is the part in use, nothing else of its side will be: fetch what there is room for of the
 * other side, whose turn comes next, but not what condition images alone need. Before the
 * operations that it shall go on beside. */
void offload_ahead(struct offload *, int busy);
/* Bring all of a part and wait for it. 1: nothing of it will move as long as it alone is used, so a
 * recorded step may name its addresses and be repeated; 0: it streams. */
int offload_steady(struct offload *, int part);

#endif
