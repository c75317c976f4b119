/* users - a row a user; of a token only its hash. */
#include "server/store/users.h"

#include "server/store/database.h"
#include "server/store/files.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define ANNOUNCEMENT "users.changed" /* in the data folder; always empty */

/* --- opening ---------------------------------------------------------------------------------- */

static int open_folder(const char *data, bool make, int *folder, struct fail *f)
{
    if (make) return files_folder(data, folder, f);
    *folder = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*folder >= 0 && !faccessat(*folder, DATABASE_NAME, F_OK, 0)) return 0;
    if (errno != ENOENT && errno != ENOTDIR)
        return fail_set(f, ERR_IO, "Cannot open the job store in %.200s: %s.", data,
                        strerror(errno));
    fail_set(f, ERR_NOT_FOUND, "There is no job store in %.200s.", data);
    return fail_advise(f, "Name the server's data folder with --data DIR, or make a first user "
                          "with `darkroom user add NAME --data DIR`.");
}

int users_open(const char *data, bool make, sqlite3 **db, struct fail *f)
{
    char path[4096];
    int folder = -1, err = open_folder(data, make, &folder, f);

    *db = NULL;
    if (!err) err = files_private(folder, DATABASE_NAME, make, f);
    if (folder >= 0) close(folder);
    if (!err && snprintf(path, sizeof path, "%s/" DATABASE_NAME, data) >= (int)sizeof path)
        err = fail_set(f, ERR_IO, "The path of the data folder is too long.");
    if (!err) err = database_open(path, db, f);
    return err ? err : database_upgrade(*db, f);
}

/* --- reading ---------------------------------------------------------------------------------- */

void users_free(struct user_rows *rows)
{
    free(rows->user);
    free(rows->token);
    free(rows->created_ms);
    *rows = (struct user_rows){.n = 0};
}

static const char *text_at(sqlite3_stmt *q, int column)
{
    const unsigned char *text = sqlite3_column_text(q, column);

    return text ? (const char *)text : "";
}

/* Of the columns that READ names; false: nothing that users_add() wrote. */
static bool parse(sqlite3_stmt *q, struct user *u)
{
    int role = user_role_parse(text_at(q, 2));
    int64_t id = sqlite3_column_int64(q, 0), waiting = sqlite3_column_int64(q, 5),
            running = sqlite3_column_int64(q, 6);

    *u = (struct user){.id = (uint32_t)id,
                       .role = role < 0 ? ROLE_VIEWER : (enum user_role)role,
                       .weight = sqlite3_column_double(q, 4),
                       .waiting = (int)waiting,
                       .running = (int)running,
                       .disk_bytes = sqlite3_column_int64(q, 7)};
    if (id < 1 || id > UINT32_MAX || role < 0 || !(u->weight > 0) || waiting < 0
        || waiting > LIMIT_QUEUE_MAX || running < 0 || running > LIMIT_QUEUE_MAX
        || u->disk_bytes < 0 || sqlite3_column_bytes(q, 8) != TOKEN_HASH_BYTES
        || !user_name_valid(text_at(q, 1)) || user_lanes_parse(text_at(q, 3), &u->lanes, NULL))
        return false;
    snprintf(u->name, sizeof u->name, "%s", text_at(q, 1));
    return true;
}

static void take(struct user_rows *rows, sqlite3_stmt *q)
{
    int n = rows->n;

    if (!parse(q, &rows->user[n])) {
        rows->damaged++;
        return;
    }
    memcpy(rows->token[n], sqlite3_column_blob(q, 8), TOKEN_HASH_BYTES);
    rows->created_ms[n] = sqlite3_column_int64(q, 9);
    rows->n++;
}

static int reserve(struct user_rows *rows, size_t n, struct fail *f)
{
    rows->user = calloc(n + 1, sizeof *rows->user);
    rows->token = calloc(n + 1, sizeof *rows->token);
    rows->created_ms = calloc(n + 1, sizeof *rows->created_ms);
    if (rows->user && rows->token && rows->created_ms) return 0;
    return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the users.");
}

int users_read(sqlite3 *db, struct user_rows *out, struct fail *f)
{
    static const char sql[] =
        "SELECT id,name,role,lanes,weight,waiting,running,disk,token,created_ms FROM users"
        " WHERE removed_ms = 0 ORDER BY id LIMIT ?1";
    sqlite3_stmt *q = NULL;
    int64_t ever = 0;
    int got, err = database_int(db, "SELECT EXISTS (SELECT 1 FROM users)", &ever, f);

    *out = (struct user_rows){.ever = ever != 0};
    if (!err) err = reserve(out, ever ? LIMIT_USERS : 0, f);
    if (!err && sqlite3_prepare_v2(db, sql, -1, &q, NULL))
        err = database_fail(db, "Cannot read", f);
    if (!err) sqlite3_bind_int(q, 1, LIMIT_USERS);
    while (!err && (got = sqlite3_step(q)) != SQLITE_DONE) {
        if (got == SQLITE_ROW)
            take(out, q);
        else
            err = database_fail(db, "Cannot read", f);
    }
    sqlite3_finalize(q);
    if (err) users_free(out);
    return err;
}

/* --- writing ---------------------------------------------------------------------------------- */

static int run(sqlite3 *db, sqlite3_stmt *q, struct fail *f)
{
    int got = sqlite3_step(q), extended = sqlite3_extended_errcode(db);

    if (got == SQLITE_DONE) return 0;
    database_fail(db, "Cannot write", f);
    return extended == SQLITE_CONSTRAINT_UNIQUE ? ERR_CONFLICT : ERR_IO;
}

/* What is bound may be copied, which takes memory. A value that is missing would be taken for one
 * that stays, so these, and what binds several, give SQLite's code. */
static int new_token(char token[TOKEN_TEXT], sqlite3_stmt *q, int at)
{
    uint8_t hash[TOKEN_HASH_BYTES];

    token_make(token);
    token_hash(token, TOKEN_LENGTH, hash);
    return sqlite3_bind_blob(q, at, hash, sizeof hash, SQLITE_TRANSIENT);
}

static int bind_lanes(sqlite3_stmt *q, int at, unsigned lanes)
{
    char text[64];

    return sqlite3_bind_text(q, at, user_lanes_text(lanes, text, sizeof text), -1,
                             SQLITE_TRANSIENT);
}

/* Name, role, lanes, weight and bounds, from the first parameter on. */
static int bind_user(sqlite3_stmt *q, const struct user *u)
{
    int bad = sqlite3_bind_text(q, 1, u->name, -1, SQLITE_STATIC);

    if (!bad) bad = sqlite3_bind_text(q, 2, user_role_name(u->role), -1, SQLITE_STATIC);
    if (!bad) bad = bind_lanes(q, 3, u->lanes);
    if (!bad) bad = sqlite3_bind_double(q, 4, u->weight);
    if (!bad) bad = sqlite3_bind_int(q, 5, u->waiting);
    if (!bad) bad = sqlite3_bind_int(q, 6, u->running);
    return bad ? bad : sqlite3_bind_int64(q, 7, u->disk_bytes);
}

int users_check_name(const char *name, struct fail *f)
{
    if (user_name_valid(name)) return 0;
    fail_set(f, ERR_USAGE, "'%.80s' is no name of a user.", name);
    return fail_advise(f, "Use 1 to %d letters, digits and . _ - @, the first a letter or digit.",
                       LIMIT_USER_BYTES);
}

static int check_room(sqlite3 *db, struct fail *f)
{
    int64_t n;
    int err = database_int(db, "SELECT count(*) FROM users WHERE removed_ms = 0", &n, f);

    if (err || n < LIMIT_USERS) return err;
    fail_set(f, ERR_TOO_LARGE, "There are %d users, which is the most.", LIMIT_USERS);
    return fail_advise(f, "Remove one first.");
}

int users_add(sqlite3 *db, struct user *u, int64_t now_ms, char token[TOKEN_TEXT], struct fail *f)
{
    static const char sql[] =
        "INSERT INTO users(name,role,lanes,weight,waiting,running,disk,token,created_ms)"
        " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)";
    sqlite3_stmt *q = NULL;
    int err = users_check_name(u->name, f);

    if (!err) err = check_room(db, f);
    if (!err && sqlite3_prepare_v2(db, sql, -1, &q, NULL))
        err = database_fail(db, "Cannot write", f);
    if (!err && (bind_user(q, u) || new_token(token, q, 8) || sqlite3_bind_int64(q, 9, now_ms)))
        err = database_fail(db, "Cannot write", f);
    if (!err) err = run(db, q, f);
    sqlite3_finalize(q);
    if (err == ERR_CONFLICT) {
        fail_set(f, ERR_CONFLICT, "There is a user %s already.", u->name);
        fail_advise(f, "Give it another token with `darkroom user rotate %s`, or remove it first.",
                    u->name);
    }
    if (!err) u->id = (uint32_t)sqlite3_last_insert_rowid(db);
    return err;
}

/* Run a statement on the user of this name, which is parameter 1; none: ERR_NOT_FOUND. */
static int change(sqlite3 *db, sqlite3_stmt *q, const char *name, struct fail *f)
{
    int err = sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC)
                  ? database_fail(db, "Cannot write", f)
                  : run(db, q, f);

    if (err || sqlite3_changes(db) > 0) return err;
    fail_set(f, ERR_NOT_FOUND, "There is no user '%.80s'.", name);
    return fail_advise(f, "`darkroom user list` names them.");
}

int users_rotate(sqlite3 *db, const char *name, char token[TOKEN_TEXT], struct fail *f)
{
    sqlite3_stmt *q = NULL;
    int err = 0;

    if (sqlite3_prepare_v2(db, "UPDATE users SET token=?2 WHERE name=?1 AND removed_ms=0", -1, &q,
                           NULL))
        err = database_fail(db, "Cannot write", f);
    if (!err && new_token(token, q, 2)) err = database_fail(db, "Cannot write", f);
    if (!err) err = change(db, q, name, f);
    sqlite3_finalize(q);
    return err;
}

/* The values that are not to change stay NULL. */
static int bind_changes(sqlite3_stmt *q, const struct user *u, unsigned which)
{
    int bad = 0;

    if (which & USERS_ROLE)
        bad = sqlite3_bind_text(q, 2, user_role_name(u->role), -1, SQLITE_STATIC);
    if (!bad && which & USERS_LANES) bad = bind_lanes(q, 3, u->lanes);
    if (!bad && which & USERS_WEIGHT) bad = sqlite3_bind_double(q, 4, u->weight);
    if (!bad && which & USERS_WAITING) bad = sqlite3_bind_int(q, 5, u->waiting);
    if (!bad && which & USERS_RUNNING) bad = sqlite3_bind_int(q, 6, u->running);
    if (!bad && which & USERS_DISK) bad = sqlite3_bind_int64(q, 7, u->disk_bytes);
    return bad;
}

int users_set(sqlite3 *db, const struct user *u, unsigned which, struct fail *f)
{
    static const char sql[] =
        "UPDATE users SET role=coalesce(?2,role),lanes=coalesce(?3,lanes),"
        "weight=coalesce(?4,weight),waiting=coalesce(?5,waiting),running=coalesce(?6,running),"
        "disk=coalesce(?7,disk) WHERE name=?1 AND removed_ms=0";
    sqlite3_stmt *q = NULL;
    int err = 0;

    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL)) err = database_fail(db, "Cannot write", f);
    if (!err && bind_changes(q, u, which)) err = database_fail(db, "Cannot write", f);
    if (!err) err = change(db, q, u->name, f);
    sqlite3_finalize(q);
    return err;
}

int users_remove(sqlite3 *db, const char *name, int64_t now_ms, struct fail *f)
{
    sqlite3_stmt *q = NULL;
    int err = 0;

    if (sqlite3_prepare_v2(db, "UPDATE users SET removed_ms=?2 WHERE name=?1 AND removed_ms=0", -1,
                           &q, NULL))
        err = database_fail(db, "Cannot write", f);
    if (!err) {
        sqlite3_bind_int64(q, 2, now_ms > 0 ? now_ms : 1);
        err = change(db, q, name, f);
    }
    sqlite3_finalize(q);
    return err;
}

/* --- telling a running server ----------------------------------------------------------------- */

int users_announce(const char *data, struct fail *f)
{
    char path[4096];
    int fd = -1;

    if (snprintf(path, sizeof path, "%s/" ANNOUNCEMENT, data) < (int)sizeof path)
        fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        fail_set(f, ERR_IO, "Cannot write %.200s/" ANNOUNCEMENT ": %s.", data, strerror(errno));
        return fail_advise(f, "The change is stored; send SIGHUP to a server that runs.");
    }
    close(fd); /* which is what is watched */
    return 0;
}

int users_watch(const char *data)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

    /* the folder, as the file may be removed and made again */
    if (fd >= 0 && inotify_add_watch(fd, data, IN_CLOSE_WRITE | IN_ONLYDIR) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

bool users_announced(int watch)
{
    _Alignas(struct inotify_event) char bytes[4096];
    bool announced = false;
    ssize_t n;

    while ((n = read(watch, bytes, sizeof bytes)) > 0)
        for (char *at = bytes; at < bytes + n;) {
            struct inotify_event *e = (struct inotify_event *)(void *)at;

            at += sizeof *e + e->len;
            if (e->mask & IN_Q_OVERFLOW || (e->len && strcmp(e->name, ANNOUNCEMENT) == 0))
                announced = true;
        }
    return announced;
}
