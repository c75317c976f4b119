/* store - one transaction per mailbox take: files first, then rows, then the word to the loop. */
#include "server/store/store.h"

#include "server/events.h"
#include "server/store/files.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STORE_ACCEPT, STORE_END, STORE_STOP };

/* A row on its way to the disk, with copies of what it needs. */
struct entry {
    struct msg m;
    struct hub_row row; /* key, digest, spec, result_digest, error point below */
    struct spec spec;
    char key[LIMIT_KEY_BYTES + 1], result_digest[PNG_DIGEST_TEXT];
    uint8_t digest[SPEC_DIGEST_BYTES];
    struct fail error;
    struct blob *file;
};

/* Statements of the store's thread. */
enum { SQL_BEGIN, SQL_COMMIT, SQL_ROLLBACK, SQL_ACCEPT, SQL_END, SQL_STATEMENTS };
static const char *const SQL[SQL_STATEMENTS] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_ACCEPT] = "INSERT INTO jobs(job,ord,created_ms,key,digest,spec,accepted_seq,state)"
                   " VALUES(?1,?2,?3,?4,?5,?6,?7,?8)",
    [SQL_END] =
        "UPDATE jobs SET state=?2,result_seq=?3,end_seq=?4,result=?5,bytes=?6,us=?7,file=?8,"
        "code=?9,field=?10,message=?11,hint=?12 WHERE job=?1",
};

static const char SCHEMA[] =
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
    "CREATE INDEX jobs_result ON jobs(result);"
    "PRAGMA user_version=1;";
enum { SCHEMA_VERSION = 1 };

struct store {
    struct mbox box, *loop;
    struct log *log;
    int folder, outputs, lock;
    uint64_t boot;
    /* the loop's connection, for reading, and the thread's */
    sqlite3 *reader, *writer;
    sqlite3_stmt *find, *sql[SQL_STATEMENTS];
    pthread_t thread;
    bool running;
};

/* The advice is for whoever starts the server; clients get another (see `handle`). */
static int complain(sqlite3 *db, const char *what, struct fail *f)
{
    int code = db ? sqlite3_errcode(db) : SQLITE_NOMEM;
    fail_set(f, ERR_IO, "%s the job store: %s.", what, db ? sqlite3_errmsg(db) : "out of memory");
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR)
        fail_advise(f,
                    "It is damaged. Move %s* away and start again: the queue is then empty, the "
                    "pictures in outputs/ stay. Or start with another folder, --data DIR.",
                    sqlite3_db_filename(db, "main"));
    return ERR_IO;
}

/* --- opening ------------------------------------------------------------------------------------- */

static int run_sql(sqlite3 *db, const char *sql, struct fail *f)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0
                                                                : complain(db, "Cannot set up", f);
}

static int ask_int(sqlite3 *db, const char *sql, int64_t *out, struct fail *f)
{
    sqlite3_stmt *q = NULL;
    int ok =
        sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW;
    *out = ok ? sqlite3_column_int64(q, 0) : 0;
    sqlite3_finalize(q);
    return ok ? 0 : complain(db, "Cannot read", f);
}

static int open_db(const char *path, sqlite3 **db, struct fail *f)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, db, flags, NULL) != SQLITE_OK) return complain(*db, "Cannot open", f);
    sqlite3_busy_timeout(*db, 5000);
    return run_sql(*db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
                   f);
}

static int set_up(struct store *s, struct fail *f)
{
    int64_t version, boot;
    int err = ask_int(s->writer, "PRAGMA user_version", &version, f);
    if (!err && version > SCHEMA_VERSION)
        return fail_set(f, ERR_IO, "The job store was written by a newer darkroom (version %d).",
                        (int)version);
    if (!err) err = run_sql(s->writer, "BEGIN IMMEDIATE", f);
    if (!err && version == 0) err = run_sql(s->writer, SCHEMA, f);
    if (!err) err = run_sql(s->writer, "UPDATE meta SET boot = boot + 1; COMMIT", f);
    if (!err) err = ask_int(s->writer, "SELECT boot FROM meta", &boot, f);
    if (!err) s->boot = (uint64_t)boot;
    return err;
}

static int prepare(struct store *s, struct fail *f)
{
    for (int i = 0; i < SQL_STATEMENTS; i++)
        if (sqlite3_prepare_v3(s->writer, SQL[i], -1, SQLITE_PREPARE_PERSISTENT, &s->sql[i], NULL))
            return complain(s->writer, "Cannot prepare", f);
    if (sqlite3_prepare_v3(s->reader, "SELECT file,bytes FROM jobs WHERE result=?1 LIMIT 1", -1,
                           SQLITE_PREPARE_PERSISTENT, &s->find, NULL))
        return complain(s->reader, "Cannot prepare", f);
    return 0;
}

static void *run(void *arg);

static int open_folders(struct store *s, const char *data, struct fail *f)
{
    int err = files_folder(data, &s->folder, f);
    if (!err) err = files_lock(s->folder, "lock", &s->lock, f);
    if (!err) err = files_subfolder(s->folder, "outputs", &s->outputs, f);
    if (err == ERR_CONFLICT)
        fail_advise(f, "Stop the other one, or give this one another folder with --data.");
    else if (err)
        fail_advise(f, "May this user write in %s? Another folder is named with --data DIR.", data);
    return err;
}

static int open_all(struct store *s, const char *data, struct fail *f)
{
    char path[4096];
    int err = open_folders(s, data, f);
    if (!err && snprintf(path, sizeof path, "%s/darkroom.db", data) >= (int)sizeof path)
        err = fail_set(f, ERR_IO, "The path of the data folder is too long.");
    if (!err) err = open_db(path, &s->writer, f);
    if (!err) err = set_up(s, f);
    if (!err) err = open_db(path, &s->reader, f);
    if (!err) err = prepare(s, f);
    if (!err && pthread_create(&s->thread, NULL, run, s))
        err = fail_set(f, ERR_OUT_OF_MEMORY, "Cannot start the store's thread.");
    s->running = !err;
    return err;
}

int store_open(struct store **out, const char *data, struct mbox *loop, struct log *log,
               struct fail *f)
{
    *out = NULL;
    struct store *s = calloc(1, sizeof *s);
    if (!s) return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the job store.");
    s->folder = s->outputs = s->lock = -1;
    s->loop = loop;
    s->log = log;
    mbox_init(&s->box, NULL, NULL);
    int err = open_all(s, data, f);
    if (err)
        store_close(s);
    else
        *out = s;
    return err;
}

static void close_fd(int fd)
{
    if (fd >= 0) close(fd);
}

void store_close(struct store *s)
{
    if (!s) return;
    struct msg stop = {.kind = STORE_STOP};
    if (s->running) {
        mbox_push(&s->box, &stop);
        pthread_join(s->thread, NULL);
    }
    mbox_destroy(&s->box);
    sqlite3_finalize(s->find);
    for (int i = 0; i < SQL_STATEMENTS; i++)
        sqlite3_finalize(s->sql[i]);
    sqlite3_close(s->reader);
    sqlite3_close(s->writer);
    close_fd(s->outputs);
    close_fd(s->lock);
    close_fd(s->folder);
    free(s);
}

uint64_t store_boot(const struct store *s)
{
    return s->boot;
}

/* --- reading, on the loop's thread --------------------------------------------------------------- */

int store_counts(struct store *s, int64_t *done, int64_t *failed, int64_t *cancelled,
                 struct fail *f)
{
    int err = ask_int(s->reader, "SELECT count(*) FROM jobs WHERE state=2", done, f);
    if (!err) err = ask_int(s->reader, "SELECT count(*) FROM jobs WHERE state=3", failed, f);
    if (!err) err = ask_int(s->reader, "SELECT count(*) FROM jobs WHERE state=4", cancelled, f);
    return err;
}

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

/* A row that cannot be read is said and skipped: it must not keep all others from being served. */
static int restore_row(struct store *s, sqlite3_stmt *q,
                       int (*each)(void *, const struct hub_row *, struct fail *), void *arg,
                       struct fail *f)
{
    struct spec_limits limits;
    struct spec spec = {0};
    struct fail error;
    spec_limits_init(&limits);
    const char *json = text_at(q, 5);
    int err = sqlite3_column_bytes(q, 4) == SPEC_DIGEST_BYTES
                  ? spec_parse(&spec, json, strlen(json), &limits, &error)
                  : fail_set(&error, ERR_IO, "the request's digest is missing");
    if (err) {
        log_error(s->log, "store: row %lld is damaged and left out: %s",
                  (long long)sqlite3_column_int64(q, 1), error.message);
        return 0;
    }
    read_fail(q, 13, &error);
    struct hub_row row = {
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
    };
    if (row.state == STATE_DONE) row.result_digest = text_at(q, 10);
    row.result_bytes = sqlite3_column_int64(q, 11);
    row.result_us = sqlite3_column_int64(q, 12);
    if (row.state == STATE_FAILED) row.error = &error;
    err = each(arg, &row, f);
    spec_free(&spec);
    return err;
}

int store_restore(struct store *s, int kept,
                  int (*each)(void *arg, const struct hub_row *, struct fail *f), void *arg,
                  struct fail *f)
{
    static const char sql[] =
        "SELECT job,ord,created_ms,key,digest,spec,accepted_seq,state,result_seq,end_seq,result,"
        " bytes,us,code,field,message,hint FROM jobs WHERE state=0 OR ord IN"
        " (SELECT ord FROM jobs WHERE state<>0 ORDER BY ord DESC LIMIT ?1) ORDER BY ord";
    sqlite3_stmt *q = NULL;
    if (sqlite3_prepare_v2(s->reader, sql, -1, &q, NULL))
        return complain(s->reader, "Cannot read", f);
    sqlite3_bind_int(q, 1, kept);
    int err = 0, got;
    while ((got = sqlite3_step(q)) == SQLITE_ROW && !err) {
        err = restore_row(s, q, each, arg, f);
        if (err) break;
    }
    if (!err && got != SQLITE_DONE) err = complain(s->reader, "Cannot read", f);
    sqlite3_finalize(q);
    return err;
}

/* A file that is gone, or shorter than it was, is not served as the picture that its address names. */
static int open_whole(struct store *s, const char *name, int64_t bytes, int *fd, struct fail *f)
{
    struct stat st;
    int err = files_read(s->outputs, name, fd, f);
    if (!err && !fstat(*fd, &st) && st.st_size == bytes) return 0;
    if (!err) close(*fd);
    *fd = -1;
    log_error(s->log, "store: outputs/%s is %s", name, err ? "gone" : "damaged");
    fail_set(f, ERR_NOT_FOUND, "The file of this picture is %s.", err ? "gone" : "damaged");
    return fail_advise(f,
                       "Submit the request again with the same seed: it gives the same picture.");
}

int store_find(struct store *s, const char *digest, struct store_file *out, struct fail *f)
{
    memset(out, 0, sizeof *out);
    out->fd = -1;
    sqlite3_bind_text(s->find, 1, digest, -1, SQLITE_STATIC);
    if (sqlite3_step(s->find) == SQLITE_ROW) {
        snprintf(out->name, sizeof out->name, "%s", text_at(s->find, 0));
        out->bytes = sqlite3_column_int64(s->find, 1);
    }
    sqlite3_reset(s->find);
    sqlite3_clear_bindings(s->find);
    if (!*out->name) return fail_set(f, ERR_NOT_FOUND, "There is no such picture.");
    return open_whole(s, out->name, out->bytes, &out->fd, f);
}

/* --- writing, on the store's thread -------------------------------------------------------------- */

static void entry_free(struct entry *e)
{
    spec_free(&e->spec);
    blob_unref(e->file);
    free(e);
}

static struct entry *entry_new(int kind, const struct hub_row *row, struct blob *file)
{
    struct entry *e = calloc(1, sizeof *e);
    if (!e) return NULL;
    if (spec_copy(&e->spec, row->spec)) {
        free(e);
        return NULL;
    }
    e->m.kind = kind;
    e->row = *row;
    snprintf(e->key, sizeof e->key, "%s", row->key ? row->key : "");
    memcpy(e->digest, row->digest, sizeof e->digest);
    if (row->result_digest)
        snprintf(e->result_digest, sizeof e->result_digest, "%s", row->result_digest);
    if (row->error) e->error = *row->error;
    e->row.key = e->key;
    e->row.spec = &e->spec;
    e->row.digest = e->digest;
    e->row.result_digest = row->result_digest ? e->result_digest : NULL;
    e->row.error = row->error ? &e->error : NULL;
    if (file) e->file = blob_ref(file);
    return e;
}

static void answer(struct store *s, uint64_t job, const struct fail *why)
{
    struct loop_stored *stored = calloc(1, sizeof *stored);
    if (!stored)
        abort(); /* a few hundred bytes: nothing works any more, and a job would hang silently */
    stored->m.kind = LOOP_STORED;
    stored->job = job;
    if (why) stored->why = *why;
    mbox_push(s->loop, &stored->m);
}

static void send(struct store *s, int kind, const struct hub_row *row, struct blob *file)
{
    struct fail why;
    struct entry *e = entry_new(kind, row, file);
    if (e)
        mbox_push(&s->box, &e->m);
    else {
        fail_set(&why, ERR_OUT_OF_MEMORY, "No memory to store the job.");
        answer(s, row->job, &why);
    }
}

void store_accept(struct store *s, const struct hub_row *row)
{
    send(s, STORE_ACCEPT, row, NULL);
}

void store_end(struct store *s, const struct hub_row *row, struct blob *file)
{
    send(s, STORE_END, row, file);
}

static int step(struct store *s, int which, struct fail *f)
{
    int got = sqlite3_step(s->sql[which]);
    sqlite3_reset(s->sql[which]);
    sqlite3_clear_bindings(s->sql[which]);
    return got == SQLITE_DONE ? 0 : complain(s->writer, "Cannot write", f);
}

static void bind_id(sqlite3_stmt *q, int at, uint64_t n)
{
    sqlite3_bind_int64(q, at, (sqlite3_int64)n);
}

static int write_accept(struct store *s, const struct hub_row *row, struct fail *f)
{
    sqlite3_stmt *q = s->sql[SQL_ACCEPT];
    struct text json;
    text_init(&json, 0, 2 * LIMIT_PROMPT_BYTES * 6 + 1024);
    spec_write(row->spec, &json, NULL);
    int err = text_check(&json, f);
    if (!err) {
        bind_id(q, 1, row->job);
        bind_id(q, 2, row->order);
        sqlite3_bind_int64(q, 3, row->created_ms);
        sqlite3_bind_text(q, 4, row->key, -1, SQLITE_STATIC);
        sqlite3_bind_blob(q, 5, row->digest, SPEC_DIGEST_BYTES, SQLITE_STATIC);
        sqlite3_bind_text(q, 6, json.at + json.head, (int)json.len, SQLITE_STATIC);
        bind_id(q, 7, row->accepted_seq);
        sqlite3_bind_int(q, 8, STATE_QUEUED);
        err = step(s, SQL_ACCEPT, f);
    }
    text_free(&json);
    return err;
}

static int write_file(struct store *s, const struct entry *e, char *name, struct fail *f)
{
    snprintf(name, STORE_NAME_BYTES, "%dx%d-seed%" PRId64 "-%.64s.png", e->spec.width,
             e->spec.height, e->spec.seed, e->result_digest);
    return files_write(s->outputs, name, e->file->data, e->file->len, f);
}

static void bind_fail(sqlite3_stmt *q, int at, const struct fail *why)
{
    sqlite3_bind_text(q, at, fail_wire(why->code), -1, SQLITE_STATIC);
    sqlite3_bind_text(q, at + 1, why->field, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, at + 2, why->message, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, at + 3, why->hint, -1, SQLITE_STATIC);
}

static int write_end(struct store *s, const struct entry *e, const char *name, struct fail *f)
{
    const struct hub_row *row = &e->row;
    sqlite3_stmt *q = s->sql[SQL_END];
    bind_id(q, 1, row->job);
    sqlite3_bind_int(q, 2, row->state);
    bind_id(q, 3, row->result_seq);
    bind_id(q, 4, row->end_seq);
    if (row->result_digest) {
        sqlite3_bind_text(q, 5, row->result_digest, -1, SQLITE_STATIC);
        sqlite3_bind_int64(q, 6, row->result_bytes);
        sqlite3_bind_int64(q, 7, row->result_us);
        sqlite3_bind_text(q, 8, name, -1, SQLITE_STATIC);
    }
    if (row->error) bind_fail(q, 9, row->error);
    int err = step(s, SQL_END, f);
    if (!err && sqlite3_changes(s->writer) != 1)
        err = fail_set(f, ERR_INTERNAL, "A job ended that is not on disk.");
    return err;
}

static int write_entry(struct store *s, const struct entry *e, struct fail *f)
{
    char name[STORE_NAME_BYTES] = "";
    if (e->m.kind == STORE_ACCEPT) return write_accept(s, &e->row, f);
    int err = e->file ? write_file(s, e, name, f) : 0;
    return err ? err : write_end(s, e, name, f);
}

/* All entries in one transaction: it holds or fails for all of them. */
static int write_list(struct store *s, const struct msg *list, struct fail *f)
{
    int err = step(s, SQL_BEGIN, f);
    if (err) return err;
    for (const struct msg *m = list; m && !err; m = m->next)
        if (m->kind != STORE_STOP) err = write_entry(s, (const struct entry *)m, f);
    if (!err) err = step(s, SQL_COMMIT, f);
    if (err && !sqlite3_get_autocommit(s->writer)) step(s, SQL_ROLLBACK, NULL);
    return err;
}

/* One bad row must not fail its neighbours: then each entry gets a transaction of its own. */
static int write_alone(struct store *s, struct msg *m, struct fail *f)
{
    struct msg *next = m->next;
    m->next = NULL;
    int err = write_list(s, m, f);
    m->next = next;
    return err;
}

static bool handle(struct store *s, struct msg *list)
{
    bool stop = false;
    struct fail why = {0};
    bool many = list->next != NULL;
    int err = write_list(s, list, &why);
    if (err) log_error(s->log, "store: %s", why.message);
    if (err)
        fail_advise(&why, "Tell whoever runs this server that its disk needs attention, then send "
                          "the request again.");
    for (struct msg *m = list, *next; m; m = next) {
        next = m->next;
        if (m->kind == STORE_STOP) {
            stop = true;
            continue;
        }
        int failed = err && many ? write_alone(s, m, &why) : err;
        answer(s, ((struct entry *)m)->row.job, failed ? &why : NULL);
        entry_free((struct entry *)m);
    }
    return !stop;
}

static void *run(void *arg)
{
    struct store *s = arg;
    pthread_setname_np(pthread_self(), "store");
    while (handle(s, mbox_wait(&s->box, -1))) {}
    return NULL;
}
