/* files - folders and files of the data folder: made safely, written atomically, opened without
 * links.
 *
 * Names inside a folder are single components; nothing here ever follows a symbolic link out of
 * the folder it was given. Thread: any, no state. */
#ifndef SERVER_STORE_FILES_H
#define SERVER_STORE_FILES_H

#include "proto/fail.h"

#include <stddef.h>

/* Make path and its missing parents (mode 0700), and open it. *fd is the caller's. */
int files_folder(const char *path, int *fd, struct fail *f);
/* The same for one folder inside another. */
int files_subfolder(int parent, const char *name, int *fd, struct fail *f);
/* Take the lock file `name` in folder for the life of *fd. ERR_CONFLICT when another has it. */
int files_lock(int folder, const char *name, int *fd, struct fail *f);
/* All or nothing, also over power loss: aside, fsync, rename, fsync of the folder. */
int files_write(int folder, const char *name, const void *bytes, size_t len, struct fail *f);
/* Open a plain file for reading: ERR_NOT_FOUND for anything else, links included. */
int files_read(int folder, const char *name, int *fd, struct fail *f);

#endif
