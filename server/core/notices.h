/* notices - the newest notice of each kind, for everybody or for one account, each numbered.
 *
 * As with the board of a job: a connection remembers the last number that it was sent, and gets
 * the newest of each kind, however slow it reads. Numbers are the clients' (client.h) and grow over
 * all boards of notices. Thread: the loop's. */
#ifndef SERVER_CORE_NOTICES_H
#define SERVER_CORE_NOTICES_H

#include "proto/notice.h"
#include "server/base/blob.h"

#include <stdbool.h>
#include <stdint.h>

struct notice_slot {
    uint64_t seq;
    struct notice notice;
    struct blob *message; /* of that notice; owned */
};

struct notices {
    struct notice_slot *slot[NOTICE_KINDS]; /* owned; NULL: there was none yet */
};

void notices_free(struct notices *);
/* Replace the newest one of its kind; takes the message. False: no memory, all stays as it was. */
bool notices_post(struct notices *, uint64_t seq, const struct notice *, struct blob *message);
/* The one with the smallest number above seq, of either board; NULL: none. */
const struct notice_slot *notices_next(const struct notices *, const struct notices *,
                                       uint64_t seq);
/* Those that hold now, at most max; how many. */
int notices_held(const struct notices *, const struct notice **out, int max);

#endif
