/* recall - jobs that the hub has forgotten come back from the disk when a command names them.
 * Thread: the loop's. */
#ifndef SERVER_CORE_RECALL_H
#define SERVER_CORE_RECALL_H

#include "server/core/core.h"

/* Have in memory the jobs that this command is about, as far as the disk has them: over, of
 * whomever. One of a sweep that is not over stays forgotten, as the sweep has noted its end. */
void recall_named(struct hub *, const struct client *, const struct command *);

#endif
