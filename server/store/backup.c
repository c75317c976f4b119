/* backup - SQLite's backup API into a file that gets its name last. */
#include "server/store/backup.h"

#include "server/store/database.h"
#include "server/store/users.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fail_path(const char *path, struct fail *f)
{
    enum err code = errno == EEXIST ? ERR_CONFLICT : ERR_IO;

    fail_set(f, code, "Cannot write %.200s: %s.", path, strerror(errno));
    return fail_advise(f, "Name a new file in a folder that exists and may be written to.");
}

/* All pages, then out of WAL mode, so that the file is complete by itself. */
static int copy(sqlite3 *from, sqlite3 *to, struct fail *f)
{
    sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");

    if (!b) return database_fail(to, "Cannot copy", f);
    sqlite3_backup_step(b, -1);
    if (sqlite3_backup_finish(b) != SQLITE_OK
        || sqlite3_exec(to, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL) != SQLITE_OK)
        return database_fail(to, "Cannot copy", f);
    return 0;
}

static int copy_to(sqlite3 *from, const char *aside, struct fail *f)
{
    sqlite3 *to = NULL;
    int err;

    if (sqlite3_open_v2(aside, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL))
        err = database_fail(to, "Cannot open the copy of", f);
    else
        err = copy(from, to, f);
    sqlite3_close(to);
    return err;
}

static int sync_folder(const char *path)
{
    char copy[PATH_MAX];
    int fd, bad;

    snprintf(copy, sizeof copy, "%s", path);
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bad = fd < 0 || fsync(fd);
    if (fd >= 0) close(fd);
    return bad ? -1 : 0;
}

/* link() fails where a file is, which rename() would replace. */
static int give_name(int fd, const char *aside, const char *path, struct fail *f)
{
    if (fsync(fd) || link(aside, path) || sync_folder(path)) return fail_path(path, f);
    return 0;
}

int backup_write(const char *data, const char *path, struct fail *f)
{
    char aside[PATH_MAX];
    sqlite3 *from = NULL;
    int fd, err;

    if (snprintf(aside, sizeof aside, "%s.XXXXXX", path) >= (int)sizeof aside)
        return fail_set(f, ERR_IO, "The path of the file is too long.");
    errno = EEXIST;
    if (access(path, F_OK) == 0) return fail_path(path, f);
    err = users_open(data, false, &from, f);
    fd = err ? -1 : mkostemp(aside, O_CLOEXEC); /* 0600 */
    if (!err && fd < 0) err = fail_path(path, f);
    if (!err) err = copy_to(from, aside, f);
    if (!err) err = give_name(fd, aside, path, f);
    if (fd >= 0) {
        unlink(aside);
        close(fd);
    }
    sqlite3_close(from);
    return err;
}
