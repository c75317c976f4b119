/* sandbox - a process gives up, for the rest of its life, all that decoding does not need.
 *
 * Afterwards it may read from and write to descriptor 0, get and give back memory that holds no
 * code, and end; any other system call kills it. It has limits of memory and processor time, no
 * rights of root, dies with the thread that started it, and is what the system ends first when
 * memory is short. Source: seccomp(2), PR_SET_SECCOMP: what a systemd unit with
 * SystemCallFilter=@system-service still allows.
 * Thread: the process's only one. */
#ifndef SERVER_DECODER_SANDBOX_H
#define SERVER_DECODER_SANDBOX_H

#include <stddef.h>

struct sandbox_limits {
    size_t memory; /* bytes of address space; a build with a sanitizer has no such limit */
    int cpu_s;     /* processor seconds of its whole life */
};

/* 0, or the errno of what the system refuses: ENOSYS, EINVAL: it has no seccomp filters. */
int sandbox_enter(const struct sandbox_limits *);

#endif
