/* account - the users as the hub knows them: what each may do and see, and how much it has going.
 *
 * One account is always there, that of USER_NONE: in a service without users it is everybody's, and
 * may do everything. An account stays where it is until accounts_free(), because jobs and clients
 * point at it; that of a removed user is `gone`. Knows no hub. Thread: the loop's. */
#ifndef SERVER_CORE_ACCOUNT_H
#define SERVER_CORE_ACCOUNT_H

#include "proto/fail.h"
#include "proto/user.h"
#include "server/core/bucket.h"
#include "server/core/notices.h"
#include "server/core/recent.h"

#include <stdbool.h>

struct blob;

/* Its jobs in one lane (lanes.h); times are virtual seconds. */
struct account_lane {
    double next; /* where the first of its waiting jobs begins: what it has used */
    double end;  /* where the last of them ends */
    int waiting; /* on disk, or on their way there .. */
    int ready;   /* .. of these on disk */
    bool stale;  /* `end` and the places of its jobs are to be made anew */
};

struct account {
    struct user user;
    bool gone;    /* the user was removed, or never was in this start of the server */
    bool changed; /* accounts_set() has changed what it may; for who asks, who resets it */
    int slot;     /* a number of its own, from 0 */
    struct account_lane lane[LANES];
    struct bucket submits;
    int clients;            /* connections that are open */
    int waiting, running;   /* jobs: accepted or on their way to the disk; on a device */
    int held;               /* of the waiting ones */
    struct recent used;     /* of the devices, us */
    struct blob *stats;     /* its newest statistics, owned; NULL: none were wanted yet */
    uint64_t stats_seq;     /* their number (hub.stats_seq) */
    struct notices notices; /* that are for it alone */
};

struct accounts {
    struct account **at; /* at[0] is that of USER_NONE; the others by growing id */
    int n, room;
    int users; /* those that are not gone; 0: a service without users */
};

/* 0 or ERR_OUT_OF_MEMORY. */
int accounts_init(struct accounts *);
void accounts_free(struct accounts *);

/* The users from now on: n of them by growing id, copied; all others are gone. 0 or
 * ERR_OUT_OF_MEMORY (nothing changed). */
int accounts_set(struct accounts *, const struct user *, int n);

/* NULL: no such user, or it is gone. */
struct account *accounts_find(const struct accounts *, uint32_t id);
/* The same by name; none has "". */
struct account *accounts_named(const struct accounts *, const char *name);
/* The same for the owner of a stored job: a user that is no more gets an account that is gone.
 * NULL: no memory. */
struct account *accounts_owner(struct accounts *, uint32_t id);

/* May it see and command what belongs to that account? */
bool account_sees(const struct account *, const struct account *owner);
/* May it draw in this lane? 0, or ERR_FORBIDDEN. */
int account_may_draw(const struct account *, enum user_lane, struct fail *f);

#endif
