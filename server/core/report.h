/* report - the answers to `list`, `job`, `users` and `log`, and the statistics. Thread: the
 * loop's. */
#ifndef SERVER_CORE_REPORT_H
#define SERVER_CORE_REPORT_H

#include "server/core/core.h"

/* The answer to `list`: at most c->limit rows of what the account sees, from this job (may be NULL)
 * to older ones, in c->state, cells of c->parent or no cells. The caller owns the blob; NULL: no
 * memory. */
struct blob *report_list(const struct hub *, int64_t now, const struct client *,
                         const struct job *from, const struct command *c, const char *ref);
/* The answer to `job`. NULL: no memory. */
struct blob *report_job(const struct hub *, int64_t now, const struct client *, const struct job *,
                        const char *ref);
/* The statistics, as an answer to ref or (NULL) as a message of their own; jobs that the account
 * does not see have no id in them. The caller owns the blob; NULL: no memory. */
struct blob *report_stats(const struct hub *, int64_t now, const struct account *, const char *ref);
/* The answer to `users`: those of the service, with what they have going; without users none. NULL:
 * no memory. */
struct blob *report_users(const struct hub *, int64_t now, const char *ref);
/* The answer to `log`: at most c->limit lines, the newest after c->seq. NULL: no memory. */
struct blob *report_log(const struct hub *, const struct command *c, const char *ref);
/* Make the newest statistics of each account that wants them, and wake its connections. Without
 * memory the last ones stay. */
void report_push(struct hub *, int64_t now);

#endif
