/* search - `list` of finished pictures: the store has them all, and answers later.
 * Thread: the loop's. */
#ifndef SERVER_CORE_SEARCH_H
#define SERVER_CORE_SEARCH_H

#include "server/core/core.h"

#define SEARCHES_MAX 8 /* of one connection that wait; more are refused */

/* Ask the store for what c->results and c->search say; the answer is due with search_found(). */
void search_obey(struct hub *, struct pending_reply *, const struct command *c);
/* As hub_found(). */
void search_found(struct hub *, uint64_t ticket, struct blob *answer, const struct fail *why);

#endif
