/* faults - calls of the system that fail: the k-th of some kinds, and the next ones.
 *
 * The functions of libc are defined here, so those of our code and of SQLite both come by. Kinds
 * are chosen by a mask, as a full disk fails writes but no reads. Memory comes by --wrap (our code)
 * and by the hooks of SQLite and jansson, so that it fails under valgrind and sanitizers too; a
 * program that has it is linked with FAULTS_WRAP (faults.mk). Thread: faults_arm and faults_disarm
 * belong to one, the calls to any. */
#ifndef TEST_SERVER_STORE_FAULTS_H
#define TEST_SERVER_STORE_FAULTS_H

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    FAULT_WRITE = 1,
    FAULT_SYNC = 2,
    FAULT_NAME = 4, /* rename, mkdir, unlink */
    FAULT_OPEN = 8, /* openat2 apart */
    FAULT_CLOSE = 16,
    FAULT_SIZE = 32, /* ftruncate */
    FAULT_READ = 64,
    FAULT_STAT = 128,
    FAULT_MAP = 256,
    FAULT_LOCK = 512,
    FAULT_OPENAT2 = 1024,
    FAULT_MEMORY = 2048,
    /* what a full disk refuses */
    FAULT_DISK = FAULT_WRITE | FAULT_SYNC | FAULT_NAME | FAULT_OPENAT2 | FAULT_CLOSE | FAULT_SIZE,
    FAULT_CALLS = FAULT_MEMORY - 1
};
enum { FAULT_SHORT = 0 }; /* no error: half of the bytes */

static struct {
    atomic_int calls, at; /* at 0: none fails */
    atomic_uint kinds;
    int number, times;
    const char *_Atomic failed; /* which one it was */
} faults;

static inline void faults_arm(unsigned kinds, int number, int at, int times)
{
    faults.number = number;
    faults.times = times;
    atomic_store(&faults.failed, NULL);
    atomic_store(&faults.kinds, kinds);
    atomic_store(&faults.calls, 0);
    atomic_store(&faults.at, at);
}

/* Which call failed; NULL: there were fewer. */
static inline const char *faults_disarm(void)
{
    atomic_store(&faults.at, 0);
    return atomic_load(&faults.failed);
}

static inline bool fault(unsigned kind, const char *name)
{
    int n, at = atomic_load(&faults.at);

    if (!at || !(atomic_load(&faults.kinds) & kind)) return false;
    n = atomic_fetch_add(&faults.calls, 1) + 1;
    if (n < at || n - at >= faults.times) return false;
    atomic_store(&faults.failed, name);
    errno = faults.number;
    return true;
}

static inline bool faults_of_memory(void)
{
    return atomic_load(&faults.kinds) == FAULT_MEMORY;
}

#define FAULT_REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))
#define FAULT_CALL(kind, type, name, params, args) \
    type name params                               \
    {                                              \
        if (fault(kind, #name)) return (type)-1;   \
        return FAULT_REAL(name) args;              \
    }
/* The last of args is n. */
#define FAULT_BYTES(kind, name, params, args)            \
    ssize_t name params                                  \
    {                                                    \
        if (fault(kind, #name)) {                        \
            if (faults.number != FAULT_SHORT) return -1; \
            n = (n + 1) / 2;                             \
        }                                                \
        return FAULT_REAL(name) args;                    \
    }

FAULT_BYTES(FAULT_WRITE, write, (int fd, const void *p, size_t n), (fd, p, n))
FAULT_BYTES(FAULT_WRITE, pwrite, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at))
FAULT_BYTES(FAULT_WRITE, pwrite64, (int fd, const void *p, size_t n, off64_t at), (fd, p, n, at))
FAULT_BYTES(FAULT_READ, read, (int fd, void *p, size_t n), (fd, p, n))
FAULT_BYTES(FAULT_READ, pread, (int fd, void *p, size_t n, off_t at), (fd, p, n, at))
FAULT_BYTES(FAULT_READ, pread64, (int fd, void *p, size_t n, off64_t at), (fd, p, n, at))
/* No power is cut here (test_power), so that a sync needs not be waited for. */
#define FAULT_QUICK(name)                         \
    int name(int fd)                              \
    {                                             \
        (void)fd;                                 \
        return fault(FAULT_SYNC, #name) ? -1 : 0; \
    }

FAULT_QUICK(fsync)
FAULT_QUICK(fdatasync)
FAULT_CALL(FAULT_SIZE, int, ftruncate, (int fd, off_t n), (fd, n))
FAULT_CALL(FAULT_SIZE, int, ftruncate64, (int fd, off64_t n), (fd, n))
FAULT_CALL(FAULT_NAME, int, renameat, (int a, const char *from, int b, const char *to),
           (a, from, b, to))
FAULT_CALL(FAULT_NAME, int, mkdirat, (int fd, const char *name, mode_t mode), (fd, name, mode))
FAULT_CALL(FAULT_NAME, int, unlink, (const char *name), (name))
FAULT_CALL(FAULT_NAME, int, unlinkat, (int fd, const char *name, int flags), (fd, name, flags))
FAULT_CALL(FAULT_STAT, int, fstat, (int fd, struct stat *st), (fd, st))
FAULT_CALL(FAULT_STAT, int, fstat64, (int fd, struct stat64 *st), (fd, st))
FAULT_CALL(FAULT_STAT, int, stat64, (const char *name, struct stat64 *st), (name, st))
FAULT_CALL(FAULT_STAT, int, fstatat, (int fd, const char *name, struct stat *st, int flags),
           (fd, name, st, flags))
FAULT_CALL(FAULT_MAP, void *, mmap, (void *p, size_t n, int prot, int flags, int fd, off_t at),
           (p, n, prot, flags, fd, at))
FAULT_CALL(FAULT_MAP, void *, mmap64, (void *p, size_t n, int prot, int flags, int fd, off64_t at),
           (p, n, prot, flags, fd, at))

/* The third argument, if there is one, is a number or an address. */
#define FAULT_MORE(kind, name, last, params, fixed) \
    int name params                                 \
    {                                               \
        va_list list;                               \
        void *more;                                 \
                                                    \
        va_start(list, last);                       \
        more = va_arg(list, void *);                \
        va_end(list);                               \
        if (fault(kind, #name)) return -1;          \
        return FAULT_REAL(name) fixed;              \
    }

FAULT_MORE(FAULT_OPEN, open, flags, (const char *name, int flags, ...), (name, flags, more))
FAULT_MORE(FAULT_OPEN, open64, flags, (const char *name, int flags, ...), (name, flags, more))
FAULT_MORE(FAULT_OPEN, openat, flags, (int fd, const char *name, int flags, ...),
           (fd, name, flags, more))
/* Giving a lock back does not fail on Linux. */
static inline bool fault_lock(int command, const void *lock, const char *name)
{
    bool takes = command == F_SETLK || command == F_SETLKW;

    return takes && ((const struct flock *)lock)->l_type != F_UNLCK && fault(FAULT_LOCK, name);
}

#define FAULT_FCNTL(name)                                \
    int name(int fd, int command, ...)                   \
    {                                                    \
        va_list list;                                    \
        void *more;                                      \
                                                         \
        va_start(list, command);                         \
        more = va_arg(list, void *);                     \
        va_end(list);                                    \
        if (fault_lock(command, more, #name)) return -1; \
        return FAULT_REAL(name)(fd, command, more);      \
    }

FAULT_FCNTL(fcntl)
FAULT_FCNTL(fcntl64)

/* It fails, but the descriptor is free, as on Linux. */
int close(int fd)
{
    int err = FAULT_REAL(close)(fd);

    return fault(FAULT_CLOSE, "close") ? -1 : err;
}

/* openat2 has no function of its own. */
long syscall(long number, ...)
{
    va_list args;
    long a[4];

    va_start(args, number);
    for (int i = 0; i < 4; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    if (number == SYS_openat2 && fault(FAULT_OPENAT2, "openat2")) return -1;
    return FAULT_REAL(syscall)(number, a[0], a[1], a[2], a[3]);
}

#endif
