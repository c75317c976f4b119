/* disk_log - what a process writes below one folder, recorded call by call, and the disks that a
 * loss of power at any of these calls may leave.
 *
 * The file calls of libc are defined here, so those of our code and of SQLite both come by. Each is
 * made, then recorded while disk_log.on. Replayed one after another (disk_step) they are a disk in
 * two states: `now`, as the process sees it, and what is `safe`: contents as of the file's last
 * fsync, names as of their folder's. A disk after the loss (disk_image) has what is safe and any
 * part of the rest: nothing, everything, or writes and names that a dice chooses, cut at sectors.
 * Shared memory of SQLite (-shm) is left out: it is made anew. Thread: recording belongs to any,
 * replaying to one. */
#ifndef TEST_SERVER_STORE_DISK_LOG_H
#define TEST_SERVER_STORE_DISK_LOG_H

#include <assert.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum disk_what {
    DISK_WRITE,
    DISK_TRUNCATE,
    DISK_SYNC,
    DISK_LINK,
    DISK_UNLINK,
    DISK_FOLDER,
    DISK_MARK
};

struct disk_op {
    enum disk_what what;
    ino_t inode; /* of the file; of the new name's */
    int64_t at;  /* WRITE: offset. TRUNCATE: length. MARK: what the caller gave */
    size_t n;
    char *data;
    char path[96], from[96]; /* LINK: the name, and the one that it had before ("": none) */
};

static struct {
    pthread_mutex_t lock;
    bool on;
    char root[96]; /* names are below it, without it */
    struct disk_op *op;
    int n, room;
} disk_log = {.lock = PTHREAD_MUTEX_INITIALIZER};

#define DISK_REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

/* --- recording -------------------------------------------------------------------------------- */

/* The name below the root, or NULL: it is elsewhere, or left out. "": the root. */
static inline const char *disk_name(const char *path)
{
    size_t n = strlen(disk_log.root), len = strlen(path);

    if (strncmp(path, disk_log.root, n) != 0 || (path[n] && path[n] != '/')) return NULL;
    if (len > 4 && strcmp(path + len - 4, "-shm") == 0) return NULL;
    return path + n + (path[n] == '/');
}

static inline const char *disk_name_of(int fd, char path[PATH_MAX])
{
    char link[64];
    ssize_t n;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, PATH_MAX - 1);
    path[n < 0 ? 0 : n] = '\0';
    return disk_name(path);
}

/* A folder's descriptor and a name in it. */
static inline const char *disk_name_at(int folder, const char *name, char path[PATH_MAX])
{
    char in[PATH_MAX];

    if (name[0] == '/' || folder == AT_FDCWD) {
        snprintf(path, PATH_MAX, "%s", name);
        return disk_name(path);
    }
    if (!disk_name_of(folder, in)) return NULL;
    if (snprintf(path, PATH_MAX, "%.2000s/%.255s", in, name) >= PATH_MAX) return NULL;
    return disk_name(path);
}

static inline struct disk_op *disk_add(enum disk_what what)
{
    struct disk_op *op;

    if (disk_log.n == disk_log.room) {
        disk_log.room = disk_log.room ? 2 * disk_log.room : 1024;
        disk_log.op = realloc(disk_log.op, (size_t)disk_log.room * sizeof *disk_log.op);
        assert(disk_log.op);
    }
    op = &disk_log.op[disk_log.n++];
    *op = (struct disk_op){.what = what};
    return op;
}

static inline ino_t disk_inode(int fd)
{
    struct stat st;

    return fstat(fd, &st) ? 0 : st.st_ino;
}

/* A call on an open file below the root that went well. */
static inline void disk_file(int fd, enum disk_what what, int64_t at, const void *p, size_t n)
{
    char path[PATH_MAX];
    struct disk_op *op;

    if (!disk_log.on || !disk_name_of(fd, path)) return;
    pthread_mutex_lock(&disk_log.lock);
    op = disk_add(what);
    op->inode = disk_inode(fd);
    op->at = at;
    op->n = n;
    if (n > 0) {
        op->data = malloc(n);
        assert(op->data);
        memcpy(op->data, p, n);
    }
    pthread_mutex_unlock(&disk_log.lock);
}

static inline void disk_names(enum disk_what what, const char *name, const char *from, ino_t inode)
{
    struct disk_op *op;

    if (!disk_log.on || !name) return;
    pthread_mutex_lock(&disk_log.lock);
    op = disk_add(what);
    op->inode = inode;
    snprintf(op->path, sizeof op->path, "%s", name);
    if (from) snprintf(op->from, sizeof op->from, "%s", from);
    pthread_mutex_unlock(&disk_log.lock);
}

static inline void disk_mark(int64_t what)
{
    pthread_mutex_lock(&disk_log.lock);
    disk_add(DISK_MARK)->at = what;
    pthread_mutex_unlock(&disk_log.lock);
}

/* A file that may be new: replaying knows whether its name is. */
static inline int disk_opened(int fd, int flags)
{
    char path[PATH_MAX];

    if (fd >= 0 && disk_log.on && flags & O_CREAT)
        disk_names(DISK_LINK, disk_name_of(fd, path), NULL, disk_inode(fd));
    if (fd >= 0 && disk_log.on && flags & O_TRUNC) disk_file(fd, DISK_TRUNCATE, 0, NULL, 0);
    return fd;
}

/* --- the calls -------------------------------------------------------------------------------- */

#define DISK_OPEN(name, params, args)                    \
    int name params                                      \
    {                                                    \
        va_list mode;                                    \
        int m;                                           \
                                                         \
        va_start(mode, flags);                           \
        m = flags & O_CREAT ? va_arg(mode, int) : 0;     \
        va_end(mode);                                    \
        return disk_opened(DISK_REAL(name) args, flags); \
    }

DISK_OPEN(open, (const char *path, int flags, ...), (path, flags, m))
DISK_OPEN(open64, (const char *path, int flags, ...), (path, flags, m))
DISK_OPEN(openat, (int folder, const char *path, int flags, ...), (folder, path, flags, m))

/* openat2 has no function of its own; its flags are the first number behind the third argument. */
long syscall(long number, ...)
{
    va_list args;
    long a[4], got;

    va_start(args, number);
    for (int i = 0; i < 4; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    got = DISK_REAL(syscall)(number, a[0], a[1], a[2], a[3]);
    if (number != SYS_openat2) return got;
    return disk_opened((int)got, (int)*(const uint64_t *)(uintptr_t)a[2]);
}

ssize_t write(int fd, const void *p, size_t n)
{
    int64_t at = disk_log.on ? lseek(fd, 0, SEEK_CUR) : 0;
    ssize_t got = DISK_REAL(write)(fd, p, n);

    if (got > 0) disk_file(fd, DISK_WRITE, at, p, (size_t)got);
    return got;
}

#define DISK_PWRITE(name, type)                                     \
    ssize_t name(int fd, const void *p, size_t n, type at)          \
    {                                                               \
        ssize_t got = DISK_REAL(name)(fd, p, n, at);                \
                                                                    \
        if (got > 0) disk_file(fd, DISK_WRITE, at, p, (size_t)got); \
        return got;                                                 \
    }
#define DISK_TRUNCATES(name, type)                           \
    int name(int fd, type at)                                \
    {                                                        \
        int err = DISK_REAL(name)(fd, at);                   \
                                                             \
        if (!err) disk_file(fd, DISK_TRUNCATE, at, NULL, 0); \
        return err;                                          \
    }
#define DISK_SYNCS(name)                                \
    int name(int fd)                                    \
    {                                                   \
        int err = DISK_REAL(name)(fd);                  \
                                                        \
        if (!err) disk_file(fd, DISK_SYNC, 0, NULL, 0); \
        return err;                                     \
    }

DISK_PWRITE(pwrite, off_t)
DISK_PWRITE(pwrite64, off64_t)
DISK_TRUNCATES(ftruncate, off_t)
DISK_TRUNCATES(ftruncate64, off64_t)
DISK_SYNCS(fsync)
DISK_SYNCS(fdatasync)

int renameat(int a, const char *from, int b, const char *to)
{
    char old[PATH_MAX], new[PATH_MAX];
    int err = DISK_REAL(renameat)(a, from, b, to);
    struct stat st;

    if (err || !disk_log.on || fstatat(b, to, &st, 0)) return err;
    disk_names(DISK_LINK, disk_name_at(b, to, new), disk_name_at(a, from, old), st.st_ino);
    return err;
}

int unlinkat(int folder, const char *name, int flags)
{
    char path[PATH_MAX];
    int err = DISK_REAL(unlinkat)(folder, name, flags);

    if (!err && disk_log.on) disk_names(DISK_UNLINK, disk_name_at(folder, name, path), NULL, 0);
    return err;
}

int unlink(const char *name)
{
    int err = DISK_REAL(unlink)(name);

    if (!err && disk_log.on) disk_names(DISK_UNLINK, disk_name(name), NULL, 0);
    return err;
}

int mkdirat(int folder, const char *name, mode_t mode)
{
    char path[PATH_MAX];
    int err = DISK_REAL(mkdirat)(folder, name, mode);
    struct stat st;

    if (err || !disk_log.on || fstatat(folder, name, &st, 0)) return err;
    disk_names(DISK_FOLDER, disk_name_at(folder, name, path), NULL, st.st_ino);
    return err;
}

/* --- replaying -------------------------------------------------------------------------------- */

enum { DISK_FILES = 512, DISK_NAMES = 512, DISK_PENDING = 4096, DISK_SECTOR = 512 };

struct disk_content {
    char *data;
    size_t n, room;
};

struct disk_file {
    ino_t inode;
    struct disk_content now, safe;
    int pending[DISK_PENDING], n_pending; /* writes and lengths since the last fsync */
};

struct disk_entry {
    ino_t inode; /* 0: no name */
    bool folder;
    char path[96];
};

struct disk_table {
    struct disk_entry at[DISK_NAMES];
    int n;
};

struct disk {
    struct disk_file *file;
    int n_files;
    struct disk_table now, safe;
    int pending[DISK_PENDING],
        n_pending; /* changes of names that no fsync of their folder followed */
    ino_t root;
};

static inline struct disk_file *disk_of(struct disk *d, ino_t inode)
{
    for (int i = 0; i < d->n_files; i++)
        if (d->file[i].inode == inode) return &d->file[i];
    return NULL;
}

/* A new file may get the inode of one that has no name any more. */
static inline struct disk_file *disk_made(struct disk *d, ino_t inode)
{
    struct disk_file *f = disk_of(d, inode);

    if (!f) {
        assert(d->n_files < DISK_FILES);
        f = &d->file[d->n_files++];
        *f = (struct disk_file){.inode = inode};
    }
    return f;
}

static inline void disk_content_set(struct disk_content *c, int64_t at, const char *p, size_t n)
{
    size_t end = (size_t)at + n;

    if (end > c->room) {
        c->data = realloc(c->data, 2 * end);
        assert(c->data);
        memset(c->data + c->room, 0, 2 * end - c->room);
        c->room = 2 * end;
    }
    if (n > 0) memcpy(c->data + at, p, n);
    if (end > c->n) c->n = end;
}

static inline void disk_content_cut(struct disk_content *c, int64_t n)
{
    if ((size_t)n < c->n) memset(c->data + n, 0, c->n - (size_t)n);
    if ((size_t)n > c->n) disk_content_set(c, n - 1, "", 1);
    c->n = (size_t)n;
}

static inline void disk_content_copy(struct disk_content *to, const struct disk_content *from)
{
    disk_content_cut(to, 0);
    if (from->n > 0) disk_content_set(to, 0, from->data, from->n);
}

static inline void disk_content_apply(struct disk_content *c, const struct disk_op *op, size_t n)
{
    if (op->what == DISK_WRITE)
        disk_content_set(c, op->at, op->data, n);
    else
        disk_content_cut(c, op->at);
}

static inline struct disk_entry *disk_find(struct disk_table *t, const char *path)
{
    for (int i = 0; i < t->n; i++)
        if (t->at[i].inode && strcmp(t->at[i].path, path) == 0) return &t->at[i];
    return NULL;
}

static inline void disk_table_apply(struct disk_table *t, const struct disk_op *op)
{
    struct disk_entry *e = disk_find(t, op->what == DISK_LINK && op->from[0] ? op->from : op->path);

    if (e) e->inode = 0;
    if (op->what == DISK_UNLINK) return;
    e = disk_find(t, op->path);
    if (!e) {
        assert(t->n < DISK_NAMES);
        e = &t->at[t->n++];
    }
    *e = (struct disk_entry){.inode = op->inode, .folder = op->what == DISK_FOLDER};
    memcpy(e->path, op->path, sizeof e->path);
}

/* The folder of a name. */
static inline ino_t disk_folder_of(struct disk *d, const char *path)
{
    const char *end = strrchr(path, '/');
    char folder[96];
    struct disk_entry *e;

    if (!end) return d->root;
    snprintf(folder, sizeof folder, "%.*s", (int)(end - path), path);
    e = disk_find(&d->now, folder);
    assert(e);
    return e->inode;
}

static inline void disk_sync(struct disk *d, ino_t inode)
{
    struct disk_file *f = disk_of(d, inode);
    int left = 0;

    if (f) {
        disk_content_copy(&f->safe, &f->now);
        f->n_pending = 0;
        return;
    }
    for (int i = 0; i < d->n_pending; i++) {
        const struct disk_op *op = &disk_log.op[d->pending[i]];

        if (disk_folder_of(d, op->path) == inode)
            disk_table_apply(&d->safe, op);
        else
            d->pending[left++] = d->pending[i];
    }
    d->n_pending = left;
}

/* Apply the i-th recorded call. */
static inline void disk_step(struct disk *d, int i)
{
    const struct disk_op *op = &disk_log.op[i];
    struct disk_entry *e;
    struct disk_file *f;

    switch (op->what) {
    case DISK_WRITE:
    case DISK_TRUNCATE:
        f = disk_made(d, op->inode);
        assert(f->n_pending < DISK_PENDING);
        disk_content_apply(&f->now, op, op->n);
        f->pending[f->n_pending++] = i;
        break;
    case DISK_SYNC: disk_sync(d, op->inode); break;
    case DISK_MARK: break;
    case DISK_LINK:
        e = disk_find(&d->now, op->path);
        if (e && e->inode == op->inode) break; /* it was there */
        disk_made(d, op->inode);
        /* fall through */
    default:
        assert(d->n_pending < DISK_PENDING);
        disk_table_apply(&d->now, op);
        d->pending[d->n_pending++] = i;
    }
}

static inline struct disk *disk_new(ino_t root)
{
    struct disk *d = calloc(1, sizeof *d);

    assert(d);
    d->root = root;
    d->file = calloc(DISK_FILES, sizeof *d->file);
    assert(d->file);
    return d;
}

static inline void disk_free(struct disk *d)
{
    for (int i = 0; i < d->n_files; i++) {
        free(d->file[i].now.data);
        free(d->file[i].safe.data);
    }
    free(d->file);
    free(d);
}

/* --- what is left ----------------------------------------------------------------------------- */

enum disk_luck { DISK_NOTHING, DISK_ALL, DISK_SOME }; /* of what is not safe */

static inline uint64_t disk_dice(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    return *seed ^= *seed << 17;
}

/* Some of the writes that are pending, each whole or up to some sector. */
static inline void disk_some(struct disk_content *c, const struct disk_file *f, uint64_t *seed)
{
    disk_content_copy(c, &f->safe);
    for (int i = 0; i < f->n_pending; i++) {
        const struct disk_op *op = &disk_log.op[f->pending[i]];
        uint64_t dice = disk_dice(seed);

        if (dice % 4 == 0) continue;
        disk_content_apply(
            c, op,
            dice % 4 == 1 && op->n > DISK_SECTOR ? op->n / 2 / DISK_SECTOR * DISK_SECTOR : op->n);
    }
}

static inline void disk_put(int root, const struct disk_entry *e, struct disk *d,
                            enum disk_luck luck, uint64_t *seed)
{
    struct disk_content some = {0};
    const struct disk_content *c = &some;
    struct disk_file *f = disk_of(d, e->inode);
    int fd = openat(root, e->path, O_WRONLY | O_CREAT | O_EXCL, 0600);

    if (luck == DISK_SOME) disk_some(&some, f, seed);
    if (luck != DISK_SOME) c = luck == DISK_ALL ? &f->now : &f->safe;
    if (fd < 0) abort();
    if (c->n > 0 && write(fd, c->data, c->n) != (ssize_t)c->n) abort();
    close(fd);
    free(some.data);
}

/* Make a disk as a loss of power may leave it in an empty folder. */
static inline void disk_image(struct disk *d, const char *path, enum disk_luck luck, uint64_t *seed)
{
    struct disk_table *t = malloc(sizeof *t);
    int root = open(path, O_RDONLY | O_DIRECTORY), names = 0;

    assert(t && root >= 0);
    if (luck == DISK_ALL) names = d->n_pending;
    if (luck == DISK_SOME) names = (int)(disk_dice(seed) % (uint64_t)(d->n_pending + 1));
    *t = d->safe;
    for (int i = 0; i < names; i++)
        disk_table_apply(t, &disk_log.op[d->pending[i]]);
    for (int i = 0; i < t->n; i++)
        if (t->at[i].inode && t->at[i].folder && mkdirat(root, t->at[i].path, 0700)) abort();
    for (int i = 0; i < t->n; i++)
        if (t->at[i].inode && !t->at[i].folder) disk_put(root, &t->at[i], d, luck, seed);
    close(root);
    free(t);
}

#endif
