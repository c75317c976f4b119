/* meter - what the engine's measurements share: a clock, and an end with the engine's reason. */
#ifndef BENCH_METER_H
#define BENCH_METER_H

#include "proto/fail.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Of that clock: CLOCK_MONOTONIC, or CLOCK_PROCESS_CPUTIME_ID for all threads' processor time. */
static inline double seconds(clockid_t c)
{
    struct timespec t;

    clock_gettime(c, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline void give_up(const struct fail *f)
{
    fprintf(stderr, "%s\n", f->message);
    exit(1);
}

#endif
