/* capacity - how many pictures the devices hold, what one picture takes, and why a job has to wait.
 *
 * A device's cap is the least of: what fits into its memory by the plan of an ordinary picture, the
 * cap after an out-of-memory, and the useful batch; --concurrency overrides the last. Thread: the
 * loop's. */
#ifndef SERVER_CORE_CAPACITY_H
#define SERVER_CORE_CAPACITY_H

#include "server/core/core.h"

/* Residents at most, on all devices together. */
int capacity_cap(const struct hub *);
/* May what waits start: neither a pause nor a drain? */
bool capacity_open(const struct hub *);
/* The devices and that limit, for dispatch_next(). */
void capacity_state(const struct hub *, struct dispatch_state *out);
/* Plan a request, and check that it fits the largest device when that is empty. 0, what
 * hub_out.plan returns or ERR_TOO_BIG_FOR_DEVICE. Only while a model is open. */
int capacity_plan(const struct hub *, const struct spec *, struct job_plan *, struct fail *f);
/* Advise the largest picture of about this shape that takes at most `bytes`, if there is one. */
void capacity_advise(const struct hub *, const struct spec *, uint64_t bytes, struct fail *f);
/* Compute the cap of a device that is ready, and why it is no more. */
void capacity_set(struct hub *, struct device *);
/* It ran out of memory with so many residents. */
void capacity_lower(struct hub *, struct device *, int residents);
/* A device's `why` has changed: write the sentence for all devices. */
void capacity_explain(struct hub *);
/* What is told of it; valid until the next input. */
void capacity_tell(const struct hub *, struct concurrency *out);
/* Why the first waiting job is not on a device. */
enum event_why capacity_why(const struct hub *, const struct job *);

#endif
