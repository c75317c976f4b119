/* pictures - a digest is computed once for each version of a file: its inode and time of change. */
#include "server/store/pictures.h"

#include "server/store/files.h"

#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void pictures_init(struct pictures *p, int data, const char *folder, struct log *log)
{
    memset(p, 0, sizeof *p);
    p->data = data;
    p->folder = folder;
    p->log = log;
}

int pictures_sweep(struct pictures *p, int64_t *there, struct fail *f)
{
    int folder, err = files_subfolder(p->data, p->folder, true, &folder, f);
    int64_t swept;

    *there = 0;
    if (err) return err;
    swept = files_sweep(folder, ".part", there, f);
    close(folder);
    if (swept > 0) log_info(p->log, "store: %lld half-written files removed", (long long)swept);
    return swept < 0 ? (int)swept : 0;
}

int pictures_write(struct pictures *p, const char *name, const void *bytes, size_t len,
                   struct fail *f)
{
    int folder, err = files_subfolder(p->data, p->folder, true, &folder, f);

    if (err) return err;
    err = files_write(folder, name, bytes, len, f);
    close(folder);
    return err;
}

/* "NAME.png" gives "NAME.jpg". False: it is no such name. */
static bool name_thumbnail(const char *name, char out[PICTURE_NAME_BYTES])
{
    size_t n = strlen(name);

    if (n < 5 || n >= PICTURE_NAME_BYTES || strchr(name, '/') || strcmp(name + n - 4, ".png") != 0)
        return false;
    memcpy(out, name, n - 3);
    memcpy(out + n - 3, "jpg", 4);
    return true;
}

int pictures_open_thumbnail(struct pictures *p, const char *name)
{
    char small[PICTURE_NAME_BYTES];
    int folder, fd = -1;

    if (!name_thumbnail(name, small) || files_subfolder(p->data, p->folder, false, &folder, NULL))
        return -1;
    if (files_read(folder, small, &fd, NULL)) fd = -1;
    close(folder);
    return fd;
}

void pictures_write_thumbnail(struct pictures *p, const char *name, const void *bytes, size_t len)
{
    char small[PICTURE_NAME_BYTES];
    int folder;

    if (!name_thumbnail(name, small) || files_subfolder(p->data, p->folder, true, &folder, NULL))
        return;
    files_replace(folder, small, bytes, len, NULL);
    close(folder);
}

int pictures_link(struct pictures *from, const char *name, struct pictures *to, const char *as,
                  struct fail *f)
{
    int a = -1, b = -1, err = files_subfolder(from->data, from->folder, false, &a, f);

    if (!err) err = files_subfolder(to->data, to->folder, true, &b, f);
    if (!err) err = files_link(a, name, b, as, f);
    if (a >= 0) close(a);
    if (b >= 0) close(b);
    return err;
}

static int remove_file(int folder, const char *name, struct fail *f)
{
    if (!unlinkat(folder, name, 0) || errno == ENOENT) return 0;
    return fail_set(f, ERR_IO, "Cannot remove %s: %s.", name, strerror(errno));
}

int pictures_remove(struct pictures *p, const char *name, struct fail *f)
{
    char small[PICTURE_NAME_BYTES];
    int folder, err;

    if (!*name || strchr(name, '/')) return 0;
    err = files_subfolder(p->data, p->folder, false, &folder, f);
    if (err == ERR_NOT_FOUND) return 0; /* so are its files */
    if (err) return err;
    if (name_thumbnail(name, small)) err = remove_file(folder, small, f);
    if (!err) err = remove_file(folder, name, f);
    close(folder);
    return err;
}

int pictures_probe(struct pictures *p, struct fail *f)
{
    static const char bytes[4096];
    int folder, err = files_subfolder(p->data, p->folder, true, &folder, f);

    if (err) return err;
    err = files_write(folder, "probe", bytes, sizeof bytes, f);
    unlinkat(folder, "probe", 0);
    close(folder);
    return err;
}

/* --- opening ---------------------------------------------------------------------------------- */

static struct picture_version version_of(const struct stat *st, const char *digest)
{
    struct picture_version v;

    memset(&v, 0, sizeof v); /* compared as bytes */
    memccpy(v.digest, digest, '\0', sizeof v.digest - 1);
    v.device = st->st_dev;
    v.inode = st->st_ino;
    v.bytes = st->st_size;
    v.changed_ns = (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec;
    return v;
}

/* 1, 0, or why it cannot be told. */
static int digest_right(int fd, const char *digest)
{
    unsigned char chunk[64 << 10], got[32];
    char text[sizeof got * 2 + 1];
    crypto_generichash_state state;
    off_t at = 0;
    ssize_t n;

    crypto_generichash_init(&state, NULL, 0, sizeof got);
    while ((n = pread(fd, chunk, sizeof chunk, at)) > 0 || (n < 0 && errno == EINTR)) {
        if (n < 0) continue;
        crypto_generichash_update(&state, chunk, (unsigned long long)n);
        at += n;
    }
    if (n < 0) return ERR_IO;
    crypto_generichash_final(&state, got, sizeof got);
    sodium_bin2hex(text, sizeof text, got, sizeof got);
    return strcmp(text, digest) == 0;
}

/* The same of a file; its size and digest are remembered when they are right. */
static int is_right(struct pictures *p, int fd, const char *digest, int64_t bytes)
{
    struct stat st;
    struct picture_version v, *seen;
    size_t at = 0;
    int right;

    if (fstat(fd, &st)) return ERR_IO;
    if (st.st_size != bytes) return false;
    v = version_of(&st, digest);
    for (const char *c = digest; *c && c < digest + 8; c++)
        at = at * 31 + (unsigned char)*c;
    seen = &p->checked[at & (PICTURES_CHECKED - 1)];
    if (memcmp(seen, &v, sizeof v) == 0) return true;
    right = digest_right(fd, digest);
    if (right > 0) *seen = v;
    return right;
}

int pictures_open(struct pictures *p, const char *name, const char *digest, int64_t bytes, int *fd,
                  struct fail *f)
{
    int folder, right = 0, err = files_subfolder(p->data, p->folder, false, &folder, f);

    *fd = -1;
    if (!err) {
        err = files_read(folder, name, fd, f);
        close(folder);
    }
    if (err == ERR_IO) return err; /* it may be there */
    if (!err) right = is_right(p, *fd, digest, bytes);
    if (right > 0) return 0;
    if (right < 0) fail_set(f, ERR_IO, "Cannot read %s: %s.", name, strerror(errno));
    if (!err) close(*fd);
    *fd = -1;
    if (right < 0) return ERR_IO;
    log_error(p->log, "store: %s/%s is %s", p->folder, name, err ? "gone" : "damaged");
    fail_set(f, ERR_NOT_FOUND, "The file of this picture is %s.", err ? "gone" : "damaged");
    return fail_advise(f,
                       "Submit the request again with the same seed: it gives the same picture.");
}
