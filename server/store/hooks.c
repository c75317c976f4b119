/* hooks - a few statements, prepared when they are needed: ends come a few times a second at
 * most. */
#include "server/store/hooks.h"

#include "proto/answer.h"
#include "proto/text.h"
#include "proto/url.h"
#include "server/base/clock.h"
#include "server/store/database.h"

#include <stdlib.h>
#include <string.h>

enum { HOOK_BYTES = 1 << 20 };

/* The connection's next statement; NULL: it cannot be prepared. */
static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *q = NULL;

    return sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK ? q : NULL;
}

static int finish(sqlite3 *db, sqlite3_stmt *q, struct fail *f)
{
    int err = q && sqlite3_step(q) == SQLITE_DONE ? 0 : database_fail(db, "Cannot write", f);

    sqlite3_finalize(q);
    return err;
}

int hooks_name(sqlite3 *db, const struct hub_row *row, struct fail *f)
{
    sqlite3_stmt *q;

    if (!row->webhook) return 0;
    q = prepare(db, "UPDATE jobs SET webhook=?2 WHERE job=?1");
    sqlite3_bind_int64(q, 1, (sqlite3_int64)row->job);
    sqlite3_bind_text(q, 2, row->webhook, -1, SQLITE_STATIC);
    return finish(db, q, f);
}

/* 1, 0, or why it cannot be read: an end whose webhook is not seen would never be posted. */
static int has_hook(sqlite3 *db, uint64_t job, struct fail *f)
{
    sqlite3_stmt *q = prepare(db, "SELECT 1 FROM jobs WHERE job=?1 AND webhook IS NOT NULL");
    int got, has;

    sqlite3_bind_int64(q, 1, (sqlite3_int64)job);
    got = q ? sqlite3_step(q) : SQLITE_NOMEM;
    has = got == SQLITE_ROW || got == SQLITE_DONE ? got == SQLITE_ROW
                                                  : database_fail(db, "Cannot read", f);
    sqlite3_finalize(q);
    return has;
}

/* The message: what the command `job` answers. */
static void write_body(const struct hub_row *row, struct text *out)
{
    char url[URL_TEXT] = "";
    struct event_result result = {.url = url,
                                  .digest = row->result_digest,
                                  .width = row->spec->width,
                                  .height = row->spec->height,
                                  .seed = row->spec->seed,
                                  .seconds = (double)row->result_us / 1e6,
                                  .bytes = row->result_bytes,
                                  .steps_done = row->steps};
    struct answer_job j = {.job = row->job,
                           .state = row->state,
                           .created_ms = row->created_ms,
                           .spec = row->spec,
                           .key = row->key,
                           .error = row->error,
                           .favourite = row->favourite};

    if (row->result_digest) {
        url_picture(row->result_digest, url);
        j.result = &result;
    }
    answer_job("", &j, out);
}

int hooks_add(sqlite3 *db, const struct hub_row *row, struct fail *f)
{
    sqlite3_stmt *q;
    struct text body;
    int err = has_hook(db, row->job, f);

    if (err <= 0) return err;
    text_init(&body, 0, HOOK_BYTES);
    write_body(row, &body);
    err = text_check(&body, f);
    if (!err) {
        q = prepare(db, "INSERT INTO hooks(job,url,body,due_ms) SELECT job,webhook,?2,?3 FROM jobs"
                        " WHERE job=?1 ON CONFLICT(job) DO NOTHING");
        sqlite3_bind_int64(q, 1, (sqlite3_int64)row->job);
        sqlite3_bind_text(q, 2, body.at + body.head, (int)body.len, SQLITE_STATIC);
        sqlite3_bind_int64(q, 3, clock_unix_ms());
        err = finish(db, q, f);
    }
    text_free(&body);
    return err;
}

/* The first row that is due and wanted; its texts are copied. */
static int find_due(sqlite3 *db, int64_t now_ms, const struct hooks_wanted *w, struct hook *out,
                    struct fail *f)
{
    sqlite3_stmt *q =
        prepare(db, "SELECT job,url,body,tries FROM hooks WHERE due_ms<=?1 ORDER BY due_ms");
    int got = SQLITE_DONE, err = 0;
    bool found = false;

    if (!q) return database_fail(db, "Cannot read", f);
    sqlite3_bind_int64(q, 1, now_ms);
    while (!found && (got = sqlite3_step(q)) == SQLITE_ROW) {
        const char *url = (const char *)sqlite3_column_text(q, 1);

        found = url && w->want(w->arg, (uint64_t)sqlite3_column_int64(q, 0), url);
    }
    if (found) {
        const char *body = (const char *)sqlite3_column_text(q, 2);

        *out = (struct hook){.job = (uint64_t)sqlite3_column_int64(q, 0),
                             .url = strdup((const char *)sqlite3_column_text(q, 1)),
                             .body = body ? strdup(body) : NULL,
                             .tries = sqlite3_column_int(q, 3) + 1};
        if (!out->url || !out->body)
            err = fail_set(f, ERR_OUT_OF_MEMORY, "No memory for a webhook.");
    } else if (got != SQLITE_DONE)
        err = database_fail(db, "Cannot read", f);
    sqlite3_finalize(q);
    return err ? err : found;
}

int hooks_claim(sqlite3 *db, int64_t now_ms, const struct hooks_wanted *w, struct hook *out,
                struct fail *f)
{
    sqlite3_stmt *q;
    int found, err;

    *out = (struct hook){0};
    found = find_due(db, now_ms, w, out, f);
    err = found < 0 ? found : 0;
    if (found > 0) {
        q = prepare(db, "UPDATE hooks SET tries=?2, due_ms=?3 WHERE job=?1");
        sqlite3_bind_int64(q, 1, (sqlite3_int64)out->job);
        sqlite3_bind_int(q, 2, out->tries);
        sqlite3_bind_int64(q, 3, now_ms + w->pause_ms(out->tries));
        err = finish(db, q, f);
    }
    if (!err) return found;
    free(out->url);
    free(out->body);
    return err;
}

int hooks_delay(sqlite3 *db, uint64_t job, int64_t due_ms, struct fail *f)
{
    sqlite3_stmt *q = prepare(db, "UPDATE hooks SET due_ms=?2 WHERE job=?1");

    sqlite3_bind_int64(q, 1, (sqlite3_int64)job);
    sqlite3_bind_int64(q, 2, due_ms);
    return finish(db, q, f);
}

int hooks_remove(sqlite3 *db, uint64_t job, struct fail *f)
{
    sqlite3_stmt *q = prepare(db, "DELETE FROM hooks WHERE job=?1");

    sqlite3_bind_int64(q, 1, (sqlite3_int64)job);
    return finish(db, q, f);
}

int64_t hooks_due_ms(sqlite3 *db)
{
    int64_t any = 0, due = 0;

    if (database_int(db, "SELECT EXISTS (SELECT 1 FROM hooks)", &any, NULL) || !any)
        return INT64_MAX;
    return database_int(db, "SELECT min(due_ms) FROM hooks", &due, NULL) ? INT64_MAX : due;
}
