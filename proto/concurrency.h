/* concurrency - how many pictures are drawn at a time, and why not more: one English sentence, and
 * the same in parts for clients that say it in other words.
 *
 * Written by hello, the answer to `set`, and stats. Thread: any, no state. */
#ifndef PROTO_CONCURRENCY_H
#define PROTO_CONCURRENCY_H

#include "proto/fail.h"
#include "proto/limits.h"
#include "proto/text.h"

#include <stdint.h>

/* Why a device draws no more at a time; the first three: why it draws nothing. */
enum cap_reason {
    CAP_STARTING, /* its model is being loaded */
    CAP_FAILED,   /* it failed, and is being opened again */
    CAP_LOST,     /* it failed, and does not come back */
    CAP_MEMORY,   /* more do not fit */
    CAP_LOWERED,  /* it has run out of memory with more */
    CAP_OPTION,   /* --concurrency */
    CAP_USEFUL,   /* more would only slow each other */
    CAP_BATCH,    /* more cannot share a batch */
    CAP_REASONS
};

struct cap_device {
    enum cap_reason why;
    int cap;
    /* from CAP_MEMORY on: how many ordinary pictures fit by plan, their size, the bytes that one
     * takes and those that there are for all */
    int fits, width, height;
    uint64_t picture_bytes, bytes;
    int tries;         /* CAP_LOST: how often it was opened in vain */
    char message[101]; /* CAP_FAILED and CAP_LOST: what it said */
};

struct concurrency {
    int cap;          /* on all devices together */
    const char *why;  /* one sentence to display */
    const char *disk; /* why the disk takes no pictures, so that none starts; NULL: it does */
    int devices;
    const struct cap_device *device[LIMIT_DEVICES];
    uint64_t seq; /* not written: another one when anything above has changed */
};

const char *cap_reason_name(enum cap_reason);
/* As an object `concurrency` into the one that is open. */
void concurrency_write(const struct concurrency *, struct text *out);
/* Its members `disk` and `devices` alone. */
void concurrency_write_parts(const struct concurrency *, struct text *out);

#endif
