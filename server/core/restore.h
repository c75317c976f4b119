/* restore - makes the jobs of earlier runs of the server from their rows: ended ones can be
 * watched, the others wait again. Thread: the loop's. */
#ifndef SERVER_CORE_RESTORE_H
#define SERVER_CORE_RESTORE_H

#include "server/core/core.h"

/* Rows in order of acceptance. 0, ERR_IO (out of order, or twice), ERR_OUT_OF_MEMORY. */
int restore_row(struct hub *, int64_t now, const struct hub_row *, struct fail *f);

#endif
