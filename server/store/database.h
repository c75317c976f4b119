/* database - the SQLite file: opened, its tables brought up to date, its errors turned into advice.
 * Thread: any, one at a time a connection. */
#ifndef SERVER_STORE_DATABASE_H
#define SERVER_STORE_DATABASE_H

#include "proto/fail.h"

#include <sqlite3.h>
#include <stdint.h>

#define DATABASE_NAME "darkroom.db" /* in the data folder */

/* Open a connection, or make the file. *db is the caller's to close, also on failure. ERR_IO. */
int database_open(const char *path, sqlite3 **db, struct fail *f);
/* Make the tables that are missing. ERR_IO, also when a newer program made them. */
int database_upgrade(sqlite3 *db, struct fail *f);
/* Make the table of what private jobs begin with (images.h), in memory and for this connection.
 * Before statements are prepared: it has all of them prepared anew at their next use, which takes
 * memory, also of a ROLLBACK. ERR_IO. */
int database_held(sqlite3 *db, struct fail *f);
/* Count this start of a server; *starts: 1, 2, 3 .. ERR_IO. */
int database_start(sqlite3 *db, uint64_t *starts, struct fail *f);
/* 32 random bytes that are made once and stay: what this server signs with. ERR_IO. */
#define DATABASE_SECRET_BYTES 32
int database_secret(sqlite3 *db, uint8_t out[DATABASE_SECRET_BYTES], struct fail *f);
/* The first column of the first row of a query. ERR_IO. */
int database_int(sqlite3 *db, const char *sql, int64_t *out, struct fail *f);
/* ERR_IO with SQLite's message, and with what to do when the file is damaged. ERR_INTERNAL when a
 * row breaks a rule of the table, which another try does not change. */
int database_fail(sqlite3 *db, const char *what, struct fail *f);

#endif
