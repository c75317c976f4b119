/* poll_shim - preloaded into the server by test_timers: the main thread takes its time to look
 * at the clock, and its polls end a moment early, as the kernel may let them. A timer that
 * becomes due between the end of one round and the next poll, where no code looks at timers,
 * then does so nearly always. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <poll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int now(clockid_t id, struct timespec *t)
{
    return (int)syscall(SYS_clock_gettime, id, t);
}

int clock_gettime(clockid_t id, struct timespec *t)
{
    struct timespec from, at;

    if (id == CLOCK_MONOTONIC && syscall(SYS_gettid) == getpid()) {
        now(id, &from);
        do
            now(id, &at);
        while ((at.tv_sec - from.tv_sec) * 1000000 + (at.tv_nsec - from.tv_nsec) / 1000 < 100);
    }
    return now(id, t);
}

int poll(struct pollfd *fds, nfds_t n, int ms)
{
    static int (*real)(struct pollfd *, nfds_t, int);

    if (!real) real = (int (*)(struct pollfd *, nfds_t, int))dlsym(RTLD_NEXT, "poll");
    return real(fds, n, ms > 1 ? ms - 1 : ms);
}
