/* deletion - jobs that are over and that their owners want to be gone.
 *
 * A job is unknown from the command on, and the command is answered when the disk has no trace of
 * it: what is said to be gone is not there after a kill, nor served a moment later. When the disk
 * refuses, it is there as a job that was forgotten, and comes back when it is named. Thread: the
 * loop's. */
#ifndef SERVER_CORE_DELETION_H
#define SERVER_CORE_DELETION_H

#include "server/core/core.h"

void deletion_obey(struct hub *, struct pending_reply *, const struct command *);
/* As hub_deleted(). */
void deletion_stored(struct hub *, int64_t now, const struct hub_deletion *,
                     const struct fail *why);

#endif
