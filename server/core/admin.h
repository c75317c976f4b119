/* admin - what administrators do to the whole service: its limits, words for everybody, its end.
 *
 * A drain: nothing starts and nothing is accepted any more, what runs may end until the deadline;
 * then, or as soon as nothing runs, the hub stops as hub_drain() does. Thread: the loop's. */
#ifndef SERVER_CORE_ADMIN_H
#define SERVER_CORE_ADMIN_H

#include "server/core/core.h"

/* Execute pause, resume, drain, notice or set for who may. */
void admin_obey(struct hub *, int64_t now, struct pending_reply *, const struct command *);
/* Other limits from now on. */
void admin_tune(struct hub *, const struct hub_tuning *);
/* What users may do has changed: tell their connections, and send them nothing that they may not
 * see any more. */
void admin_users(struct hub *);
/* Stop when a drain is at its end. */
void admin_look(struct hub *, int64_t now);
int64_t admin_due(const struct hub *); /* INT64_MAX: not at all */

#endif
