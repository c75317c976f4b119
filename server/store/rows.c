/* rows - prepared statements; a job's row is written twice, when it is accepted and when it
 * ends. */
#include "server/store/rows.h"

#include "proto/cells.h"
#include "proto/text.h"
#include "server/store/database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_ACCEPT,
    SQL_END,
    SQL_PLACE,
    SQL_SHARE,
    SQL_FINISH,
    SQL_COPY_TOKENS,
    SQL_KEEP_TOKENS,
    SQL_DROP_TOKENS,
    SQL_PROBE
};
_Static_assert(SQL_PROBE + 1 == ROWS_STATEMENTS, "each statement has its place");

static const char *const SQL[ROWS_STATEMENTS] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_ACCEPT] = "INSERT INTO jobs(job,ord,created_ms,key,digest,spec,accepted_seq,state,owner,"
                   "parent,cell,place,sweep,cells)"
                   " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?20,?21,?22,?23,?24)",
    /* the whole row, as it may have been removed behind our back */
    [SQL_END] = "INSERT INTO jobs(job,ord,created_ms,key,digest,spec,accepted_seq,state,owner,"
                "result_seq,end_seq,result,bytes,us,file,code,field,message,hint,"
                "parent,cell,place,sweep,cells,steps,model)"
                " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,"
                "?20,?21,?22,?23,?24,?25,?26)"
                " ON CONFLICT(job) DO UPDATE SET state=?8,result_seq=?10,end_seq=?11,result=?12,"
                "bytes=?13,us=?14,file=?15,code=?16,field=?17,message=?18,hint=?19,cells=?24,"
                "steps=?25,model=?26",
    [SQL_PLACE] = "UPDATE jobs SET held=?2,rank=?3,unwatched_ms=?4,favourite=?5 WHERE job=?1",
    [SQL_SHARE] = "UPDATE jobs SET share=?2,shared_ms=?3 WHERE job=?1",
    [SQL_FINISH] = "UPDATE jobs SET steps=?2 WHERE job=?1 AND state=0",
    [SQL_COPY_TOKENS] = "INSERT INTO tokens SELECT ?1,tokens FROM tokens WHERE job=?2",
    [SQL_KEEP_TOKENS] = "INSERT INTO tokens VALUES(?1,?2)"
                        " ON CONFLICT(job) DO UPDATE SET tokens=?2",
    [SQL_DROP_TOKENS] = "DELETE FROM tokens WHERE job=?1",
    [SQL_PROBE] = "UPDATE meta SET boot = boot",
};

static int prepare(struct job_rows *r, struct fail *f)
{
    for (int i = 0; i < ROWS_STATEMENTS; i++)
        if (sqlite3_prepare_v3(r->writer, SQL[i], -1, SQLITE_PREPARE_PERSISTENT, &r->sql[i], NULL))
            return database_fail(r->writer, "Cannot prepare", f);
    if (sqlite3_prepare_v3(
            r->reader, "SELECT file,bytes FROM jobs WHERE result=?1 AND (?2 OR owner=?3) LIMIT 1",
            -1, SQLITE_PREPARE_PERSISTENT, &r->find, NULL))
        return database_fail(r->reader, "Cannot prepare", f);
    return 0;
}

int rows_open(struct job_rows *r, const char *path, struct fail *f)
{
    int err = database_open(path, &r->writer, f);

    if (!err) err = database_upgrade(r->writer, f);
    if (!err) err = database_held(r->writer, f);
    if (!err) err = database_start(r->writer, &r->starts, f);
    if (!err) err = database_secret(r->writer, r->secret, f);
    if (!err) err = database_open(path, &r->reader, f);
    if (!err) err = prepare(r, f);
    return err;
}

void rows_close(struct job_rows *r)
{
    sqlite3_finalize(r->find);
    sqlite3_finalize(r->recall);
    free(r->going);
    for (int i = 0; i < ROWS_STATEMENTS; i++)
        sqlite3_finalize(r->sql[i]);
    sqlite3_close(r->reader);
    sqlite3_close(r->writer);
}

bool rows_empty(struct job_rows *r)
{
    int64_t any;

    return !database_int(r->reader, "SELECT EXISTS (SELECT 1 FROM jobs)", &any, NULL) && !any;
}

bool rows_waits(struct job_rows *r, uint64_t job)
{
    char sql[120];
    int64_t any;

    snprintf(sql, sizeof sql, "SELECT EXISTS (SELECT 1 FROM jobs WHERE job=%lld AND state=%d)",
             (long long)job, STATE_QUEUED);
    return database_int(r->reader, sql, &any, NULL) || any;
}

/* --- reading ---------------------------------------------------------------------------------- */

static int count_state(struct job_rows *r, int state, int64_t *n, struct fail *f)
{
    char sql[160];

    snprintf(sql, sizeof sql,
             "SELECT (SELECT count(*) FROM jobs WHERE state=%d AND sweep IS NULL)"
             " + coalesce((SELECT n FROM removed WHERE state=%d), 0)",
             state, state);
    return database_int(r->reader, sql, n, f);
}

int rows_counts(struct job_rows *r, int64_t *done, int64_t *failed, int64_t *cancelled,
                struct fail *f)
{
    int err = count_state(r, STATE_DONE, done, f);

    if (!err) err = count_state(r, STATE_FAILED, failed, f);
    if (!err) err = count_state(r, STATE_CANCELLED, cancelled, f);
    return err;
}

static const char *text_at(sqlite3_stmt *q, int column)
{
    const unsigned char *text = sqlite3_column_text(q, column);

    return text ? (const char *)text : "";
}

int rows_find(struct job_rows *r, bool all, uint32_t owner, const char *digest, char *name,
              size_t bytes, int64_t *size, struct fail *f)
{
    int got, err = 0;

    *name = 0;
    sqlite3_bind_text(r->find, 1, digest, -1, SQLITE_STATIC);
    sqlite3_bind_int(r->find, 2, all);
    sqlite3_bind_int64(r->find, 3, owner);
    got = sqlite3_step(r->find);
    if (got == SQLITE_ROW) {
        snprintf(name, bytes, "%s", text_at(r->find, 0));
        *size = sqlite3_column_int64(r->find, 1);
    } else if (got != SQLITE_DONE)
        err = database_fail(r->reader, "Cannot read", f);
    sqlite3_reset(r->find);
    sqlite3_clear_bindings(r->find);
    if (err || *name) return err;
    return fail_set(f, ERR_NOT_FOUND, "There is no such picture.");
}

struct blob *rows_tokens(struct job_rows *r, uint64_t job)
{
    sqlite3_stmt *q = NULL;
    struct blob *b = NULL;

    if (sqlite3_prepare_v2(r->reader, "SELECT tokens FROM tokens WHERE job=?1", -1, &q, NULL) == 0
        && sqlite3_bind_int64(q, 1, (sqlite3_int64)job) == 0 && sqlite3_step(q) == SQLITE_ROW)
        b = blob_copy(sqlite3_column_blob(q, 0), (size_t)sqlite3_column_bytes(q, 0));
    sqlite3_finalize(q);
    return b;
}

/* --- writing ---------------------------------------------------------------------------------- */

static int step(struct job_rows *r, int which, struct fail *f)
{
    int got = sqlite3_step(r->sql[which]);

    sqlite3_reset(r->sql[which]);
    sqlite3_clear_bindings(r->sql[which]);
    return got == SQLITE_DONE ? 0 : database_fail(r->writer, "Cannot write", f);
}

int rows_begin(struct job_rows *r, struct fail *f)
{
    return step(r, SQL_BEGIN, f);
}

int rows_commit(struct job_rows *r, struct fail *f)
{
    return step(r, SQL_COMMIT, f);
}

void rows_rollback(struct job_rows *r)
{
    if (!sqlite3_get_autocommit(r->writer)) step(r, SQL_ROLLBACK, NULL);
}

static void bind_id(sqlite3_stmt *q, int at, uint64_t n)
{
    sqlite3_bind_int64(q, at, (sqlite3_int64)n);
}

static void bind_sweep(sqlite3_stmt *q, const struct hub_row *row)
{
    bind_id(q, 20, row->place.parent);
    sqlite3_bind_int(q, 21, row->place.cell);
    if (row->place.parent) sqlite3_bind_blob(q, 22, row->place.at, row->place.axes, SQLITE_STATIC);
    sqlite3_bind_text(q, 23, row->sweep, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, 24, row->cells, -1, SQLITE_STATIC);
}

/* The columns that are known when a job is accepted, and its state; then the statement runs. */
static int write_row(struct job_rows *r, int which, const struct hub_row *row, int state,
                     struct fail *f)
{
    sqlite3_stmt *q = r->sql[which];
    struct text json;
    int err;

    text_init(&json, 0, 2 * LIMIT_PROMPT_BYTES * 6 + 1024);
    spec_write(row->spec, &json, NULL);
    err = text_check(&json, f);
    if (!err) {
        bind_id(q, 1, row->job);
        bind_id(q, 2, row->order);
        sqlite3_bind_int64(q, 3, row->created_ms);
        sqlite3_bind_text(q, 4, row->key, -1, SQLITE_STATIC);
        sqlite3_bind_blob(q, 5, row->digest, SPEC_DIGEST_BYTES, SQLITE_STATIC);
        sqlite3_bind_text(q, 6, json.at + json.head, (int)json.len, SQLITE_STATIC);
        bind_id(q, 7, row->accepted_seq);
        sqlite3_bind_int(q, 8, state);
        sqlite3_bind_int64(q, 9, row->owner);
        bind_sweep(q, row);
        err = step(r, which, f);
    } else
        sqlite3_clear_bindings(q);
    text_free(&json);
    return err;
}

/* The tokens that the job begins with: its own from now on. */
static int copy_tokens(struct job_rows *r, const struct hub_row *row, struct fail *f)
{
    bind_id(r->sql[SQL_COPY_TOKENS], 1, row->job);
    bind_id(r->sql[SQL_COPY_TOKENS], 2, row->spec->prior_from);
    return step(r, SQL_COPY_TOKENS, f);
}

int rows_accept(struct job_rows *r, const struct hub_row *row, struct fail *f)
{
    int err = write_row(r, SQL_ACCEPT, row, STATE_QUEUED, f);

    if (!err && (row->held || row->unwatched_ms)) err = rows_place(r, row, f);
    return err || !row->spec->prior_from || row->sweep ? err : copy_tokens(r, row, f);
}

int rows_place(struct job_rows *r, const struct hub_row *row, struct fail *f)
{
    sqlite3_stmt *q = r->sql[SQL_PLACE];

    bind_id(q, 1, row->job);
    sqlite3_bind_int(q, 2, row->held);
    bind_id(q, 3, row->rank);
    sqlite3_bind_int(q, 4, row->unwatched_ms);
    sqlite3_bind_int(q, 5, row->favourite);
    return step(r, SQL_PLACE, f);
}

int rows_share(struct job_rows *r, const struct hub_share *share, struct fail *f)
{
    sqlite3_stmt *q = r->sql[SQL_SHARE];

    bind_id(q, 1, share->job);
    if (share->until_ms) sqlite3_bind_blob(q, 2, share->hash, sizeof share->hash, SQLITE_STATIC);
    sqlite3_bind_int64(q, 3, share->until_ms);
    return step(r, SQL_SHARE, f);
}

int rows_finish(struct job_rows *r, const struct hub_row *row, struct fail *f)
{
    bind_id(r->sql[SQL_FINISH], 1, row->job);
    sqlite3_bind_int(r->sql[SQL_FINISH], 2, row->steps);
    return step(r, SQL_FINISH, f);
}

static void bind_fail(sqlite3_stmt *q, int at, const struct fail *why)
{
    sqlite3_bind_text(q, at, fail_wire(why->code), -1, SQLITE_STATIC);
    sqlite3_bind_text(q, at + 1, why->field, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, at + 2, why->message, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, at + 3, why->hint, -1, SQLITE_STATIC);
}

/* A finished picture's tokens are kept as long as its row. */
static int end_tokens(struct job_rows *r, const struct hub_row *row, struct fail *f)
{
    const int which = row->tokens ? SQL_KEEP_TOKENS : SQL_DROP_TOKENS;

    if (!row->tokens && (row->state == STATE_DONE || !row->spec->prior_from)) return 0;
    bind_id(r->sql[which], 1, row->job);
    if (row->tokens)
        sqlite3_bind_blob(r->sql[which], 2, row->tokens->data, (int)row->tokens->len,
                          SQLITE_STATIC);
    return step(r, which, f);
}

int rows_end(struct job_rows *r, const struct hub_row *row, const char *name, struct fail *f)
{
    sqlite3_stmt *q = r->sql[SQL_END];
    int err;

    bind_id(q, 10, row->result_seq);
    bind_id(q, 11, row->end_seq);
    bind_id(q, 26, row->model);
    if (row->result_digest) {
        sqlite3_bind_text(q, 12, row->result_digest, -1, SQLITE_STATIC);
        sqlite3_bind_int64(q, 13, row->result_bytes);
        sqlite3_bind_int64(q, 14, row->result_us);
        sqlite3_bind_text(q, 15, name, -1, SQLITE_STATIC);
    }
    if (row->error) bind_fail(q, 16, row->error);
    sqlite3_bind_int(q, 25, row->steps);
    err = write_row(r, SQL_END, row, (int)row->state, f);
    return err ? err : end_tokens(r, row, f);
}

int rows_probe(struct job_rows *r, struct fail *f)
{
    return step(r, SQL_PROBE, f);
}

/* --- forgetting ------------------------------------------------------------------------------- */

int rows_total(struct job_rows *r, int64_t *bytes, struct fail *f)
{
    int64_t pages = 0, unused = 0, size = 0;
    int err = database_int(r->writer,
                           "SELECT (SELECT coalesce(sum(bytes), 0) FROM jobs WHERE state=2) +"
                           " (SELECT coalesce(sum(bytes), 0) FROM images WHERE notes IS NOT NULL)",
                           bytes, f);

    if (!err) err = database_int(r->writer, "PRAGMA page_count", &pages, f);
    if (!err) err = database_int(r->writer, "PRAGMA freelist_count", &unused, f);
    if (!err) err = database_int(r->writer, "PRAGMA page_size", &size, f);
    *bytes += (pages - unused) * size;
    return err;
}

int64_t rows_newest_ms(struct job_rows *r)
{
    int64_t ms;

    return database_int(r->writer, "SELECT created_ms FROM jobs ORDER BY ord DESC LIMIT 1", &ms,
                        NULL)
               ? 0
               : ms;
}

/* sql: its condition and order; ?1 is the job where there is one. */
static int find_picture(struct job_rows *r, const char *sql, uint64_t job, struct row_picture *out,
                        struct fail *f)
{
    sqlite3_stmt *q = NULL;
    int err, got = SQLITE_ERROR;

    if (sqlite3_prepare_v2(r->writer, sql, -1, &q, NULL) == SQLITE_OK) {
        if (sqlite3_bind_parameter_count(q) > 0) bind_id(q, 1, job);
        got = sqlite3_step(q);
    }
    if (got == SQLITE_ROW) {
        *out = (struct row_picture){.job = (uint64_t)sqlite3_column_int64(q, 0),
                                    .bytes = sqlite3_column_int64(q, 1),
                                    .created_ms = sqlite3_column_int64(q, 2),
                                    .shared = sqlite3_column_int(q, 4) != 0,
                                    .favourite = sqlite3_column_int(q, 5) != 0};
        snprintf(out->name, sizeof out->name, "%s", text_at(q, 3));
        err = 0;
    } else if (got == SQLITE_DONE) {
        err = fail_set(f, ERR_NOT_FOUND, "There is no such picture.");
    } else {
        err = database_fail(r->writer, "Cannot read", f);
    }
    sqlite3_finalize(q);
    return err;
}

/* Bytes of a row of `jobs` as `a`: its picture's and its tokens'. */
#define A_BYTES "a.bytes + coalesce((SELECT length(t.tokens) FROM tokens t WHERE t.job=a.job), 0)"

/* Its sweep is over, or gone. */
#define NOT_OF_LIVE "NOT EXISTS (SELECT 1 FROM jobs p WHERE p.job=a.parent AND p.state=0)"

#define A_PICTURE                                                                                 \
    "SELECT job, " A_BYTES ", created_ms, file, EXISTS (SELECT 1 FROM jobs b WHERE"               \
    " b.result = a.result AND b.job <> a.job), favourite FROM jobs a WHERE state=2 AND sweep IS " \
    "NULL"                                                                                        \
    " AND (parent=0 OR " NOT_OF_LIVE ")"

bool rows_oldest(struct job_rows *r, struct row_picture *out)
{
    return !find_picture(r, A_PICTURE " ORDER BY favourite, ord LIMIT 1", 0, out, NULL);
}

bool rows_over_quota(struct job_rows *r, uint32_t after, struct row_excess *out)
{
    static const char sql[] =
        "SELECT u.id, u.disk, sum(" A_BYTES ") + (SELECT coalesce(sum(i.bytes), 0) FROM images i"
        " WHERE i.owner=u.id AND i.notes IS NOT NULL) - u.disk AS excess FROM users u JOIN jobs a"
        " ON a.owner=u.id AND a.state=2 WHERE u.removed_ms=0 AND u.disk>0 AND u.id>?1 GROUP BY u.id"
        " HAVING excess > 0 ORDER BY u.id LIMIT 1";
    sqlite3_stmt *q = NULL;
    bool found = sqlite3_prepare_v2(r->writer, sql, -1, &q, NULL) == SQLITE_OK
                 && sqlite3_bind_int64(q, 1, after) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW;

    if (found)
        *out = (struct row_excess){.owner = (uint32_t)sqlite3_column_int64(q, 0),
                                   .bound = sqlite3_column_int64(q, 1),
                                   .bytes = sqlite3_column_int64(q, 2)};
    sqlite3_finalize(q);
    return found;
}

void rows_quota_list(struct job_rows *r, uint32_t owner, int64_t bytes, struct removal *out)
{
    sqlite3_stmt *q = NULL;

    out->n = 0;
    out->bytes = 0;
    if (sqlite3_prepare_v2(r->writer,
                           "SELECT job, " A_BYTES " FROM jobs a WHERE state=2 AND owner=?1 AND"
                           " sweep IS NULL AND (parent=0 OR " NOT_OF_LIVE ")"
                           " ORDER BY favourite, ord",
                           -1, &q, NULL)
        == SQLITE_OK)
        sqlite3_bind_int64(q, 1, owner);
    while (q && out->bytes < bytes && out->n < LIMIT_REMOVALS && sqlite3_step(q) == SQLITE_ROW) {
        out->job[out->n++] = (uint64_t)sqlite3_column_int64(q, 0);
        out->bytes += sqlite3_column_int64(q, 1);
    }
    sqlite3_finalize(q);
}

int rows_picture(struct job_rows *r, uint64_t job, struct row_picture *out, struct fail *f)
{
    return find_picture(r, A_PICTURE " AND job=?1", job, out, f);
}

static int run_on(struct job_rows *r, const char *sql, int64_t bound, struct fail *f)
{
    sqlite3_stmt *q = NULL;
    int bad = sqlite3_prepare_v2(r->writer, sql, -1, &q, NULL);

    if (!bad) bad = sqlite3_bind_int64(q, 1, bound);
    if (!bad) bad = sqlite3_step(q) == SQLITE_DONE ? 0 : SQLITE_ERROR;
    bad = bad ? database_fail(r->writer, "Cannot write", f) : 0;
    sqlite3_finalize(q);
    return bad;
}

int rows_cell(struct job_rows *r, uint64_t sweep, uint64_t *cell, struct fail *f)
{
    static const char sql[] = "SELECT job FROM jobs WHERE parent=?1 AND parent<>0 LIMIT 1";
    sqlite3_stmt *q = NULL;
    int err, got = SQLITE_ERROR;

    if (sqlite3_prepare_v2(r->writer, sql, -1, &q, NULL) == SQLITE_OK) {
        bind_id(q, 1, sweep);
        got = sqlite3_step(q);
    }
    *cell = got == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(q, 0) : 0;
    err = got == SQLITE_ROW || got == SQLITE_DONE ? 0 : database_fail(r->writer, "Cannot read", f);
    sqlite3_finalize(q);
    return err;
}

/* A sweep that is over, and no cell of which has a row. */
#define EMPTY_SWEEP \
    "sweep IS NOT NULL AND state<>0 AND NOT EXISTS (SELECT 1 FROM jobs c WHERE c.parent=jobs.job"

int rows_remove(struct job_rows *r, uint64_t job, struct fail *f)
{
    static const char *const sql[] = {
        "INSERT INTO removed SELECT state, 1 FROM jobs WHERE job=?1 AND sweep IS NULL"
        " ON CONFLICT(state) DO UPDATE SET n = n + 1",
        "DELETE FROM jobs WHERE job=(SELECT parent FROM jobs WHERE job=?1) AND " EMPTY_SWEEP
        " AND c.job<>?1)",
        "DELETE FROM jobs WHERE job=?1"};
    int err = 0;

    for (size_t i = 0; i < sizeof sql / sizeof *sql && !err; i++)
        err = run_on(r, sql[i], (int64_t)job, f);
    return err;
}

/* Those that go: the ?1 oldest. A sweep goes with its cells, and these not before it is over. */
#define WITHOUT_PICTURE                                                                    \
    " FROM jobs WHERE ord IN (SELECT ord FROM jobs a WHERE state>2 AND sweep IS NULL AND " \
    "(parent=0 OR " NOT_OF_LIVE ") ORDER BY ord LIMIT ?1)"

static int trim(struct job_rows *r, int64_t n, struct fail *f)
{
    int err = rows_begin(r, f);

    if (!err)
        err = run_on(r,
                     "INSERT INTO removed SELECT state, count(*)" WITHOUT_PICTURE
                     " GROUP BY state ON CONFLICT(state) DO UPDATE SET n = n + excluded.n",
                     n, f);
    if (!err) err = run_on(r, "DELETE" WITHOUT_PICTURE, n, f);
    if (!err) err = run_on(r, "DELETE FROM jobs WHERE ?1 AND " EMPTY_SWEEP ")", 1, f);
    if (!err) err = rows_commit(r, f);
    if (err) rows_rollback(r);
    return err;
}

int rows_trim(struct job_rows *r, int kept, int most, struct fail *f)
{
    int64_t n = 0;
    int err =
        database_int(r->writer, "SELECT count(*) FROM jobs WHERE state>2 AND sweep IS NULL", &n, f);

    n = n - kept < most ? n - kept : most;
    if (err || n <= 0) return err;
    err = trim(r, n, f);
    return err ? err : (int)n;
}
