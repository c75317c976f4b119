/* favour - pictures that are to stay longest, and what their owner is told of those that go.
 * Thread: the loop's. */
#ifndef SERVER_CORE_FAVOUR_H
#define SERVER_CORE_FAVOUR_H

#include "server/core/core.h"

/* Execute favourite. */
void favour_obey(struct hub *, struct pending_reply *, const struct command *);
/* The store removes pictures of a user, or has: tell it, and forget the jobs that are gone. */
void favour_removal(struct hub *, int64_t now, const struct removal *);

#endif
