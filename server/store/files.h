/* files - folders and files of the data folder: made safely, written atomically, opened without
 * links.
 *
 * Names inside a folder are single components; nothing here ever follows a symbolic link out of
 * the folder it was given. Thread: any, no state. */
#ifndef SERVER_STORE_FILES_H
#define SERVER_STORE_FILES_H

#include "proto/fail.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Make path and its missing parents (mode 0700), and open it. *fd is the caller's. */
int files_folder(const char *path, int *fd, struct fail *f);
/* The same for one folder inside another; make: also when it is not there yet. Else that is
 * ERR_NOT_FOUND. */
int files_subfolder(int parent, const char *name, bool make, int *fd, struct fail *f);
/* Lock the folder for the life of its descriptor, and the file `name` in it for the life of *fd
 * (older versions know the file alone). ERR_CONFLICT when another process has one of them. */
int files_lock(int folder, const char *name, int *fd, struct fail *f);
/* Make sure that a file is for this user alone (0600) before a library opens it; make: also that
 * it is there. ERR_IO, also when it is no plain file. */
int files_private(int folder, const char *name, bool make, struct fail *f);

/* Which file a name stands for, and its size; all zero: there is none. */
struct files_identity {
    dev_t device;
    ino_t inode;
    int64_t bytes;
};
/* All zero when there is no such file. ERR_IO: that cannot be told. */
int files_identify(int folder, const char *name, struct files_identity *out, struct fail *f);
bool files_same(const struct files_identity *, const struct files_identity *);

/* Remove the files whose names end so; the result is their number, *others that of all others
 * but hidden ones. ERR_IO. */
int64_t files_sweep(int folder, const char *end, int64_t *others, struct fail *f);
/* All or nothing, also over power loss: aside, fsync, rename, fsync of the folder. */
int files_write(int folder, const char *name, const void *bytes, size_t len, struct fail *f);
/* Bytes that this user may still write to the disk of the folder, 0 also when there is no room for
 * another file's name; -1: unknown. */
int64_t files_room(int folder);

/* The same, but only over a kill: after a power cut the file may have any bytes. */
int files_replace(int folder, const char *name, const void *bytes, size_t len, struct fail *f);
/* A second name for a file, in another folder of the same disk, or a copy where the disk has no
 * links; durable. 0 also when the name is there already. */
int files_link(int folder, const char *name, int to, const char *as, struct fail *f);
/* Remove the files that `keep` does not want, hidden ones apart. ERR_IO. */
int files_prune(int folder, bool (*keep)(void *arg, const char *name), void *arg, struct fail *f);
/* Open a plain file for reading: ERR_NOT_FOUND for anything else, links included; ERR_IO when there
 * may be one, but the system has no descriptor or memory, or cannot look. */
int files_read(int folder, const char *name, int *fd, struct fail *f);

#endif
