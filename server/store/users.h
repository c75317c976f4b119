/* users - the table of users: read by the server, changed by `darkroom user` in its own process.
 *
 * A change is one transaction; SQLite keeps two processes apart, and waits up to five seconds for
 * the other. After it users_announce() touches a file that a running server watches. Removed users
 * keep their rows, so that an id is never given again.
 * Thread: any, one at a time a connection. */
#ifndef SERVER_STORE_USERS_H
#define SERVER_STORE_USERS_H

#include "proto/fail.h"
#include "proto/user.h"
#include "server/store/token.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

/* The users that are there, by growing id; both arrays have n items and are owned. */
struct user_rows {
    int n;
    struct user *user;
    uint8_t (*token)[TOKEN_HASH_BYTES]; /* BLAKE2b-256 of each one's token */
    int64_t *created_ms;
    bool ever;   /* the table has or had a user */
    int damaged; /* rows that cannot be read, and are left out */
};

/* The database of a data folder; make: also when neither is there yet. *db is the caller's to
 * close, also on failure. ERR_NOT_FOUND: there is none. ERR_IO. */
int users_open(const char *data, bool make, sqlite3 **db, struct fail *f);

/* out is empty after a failure. ERR_IO, ERR_OUT_OF_MEMORY. */
int users_read(sqlite3 *, struct user_rows *out, struct fail *f);
void users_free(struct user_rows *);

/* ERR_USAGE: it is no name of a user. */
int users_check_name(const char *name, struct fail *f);
/* A user as u says; its id is set, and a new token written. ERR_USAGE (the name is no name),
 * ERR_CONFLICT (it is taken), ERR_TOO_LARGE (LIMIT_USERS), ERR_IO. */
int users_add(sqlite3 *, struct user *u, int64_t now_ms, char token[TOKEN_TEXT], struct fail *f);
/* Another token; the old one is worth nothing any more. ERR_NOT_FOUND, ERR_IO. */
int users_rotate(sqlite3 *, const char *name, char token[TOKEN_TEXT], struct fail *f);
/* What users_set() changes. */
enum {
    USERS_ROLE = 1,
    USERS_LANES = 2,
    USERS_WEIGHT = 4,
    USERS_WAITING = 8,
    USERS_RUNNING = 16,
    USERS_DISK = 32
};
/* The user of this name gets these values of u; id, token and the others stay. ERR_NOT_FOUND,
 * ERR_IO. */
int users_set(sqlite3 *, const struct user *u, unsigned which, struct fail *f);
/* ERR_NOT_FOUND, ERR_IO. */
int users_remove(sqlite3 *, const char *name, int64_t now_ms, struct fail *f);

/* Tell a server that uses this folder that its users have changed. ERR_IO. */
int users_announce(const char *data, struct fail *f);
/* A descriptor that is readable after users_announce(); it is non-blocking and the caller's. -1:
 * the system gives none. */
int users_watch(const char *data);
/* Read it empty: has there been an announcement? */
bool users_announced(int watch);

#endif
