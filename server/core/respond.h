/* respond - the answers that all commands share: `ok`, `error`, and whether a job is there for a
 * client. Thread: the loop's. */
#ifndef SERVER_CORE_RESPOND_H
#define SERVER_CORE_RESPOND_H

#include "server/core/core.h"

/* Text for an answer, empty; and the answer made of it, which frees the text. */
void respond_begin(struct text *);
void respond_text(struct hub *, struct pending_reply *, struct text *);
/* j may be NULL: then without a state. */
void respond_ok(struct hub *, struct pending_reply *, const struct command *, const struct job *j);
/* The error is counted, and nothing begins with this answer. */
void respond_error(struct hub *, struct pending_reply *, const struct command *,
                   const struct fail *);

/* Answer with this text, which is freed, when the disk has what the result, a ticket, names .. */
uint64_t respond_later(struct hub *, struct pending_reply *, struct text *);
/* .. that is now (why NULL), or it is refused. */
void respond_stored(struct hub *, uint64_t ticket, const struct command *, const struct fail *why);

/* The answer that waits for what this ticket names; NULL: its client is gone. */
struct pending_reply *respond_ticket(const struct hub *, uint64_t ticket);
/* A job that this client may see; somebody else's does not exist for it. */
struct job *respond_job(const struct hub *, const struct client *, uint64_t id);
/* The error for one that does not exist. */
void respond_unknown(struct hub *, struct pending_reply *, const struct command *);

#endif
