/* hooks - the table of webhooks: a row from a job's end until its receiver has taken it.
 *
 * A row is written in the transaction that writes the end, so that none is lost and none is sent of
 * an end that is not on disk. It holds the whole message, as the job may be deleted before. A
 * delivery is claimed before it begins: that counts the try and sets when the next is due, so that
 * a crash leaves nothing to be repaired; a row goes when it was delivered or given up. Thread: any,
 * one at a time a connection. */
#ifndef SERVER_STORE_HOOKS_H
#define SERVER_STORE_HOOKS_H

#include "proto/fail.h"
#include "server/core/effects.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

/* Within the transaction of a new job: its webhook, if it has one. ERR_IO. */
int hooks_name(sqlite3 *, const struct hub_row *, struct fail *f);
/* Within the transaction of a job's end: its webhook is due, if it has one. ERR_IO, .. */
int hooks_add(sqlite3 *, const struct hub_row *, struct fail *f);

struct hook {
    uint64_t job;
    char *url, *body; /* owned by who asked */
    int tries;        /* this one included */
};
/* Claim one that is due, if `want` takes it; due again at `now_ms` and what `pause_ms` says of its
 * tries. 1: out is set; 0: none; ERR_IO, ERR_OUT_OF_MEMORY. */
struct hooks_wanted {
    bool (*want)(void *arg, uint64_t job, const char *url);
    int64_t (*pause_ms)(int tries);
    void *arg;
};
int hooks_claim(sqlite3 *, int64_t now_ms, const struct hooks_wanted *, struct hook *out,
                struct fail *f);
/* A try has failed: the next one is due then. ERR_IO. */
int hooks_delay(sqlite3 *, uint64_t job, int64_t due_ms, struct fail *f);
/* It was delivered, or is given up. ERR_IO. */
int hooks_remove(sqlite3 *, uint64_t job, struct fail *f);
/* When the next one is due; INT64_MAX: there is none, or it cannot be read. */
int64_t hooks_due_ms(sqlite3 *);

#endif
