/* erase - a picture goes with its row, within a transaction that is open.
 *
 * The file goes before the row: a kill in between leaves a row that can be deleted again. Thread:
 * the store's. */
#ifndef SERVER_STORE_ERASE_H
#define SERVER_STORE_ERASE_H

#include "server/store/pictures.h"
#include "server/store/rows.h"

/* The row of an old picture, and its file unless another job has the same one. A file that cannot
 * be removed is logged and stays: it must not keep all others. */
int erase_old(struct job_rows *, struct pictures *, const struct row_picture *, struct log *,
              struct fail *f);
/* A job with its cells, and the pictures that they have. What has no row is no error; a file
 * that cannot be removed is. */
int erase_job(struct job_rows *, struct pictures *, uint64_t job, struct fail *f);

#endif
