/* files - openat2 where the kernel has it; else openat with O_NOFOLLOW, equal for single
 * components. */
#include "server/store/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { LOCK_NAPS = 20, LOCK_NAP_NS = 50000000 }; /* a second */

static int fail_errno(struct fail *f, const char *what, const char *name)
{
    return fail_set(f, ERR_IO, "%s %s: %s.", what, name, strerror(errno));
}

static int open_beneath(int folder, const char *name, int flags, mode_t mode)
{
    struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
                           .mode = flags & O_CREAT ? mode : 0,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    long fd;

    if (strchr(name, '/') || strcmp(name, "..") == 0) return errno = EXDEV, -1;
    do
        fd = syscall(SYS_openat2, folder, name, &how, sizeof how);
    while (fd < 0 && errno == EINTR);
    if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) return (int)fd;
    return openat(folder, name, flags | O_CLOEXEC | O_NOFOLLOW, mode);
}

/* There is nothing of this name that may be opened. Any other error hides what may be there. */
static bool names_nothing(int number)
{
    return number == ENOENT || number == ENOTDIR || number == ELOOP || number == EXDEV
           || number == ENAMETOOLONG || number == EACCES || number == EPERM || number == ENXIO;
}

static int open_folder(const char *path, int *fd, struct fail *f)
{
    *fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *fd < 0 ? fail_errno(f, "Cannot open the folder", path) : 0;
}

int files_folder(const char *path, int *fd, struct fail *f)
{
    char part[PATH_MAX];
    size_t len = strlen(path);

    *fd = -1;
    if (!len || len >= sizeof part)
        return fail_set(f, ERR_IO, "'%s' is not a folder's path.", path);
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i]) continue;
        memcpy(part, path, i);
        part[i] = 0;
        if (mkdir(part, 0700) && errno != EEXIST)
            return fail_errno(f, "Cannot make the folder", part);
    }
    return open_folder(path, fd, f);
}

int files_subfolder(int parent, const char *name, bool make, int *fd, struct fail *f)
{
    *fd = -1;
    if (make && !mkdirat(parent, name, 0700))
        fsync(parent); /* a failure shows at the file that is put into it */
    else if (make && errno != EEXIST)
        return fail_errno(f, "Cannot make the folder", name);
    *fd = open_beneath(parent, name, O_RDONLY | O_DIRECTORY, 0);
    if (*fd >= 0) return 0;
    if (!make && names_nothing(errno))
        return fail_set(f, ERR_NOT_FOUND, "There is no folder %s.", name);
    return fail_errno(f, "Cannot open the folder", name);
}

int files_private(int folder, const char *name, bool make, struct fail *f)
{
    int fd = openat(folder, name, O_RDWR | O_NONBLOCK | O_CLOEXEC | (make ? O_CREAT : 0), 0600);
    struct stat st;
    int err = 0;

    if (fd < 0 && errno == ENOENT && !make) return 0;
    if (fd < 0) return fail_errno(f, "Cannot write the file", name);
    if (fstat(fd, &st) || !S_ISREG(st.st_mode))
        err = fail_set(f, ERR_IO, "%s is not a file.", name);
    else if (st.st_mode & 077 && fchmod(fd, 0600) && errno != EPERM)
        err = fail_errno(f, "Cannot make private", name);
    close(fd);
    return err;
}

int files_identify(int folder, const char *name, struct files_identity *out, struct fail *f)
{
    struct stat st;

    *out = (struct files_identity){0};
    if (!fstatat(folder, name, &st, 0))
        *out =
            (struct files_identity){.device = st.st_dev, .inode = st.st_ino, .bytes = st.st_size};
    else if (errno != ENOENT)
        return fail_errno(f, "Cannot look at the file", name);
    return 0;
}

bool files_same(const struct files_identity *a, const struct files_identity *b)
{
    return a->device == b->device && a->inode == b->inode;
}

/* 0, or -1 with errno. A process of a server that was killed may be about to end: it is waited
 * for. */
static int lock(int fd)
{
    const struct timespec nap = {.tv_nsec = LOCK_NAP_NS};
    int err = flock(fd, LOCK_EX | LOCK_NB);

    for (int i = 0; err && errno == EWOULDBLOCK && i < LOCK_NAPS; i++) {
        nanosleep(&nap, NULL);
        err = flock(fd, LOCK_EX | LOCK_NB);
    }
    return err;
}

/* The folder itself, so that a second server is kept out even when the file in it was removed.
 * Network file systems may not lock folders: then there is the file. */
static bool folder_taken(int folder)
{
    return lock(folder) && errno == EWOULDBLOCK;
}

int files_lock(int folder, const char *name, int *fd, struct fail *f)
{
    int err;

    *fd = -1;
    if (folder_taken(folder))
        return fail_set(f, ERR_CONFLICT, "Another darkroom uses this data folder.");
    *fd = open_beneath(folder, name, O_RDWR | O_CREAT, 0600);
    if (*fd < 0) return fail_errno(f, "Cannot write the file", name);
    if (lock(*fd) == 0) return 0;
    err = errno == EWOULDBLOCK
              ? fail_set(f, ERR_CONFLICT, "Another darkroom uses this data folder.")
              : fail_errno(f, "Cannot lock", name);
    close(*fd);
    *fd = -1;
    return err;
}

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = write(fd, bytes, len);

        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

static int write_aside(int folder, const char *name, const void *bytes, size_t len, bool sync,
                       struct fail *f)
{
    char aside[NAME_MAX + 1];
    int fd, bad, saved;

    if (snprintf(aside, sizeof aside, "%s.part", name) >= (int)sizeof aside)
        return fail_set(f, ERR_IO, "The file name %s is too long.", name);
    fd = open_beneath(folder, aside, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0) return fail_errno(f, "Cannot write", aside);
    bad = write_all(fd, bytes, len) || (sync && fsync(fd));
    saved = errno;
    if (close(fd) && !bad) bad = 1, saved = errno;
    if (!bad && (renameat(folder, aside, folder, name) || (sync && fsync(folder))))
        bad = 1, saved = errno;
    if (!bad) return 0;
    unlinkat(folder, aside, 0);
    errno = saved;
    return fail_errno(f, "Cannot write", name);
}

int64_t files_room(int folder)
{
    struct statvfs v;

    if (fstatvfs(folder, &v)) return -1;
    if (v.f_files > 0 && v.f_favail == 0) return 0;
    return v.f_bavail > INT64_MAX / v.f_frsize ? INT64_MAX : (int64_t)(v.f_bavail * v.f_frsize);
}

int files_write(int folder, const char *name, const void *bytes, size_t len, struct fail *f)
{
    return write_aside(folder, name, bytes, len, true, f);
}

int files_replace(int folder, const char *name, const void *bytes, size_t len, struct fail *f)
{
    return write_aside(folder, name, bytes, len, false, f);
}

static int copy_file(int folder, const char *name, int to, const char *as, struct fail *f)
{
    struct stat st;
    char *bytes = NULL;
    int fd, err = files_read(folder, name, &fd, f);

    if (err) return err;
    if (fstat(fd, &st) == 0) bytes = malloc((size_t)st.st_size + 1);
    if (bytes && pread(fd, bytes, (size_t)st.st_size, 0) == st.st_size)
        err = files_write(to, as, bytes, (size_t)st.st_size, f);
    else
        err = fail_errno(f, "Cannot read", name);
    free(bytes);
    close(fd);
    return err;
}

int files_link(int folder, const char *name, int to, const char *as, struct fail *f)
{
    if (strchr(name, '/') || strchr(as, '/')) return fail_set(f, ERR_IO, "A path is no name.");
    if (linkat(folder, name, to, as, 0)) {
        if (errno == EEXIST) return 0;
        return copy_file(folder, name, to, as, f);
    }
    return fsync(to) ? fail_errno(f, "Cannot write", as) : 0;
}

static DIR *open_list(int folder, struct fail *f)
{
    int fd = open_beneath(folder, ".", O_RDONLY | O_DIRECTORY, 0);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (!dir) fail_errno(f, "Cannot list", "the folder");
    if (!dir && fd >= 0) close(fd);
    return dir;
}

int files_prune(int folder, bool (*keep)(void *arg, const char *name), void *arg, struct fail *f)
{
    DIR *dir = open_list(folder, f);

    if (!dir) return ERR_IO;
    for (struct dirent *e; (e = readdir(dir));)
        if (e->d_name[0] != '.' && !keep(arg, e->d_name)) unlinkat(folder, e->d_name, 0);
    closedir(dir);
    return 0;
}

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), k = strlen(end);

    return n > k && strcmp(name + n - k, end) == 0;
}

int64_t files_sweep(int folder, const char *end, int64_t *others, struct fail *f)
{
    DIR *dir = open_list(folder, f);
    int64_t swept = 0;

    *others = 0;
    if (!dir) return ERR_IO;
    for (struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] == '.') continue;
        if (ends_with(e->d_name, end))
            swept += unlinkat(folder, e->d_name, 0) == 0;
        else
            ++*others;
    }
    closedir(dir);
    return swept;
}

int files_read(int folder, const char *name, int *fd, struct fail *f)
{
    struct stat st = {0};
    int bad;

    *fd = open_beneath(folder, name, O_RDONLY | O_NONBLOCK, 0);
    if (*fd < 0 && !names_nothing(errno)) return fail_errno(f, "Cannot open", name);
    bad = *fd >= 0 && fstat(*fd, &st) ? fail_errno(f, "Cannot open", name) : 0;
    if (!bad && *fd >= 0 && S_ISREG(st.st_mode)) return 0;
    if (*fd >= 0) close(*fd);
    *fd = -1;
    if (bad) return bad;
    return fail_set(f, ERR_NOT_FOUND, "There is no file %s.", name);
}
