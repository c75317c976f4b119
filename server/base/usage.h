/* usage - what this process takes of its machine, read anew at each call. Thread: any, no state. */
#ifndef SERVER_BASE_USAGE_H
#define SERVER_BASE_USAGE_H

#include <stdint.h>

struct usage {
    double cpu_seconds;
    uint64_t resident_bytes; /* 0: the system does not tell */
    int open_fds, max_fds;   /* 0: the system does not tell */
};

void usage_read(struct usage *);

#endif
