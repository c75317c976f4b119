/* guard - notices when the database's files, or their folder, are removed, replaced or cut short
 * while SQLite has them open: it would go on writing to what the next start does not find.
 * Thread: the one that opens the store, then the store's. */
#ifndef SERVER_STORE_GUARD_H
#define SERVER_STORE_GUARD_H

#include "proto/fail.h"
#include "server/store/files.h"

#include <stdbool.h>

enum { GUARD_FILES = 3 }; /* the database, its log and the log's index */

struct guard {
    int folder;
    char *path; /* of the folder */
    struct files_identity home, files[GUARD_FILES];
    bool doubted; /* some was cut off, or memory is short: sizes say no more, it is read again */
};

/* Make sure that the files are for this user alone, before SQLite opens them. ERR_IO. */
int guard_private(int folder, struct fail *f);
/* After it has opened them. guard_close() also after a failure; all zero is closed. */
int guard_open(struct guard *, int folder, const char *path, struct fail *f);
void guard_close(struct guard *);
/* After writing: the files may have grown. */
void guard_grown(struct guard *);
/* Before writing. ERR_IO: what is written now would be lost at the next start. */
int guard_check(struct guard *, struct fail *f);

#endif
