/* rows_read - rows become jobs again: those that a server starts with, and one that it has
 * forgotten. */
#include "server/store/rows.h"

#include "proto/cells.h"
#include "proto/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GOING_MIN = 64 };

static const char *text_at(sqlite3_stmt *q, int column)
{
    const unsigned char *text = sqlite3_column_text(q, column);

    return text ? (const char *)text : "";
}

static void read_fail(sqlite3_stmt *q, int column, struct fail *out)
{
    memset(out, 0, sizeof *out);
    out->code = fail_from_wire(text_at(q, column));
    snprintf(out->field, sizeof out->field, "%s", text_at(q, column + 1));
    snprintf(out->message, sizeof out->message, "%s", text_at(q, column + 2));
    snprintf(out->hint, sizeof out->hint, "%s", text_at(q, column + 3));
}

static bool is_number(sqlite3_stmt *q, int column, int64_t min)
{
    int64_t n = sqlite3_column_int64(q, column);

    return n >= min && n <= (int64_t)LIMIT_SEQ_MAX;
}

static bool is_text(const char *s, size_t bytes)
{
    size_t n = strlen(s), at = 0, step = 1;

    while (n <= bytes && at < n && (step = text_utf8(s + at, n - at)) > 0)
        at += step;
    return n <= bytes && step > 0;
}

/* The same of what it has to do with a sweep. */
static const char *sweep_damage(sqlite3_stmt *q)
{
    struct cell cells[LIMIT_CELLS];
    const char *axes = text_at(q, 25);
    json_t *json;

    if (sqlite3_column_int64(q, 22)
        && (!is_number(q, 23, 0) || sqlite3_column_int64(q, 23) >= LIMIT_CELLS
            || sqlite3_column_bytes(q, 24) < 1 || sqlite3_column_bytes(q, 24) > SPEC_FIELDS))
        return "its place in a sweep is impossible";
    if (sqlite3_column_type(q, 25) == SQLITE_NULL) return NULL;
    json = text_parse(axes, strlen(axes), SIZE_MAX, NULL);
    if (!json) return "its sweep is not readable";
    json_decref(json);
    return cells_parse(text_at(q, 26), cells) < 1 ? "its cells are not readable" : NULL;
}

/* What is wrong with a row, or NULL; its spec is left to spec_parse(). */
static const char *row_damage(sqlite3_stmt *q)
{
    int state = sqlite3_column_int(q, 7);
    bool over = state == STATE_DONE || state == STATE_FAILED || state == STATE_CANCELLED;
    const char *result = text_at(q, 10);

    if (!over && state != STATE_QUEUED) return "it has no state";
    if (sqlite3_column_int64(q, 0) == 0) return "it has no job";
    if (!is_number(q, 17, 0) || sqlite3_column_int64(q, 17) > UINT32_MAX)
        return "its owner is impossible";
    if (!is_number(q, 19, 0)) return "its rank is impossible";
    if (!is_number(q, 20, 0) || sqlite3_column_int64(q, 20) > LIMIT_WAIT_MS)
        return "its time without a viewer is impossible";
    if (!is_number(q, 27, 0) || sqlite3_column_int64(q, 27) > LIMIT_STEPS_MAX)
        return "its steps are impossible";
    if (!is_number(q, 1, 1) || !is_number(q, 2, 0) || !is_number(q, 6, 1))
        return "its order, time or number is impossible";
    if (!is_text(text_at(q, 3), LIMIT_KEY_BYTES)) return "its key is no text";
    if (sqlite3_column_bytes(q, 4) != SPEC_DIGEST_BYTES) return "the request's digest is missing";
    if (over && !is_number(q, 9, sqlite3_column_int64(q, 6))) return "its end has no number";
    for (int column = 14; column <= 16; column++)
        if (!is_text(text_at(q, column), sizeof((struct fail *)0)->message))
            return "its error is no text";
    if (sweep_damage(q)) return sweep_damage(q);
    if (state != STATE_DONE || sqlite3_column_type(q, 25) != SQLITE_NULL) return NULL;
    if (!is_number(q, 8, 1) || !is_number(q, 11, 0) || !is_number(q, 12, 0))
        return "its result has no size or number";
    return strlen(result) == 64 && strspn(result, "0123456789abcdef") == 64
               ? NULL
               : "its result has no digest";
}

static int parse_row(sqlite3_stmt *q, struct spec *spec, struct fail *f)
{
    const char *wrong = row_damage(q), *json = text_at(q, 5);
    struct spec_limits limits;

    if (wrong) return fail_set(f, ERR_IO, "%s", wrong);
    spec_limits_init(&limits);
    limits.range[SPEC_PROMPT].min = 0; /* older versions accepted prompts that show nothing */
    return spec_parse(spec, json, strlen(json), &limits, f);
}

/* A damaged row must not keep the server from starting, nor its order be given to another job: it
 * gets one below zero, which is never restored. Its picture can still be found. */
static void leave_out(struct job_rows *r, struct log *log, int64_t order, const char *why)
{
    sqlite3 *db = NULL; /* the writer may be at work */
    struct fail f;
    char sql[160];
    int err = database_open(sqlite3_db_filename(r->reader, "main"), &db, &f);

    log_error(log, "store: row %lld is damaged and left out: %s", (long long)order, why);
    snprintf(sql, sizeof sql,
             "UPDATE jobs SET ord = (SELECT min(0, min(ord)) - 1 FROM jobs) WHERE ord = %lld",
             (long long)order);
    if (!err && sqlite3_exec(db, sql, NULL, NULL, NULL)) database_fail(db, "Cannot repair", &f);
    if (err || sqlite3_errcode(db)) log_error(log, "store: %s", f.message);
    sqlite3_close(db);
}

static void read_sweep(sqlite3_stmt *q, struct hub_row *row)
{
    if (sqlite3_column_type(q, 25) != SQLITE_NULL) {
        row->sweep = text_at(q, 25);
        row->cells = text_at(q, 26);
    }
    row->place.parent = (uint64_t)sqlite3_column_int64(q, 22);
    if (!row->place.parent) return;
    row->place.cell = sqlite3_column_int(q, 23);
    row->place.axes = sqlite3_column_bytes(q, 24);
    memcpy(row->place.at, sqlite3_column_blob(q, 24), (size_t)row->place.axes);
}

/* damaged: gets why it cannot be read; then nothing is called. */
static int read_row(sqlite3_stmt *q, struct fail *damaged,
                    int (*each)(void *, const struct hub_row *, struct fail *), void *arg,
                    struct fail *f)
{
    struct spec spec = {0};
    struct fail error;
    struct hub_row row;
    int err = parse_row(q, &spec, damaged);

    if (err) return 0;
    read_fail(q, 13, &error);
    row = (struct hub_row){
        .job = (uint64_t)sqlite3_column_int64(q, 0),
        .order = (uint64_t)sqlite3_column_int64(q, 1),
        .created_ms = sqlite3_column_int64(q, 2),
        .key = text_at(q, 3),
        .digest = sqlite3_column_blob(q, 4),
        .spec = &spec,
        .accepted_seq = (uint64_t)sqlite3_column_int64(q, 6),
        .state = (enum event_state)sqlite3_column_int(q, 7),
        .result_seq = (uint64_t)sqlite3_column_int64(q, 8),
        .end_seq = (uint64_t)sqlite3_column_int64(q, 9),
        .owner = (uint32_t)sqlite3_column_int64(q, 17),
        .held = sqlite3_column_int(q, 18) != 0,
        .rank = (uint64_t)sqlite3_column_int64(q, 19),
        .unwatched_ms = sqlite3_column_int(q, 20),
        .favourite = sqlite3_column_int(q, 21) != 0,
        .steps = sqlite3_column_int(q, 27),
        .kept = sqlite3_column_int(q, 28) != 0,
    };
    row.model = (uint64_t)sqlite3_column_int64(q, 29);
    if (sqlite3_column_bytes(q, 30) == SHARE_HASH_BYTES)
        row.shared_ms = sqlite3_column_int64(q, 31);
    if (row.shared_ms) memcpy(row.share, sqlite3_column_blob(q, 30), sizeof row.share);
    read_sweep(q, &row);
    if (row.state == STATE_DONE && !row.sweep) row.result_digest = text_at(q, 10);
    row.result_bytes = sqlite3_column_int64(q, 11);
    row.result_us = sqlite3_column_int64(q, 12);
    if (row.state == STATE_FAILED) row.error = &error;
    err = each(arg, &row, f);
    spec_free(&spec);
    return err;
}

static int restore_row(struct job_rows *r, struct log *log, sqlite3_stmt *q,
                       int (*each)(void *, const struct hub_row *, struct fail *), void *arg,
                       struct fail *f)
{
    struct fail damaged = {0};
    int err = read_row(q, &damaged, each, arg, f);

    if (damaged.code) leave_out(r, log, sqlite3_column_int64(q, 1), damaged.message);
    return err;
}

/* Orders that no server gives: left out before, or damaged themselves. */
static void tell_left_out(struct job_rows *r, struct log *log)
{
    int64_t n;

    if (!database_int(r->reader, "SELECT count(*) FROM jobs WHERE ord <= 0 AND state = 0", &n, NULL)
        && n > 0)
        log_warn(log, "store: %lld damaged rows of jobs that did not end are left out",
                 (long long)n);
}

/* Its columns, by their numbers in what reads them. */
#define ROW                                                                                   \
    "SELECT job,ord,created_ms,key,digest,spec,accepted_seq,state,result_seq,end_seq,result," \
    " bytes,us,code,field,message,hint,owner,held,rank,unwatched_ms,favourite,parent,"        \
    "cell,place,sweep,cells,steps,"                                                           \
    " EXISTS (SELECT 1 FROM tokens WHERE tokens.job=jobs.job),model,share,shared_ms FROM jobs "

int rows_restore(struct job_rows *r, struct log *log, int kept,
                 int (*each)(void *arg, const struct hub_row *, struct fail *f), void *arg,
                 struct fail *f)
{
    static const char sql[] = ROW
        "WHERE ord>0 AND "
        "(state=0"
        " OR ord IN (SELECT ord FROM jobs WHERE state<>0 ORDER BY ord DESC LIMIT ?1)"
        " OR (parent<>0 AND parent IN (SELECT job FROM jobs WHERE state=0 AND sweep IS NOT NULL)))"
        " ORDER BY ord";
    sqlite3_stmt *q = NULL;
    int err = 0, got = SQLITE_OK;

    if (sqlite3_prepare_v2(r->reader, sql, -1, &q, NULL))
        return database_fail(r->reader, "Cannot read", f);
    tell_left_out(r, log);
    sqlite3_bind_int(q, 1, kept);
    while (!err && (got = sqlite3_step(q)) == SQLITE_ROW)
        err = restore_row(r, log, q, each, arg, f);
    if (!err && got != SQLITE_DONE) err = database_fail(r->reader, "Cannot read", f);
    sqlite3_finalize(q);
    return err;
}

/* --- one that was forgotten ------------------------------------------------------------------- */

/* The row of a job that is over. False: there is none; else sqlite3_reset() is due. */
static bool find_over(struct job_rows *r, uint64_t job)
{
    if (!r->recall
        && sqlite3_prepare_v3(r->reader, ROW "WHERE job=?1 AND ord>0 AND state>1", -1,
                              SQLITE_PREPARE_PERSISTENT, &r->recall, NULL))
        return false;
    sqlite3_bind_int64(r->recall, 1, (sqlite3_int64)job);
    if (sqlite3_step(r->recall) == SQLITE_ROW) return true;
    sqlite3_reset(r->recall);
    return false;
}

static bool goes(const struct job_rows *r, uint64_t job)
{
    for (int i = 0; i < r->n_going; i++)
        if (r->going[i] == job) return true;
    return false;
}

bool rows_recall(struct job_rows *r, uint64_t job,
                 int (*each)(void *arg, const struct hub_row *, struct fail *f), void *arg)
{
    struct fail f, damaged = {0};
    bool found = !goes(r, job) && find_over(r, job);

    if (!found) return false;
    found = !goes(r, (uint64_t)sqlite3_column_int64(r->recall, 22)); /* its sweep */
    if (found) read_row(r->recall, &damaged, each, arg, &f);
    sqlite3_reset(r->recall);
    return found;
}

void rows_going(struct job_rows *r, uint64_t job)
{
    int max = r->max_going ? 2 * r->max_going : GOING_MIN;
    uint64_t *more;

    if (r->n_going == r->max_going) {
        more = realloc(r->going, (size_t)max * sizeof *more);
        if (!more) return; /* until its row is gone, a command that names it finds it */
        r->going = more;
        r->max_going = max;
    }
    r->going[r->n_going++] = job;
}

void rows_settled(struct job_rows *r, uint64_t job)
{
    int n = 0;

    for (int i = 0; i < r->n_going; i++)
        if (r->going[i] != job) r->going[n++] = r->going[i];
    r->n_going = n;
}
