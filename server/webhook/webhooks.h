/* webhooks - posts the ends of jobs to the addresses that their submits named.
 *
 * A thread of its own with a connection of its own to the job store: it claims rows of `hooks`
 * (store/hooks.h) that are due and posts them with libcurl, some at a time and few of them to one
 * host, so that one that hangs does not keep the others waiting. What is not answered with 2xx is
 * tried again after growing pauses, for a day; 410 says that it is not wanted. No redirect is
 * followed, no proxy of the environment is used, and what a host's name leads to is looked at when
 * the connection is made (hosts.h). A message may come twice, with the same `webhook-id`.
 *
 * Thread: webhooks_open, webhooks_close are the loop's, all else any. */
#ifndef SERVER_WEBHOOK_WEBHOOKS_H
#define SERVER_WEBHOOK_WEBHOOKS_H

#include "proto/fail.h"
#include "server/base/log.h"

#include <stdatomic.h>
#include <stdint.h>

struct webhooks;

struct webhooks_conf {
    const char *data;   /* the folder of the job store, which is open */
    const char *hosts;  /* --webhook-hosts, borrowed; NULL: none, and nothing is posted */
    const char *secret; /* --webhook-secret; NULL: ERR_USAGE if there are hosts */
    const char *ca;     /* --webhook-ca, a file in PEM; NULL: the machine's own authorities alone */
    const char *version; /* for User-Agent; borrowed */
    struct log *log;
};

/* Of this process. */
struct webhooks_counts {
    _Atomic uint64_t delivered, failed, given_up; /* failed: tries that are made again */
};

/* ERR_USAGE, ERR_IO, ERR_OUT_OF_MEMORY; *out is NULL then. */
int webhooks_open(struct webhooks **out, const struct webhooks_conf *, struct fail *f);
/* What is on its way is broken off, and sent again by the next start. NULL is fine. */
void webhooks_close(struct webhooks *);
/* May a submit name this address? ERR_BAD_FIELD. */
int webhooks_check(const struct webhooks *, const char *url, struct fail *f);
/* The end of a job is on disk: look whether it has a webhook. */
void webhooks_look(struct webhooks *);
const struct webhooks_counts *webhooks_counts(const struct webhooks *);

#endif
