/* placing - which waiting job goes to which device: plans, the rule of dispatch.h, pause and stop.
 * Thread: the loop's. */
#ifndef SERVER_CORE_PLACING_H
#define SERVER_CORE_PLACING_H

#include "server/core/core.h"

/* Plan some of the waiting jobs that arrived before the model did. */
void placing_plan_some(struct hub *);
int64_t placing_due(const struct hub *); /* when that wants to go on; INT64_MAX: not at all */
/* Start the waiting jobs that dispatch_next() chooses, until it chooses none. */
void placing_dispatch(struct hub *, int64_t now);
/* Nothing starts, or it goes on. */
void placing_pause(struct hub *, bool paused);
/* The same before a stop, for which what waits is kept. */
void placing_drain(struct hub *, bool draining);
/* Stop: nothing starts any more, what runs waits again, and that is pushed at once. */
void placing_stop(struct hub *, int64_t now);

#endif
