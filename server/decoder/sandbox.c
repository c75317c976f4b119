/* sandbox - the rights of root first, as dropping them needs calls that are forbidden later; the
 * filter last. */
#include "server/decoder/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NOBODY = 65534 };

#if defined(__x86_64__)
#    define MACHINE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#    define MACHINE AUDIT_ARCH_AARCH64
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#    define SANITIZED 1
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#        define SANITIZED 1
#    endif
#endif

#ifdef MACHINE

#    define AT(field)             offsetof(struct seccomp_data, field)
#    define LOAD(field)           BPF_STMT(BPF_LD | BPF_W | BPF_ABS, AT(field))
#    define ALLOW                 BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#    define KILL                  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
/* how many lines are skipped when what was loaded is `value`, or has one of the bits; when not */
#    define EQUAL(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#    define BITS(bits, yes, no)   BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, yes, no)
#    define CALL(name)            EQUAL(__NR_##name, 0, 1), ALLOW

/* Of an argument the lower half is loaded: it comes first, and has all that is asked about. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the lower half comes first");

static const struct sock_filter FILTER[] = {
    LOAD(arch),
    EQUAL(MACHINE, 1, 0),
    KILL,
    LOAD(nr),
    CALL(exit_group),
    CALL(exit),
    CALL(brk),
    CALL(munmap),
    CALL(mremap),
    CALL(madvise),
#    ifdef SANITIZED /* what its run-time calls by itself */
    CALL(sched_yield),
    CALL(getpid),
    CALL(gettid),
    CALL(sigaltstack),
    CALL(futex),
    CALL(rt_sigprocmask),
#    endif
    /* memory of its own without code: never a file's, never to be run */
    EQUAL(__NR_mmap, 0, 6),
    LOAD(args[2]),
    BITS(PROT_EXEC, 2, 0),
    LOAD(args[3]),
    BITS(MAP_ANONYMOUS, 1, 0),
    KILL,
    ALLOW,
    /* the socket alone */
    EQUAL(__NR_read, 1, 0),
    EQUAL(__NR_write, 0, 3),
    LOAD(args[0]),
    EQUAL(STDIN_FILENO, 0, 1),
    ALLOW,
    KILL,
};

static int enter_filter(void)
{
    const struct sock_fprog program = {sizeof FILTER / sizeof *FILTER,
                                       (struct sock_filter *)(uintptr_t)FILTER};

    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ? errno : 0;
}

#else

static int enter_filter(void)
{
    return ENOSYS;
}

#endif

static bool has_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct has[2] = {{0, 0, 0}, {0, 0, 0}};

    return syscall(SYS_capget, &head, has) || has[0].permitted || has[1].permitted;
}

static int drop_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};

    return syscall(SYS_capset, &head, none) ? errno : 0;
}

/* A container's root may not become another user, but can drop what it has. What is called here is
 * called by a root that has some rights only: the filter of a unit that takes them away kills who
 * does (SystemCallFilter=~@privileged). */
static int drop_root(void)
{
    if (geteuid() != 0 || !has_capabilities()) return 0;
    if (!setgroups(0, NULL) && !setresgid(NOBODY, NOBODY, NOBODY)
        && !setresuid(NOBODY, NOBODY, NOBODY))
        return 0;
    return drop_capabilities();
}

/* This process before the server. Where it is not allowed, memory is another limit's matter. */
static void end_first(void)
{
    const int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd < 0) return;
    if (write(fd, "1000", 4) < 0) {
        /* the kernel's choice stays as it is */
    }
    close(fd);
}

static int limit(int what, rlim_t most)
{
    const struct rlimit l = {most, most};

    return setrlimit(what, &l) ? errno : 0;
}

static int enter_limits(const struct sandbox_limits *l)
{
    int err = limit(RLIMIT_CPU, (rlim_t)l->cpu_s);

#ifndef SANITIZED
    if (!err) err = limit(RLIMIT_AS, l->memory);
#endif
    if (!err) err = limit(RLIMIT_CORE, 0);
    if (!err) err = limit(RLIMIT_FSIZE, 0);
    if (!err) err = limit(RLIMIT_NPROC, 0);
    if (!err) err = limit(RLIMIT_NOFILE, 0);
    return err;
}

int sandbox_enter(const struct sandbox_limits *l)
{
    int err;

    end_first();
    err = drop_root();
    if (!err && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)) err = errno;
    /* after the change of user, which takes it back */
    if (!err && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)) err = errno;
    if (!err) err = enter_limits(l);
    if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) err = errno;
    return err ? err : enter_filter();
}
