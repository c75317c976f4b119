/* composition - jobs that begin with the tokens of an earlier one (`prior_from`).
 *
 * Prompt, size and seed are those of the earlier job, since they have drawn the tokens; so the
 * picture is the one that the same request gives without `prior_from`, and what its metadata says
 * is all that it depends on. The disk copies the tokens when the job is accepted, after which the
 * earlier one may go. Where they are lost nevertheless, or are of a model that is not used any
 * more, the job draws its own.
 * Thread: the loop's. */
#ifndef SERVER_CORE_COMPOSITION_H
#define SERVER_CORE_COMPOSITION_H

#include "server/core/core.h"

/* A submit or quote of this account, before it is planned: may it, and each cell of its sweep, have
 * the tokens of the job that it names? Gives it the seed of that job. 0 without `prior_from`;
 * ERR_NOT_FOUND (also of another owner), ERR_CONFLICT (the job has no tokens, or was of another
 * prompt or size), ERR_BAD_FIELD (the seed is another). */
int composition_check(const struct hub *, const struct account *, struct command *, struct fail *f);
/* Its run ended as it had no tokens that the engine can use: it waits again, to draw its own. */
void composition_lost(struct hub *, int64_t now, struct job *);

#endif
