/* acceptance - a submit becomes a job: into the table, onto the disk, its answers. Thread: the
 * loop's. */
#ifndef SERVER_CORE_ACCEPTANCE_H
#define SERVER_CORE_ACCEPTANCE_H

#include "server/core/core.h"
#include "server/core/request.h"

/* Accept the submit of an account that has passed every check: its job, or its sweep, which is
 * returned, and the jobs of that one's cells. NULL: no memory, and nothing is accepted. */
struct job *acceptance_begin(struct hub *, int64_t now, struct account *, struct command *,
                             const uint8_t *digest, const struct request *);
/* The direct answer to a submit of this job, and the start of following it. found: the submit that
 * asks for the picture that this job has drawn already; NULL: it is the job's own. */
void acceptance_reply(struct hub *, int64_t now, const struct job *, struct pending_reply *,
                      bool watch, const struct command *found);
/* The disk took its rows (why NULL), or did not: then the job is forgotten, with its cells. */
void acceptance_stored(struct hub *, int64_t now, struct job *, const struct fail *why);

#endif
