/* pictures - the files of outputs/ and images/: written whole, served only when they are what was
 * written.
 *
 * The folder is opened anew each time, so that one that was removed and made again is used.
 * Thread: pictures_open and pictures_open_thumbnail are the loop's, all else belongs to the one
 * that writes; they share no state. */
#ifndef SERVER_STORE_PICTURES_H
#define SERVER_STORE_PICTURES_H

#include "proto/fail.h"
#include "server/base/log.h"

#include <stddef.h>
#include <stdint.h>

#define PICTURE_NAME_BYTES 160 /* of a file name */
#define PICTURES_CHECKED   512 /* a power of two */

/* A version of a file whose digest was found right. */
struct picture_version {
    char digest[65];
    uint64_t device, inode;
    int64_t bytes, changed_ns;
};

struct pictures {
    int data;           /* the data folder */
    const char *folder; /* in it */
    struct log *log;
    struct picture_version checked[PICTURES_CHECKED]; /* the loop's */
};

void pictures_init(struct pictures *, int data, const char *folder, struct log *);
/* Make the folder, remove what an interrupted write left; *there: how many other files it has. */
int pictures_sweep(struct pictures *, int64_t *there, struct fail *f);
int pictures_write(struct pictures *, const char *name, const void *bytes, size_t len,
                   struct fail *f);
/* A second name for a file, in another folder; 0 also when it is there already. ERR_IO. */
int pictures_link(struct pictures *from, const char *name, struct pictures *to, const char *as,
                  struct fail *f);
/* With its thumbnail; 0 also when they are not there. ERR_IO. */
int pictures_remove(struct pictures *, const char *name, struct fail *f);
/* A picture's thumbnail has its name with another ending (thumbnails.h). -1: there is none. */
int pictures_open_thumbnail(struct pictures *, const char *name);
void pictures_write_thumbnail(struct pictures *, const char *name, const void *bytes, size_t len);
/* Whether the disk takes a file: writes one that is no picture, and removes it. */
int pictures_probe(struct pictures *, struct fail *f);
/* Open a file of this size whose BLAKE2b-256 is this. ERR_NOT_FOUND: it is gone or damaged, which
 * is logged. Each version of a file is read once for that: about 1 ms a MB. */
int pictures_open(struct pictures *, const char *name, const char *digest, int64_t bytes, int *fd,
                  struct fail *f);

#endif
