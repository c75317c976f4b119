/* previews - which previews of a job its viewers want, and the way of a preview to them.
 * Thread: the loop's. */
#ifndef SERVER_CORE_PREVIEWS_H
#define SERVER_CORE_PREVIEWS_H

#include "server/core/core.h"

/* What the viewers of a job want together. */
struct preview_demand previews_demand(const struct job *);
/* Who follows a job, or what they want of it, has changed: tell the worker when that makes a
 * difference. */
void previews_followed(struct hub *, struct job *);
/* A preview has come; images are borrowed. Ignored when the job does not run any more. */
void previews_post(struct hub *, int64_t now, uint64_t job, enum event_phase,
                   const struct board_image *, int n);

#endif
