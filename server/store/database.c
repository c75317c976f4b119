/* database - WAL and synchronous=FULL: a commit that returned survives loss of power. */
#include "server/store/database.h"

#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* What each version of the tables adds to the one before it. */
static const char *const VERSION[] = {
    "CREATE TABLE meta(boot INTEGER NOT NULL);"
    "INSERT INTO meta VALUES(0);"
    "CREATE TABLE jobs("
    " job INTEGER PRIMARY KEY," /* the 64 bits of its id, as SQLite's signed integer */
    " ord INTEGER NOT NULL UNIQUE,"
    " created_ms INTEGER NOT NULL,"
    " key TEXT NOT NULL,"
    " digest BLOB NOT NULL," /* of the request */
    " spec TEXT NOT NULL,"   /* canonical JSON, seed chosen */
    " accepted_seq INTEGER NOT NULL,"
    " state INTEGER NOT NULL," /* enum event_state; 0: not over */
    " result_seq INTEGER NOT NULL DEFAULT 0,"
    " end_seq INTEGER NOT NULL DEFAULT 0,"
    " result TEXT," /* digest of the file, hex */
    " bytes INTEGER, us INTEGER, file TEXT,"
    " code TEXT, field TEXT, message TEXT, hint TEXT);"
    "CREATE INDEX jobs_state ON jobs(state, ord);"
    "CREATE INDEX jobs_result ON jobs(result);",

    "ALTER TABLE meta ADD COLUMN secret BLOB;" /* what cookies are signed with */
    "ALTER TABLE jobs ADD COLUMN owner INTEGER NOT NULL DEFAULT 0;" /* 0: USER_NONE */
    "ALTER TABLE jobs ADD COLUMN held INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE jobs ADD COLUMN rank INTEGER NOT NULL DEFAULT 0;" /* 0: its ord */
    "CREATE TABLE users("
    " id INTEGER PRIMARY KEY AUTOINCREMENT," /* given once, also when the user is removed */
    " name TEXT NOT NULL,"
    " role TEXT NOT NULL,"
    " lanes TEXT NOT NULL," /* "normal,batch" */
    " weight REAL NOT NULL,"
    " waiting INTEGER NOT NULL, running INTEGER NOT NULL, disk INTEGER NOT NULL," /* 0: no bound */
    " token BLOB NOT NULL UNIQUE," /* BLAKE2b-256 of it */
    " created_ms INTEGER NOT NULL,"
    " removed_ms INTEGER NOT NULL DEFAULT 0);" /* 0: it is there */
    "CREATE UNIQUE INDEX users_name ON users(name) WHERE removed_ms = 0;",

    "ALTER TABLE jobs ADD COLUMN unwatched_ms INTEGER NOT NULL DEFAULT 0;", /* 0: kept */

    "ALTER TABLE jobs ADD COLUMN favourite INTEGER NOT NULL DEFAULT 0;",

    "ALTER TABLE jobs ADD COLUMN parent INTEGER NOT NULL DEFAULT 0;" /* of a cell: its sweep */
    "ALTER TABLE jobs ADD COLUMN cell INTEGER NOT NULL DEFAULT 0;"   /* .. which cell it is .. */
    "ALTER TABLE jobs ADD COLUMN place BLOB;" /* .. a byte for each axis: which value */
    "ALTER TABLE jobs ADD COLUMN sweep TEXT;" /* of a sweep: its fields and values, JSON .. */
    "ALTER TABLE jobs ADD COLUMN cells TEXT;" /* .. and what is kept of its cells (cells.h) */
    "CREATE INDEX jobs_parent ON jobs(parent) WHERE parent <> 0;"
    "CREATE INDEX jobs_sweep ON jobs(job) WHERE sweep IS NOT NULL;",

    /* steps that it ends, or has ended, after; 0: those of its spec */
    "ALTER TABLE jobs ADD COLUMN steps INTEGER NOT NULL DEFAULT 0;"
    /* apart from `jobs`, whose rows are read often; foreign_keys is on, so they go with the job */
    "CREATE TABLE tokens("
    " job INTEGER PRIMARY KEY REFERENCES jobs(job) ON DELETE CASCADE,"
    " tokens BLOB NOT NULL);", /* of the finished picture, or that a waiting one begins with */

    "ALTER TABLE jobs ADD COLUMN model INTEGER NOT NULL DEFAULT 0;", /* that drew it; 0: unknown */

    "ALTER TABLE jobs ADD COLUMN share BLOB;" /* BLAKE2b-256 of the secret in its address */
    "ALTER TABLE jobs ADD COLUMN shared_ms INTEGER NOT NULL DEFAULT 0;", /* until then; 0: not */

    "ALTER TABLE jobs ADD COLUMN webhook TEXT;" /* where its end is posted to */
    "CREATE TABLE hooks("                       /* ends that are still to be posted (hooks.h) */
    " job INTEGER PRIMARY KEY,"                 /* it may have no row any more */
    " url TEXT NOT NULL, body TEXT NOT NULL,"
    " due_ms INTEGER NOT NULL,"
    " tries INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX hooks_due ON hooks(due_ms);",

    "CREATE TABLE images(" /* pictures that jobs begin with (images.h) */
    " owner INTEGER NOT NULL, digest TEXT NOT NULL,"
    " bytes INTEGER NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL,"
    " created_ms INTEGER NOT NULL, used_ms INTEGER NOT NULL,"
    " notes TEXT," /* of an upload: what was changed, JSON; NULL: it is a result */
    " PRIMARY KEY(owner, digest)) WITHOUT ROWID;"
    "CREATE INDEX images_digest ON images(digest);"
    "CREATE TABLE sources(" /* which job begins with which */
    " job INTEGER NOT NULL REFERENCES jobs(job) ON DELETE CASCADE, digest TEXT NOT NULL,"
    " PRIMARY KEY(job, digest)) WITHOUT ROWID;"
    "CREATE INDEX sources_digest ON sources(digest);",
};
enum { SCHEMA_VERSION = sizeof VERSION / sizeof *VERSION };

/* Of each state, how many jobs have no row any more. Older versions do without it. */
static const char REMOVED[] =
    "CREATE TABLE IF NOT EXISTS removed(state INTEGER PRIMARY KEY, n INTEGER NOT NULL)";

/* The numbers of events, at most 2^53 - 1, grow over all starts, as their upper half is the
 * start's: when the only row of meta is gone or holds no start, the newest event says it. */
#define NEWEST                                                             \
    "(SELECT coalesce(max(max(accepted_seq, end_seq)) >> 32, 0) FROM jobs" \
    " WHERE max(accepted_seq, end_seq) < 1 << 53)"
static const char COUNT_START[] =
    "DELETE FROM meta WHERE rowid > (SELECT min(rowid) FROM meta);" /* older versions left some */
    "UPDATE meta SET boot = " NEWEST
    " WHERE typeof(boot) <> 'integer' OR boot < 0 OR boot >= (1 << 21) - 1;"
    "INSERT INTO meta(boot) SELECT " NEWEST " WHERE NOT EXISTS (SELECT 1 FROM meta);"
    "UPDATE meta SET boot = boot + 1;";

/* The hint is for the administrator at the start; clients get another (store.c). */
int database_fail(sqlite3 *db, const char *what, struct fail *f)
{
    int code = db ? sqlite3_errcode(db) : SQLITE_NOMEM;

    enum err err = code == SQLITE_CONSTRAINT || code == SQLITE_MISMATCH ? ERR_INTERNAL : ERR_IO;

    fail_set(f, err, "%s the job store: %s.", what, db ? sqlite3_errmsg(db) : "out of memory");
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR)
        fail_advise(f,
                    "It is damaged. Move %s* away and start again: the queue is then empty, the "
                    "pictures in outputs/ stay. Or start with another folder, --data DIR.",
                    sqlite3_db_filename(db, "main"));
    return err;
}

static int run_sql(sqlite3 *db, const char *sql, struct fail *f)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK
               ? 0
               : database_fail(db, "Cannot set up", f);
}

int database_int(sqlite3 *db, const char *sql, int64_t *out, struct fail *f)
{
    sqlite3_stmt *q = NULL;
    int got =
        sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK ? sqlite3_step(q) : SQLITE_ERROR;

    *out = got == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 0;
    sqlite3_finalize(q);
    if (got == SQLITE_ROW) return 0;
    if (got != SQLITE_DONE) return database_fail(db, "Cannot read", f);
    return fail_set(f, ERR_IO, "The job store lacks a row that is always there (%s).", sql);
}

int database_open(const char *path, sqlite3 **db, struct fail *f)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;

    if (sqlite3_open_v2(path, db, flags, NULL) != SQLITE_OK)
        return database_fail(*db, "Cannot open", f);
    sqlite3_busy_timeout(*db, 5000);
    return run_sql(*db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
                   f);
}

int database_held(sqlite3 *db, struct fail *f)
{
    return run_sql(db,
                   "PRAGMA temp_store=MEMORY; CREATE TEMP TABLE held("
                   " job INTEGER NOT NULL, owner INTEGER NOT NULL, digest TEXT NOT NULL,"
                   " PRIMARY KEY(job, digest)) WITHOUT ROWID;"
                   "CREATE INDEX temp.held_digest ON held(digest);",
                   f);
}

/* From the tables of one version to those of the newest, within a transaction. */
static int upgrade_from(sqlite3 *db, int version, struct fail *f)
{
    char sql[64];
    int err = 0;

    for (int v = version; v < SCHEMA_VERSION && !err; v++)
        err = run_sql(db, VERSION[v], f);
    snprintf(sql, sizeof sql, "PRAGMA user_version=%d", SCHEMA_VERSION);
    return err ? err : run_sql(db, sql, f);
}

/* What is done between BEGIN and COMMIT came to err. */
static int end_transaction(sqlite3 *db, int err, struct fail *f)
{
    if (!err) err = run_sql(db, "COMMIT", f);
    if (err && !sqlite3_get_autocommit(db)) sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return err;
}

/* The version is asked for again within: another process may have been quicker. */
static int upgrade(sqlite3 *db, struct fail *f)
{
    int64_t version = 0;
    int err = run_sql(db, "BEGIN IMMEDIATE", f);

    if (err) return err;
    err = database_int(db, "PRAGMA user_version", &version, f);
    if (!err) err = upgrade_from(db, (int)version, f);
    if (!err) err = run_sql(db, REMOVED, f);
    return end_transaction(db, err, f);
}

int database_upgrade(sqlite3 *db, struct fail *f)
{
    int64_t version;
    int err = database_int(db, "PRAGMA user_version", &version, f);

    if (!err && version < 0) {
        fail_set(f, ERR_IO, "The job store is damaged: its version is %d.", (int)version);
        return fail_advise(f, "Restore a backup, or start with another folder, --data DIR.");
    }
    if (!err && version > SCHEMA_VERSION) {
        fail_set(f, ERR_IO, "The job store was written by a newer darkroom (version %d).",
                 (int)version);
        return fail_advise(f, "Start the newer one again, or this one with another folder, "
                              "--data DIR.");
    }
    return err || version == SCHEMA_VERSION ? err : upgrade(db, f);
}

int database_start(sqlite3 *db, uint64_t *starts, struct fail *f)
{
    int64_t boot = 0;
    int err = run_sql(db, "BEGIN IMMEDIATE", f);

    if (err) return err;
    err = run_sql(db, REMOVED, f);
    if (!err) err = run_sql(db, COUNT_START, f);
    if (!err) err = database_int(db, "SELECT boot FROM meta", &boot, f);
    *starts = (uint64_t)boot;
    return end_transaction(db, err, f);
}

/* --- what a server signs with ----------------------------------------------------------------- */

static int read_secret(sqlite3 *db, uint8_t *out, bool *there, struct fail *f)
{
    sqlite3_stmt *q = NULL;
    int err = 0;

    *there = false;
    if (sqlite3_prepare_v2(db, "SELECT secret FROM meta", -1, &q, NULL))
        err = database_fail(db, "Cannot read", f);
    else if (sqlite3_step(q) == SQLITE_ROW && sqlite3_column_bytes(q, 0) == DATABASE_SECRET_BYTES) {
        memcpy(out, sqlite3_column_blob(q, 0), DATABASE_SECRET_BYTES);
        *there = true;
    }
    sqlite3_finalize(q);
    return err;
}

int database_secret(sqlite3 *db, uint8_t out[DATABASE_SECRET_BYTES], struct fail *f)
{
    sqlite3_stmt *q = NULL;
    bool there = false;
    int err = read_secret(db, out, &there, f);

    if (err || there) return err;
    randombytes_buf(out, DATABASE_SECRET_BYTES);
    if (sqlite3_prepare_v2(db, "UPDATE meta SET secret=?1", -1, &q, NULL)
        || sqlite3_bind_blob(q, 1, out, DATABASE_SECRET_BYTES, SQLITE_STATIC)
        || sqlite3_step(q) != SQLITE_DONE)
        err = database_fail(db, "Cannot write", f);
    sqlite3_finalize(q);
    return err;
}
