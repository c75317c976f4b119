/* rows - the table of jobs: one row a job, written with one connection and read with another.
 *
 * Thread: rows_total .. rows_end belong to the thread that writes, all else to the loop. */
#ifndef SERVER_STORE_ROWS_H
#define SERVER_STORE_ROWS_H

#include "proto/fail.h"
#include "server/base/log.h"
#include "server/core/hub.h"
#include "server/store/database.h"
#include "server/store/pictures.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#define ROWS_STATEMENTS 12

struct job_rows {
    sqlite3 *reader, *writer;
    sqlite3_stmt *find, *recall;        /* the reader's; recall once it was used */
    sqlite3_stmt *sql[ROWS_STATEMENTS]; /* the writer's */
    uint64_t *going; /* the loop's: deleted, as far as clients know; their rows may be there yet */
    int n_going, max_going;
    uint64_t starts; /* of a server with this database, this one included */
    uint8_t secret[DATABASE_SECRET_BYTES];
};

/* r is all zero. On failure (ERR_IO) rows_close() is still due. */
int rows_open(struct job_rows *r, const char *path, struct fail *f);
void rows_close(struct job_rows *);

bool rows_empty(struct job_rows *);               /* no job at all */
bool rows_waits(struct job_rows *, uint64_t job); /* it has no end yet, or cannot be read */
int rows_counts(struct job_rows *, int64_t *done, int64_t *failed, int64_t *cancelled,
                struct fail *f);
/* As store_restore(). */
int rows_restore(struct job_rows *, struct log *, int kept,
                 int (*each)(void *arg, const struct hub_row *, struct fail *f), void *arg,
                 struct fail *f);
/* Call each for this job, if it is over and its row can be read, unless it goes, or its sweep.
 * False: there is no such row. */
bool rows_recall(struct job_rows *, uint64_t job,
                 int (*each)(void *arg, const struct hub_row *, struct fail *f), void *arg);
/* This job is deleted: it cannot be recalled any more, also while its row is there yet. */
void rows_going(struct job_rows *, uint64_t job);
/* That was answered: its row is gone, or stays and is found again. */
void rows_settled(struct job_rows *, uint64_t job);
/* The file of a result and its size. Of all jobs, or of one owner's; several may have the same
 * result. ERR_NOT_FOUND: there is no such result. ERR_IO. */
int rows_find(struct job_rows *, bool all, uint32_t owner, const char *digest, char *name,
              size_t bytes, int64_t *size, struct fail *f);

/* The tokens kept with a job, or for it: the caller's reference, NULL: none. */
struct blob *rows_tokens(struct job_rows *, uint64_t job);

/* Bytes of all pictures and of the rows themselves. */
int rows_total(struct job_rows *, int64_t *bytes, struct fail *f);
int64_t rows_newest_ms(struct job_rows *); /* when the newest job was accepted; 0: none */
/* The oldest job with a picture, but for the cells of a sweep that is not over, of favourites only
 * when there are no others; bytes: of the picture and its tokens; shared: a newer job has the same
 * one. false: none, or unreadable. */
struct row_picture {
    uint64_t job;
    int64_t bytes, created_ms;
    char name[PICTURE_NAME_BYTES];
    bool shared;
    bool favourite;
};
bool rows_oldest(struct job_rows *, struct row_picture *out);
/* The next user whose pictures take more bytes than it may have, by growing id: its bound, and the
 * bytes beyond it. false: none. */
struct row_excess {
    uint32_t owner;
    int64_t bound, bytes;
};
bool rows_over_quota(struct job_rows *, uint32_t after, struct row_excess *out);
/* Its oldest pictures, favourites last, that have so many bytes together: n, job and bytes of out
 * are set. */
void rows_quota_list(struct job_rows *, uint32_t owner, int64_t bytes, struct removal *out);
/* The same of this job. ERR_NOT_FOUND: it has none; ERR_IO, ERR_OUT_OF_MEMORY. */
int rows_picture(struct job_rows *, uint64_t job, struct row_picture *out, struct fail *f);
/* A job that is a cell of this one; *cell 0: none has a row. */
int rows_cell(struct job_rows *, uint64_t sweep, uint64_t *cell, struct fail *f);
/* Remove a row, within a transaction; it goes on to be counted. With its last cell goes the row of
 * a sweep that is over. */
int rows_remove(struct job_rows *, uint64_t job, struct fail *f);
/* Of the jobs that ended without a picture remove the oldest rows, at most so many, down to `kept`;
 * how many went. */
int rows_trim(struct job_rows *, int kept, int most, struct fail *f);

/* One transaction around any number of rows. */
int rows_begin(struct job_rows *, struct fail *f);
int rows_commit(struct job_rows *, struct fail *f);
void rows_rollback(struct job_rows *); /* when one is open */
int rows_accept(struct job_rows *, const struct hub_row *, struct fail *f);
/* What its owner can change of a job. */
int rows_place(struct job_rows *, const struct hub_row *, struct fail *f);
int rows_share(struct job_rows *, const struct hub_share *, struct fail *f);
/* The steps of a job that has no end; nothing when it has. */
int rows_finish(struct job_rows *, const struct hub_row *, struct fail *f);
/* Write something that changes nothing. */
int rows_probe(struct job_rows *, struct fail *f);
/* name: the result's file, "" without one. A row that is missing is written whole. Its tokens stay
 * with a finished picture alone. */
int rows_end(struct job_rows *, const struct hub_row *, const char *name, struct fail *f);

#endif
