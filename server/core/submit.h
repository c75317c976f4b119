/* submit - what is checked before a request becomes a job, and what it would come to. Thread: the
 * loop's. */
#ifndef SERVER_CORE_SUBMIT_H
#define SERVER_CORE_SUBMIT_H

#include "server/core/core.h"

/* Answer a submit: at once when it is refused or its key is known, else when the disk has it. Takes
 * the command's spec when the job is accepted. */
void submit_obey(struct hub *, int64_t now, struct pending_reply *, struct command *);
/* Answer a quote. */
void submit_quote(struct hub *, int64_t now, struct pending_reply *, struct command *);
/* Whether this connection may follow one more job; j: one that it may follow already, or NULL. 0 or
 * ERR_RATE_LIMITED. */
int submit_watches(struct hub *, const struct client *, const struct job *j, bool watch,
                   struct fail *f);

#endif
