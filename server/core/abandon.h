/* abandon - jobs that are cancelled when nobody looks at them for as long as their owner allows.
 *
 * A viewer is a subscription to the job, or the connection that submitted it while it is open. The
 * time begins when the last viewer is gone, ends when another comes, and counts whether the job
 * waits, is held or runs. Viewers of a sweep's cells are the sweep's; its cells are cancelled.
 * After a restart of the server it counts from then on.
 * Thread: the loop's. */
#ifndef SERVER_CORE_ABANDON_H
#define SERVER_CORE_ABANDON_H

#include "server/core/core.h"

/* The job was submitted by this connection, also when its key has found it. */
void abandon_submitted(struct hub *, struct job *, struct client *);
/* The connection is being closed: what it submitted has one viewer less. */
void abandon_closed(struct hub *, const struct client *);
/* Cancel after so many milliseconds without a viewer, 0: never; for a job that is not over. A
 * value that differs begins the time anew. */
void abandon_set(struct hub *, struct job *, int unwatched_ms);
/* The viewers of the job may be others now. */
void abandon_changed(struct hub *, const struct job *);
/* Cancel what nobody has looked at for too long. */
void abandon_look(struct hub *, int64_t now);
int64_t abandon_due(const struct hub *); /* INT64_MAX: not at all */

#endif
