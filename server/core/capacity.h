/* capacity - how many pictures the devices take, what one picture takes, and why a job has to wait.
 *
 * A device's cap is the least of: what fits into its memory by the plan of an ordinary picture,
 * what is left after it ran out of memory, and what gains by sharing; --concurrency takes the place
 * of the last. Thread: the loop's. */
#ifndef SERVER_CORE_CAPACITY_H
#define SERVER_CORE_CAPACITY_H

#include "server/core/core.h"

/* Residents at most, on all devices together. */
int capacity_cap(const struct hub *);
/* The devices and that limit, for dispatch_next(). */
void capacity_state(const struct hub *, struct dispatch_state *out);
/* Plan a request, and check that it can ever run. 0 or the reason. Only while a model is open. */
int capacity_plan(const struct hub *, const struct spec *, struct job_plan *, struct fail *f);
/* Advise the largest picture of about this shape that takes at most `bytes`, if there is one. */
void capacity_advise(const struct hub *, const struct spec *, uint64_t bytes, struct fail *f);
/* Compute the cap of a device that is ready, and say why. */
void capacity_set(struct hub *, struct device *);
/* It ran out of memory with so many residents. */
void capacity_lower(struct hub *, struct device *, int residents);
/* A device's why_cap has changed: write the sentence for all. */
void capacity_explain(struct hub *);
/* Why the first waiting job is not on a device. */
enum event_why capacity_why(const struct hub *, const struct job *);

#endif
