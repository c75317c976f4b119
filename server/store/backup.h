/* backup - a copy of a data folder's database, while a server may write to it.
 *
 * The copy is one moment's: SQLite reads it in one transaction, and a server writes on. It is made
 * beside its place (FILE.XXXXXX), synced, and then gets its name: FILE is whole or not there. Only
 * its owner may read it, as it has what tokens and cookies are checked with. Pictures are not in
 * it: files in outputs/ never change, any tool copies them.
 * Thread: any. */
#ifndef SERVER_STORE_BACKUP_H
#define SERVER_STORE_BACKUP_H

#include "proto/fail.h"

/* ERR_CONFLICT: there is such a file, which stays. ERR_NOT_FOUND: there is no job store in the
 * folder. ERR_IO. */
int backup_write(const char *data, const char *path, struct fail *f);

#endif
