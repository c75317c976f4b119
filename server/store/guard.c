/* guard - names are compared by device and inode. A file that is shorter than it was may have been
 * cut, or tidied by another program (VACUUM, a checkpoint that truncates), which SQLite allows: a
 * new connection, which has no pages in memory, then reads all of it. */
#include "server/store/guard.h"

#include "server/store/database.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const FILES[GUARD_FILES] = {DATABASE_NAME, DATABASE_NAME "-wal",
                                               DATABASE_NAME "-shm"};

enum { BUSY_MS = 5000 }; /* what tidies it may hold it for so long */

int guard_private(int folder, struct fail *f)
{
    int err = 0;

    for (int i = 0; i < GUARD_FILES && !err; i++)
        err = files_private(folder, FILES[i], i == 0, f);
    return err;
}

int guard_open(struct guard *g, int folder, const char *path, struct fail *f)
{
    *g = (struct guard){.folder = folder, .path = strdup(path)};
    if (!g->path) return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the job store.");
    for (int i = 0; i < GUARD_FILES; i++)
        if (files_identify(folder, FILES[i], &g->files[i], f)) return ERR_IO;
    return files_identify(AT_FDCWD, path, &g->home, f);
}

void guard_close(struct guard *g)
{
    free(g->path);
    *g = (struct guard){0};
}

/* What has another identity than before stays as it was, for guard_check(). */
void guard_grown(struct guard *g)
{
    for (int i = 0; i < GUARD_FILES; i++) {
        struct files_identity now;

        if (!files_identify(g->folder, FILES[i], &now, NULL) && files_same(&now, &g->files[i])
            && now.bytes > g->files[i].bytes)
            g->files[i] = now;
    }
}

/* Every page, from the files. Of an empty database SQLite would remove the log, so it is not
 * opened. */
static bool whole(const struct guard *g)
{
    char path[4096];
    struct files_identity now;
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    const char *text;
    bool ok;

    if (files_identify(g->folder, DATABASE_NAME, &now, NULL) || !now.bytes) return false;
    snprintf(path, sizeof path, "%s/%s", g->path, DATABASE_NAME);
    ok = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK
         && sqlite3_busy_timeout(db, BUSY_MS) == SQLITE_OK
         && sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &q, NULL) == SQLITE_OK
         && sqlite3_step(q) == SQLITE_ROW && (text = (const char *)sqlite3_column_text(q, 0))
         && strcmp(text, "ok") == 0;
    sqlite3_finalize(q);
    sqlite3_close(db);
    return ok;
}

static int check_file(struct guard *g, int i, struct fail *f)
{
    struct files_identity now;

    if (files_identify(g->folder, FILES[i], &now, f)) return ERR_IO;
    if (!files_same(&now, &g->files[i]))
        return fail_set(f, ERR_IO,
                        "The job store's file %s was removed or replaced while the server runs.",
                        FILES[i]);
    if (now.bytes < g->files[i].bytes || g->doubted) g->doubted = !whole(g);
    if (g->doubted)
        return fail_set(f, ERR_IO, "The job store was cut short while the server runs (%s).",
                        FILES[i]);
    g->files[i].bytes = now.bytes;
    return 0;
}

int guard_check(struct guard *g, struct fail *f)
{
    struct files_identity now;
    int err = files_identify(AT_FDCWD, g->path, &now, f);

    if (err) return err;
    if (!files_same(&now, &g->home))
        return fail_set(f, ERR_IO,
                        "The data folder was removed or replaced while the server runs.");
    for (int i = 0; i < GUARD_FILES && !err; i++)
        err = check_file(g, i, f);
    return err;
}
