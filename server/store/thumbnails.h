/* thumbnails - small pictures beside those of outputs/, made when one is first asked for.
 *
 * A thumbnail is a JPEG with the name of its picture, and goes with it (pictures_remove). It is a
 * copy that can be made again: after a power cut it may have any bytes, so what does not begin and
 * end as a JPEG is not there. Thread: thumbnail_read the loop's, thumbnail_write the one that
 * writes, thumbnail_new any. */
#ifndef SERVER_STORE_THUMBNAILS_H
#define SERVER_STORE_THUMBNAILS_H

#include "server/base/blob.h"
#include "server/base/mbox.h"
#include "server/store/pictures.h"

#include <sqlite3.h>

/* The thumbnail of the picture with this file name: the caller's reference, or NULL. */
struct blob *thumbnail_read(struct pictures *, const char *name);

/* One on its way to the disk: of the picture with this name and digest. NULL: no memory. */
struct msg *thumbnail_new(int kind, const char *name, const char *digest, struct blob *file);
/* Write it, if its picture is still there, and free it. What the disk refuses is made again when it
 * is next asked for. */
void thumbnail_write(struct msg *, struct pictures *, sqlite3 *db);

#endif
