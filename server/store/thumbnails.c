/* thumbnails - the row is looked for before the file is written: a picture that was deleted
 * meanwhile must not leave one behind. */
#include "server/store/thumbnails.h"

#include "server/store/files.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BYTES_MAX = 1 << 20 };

/* One on its way to the disk. */
struct thumbnail {
    struct msg m;
    char name[PICTURE_NAME_BYTES], digest[65]; /* of the picture */
    struct blob *file;                         /* one reference */
};

static bool is_jpeg(const uint8_t *at, size_t n)
{
    return n > 4 && at[0] == 0xFF && at[1] == 0xD8 && at[n - 2] == 0xFF && at[n - 1] == 0xD9;
}

struct blob *thumbnail_read(struct pictures *p, const char *name)
{
    int fd = pictures_open_thumbnail(p, name);
    struct blob *b = NULL;
    struct stat st;
    char *bytes;

    if (fd < 0) return NULL;
    if (fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size <= BYTES_MAX
        && (bytes = malloc((size_t)st.st_size))) {
        if (pread(fd, bytes, (size_t)st.st_size, 0) == st.st_size
            && is_jpeg((const uint8_t *)bytes, (size_t)st.st_size))
            b = blob_copy(bytes, (size_t)st.st_size);
        free(bytes);
    }
    close(fd);
    return b;
}

struct msg *thumbnail_new(int kind, const char *name, const char *digest, struct blob *file)
{
    struct thumbnail *t = calloc(1, sizeof *t);

    if (!t) return NULL;
    t->m.kind = kind;
    t->file = blob_ref(file);
    memccpy(t->name, name, '\0', sizeof t->name - 1);
    memccpy(t->digest, digest, '\0', sizeof t->digest - 1);
    return &t->m;
}

static bool is_there(sqlite3 *db, const char *digest)
{
    sqlite3_stmt *q = NULL;
    bool there =
        sqlite3_prepare_v2(db, "SELECT 1 FROM jobs WHERE result=?1 LIMIT 1", -1, &q, NULL) == 0
        && sqlite3_bind_text(q, 1, digest, -1, SQLITE_STATIC) == 0 && sqlite3_step(q) == SQLITE_ROW;

    sqlite3_finalize(q);
    return there;
}

void thumbnail_write(struct msg *m, struct pictures *p, sqlite3 *db)
{
    struct thumbnail *t = (struct thumbnail *)m;

    if (is_there(db, t->digest)) pictures_write_thumbnail(p, t->name, t->file->data, t->file->len);
    blob_unref(t->file);
    free(t);
}
