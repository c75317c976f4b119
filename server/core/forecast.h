/* forecast - places and expected times: pushed when they change, at most four times a second; and
 * quotes.
 *
 * A job that has just come to wait gets its place at once, the rest of the news can wait.
 * Thread: the loop's. */
#ifndef SERVER_CORE_FORECAST_H
#define SERVER_CORE_FORECAST_H

#include "server/core/core.h"

/* Push what is due: places, times, statistics. */
void forecast_push(struct hub *, int64_t now);
int64_t forecast_due(const struct hub *); /* when that is; INT64_MAX: nothing has changed */
/* Play the queue forward: one item for each waiting job, in their order, valid until the next call.
 * NULL: nothing can be said now, or no memory. */
const struct eta_item *forecast_queue(struct hub *);
/* Play the queue forward with one more job (item->plan, pixels) at its end; writes its times. */
void forecast_quote(struct hub *, struct eta_item *item);
/* When the first waiting job will start, by the newest estimate, from now; -1: unknown. Constant
 * time: it is also asked for every submit that a full queue refuses. */
int64_t forecast_first_ms(const struct hub *, int64_t now);

#endif
