/* private - jobs whose prompt and picture are nowhere but in memory, and only for their owner.
 *
 * The store is told of them as of others, and answers without keeping anything (hub_row.private);
 * they have no checkpoints. The finished picture waits in memory until it is fetched, or for as
 * long as the service allows; then the job is forgotten, as when the process ends. Thread: the
 * loop's. */
#ifndef SERVER_CORE_PRIVATE_H
#define SERVER_CORE_PRIVATE_H

#include "server/core/core.h"

/* May this account see the job's prompt and picture? Of others' private jobs an administrator sees
 * that they are there. */
bool private_open(const struct account *, const struct job *);
/* It is over: from now on it waits to be fetched. Nothing for other jobs. */
void private_over(struct hub *, int64_t now, struct job *);
/* The server stops: they end as failed. */
void private_stop(struct hub *);
/* The picture of this digest (borrowed) and its job, for its owner. NULL: there is none. */
struct blob *private_picture(const struct hub *, uint32_t user, const char *digest, uint64_t *job);
/* It was fetched. */
void private_fetched(struct hub *, int64_t now, uint64_t job);
/* Forget those that nobody has fetched in time. */
void private_look(struct hub *, int64_t now);
int64_t private_due(const struct hub *); /* INT64_MAX: not at all */

#endif
