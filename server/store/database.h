/* database - the SQLite file: opened, its tables brought up to date, its errors turned into advice.
 * Thread: any, one at a time a connection. */
#ifndef SERVER_STORE_DATABASE_H
#define SERVER_STORE_DATABASE_H

#include "proto/fail.h"

#include <sqlite3.h>
#include <stdint.h>

/* Open a connection, or make the file. *db is the caller's to close, also on failure. ERR_IO. */
int database_open(const char *path, sqlite3 **db, struct fail *f);
/* Make the tables that are missing and count this start; *starts: 1, 2, 3 .. ERR_IO. */
int database_upgrade(sqlite3 *db, uint64_t *starts, struct fail *f);
/* The first column of the first row of a query. ERR_IO. */
int database_int(sqlite3 *db, const char *sql, int64_t *out, struct fail *f);
/* ERR_IO with SQLite's message, and with what to do when the file is damaged. ERR_INTERNAL when a
 * row breaks a rule of the table, which another try does not change. */
int database_fail(sqlite3 *db, const char *what, struct fail *f);

#endif
