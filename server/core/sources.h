/* sources - the pictures that jobs begin with (`images`): whose they are, and their sizes.
 *
 * A source is a file of this server: an upload, or the result of a job that is done. Its digest
 * names it; what another account has is not found. The disk keeps a job's sources from the moment
 * when it is accepted, so that the upload or the earlier job may go. Those of private jobs that are
 * in memory alone the job itself keeps.
 * Thread: the loop's. */
#ifndef SERVER_CORE_SOURCES_H
#define SERVER_CORE_SOURCES_H

#include "server/core/core.h"

/* Look up the pictures that a submit or quote of this account begins with: every one gets its
 * digest and its size. 0, ERR_NOT_FOUND, ERR_CONFLICT (a job that has no picture), ERR_BAD_FIELD (a
 * private picture, and the job is not). */
int sources_check(const struct hub *, const struct account *, struct command *, struct fail *f);
/* A new private job keeps those of its sources that are in memory alone. */
void sources_hold(const struct hub *, struct job *);
/* A restored job that is not over: the sizes of its sources. One that is gone has none, and is told
 * when the job is planned. */
void sources_restore(const struct hub *, struct job *);

#endif
