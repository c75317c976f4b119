/* registry - every job that the hub remembers: by id, by key, by order of acceptance, by order
 * of end.
 *
 * Owns the jobs. Jobs that are over stay until there are more than `kept` of them; then the one
 * that ended first is freed, unless a subscription has not read its end, a device still holds its
 * run, its sweep has not noted it, or whom it is shared with is on its way to the disk.
 * Thread: the loop's. */
#ifndef SERVER_CORE_REGISTRY_H
#define SERVER_CORE_REGISTRY_H

#include "server/core/job.h"

#define REGISTRY_BUCKETS 8192 /* a power of two, about one a job at the largest queue */

struct registry {
    uint64_t salt; /* unpredictable: clients choose keys */
    int kept;
    bool lost_shared; /* a job that was shared is gone; who reads it sets it back */
    int n, n_over;    /* jobs in all; of them those that are over */
    struct job *newest, *oldest;
    struct job *over_first, *over_last;
    struct job *by_id[REGISTRY_BUCKETS], *by_key[REGISTRY_BUCKETS];
    struct job *by_picture[REGISTRY_BUCKETS]; /* those that are done, by a model that is known */
};

void registry_init(struct registry *, uint64_t salt, int kept);
void registry_free(struct registry *); /* and every job */

/* Takes the job. Its order must be above that of all others, its id and key must be new. */
void registry_add(struct registry *, struct job *);
/* The same for one of any order, which nothing has; a key that a newer job has stays that job's. */
void registry_insert(struct registry *, struct job *);
/* Take it out and free it. */
void registry_drop(struct registry *, struct job *);
/* A job is over now: append it to the order of ends, and drop jobs beyond `kept`. */
void registry_over(struct registry *, struct job *);

/* Take one out that is over, and that no subscription and no device needs, and free it. */
void registry_forget(struct registry *, struct job *);

struct job *registry_find(const struct registry *, uint64_t id);
/* The newest end of one of its owner's jobs with this picture, which this model has drawn. */
struct job *registry_find_picture(const struct registry *, const struct account *,
                                  const uint8_t picture[SPEC_DIGEST_BYTES], uint64_t model);
/* A key belongs to its owner; "" finds nothing. */
struct job *registry_find_key(const struct registry *, const struct account *, const char *key);

#endif
