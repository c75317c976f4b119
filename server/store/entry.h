/* entry - rows on their way to the disk: a message of the store, with copies of all it needs, that
 * becomes the answer, so that answering takes no memory. Thread: made by the loop, then the
 * store's. */
#ifndef SERVER_STORE_ENTRY_H
#define SERVER_STORE_ENTRY_H

#include "server/base/blob.h"
#include "server/base/mbox.h"
#include "server/core/effects.h"
#include "server/events.h"
#include "server/worker/png.h"

/* A row on its way to the disk, with copies of what it needs. */
struct entry_row {
    struct hub_row row; /* key, digest, spec, sweep, cells, result_digest, error point below */
    struct spec spec;
    char key[LIMIT_KEY_BYTES + 1], result_digest[PNG_DIGEST_TEXT];
    uint8_t digest[SPEC_DIGEST_BYTES];
    char *sweep, *cells, *webhook;
    struct fail error;
};

/* Rows that are written together; the job that is answered for is the last one's. */
struct row_entry {
    union {
        struct msg m;
        struct loop_stored stored;   /* what it becomes */
        struct loop_shared shared;   /* .. or this .. */
        struct loop_deleted deleted; /* .. or this */
    };
    struct blob *file;
    struct hub_share share;       /* n 0: what is stored instead of rows .. */
    struct hub_deletion deletion; /* .. or, when it names a job, what is deleted */
    int n;
    struct entry_row at[];
};

/* kind: of the message. Rows are copied, the file (or NULL) gets a reference. NULL: no memory. */
struct row_entry *entry_new(int kind, const struct hub_row *rows, int n, struct blob *file);
/* Of a job of which nothing but its id matters. NULL: no memory. */
struct row_entry *entry_of_job(int kind, uint64_t job);
/* Of no row. NULL: no memory. */
struct row_entry *entry_share(int kind, const struct hub_share *);
struct row_entry *entry_deletion(int kind, const struct hub_deletion *);
void entry_free(struct row_entry *);

/* What became of it; why NULL: it is on disk. All that the entry has is freed, and the entry itself
 * goes to the loop as LOOP_STORED, LOOP_SHARED or LOOP_DELETED. */
void entry_answer(struct row_entry *, int64_t commit_us, const struct fail *why, struct mbox *loop);
/* As the loop gets it, for a message that is all zero. */
void entry_stored(struct loop_stored *, uint64_t job, int64_t commit_us, const struct fail *why);
void entry_shared(struct loop_shared *, const struct hub_share *, const struct fail *why);
void entry_deleted(struct loop_deleted *, const struct hub_deletion *, const struct fail *why);
uint64_t entry_job(const struct row_entry *);
/* Whether one of these begins with pictures. */
bool entry_images(const struct hub_row *, int n);

#endif
