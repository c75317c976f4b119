/* previews - the preview demand of a job, and posting previews to its subscriptions. Thread: the
 * loop's. */
#ifndef SERVER_CORE_PREVIEWS_H
#define SERVER_CORE_PREVIEWS_H

#include "server/core/core.h"

/* What the subscriptions of a job demand together: every class, the shortest interval. */
struct preview_demand previews_demand(const struct job *);
/* The subscriptions of a job, or what they demand, have changed: send the worker the demand if it
 * is another one. */
void previews_followed(struct hub *, struct job *);
/* Post a preview of the worker; images are borrowed. Ignored when the job no longer runs. */
void previews_post(struct hub *, int64_t now, uint64_t job, enum event_phase,
                   const struct board_image *, int n);

#endif
