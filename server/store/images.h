/* images - the pictures that jobs begin with: a file each, whose they are, which jobs need them.
 *
 * A file is named by its digest and stored once, however many users have it; the table `images` has
 * a row for each of them. An upload is added; a result becomes one when a job begins with it, as a
 * second name of the same file, so that the result may be removed. The table `sources` says which
 * jobs begin with which picture, from the transaction that accepts the job until its row goes. What
 * no job begins with is removed some time after it was last used (images_prune). Of private jobs,
 * which have no rows, a table in memory says the same until they are over; it goes with the process
 * as they do.
 *
 *   <data>/images/<digest>.png
 *
 * Thread: images_find, images_list and images_file belong to the loop, images_read to any thread,
 * all others to the one that writes, within a transaction where it is said. */
#ifndef SERVER_STORE_IMAGES_H
#define SERVER_STORE_IMAGES_H

#include "server/base/blob.h"
#include "server/core/effects.h"
#include "server/events.h"
#include "server/store/pictures.h"
#include "server/store/rows.h"

struct image_store {
    struct job_rows *rows;
    struct pictures *outputs; /* results */
    struct pictures files;
    int data; /* the data folder */
};

/* Makes the folder, removes files that no row has. ERR_IO. */
int images_open(struct image_store *, struct job_rows *, struct pictures *outputs, int data,
                struct log *, struct fail *f);

/* A picture that a job of this user may begin with: an upload or a result; out->digest names it,
 * its size is filled in. ERR_NOT_FOUND, also for another user's or when its file is gone. */
int images_find(struct image_store *, uint32_t owner, struct spec_image *out, struct fail *f);

/* In the transaction of a new job: it begins with the pictures of its spec, a private one with
 * those that are not in memory. ERR_NOT_FOUND: one has been removed since images_find(). ERR_IO. */
int images_refer(struct image_store *, const struct hub_row *, struct fail *f);
/* In a transaction: a private job is over. ERR_IO. */
int images_release(struct image_store *, uint64_t job, struct fail *f);

/* A file by its digest and owner: an open one, its size. The caller closes fd. ERR_NOT_FOUND. */
int images_open_file(struct image_store *, uint32_t owner, const char *digest, int *fd,
                     int64_t *bytes, struct fail *f);
/* Rows of the uploads of a user, the newest first (answer_image_row). */
void images_list(struct image_store *, uint32_t owner, struct text *out);

/* Writes the file and the row of an upload, each durable. ERR_IO; ERR_TOO_LARGE: the user's uploads
 * would take more than all of its pictures may. */
int images_add(struct image_store *, const struct intake *, struct fail *f);
/* Removes an upload, durably; why: ERR_NOT_FOUND; ERR_CONFLICT: a job that is not over begins with
 * it; ERR_IO. */
void images_discard(struct image_store *, struct image_discard *);
/* Removes what no job begins with and was last used more than so long ago. */
void images_prune(struct image_store *, int64_t now_ms, int64_t keep_ms);

/* A file of the folder, whole and with this digest (64 hex digits): the caller's reference. NULL:
 * it is gone, damaged, or memory is short. */
struct blob *images_read(int data, const char *digest);

#endif
