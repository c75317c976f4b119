/* killed - the database of folder.h as a kill at this moment would leave it, in a folder beside. */
#ifndef TEST_SERVER_STORE_KILLED_H
#define TEST_SERVER_STORE_KILLED_H

#include "test/server/store/folder.h"

#include <sqlite3.h>

static char copy[80]; /* of the database */

static inline void copy_file(const char *name)
{
    static char bytes[1 << 16];
    char from[128], to[160];
    FILE *in, *out;
    size_t n;

    path_of(from, name);
    snprintf(to, sizeof to, "%s/%s", copy, name);
    unlink(to);
    in = fopen(from, "rb");
    if (!in) return;
    out = fopen(to, "wb");
    assert_non_null(out);
    while ((n = fread(bytes, 1, sizeof bytes, in)) > 0)
        assert_int_equal(fwrite(bytes, 1, n, out), n);
    fclose(in);
    fclose(out);
}

/* The first column of the first row; -1: there is none. */
static inline int64_t query(sqlite3 *db, const char *sql, int64_t bound)
{
    sqlite3_stmt *q = NULL;
    int64_t n = -1;

    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
    if (sqlite3_bind_parameter_count(q) > 0) sqlite3_bind_int64(q, 1, bound);
    if (sqlite3_step(q) == SQLITE_ROW) n = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return n;
}

static inline sqlite3 *open_copy(void)
{
    char path[160];
    sqlite3 *db;

    copy_file("darkroom.db");
    copy_file("darkroom.db-wal");
    snprintf(path, sizeof path, "%s/darkroom.db-shm", copy);
    unlink(path);
    snprintf(path, sizeof path, "%s/darkroom.db", copy);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

#endif
