/* images - files first, then rows, so that a kill leaves a file that the next start removes. */
#include "server/store/images.h"

#include "proto/answer.h"
#include "server/store/files.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char FOLDER[] = "images";

#define FILE_TEXT (SPEC_DIGEST_TEXT + 4)

static void file_name(const char *digest, char out[FILE_TEXT])
{
    snprintf(out, FILE_TEXT, "%.64s.png", digest);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *q = NULL;

    return sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK ? q : NULL;
}

/* A statement that changes rows, bound already: 0 or ERR_IO. */
static int run(sqlite3 *db, sqlite3_stmt *q, struct fail *f)
{
    const bool done = q && sqlite3_step(q) == SQLITE_DONE;
    const int err = done ? 0 : database_fail(db, "Cannot write", f);

    sqlite3_finalize(q);
    return err;
}

/* --- opening ---------------------------------------------------------------------------------- */

/* Of DIGEST.png; of what a kill has left of writing one there is none. */
static bool has_row(void *arg, const char *name)
{
    struct image_store *m = arg;
    const size_t digest = strcspn(name, ".");
    sqlite3_stmt *q = prepare(m->rows->writer, "SELECT 1 FROM images WHERE digest=?1 UNION ALL"
                                               " SELECT 1 FROM held WHERE digest=?1 LIMIT 1");
    int got;

    sqlite3_bind_text(q, 1, name, (int)digest, SQLITE_STATIC);
    got = q ? sqlite3_step(q) : SQLITE_ERROR;
    sqlite3_finalize(q);
    return got != SQLITE_DONE && strcmp(name + digest, ".png") == 0;
}

/* The file goes when no row has it any more; a kill before that is made good at the next start. */
static void remove_file(struct image_store *m, const char *digest)
{
    char name[FILE_TEXT];

    file_name(digest, name);
    if (!has_row(m, name)) pictures_remove(&m->files, name, NULL);
}

int images_open(struct image_store *m, struct job_rows *rows, struct pictures *outputs, int data,
                struct log *log, struct fail *f)
{
    int folder, err = files_subfolder(data, FOLDER, true, &folder, f);

    m->rows = rows;
    m->outputs = outputs;
    m->data = data;
    pictures_init(&m->files, data, FOLDER, log);
    if (err) return err;
    err = files_prune(folder, has_row, m, f);
    close(folder);
    return err;
}

/* --- whose they are --------------------------------------------------------------------------- */

/* An upload, or a result; `file` is the name in its folder. */
struct found {
    bool upload;
    char file[PICTURE_NAME_BYTES];
    int64_t bytes;
    int width, height;
};

/* sql: file, bytes, width and height of a picture by its digest and owner. */
static bool look(sqlite3 *db, const char *sql, uint32_t owner, const char *digest,
                 struct found *out)
{
    sqlite3_stmt *q = prepare(db, sql);
    bool found;

    sqlite3_bind_text(q, 1, digest, -1, SQLITE_STATIC);
    sqlite3_bind_int64(q, 2, owner);
    found = q && sqlite3_step(q) == SQLITE_ROW;
    if (found) {
        snprintf(out->file, sizeof out->file, "%s", (const char *)sqlite3_column_text(q, 0));
        out->bytes = sqlite3_column_int64(q, 1);
        out->width = sqlite3_column_int(q, 2);
        out->height = sqlite3_column_int(q, 3);
    }
    sqlite3_finalize(q);
    return found;
}

static bool find(sqlite3 *db, uint32_t owner, const char *digest, struct found *out)
{
    out->upload = look(db,
                       "SELECT digest || '.png',bytes,width,height FROM images"
                       " WHERE digest=?1 AND owner=?2",
                       owner, digest, out);
    return out->upload
           || look(db,
                   "SELECT file,bytes,json_extract(spec,'$.width'),json_extract(spec,'$.height')"
                   " FROM jobs WHERE result=?1 AND owner=?2 LIMIT 1",
                   owner, digest, out);
}

int images_find(struct image_store *m, uint32_t owner, struct spec_image *out, struct fail *f)
{
    char digest[SPEC_DIGEST_TEXT];
    struct found found;
    int fd, err;

    spec_digest_text(out->digest, digest);
    if (!find(m->rows->reader, owner, digest, &found))
        return fail_set(f, ERR_NOT_FOUND, "There is no such picture.");
    err = pictures_open(found.upload ? &m->files : m->outputs, found.file, digest, found.bytes, &fd,
                        f);
    if (err) return err;
    close(fd);
    out->width = found.width;
    out->height = found.height;
    return 0;
}

/* --- what jobs begin with --------------------------------------------------------------------- */

static int add_row(struct image_store *m, uint32_t owner, const char *digest,
                   const struct found *found, int64_t now_ms, struct fail *f)
{
    sqlite3_stmt *q = prepare(m->rows->writer, "INSERT INTO images(owner,digest,bytes,width,height,"
                                               "created_ms,used_ms) VALUES(?1,?2,?3,?4,?5,?6,?6)");

    sqlite3_bind_int64(q, 1, owner);
    sqlite3_bind_text(q, 2, digest, -1, SQLITE_STATIC);
    sqlite3_bind_int64(q, 3, found->bytes);
    sqlite3_bind_int(q, 4, found->width);
    sqlite3_bind_int(q, 5, found->height);
    sqlite3_bind_int64(q, 6, now_ms);
    return run(m->rows->writer, q, f);
}

static int use_row(struct image_store *m, uint32_t owner, const char *digest, int64_t now_ms,
                   struct fail *f)
{
    sqlite3_stmt *q =
        prepare(m->rows->writer, "UPDATE images SET used_ms=?3 WHERE owner=?1 AND digest=?2");

    sqlite3_bind_int64(q, 1, owner);
    sqlite3_bind_text(q, 2, digest, -1, SQLITE_STATIC);
    sqlite3_bind_int64(q, 3, now_ms);
    return run(m->rows->writer, q, f);
}

static int add_source(struct image_store *m, uint64_t job, const char *digest, struct fail *f)
{
    sqlite3_stmt *q = prepare(m->rows->writer, "INSERT OR IGNORE INTO sources VALUES(?1,?2)");

    sqlite3_bind_int64(q, 1, (sqlite3_int64)job);
    sqlite3_bind_text(q, 2, digest, -1, SQLITE_STATIC);
    return run(m->rows->writer, q, f);
}

static int add_held(struct image_store *m, const struct hub_row *row, const char *digest,
                    struct fail *f)
{
    sqlite3_stmt *q = prepare(m->rows->writer, "INSERT OR IGNORE INTO held VALUES(?1,?2,?3)");

    sqlite3_bind_int64(q, 1, (sqlite3_int64)row->job);
    sqlite3_bind_int64(q, 2, row->owner);
    sqlite3_bind_text(q, 3, digest, -1, SQLITE_STATIC);
    return run(m->rows->writer, q, f);
}

/* The row of an upload that is used, or a new one of a result. */
static int keep_row(struct image_store *m, const struct hub_row *row, const char *digest,
                    const struct found *found, struct fail *f)
{
    if (found->upload) return use_row(m, row->owner, digest, row->created_ms, f);
    return add_row(m, row->owner, digest, found, row->created_ms, f);
}

static int refer_one(struct image_store *m, const struct hub_row *row, const uint8_t *which,
                     struct fail *f)
{
    char digest[SPEC_DIGEST_TEXT], name[FILE_TEXT];
    struct found found;
    int err = 0;

    spec_digest_text(which, digest);
    file_name(digest, name);
    if (!find(m->rows->writer, row->owner, digest, &found)) {
        fail_field(f, ERR_NOT_FOUND, "images", "A picture that it begins with was just removed");
        return fail_advise(f, "Upload it again.");
    }
    if (!found.upload) err = pictures_link(m->outputs, found.file, &m->files, name, f);
    if (err) return err;
    if (row->private) return add_held(m, row, digest, f);
    err = keep_row(m, row, digest, &found, f);
    return err ? err : add_source(m, row->job, digest, f);
}

int images_refer(struct image_store *m, const struct hub_row *row, struct fail *f)
{
    int err = 0;

    for (int i = 0; i < row->spec->images && !err; i++)
        if (!(row->in_memory >> i & 1)) err = refer_one(m, row, row->spec->image[i].digest, f);
    return err;
}

/* One of a private job's. */
static bool find_held(struct image_store *m, uint64_t job, char digest[SPEC_DIGEST_TEXT])
{
    sqlite3_stmt *q = prepare(m->rows->writer, "SELECT digest FROM held WHERE job=?1 LIMIT 1");
    bool found;

    sqlite3_bind_int64(q, 1, (sqlite3_int64)job);
    found = q && sqlite3_step(q) == SQLITE_ROW;
    if (found) snprintf(digest, SPEC_DIGEST_TEXT, "%s", (const char *)sqlite3_column_text(q, 0));
    sqlite3_finalize(q);
    return found;
}

int images_release(struct image_store *m, uint64_t job, struct fail *f)
{
    static const char SQL[] = "DELETE FROM held WHERE job=?1 AND digest=?2";
    char digest[SPEC_DIGEST_TEXT];

    while (find_held(m, job, digest)) {
        sqlite3_stmt *q = prepare(m->rows->writer, SQL);

        sqlite3_bind_int64(q, 1, (sqlite3_int64)job);
        sqlite3_bind_text(q, 2, digest, -1, SQLITE_STATIC);
        if (run(m->rows->writer, q, f)) return f->code;
        remove_file(m, digest);
    }
    return 0;
}

/* --- uploads ---------------------------------------------------------------------------------- */

int images_open_file(struct image_store *m, uint32_t owner, const char *digest, int *fd,
                     int64_t *bytes, struct fail *f)
{
    struct found found;

    if (!find(m->rows->reader, owner, digest, &found))
        return fail_set(f, ERR_NOT_FOUND, "There is no such picture.");
    *bytes = found.bytes;
    return pictures_open(found.upload ? &m->files : m->outputs, found.file, digest, found.bytes, fd,
                         f);
}

void images_list(struct image_store *m, uint32_t owner, struct text *out)
{
    sqlite3_stmt *q = prepare(m->rows->reader,
                              "SELECT digest,bytes,width,height,created_ms,notes FROM images WHERE"
                              " owner=?1 AND notes IS NOT NULL ORDER BY created_ms DESC LIMIT 200");

    sqlite3_bind_int64(q, 1, owner);
    while (q && sqlite3_step(q) == SQLITE_ROW) {
        struct spec_image image = {.width = sqlite3_column_int(q, 2),
                                   .height = sqlite3_column_int(q, 3)};
        const struct answer_image row = {.image = &image,
                                         .bytes = sqlite3_column_int64(q, 1),
                                         .created_ms = sqlite3_column_int64(q, 4),
                                         .changed = (const char *)sqlite3_column_text(q, 5)};

        if (spec_digest_parse((const char *)sqlite3_column_text(q, 0), image.digest))
            answer_image_row(&row, out);
    }
    sqlite3_finalize(q);
}

/* Of an upload: how many jobs begin with it that are not over; *n -1: there is no such upload. */
static int waiting_jobs(sqlite3 *db, uint32_t owner, const char *digest, int *n, struct fail *f)
{
    sqlite3_stmt *q = prepare(db, "SELECT (SELECT count(*) FROM sources s JOIN jobs j ON"
                                  " j.job=s.job WHERE s.digest=?2 AND j.owner=?1 AND j.state=0)"
                                  " + (SELECT count(*) FROM held WHERE owner=?1 AND digest=?2) "
                                  "FROM images WHERE owner=?1 AND digest=?2 AND notes IS NOT NULL");
    int err, got;

    sqlite3_bind_int64(q, 1, owner);
    sqlite3_bind_text(q, 2, digest, -1, SQLITE_STATIC);
    got = q ? sqlite3_step(q) : SQLITE_ERROR;
    *n = got == SQLITE_ROW ? sqlite3_column_int(q, 0) : -1;
    err = got == SQLITE_ROW || got == SQLITE_DONE ? 0 : database_fail(db, "Cannot read", f);
    sqlite3_finalize(q);
    return err;
}

/* May this upload be removed? */
static int check_discard(struct image_store *m, uint32_t owner, const char *digest, struct fail *f)
{
    int n, err = waiting_jobs(m->rows->writer, owner, digest, &n, f);

    if (err || n == 0) return err;
    if (n < 0) return fail_field(f, ERR_NOT_FOUND, "image", "There is no such upload");
    fail_field(f, ERR_CONFLICT, "image", "%d job%s that %s not over begin%s with it", n,
               n == 1 ? "" : "s", n == 1 ? "is" : "are", n == 1 ? "s" : "");
    return fail_advise(f, "Cancel them first, or wait for their end.");
}

static int remove_row(struct image_store *m, uint32_t owner, const char *digest, struct fail *f)
{
    sqlite3_stmt *q = prepare(m->rows->writer, "DELETE FROM images WHERE owner=?1 AND digest=?2");

    sqlite3_bind_int64(q, 1, owner);
    sqlite3_bind_text(q, 2, digest, -1, SQLITE_STATIC);
    return run(m->rows->writer, q, f);
}

void images_discard(struct image_store *m, struct image_discard *d)
{
    char digest[SPEC_DIGEST_TEXT];
    int err;

    spec_digest_text(d->digest, digest);
    err = check_discard(m, d->owner, digest, &d->why);
    if (!err) err = remove_row(m, d->owner, digest, &d->why);
    if (!err) remove_file(m, digest);
    if (err == ERR_NOT_FOUND && d->forgotten) d->why.code = 0;
}

/* Whether the uploads of this user fit its bound with this one, which may be there already. */
static int check_bound(struct image_store *m, uint32_t owner, const char *digest, int64_t bytes,
                       struct fail *f)
{
    sqlite3_stmt *q =
        prepare(m->rows->writer, "SELECT disk, (SELECT coalesce(sum(bytes),0) FROM images WHERE"
                                 " owner=?1 AND notes IS NOT NULL AND digest<>?2) FROM users"
                                 " WHERE id=?1 AND disk>0");
    bool over;

    sqlite3_bind_int64(q, 1, owner);
    sqlite3_bind_text(q, 2, digest, -1, SQLITE_STATIC);
    over = q && sqlite3_step(q) == SQLITE_ROW
           && sqlite3_column_int64(q, 1) + bytes > sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    if (!over) return 0;
    fail_field(f, ERR_TOO_LARGE, "image", "Your uploads would take more than your disk space");
    return fail_advise(f, "Discard some; the list of uploads has their sizes.");
}

static int upsert(struct image_store *m, const struct intake *i, const char *digest, struct fail *f)
{
    sqlite3_stmt *q = prepare(
        m->rows->writer, "INSERT INTO images(owner,digest,bytes,width,height,created_ms,used_ms,"
                         "notes) VALUES(?1,?2,?3,?4,?5,?6,?6,?7)"
                         " ON CONFLICT DO UPDATE SET created_ms=?6,used_ms=?6,notes=?7");

    sqlite3_bind_int64(q, 1, i->owner);
    sqlite3_bind_text(q, 2, digest, -1, SQLITE_STATIC);
    sqlite3_bind_int64(q, 3, (sqlite3_int64)i->png->len);
    sqlite3_bind_int(q, 4, i->image.width);
    sqlite3_bind_int(q, 5, i->image.height);
    sqlite3_bind_int64(q, 6, i->created_ms);
    sqlite3_bind_text(q, 7, i->changed, -1, SQLITE_STATIC);
    return run(m->rows->writer, q, f);
}

int images_add(struct image_store *m, const struct intake *i, struct fail *f)
{
    char digest[SPEC_DIGEST_TEXT], name[FILE_TEXT];
    int err;

    spec_digest_text(i->image.digest, digest);
    file_name(digest, name);
    err = check_bound(m, i->owner, digest, (int64_t)i->png->len, f);
    if (!err) err = pictures_write(&m->files, name, i->png->data, i->png->len, f);
    return err ? err : upsert(m, i, digest, f);
}

/* One that is to go. */
static bool find_unused(struct image_store *m, int64_t before_ms, uint32_t *owner,
                        char digest[SPEC_DIGEST_TEXT])
{
    sqlite3_stmt *q =
        prepare(m->rows->writer, "SELECT owner,digest FROM images i WHERE used_ms<?1 AND NOT EXISTS"
                                 " (SELECT 1 FROM sources s JOIN jobs j ON j.job=s.job WHERE"
                                 " s.digest=i.digest AND j.owner=i.owner) AND NOT EXISTS (SELECT 1"
                                 " FROM held h WHERE h.digest=i.digest AND h.owner=i.owner) LIMIT"
                                 " 1");
    bool found;

    sqlite3_bind_int64(q, 1, before_ms);
    found = q && sqlite3_step(q) == SQLITE_ROW;
    if (found) {
        *owner = (uint32_t)sqlite3_column_int64(q, 0);
        snprintf(digest, SPEC_DIGEST_TEXT, "%s", (const char *)sqlite3_column_text(q, 1));
    }
    sqlite3_finalize(q);
    return found;
}

void images_prune(struct image_store *m, int64_t now_ms, int64_t keep_ms)
{
    char digest[SPEC_DIGEST_TEXT];
    struct fail f;
    uint32_t owner;

    while (find_unused(m, now_ms - keep_ms, &owner, digest)) {
        if (remove_row(m, owner, digest, &f)) return;
        remove_file(m, digest);
    }
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool is_whole(const struct blob *b, const char *digest)
{
    uint8_t sum[SPEC_DIGEST_BYTES];
    char text[SPEC_DIGEST_TEXT];

    crypto_generichash(sum, sizeof sum, b->data, b->len, NULL, 0);
    spec_digest_text(sum, text);
    return strcmp(text, digest) == 0;
}

static struct blob *read_all(int fd)
{
    struct stat st;
    char *memory;
    size_t n;

    if (fstat(fd, &st) || st.st_size < 1) return NULL;
    n = (size_t)st.st_size;
    memory = malloc(BLOB_HEAD + n);
    if (!memory) return NULL;
    if (pread(fd, memory + BLOB_HEAD, n, 0) == (ssize_t)n) return blob_adopt(memory, n);
    free(memory);
    return NULL;
}

struct blob *images_read(int data, const char *digest)
{
    char name[FILE_TEXT];
    struct blob *b = NULL;
    int folder, fd;

    file_name(digest, name);
    if (files_subfolder(data, FOLDER, false, &folder, NULL)) return NULL;
    if (!files_read(folder, name, &fd, NULL)) {
        b = read_all(fd);
        close(fd);
    }
    close(folder);
    if (!b || is_whole(b, digest)) return b;
    blob_unref(b);
    return NULL;
}
