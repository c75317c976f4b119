/* registry - every job that the hub remembers: by id, by key, by order of acceptance, by order of end.
 *
 * Owns the jobs. Jobs that are over stay until more than `kept` of them are there; the one that ended
 * first goes first, but never while somebody still has to read its end. Thread: the loop's. */
#ifndef SERVER_CORE_REGISTRY_H
#define SERVER_CORE_REGISTRY_H

#include "server/core/job.h"

#define SHELF_BUCKETS 8192 /* a power of two, about one a job at the largest queue */

struct shelf {
    uint64_t salt; /* unpredictable: clients choose keys */
    int kept;
    int n, n_over;
    struct job *newest, *oldest;
    struct job *over_first, *over_last;
    struct job *by_id[SHELF_BUCKETS], *by_key[SHELF_BUCKETS];
};

void shelf_init(struct shelf *, uint64_t salt, int kept);
void shelf_free(struct shelf *); /* and every job */

/* j->order must be above that of all others; id and key must not be there yet. */
void shelf_add(struct shelf *, struct job *);
/* Take it out and free it. */
void shelf_drop(struct shelf *, struct job *);
/* j is over: remember the order, and drop what is beyond `kept`. */
void shelf_over(struct shelf *, struct job *);

struct job *shelf_find(const struct shelf *, uint64_t id);
struct job *shelf_find_key(const struct shelf *, const char *key); /* "" finds nothing */

#endif
