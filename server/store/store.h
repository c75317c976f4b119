/* store - jobs and results on disk: SQLite for rows, plain files for pictures, one thread for
 * both.
 *
 * The thread takes all that waits in its mailbox into one transaction (WAL, synchronous=FULL),
 * so a commit's wait is shared, and only then sends LOOP_STORED for each. A result's file is
 * whole and on disk under its final name before the row that names it: written aside, fsync,
 * rename, fsync of the folder. kill -9 or power loss at any point leaves either all of a row or
 * nothing of it.
 *
 * Its files are 0600. A job is accepted only while the files of the database are still those that
 * were opened: one that was removed or replaced would lose it.
 *
  * Once a minute while jobs end, what is past --keep-days and --keep-size is removed (retention.h),
 * and what is past a user's --disk, which is sent LOOP_REMOVAL before and after (quota.h).
 *
 *   <data>                    locked while a server uses it, and with it
 *   <data>/lock               the same, for older versions
 *   <data>/darkroom.db        table `jobs`, one row a job; `tokens`, which pictures are made of;
 *                             `hooks`, ends that are still to be posted;
 *                             `users`, who may use the server;
 *                             `meta` counts the starts, `removed` the jobs without a row any more
 *   <data>/users.changed      written by `darkroom user` after each change
 *   <data>/outputs/256x256-seed7-<digest>.png   made again when it is gone
 *   <data>/outputs/256x256-seed7-<digest>.jpg   its thumbnail (thumbnails.h)
 *   <data>/images/<digest>.png  pictures that jobs begin with (images.h)
 *   <data>/checkpoints/<job>  where a running picture stands (checkpoints.h)
 *
 * Thread: store_open .. store_close, store_find, store_users and store_restore are the loop's. */
#ifndef SERVER_STORE_STORE_H
#define SERVER_STORE_STORE_H

#include "proto/fail.h"
#include "server/base/log.h"
#include "server/base/mbox.h"
#include "server/base/watchdog.h"
#include "server/core/effects.h"
#include "server/store/pictures.h"
#include "server/store/users.h"

#include <stdint.h>

struct store;
struct image_store;

/* Make or open the folder, take its lock, bring its tables up to date, count this start, start
 * the thread. loop gets one LOOP_STORED per store_accept, store_finish and store_end, and one
 * LOOP_SHARED per store_share, in their order; after a refusal that may pass, a LOOP_DISK when a
 * probe, once a second, was taken. ERR_IO: with the path and what to do, also when the disk is full
 * or takes no picture; ERR_CONFLICT: another server uses the folder. */
struct store_conf {
    const char *data;   /* the folder */
    struct mbox *loop;  /* gets the answers */
    struct log *log;    /* NULL: none */
    int keep_days;      /* older pictures are removed; 0: at no age */
    int64_t keep_bytes; /* the oldest are removed beyond so many in all; 0: no such bound */
    int upload_hours;   /* an upload that no job begins with goes so long after its last use */
    int grace_minutes;  /* between telling users what goes beyond their --disk, and removing it */
};
int store_open(struct store **out, const struct store_conf *, struct fail *f);
/* Writes what still waits, then ends the thread. NULL is fine. */
void store_close(struct store *);

/* The thread's work, for a watchdog that ends before store_close(). */
struct pulse *store_pulse(struct store *);

uint64_t store_boot(const struct store *); /* 1, 2, 3 .. */
/* Jobs that ended in all starts so far. */
int store_counts(struct store *, int64_t *done, int64_t *failed, int64_t *cancelled,
                 struct fail *f);
/* Call each for every job without an end, the cells of such sweeps, and the `kept` newest ones with
 * one, in order of acceptance, until it returns non-zero (which is returned). A damaged row is
 * logged and skipped. */
int store_restore(struct store *, int kept,
                  int (*each)(void *arg, const struct hub_row *, struct fail *f), void *arg,
                  struct fail *f);

/* struct hub_out: what they borrow is copied, the file gets a reference. Of a private row nothing
 * is copied or kept; it is answered. */
void store_accept(struct store *, const struct hub_row *rows, int n); /* all or none */
void store_end(struct store *, const struct hub_row *, struct blob *file);
void store_place(struct store *, const struct hub_row *);
void store_share(struct store *, const struct hub_share *);
void store_finish(struct store *, const struct hub_row *);
void store_delete(struct store *, const struct hub_deletion *);
/* LOOP_DELETED has come for it: it is gone, or is found again. */
void store_settled(struct store *, uint64_t job);
/* Call each for this job, if it is over and has a row, unless it is being deleted.
 * False: there is none. */
bool store_recall(struct store *, uint64_t job,
                  int (*each)(void *arg, const struct hub_row *, struct fail *f), void *arg);
void store_search(struct store *, const struct hub_search *); /* answered by LOOP_FOUND */
void store_checkpoint(struct store *, uint64_t job, struct blob *);
/* Other bounds from now on, as in struct store_conf; the next look for old pictures is at once.
 * ERR_OUT_OF_MEMORY: all stays as it was. */
int store_keep(struct store *, int keep_days, int64_t keep_bytes, int grace_minutes);
/* The data folder, for checkpoints_read(); closed by store_close(). */
int store_folder(const struct store *);

/* The users now; the caller frees them. ERR_IO, ERR_OUT_OF_MEMORY. */
int store_users(struct store *, struct user_rows *out, struct fail *f);
/* DATABASE_SECRET_BYTES that stay over all starts: what this server signs with. */
const uint8_t *store_secret(const struct store *);

/* The tokens kept with a finished job, or for one that waits: the caller's reference, or NULL. */
struct blob *store_tokens(struct store *, uint64_t job);

/* Pictures that jobs begin with, for what is read of them. */
struct image_store *store_images(struct store *);
/* Keep one; it comes back as LOOP_KEPT, with why not if it is not kept. Takes the message. */
struct intake;
void store_keep_image(struct store *, struct intake *);
/* Remove an upload, unless a job that is not over begins with it. Answered by LOOP_DISCARDED, when
 * that is on disk. forgotten: there may be none. */
void store_discard_image(struct store *, uint64_t ticket, uint32_t owner,
                         const uint8_t digest[SPEC_DIGEST_BYTES], bool forgotten);

/* Whose pictures are looked for: those of one user, or all. */
struct store_asker {
    bool all;
    bool uploads; /* also among the user's uploads, and what its jobs began with */
    uint32_t user;
};
/* A result by its digest (64 hex digits): an open file, its size and name. The caller closes fd.
 * ERR_NOT_FOUND, also for a picture that is only others'; ERR_IO. */
struct store_file {
    int fd;
    int64_t bytes;
    char name[PICTURE_NAME_BYTES];
};
int store_find(struct store *, const struct store_asker *, const char *digest,
               struct store_file *out, struct fail *f);
/* The thumbnail of a result, the caller's reference; NULL: it was not made yet. Errors as of
 * store_find(). */
int store_thumbnail(struct store *, const struct store_asker *, const char *digest,
                    struct blob **out, struct fail *f);
/* Keep one that was made from that result, whose file has this name; takes a reference. */
void store_keep_thumbnail(struct store *, const char *name, const char *digest, struct blob *);

#endif
