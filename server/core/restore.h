/* restore - makes the jobs of earlier runs of the server from their rows: ended ones can be
 * watched, the others wait again. Thread: the loop's. */
#ifndef SERVER_CORE_RESTORE_H
#define SERVER_CORE_RESTORE_H

#include "server/core/core.h"

/* Rows in order of acceptance. 0, ERR_IO (out of order, or twice), ERR_OUT_OF_MEMORY. */
int restore_row(struct hub *, int64_t now, const struct hub_row *, struct fail *f);

/* The same of a job that is over and was forgotten: it is remembered again, in its place in the
 * order of acceptance, as the one that ended last. ERR_CONFLICT: it is remembered, or its sweep is
 * not over; ERR_OUT_OF_MEMORY. */
int restore_forgotten(struct hub *, const struct hub_row *);

#endif
