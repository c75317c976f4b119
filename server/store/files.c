/* files - openat2 where the kernel has it; else openat with O_NOFOLLOW, equal for single
 * components. */
#include "server/store/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

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
    fd = syscall(SYS_openat2, folder, name, &how, sizeof how);
    if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) return (int)fd;
    return openat(folder, name, flags | O_CLOEXEC | O_NOFOLLOW, mode);
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

int files_subfolder(int parent, const char *name, int *fd, struct fail *f)
{
    *fd = -1;
    if (mkdirat(parent, name, 0700) && errno != EEXIST)
        return fail_errno(f, "Cannot make the folder", name);
    *fd = open_beneath(parent, name, O_RDONLY | O_DIRECTORY, 0);
    return *fd < 0 ? fail_errno(f, "Cannot open the folder", name) : 0;
}

int files_lock(int folder, const char *name, int *fd, struct fail *f)
{
    int err;

    *fd = open_beneath(folder, name, O_RDWR | O_CREAT, 0600);
    if (*fd < 0) return fail_errno(f, "Cannot write the file", name);
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0) return 0;
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

int files_write(int folder, const char *name, const void *bytes, size_t len, struct fail *f)
{
    char aside[NAME_MAX + 1];
    int fd, bad, saved;

    if (snprintf(aside, sizeof aside, "%s.part", name) >= (int)sizeof aside)
        return fail_set(f, ERR_IO, "The file name %s is too long.", name);
    fd = open_beneath(folder, aside, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0) return fail_errno(f, "Cannot write", aside);
    bad = write_all(fd, bytes, len) || fsync(fd);
    saved = errno;
    if (close(fd) && !bad) bad = 1, saved = errno;
    if (!bad && (renameat(folder, aside, folder, name) || fsync(folder))) bad = 1, saved = errno;
    if (!bad) return 0;
    unlinkat(folder, aside, 0);
    errno = saved;
    return fail_errno(f, "Cannot write", name);
}

int files_read(int folder, const char *name, int *fd, struct fail *f)
{
    struct stat st;

    *fd = open_beneath(folder, name, O_RDONLY | O_NONBLOCK, 0);
    if (*fd >= 0 && fstat(*fd, &st) == 0 && S_ISREG(st.st_mode)) return 0;
    if (*fd >= 0) close(*fd);
    *fd = -1;
    return fail_set(f, ERR_NOT_FOUND, "There is no file %s.", name);
}
