/* client - the hub's side of one connection: answers in the order of its commands, and its
 * subscriptions.
 *
 * A subscription is (job, last sequence number seen) and nothing else: what it gets next is read
 * from the job's board when the connection can take it. Subscriptions with something to send are in
 * one of two rings, so that a connection serves its jobs in turn: `text` (some text waits) goes
 * before `image` (only a preview waits). Answers go before both.
 *
 * An answer that must wait (a submit's, for the disk) holds up those of later commands; what such a
 * command starts (to follow a job, statistics) begins when its answer is the next to go out, so
 * that an answer always precedes the events that it causes. Thread: the loop's. */
#ifndef SERVER_CORE_CLIENT_H
#define SERVER_CORE_CLIENT_H

#include "proto/command.h"
#include "server/base/blob.h"
#include "server/core/account.h"
#include "server/core/job.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;

enum { RING_NONE, RING_TEXT, RING_IMAGE, RINGS };

struct subscription {
    struct client *client;
    struct job *job;
    uint64_t seq;       /* the last one sent */
    int64_t preview_us; /* no preview before this */
    int ring;
    struct subscription *next, *prev;               /* in the ring, circular */
    struct subscription *job_next, *job_prev;       /* subscriptions of the job */
    struct subscription *client_next, *client_prev; /* subscriptions of the client */
};

/* What begins when an answer goes out. */
enum reply_act {
    REPLY_NONE,
    REPLY_FOLLOW, /* from seq, anew when it follows already */
    REPLY_JOIN,   /* from seq, unless it follows already */
    REPLY_UNFOLLOW,
    REPLY_STATS
};

struct pending_reply {
    struct blob *text; /* NULL: not known yet */
    enum reply_act act;
    uint64_t job, seq; /* FOLLOW, JOIN, UNFOLLOW */
    bool wanted;       /* counts as a subscription to come */
    size_t expected;   /* bytes that its text will have, roughly */
    uint64_t ticket;   /* of what another thread has; 0: none */
    struct blob *then; /* the text, if the disk takes what it waits for; NULL: not known before */
    struct client *client;
    char ref[LIMIT_REF_BYTES + 1];
    struct pending_reply *next;
    struct pending_reply *waiter_next; /* others that wait for the same job */
};

struct client {
    void *session;
    struct account *account; /* whose connection it is */
    uint64_t number;         /* of the connection; another has another, 0 none */
    uint64_t host;           /* the machine that it comes from; 0: this one, or not known */
    /* of a guest: the one job that it sees, of a sweep its cells too; 0: none any more */
    uint64_t shared;
    struct pending_reply *first, **last;
    struct pending_reply *held; /* the first whose text is not known; all before it are ready */
    size_t backlog;             /* bytes of answers */
    bool broken;                /* an answer was lost for want of memory: hang up */
    bool woken;                 /* since then client_next() has not returned NULL */
    struct subscription *subscriptions;
    int n_subscriptions, n_wanted; /* n_wanted: answers to come that begin to follow a job */
    struct subscription *ring[RINGS];
    struct command_previews previews;
    int class;                  /* board class of its previews, -1: none */
    bool submitted;             /* jobs whose submitter it is */
    bool stats;                 /* wants statistics */
    uint64_t stats_seq;         /* the last one sent */
    uint64_t notice_seq;        /* the last one sent */
    struct bucket messages;     /* .. that it may send */
    struct bucket submits;      /* the same, where there are no users */
    struct client *next, *prev; /* all clients */
};

/* What clients need of the hub: to find a job by its id, and to wake a session. */
struct clients {
    struct client *first;
    uint64_t opened; /* so far */
    int64_t due;     /* when a preview that came too soon may go: clients_tick(); INT64_MAX: none */
    struct notices notices; /* for everybody */
    uint64_t notice_seq;    /* of the newest notice, for whomever */
    struct job *(*find)(void *arg, uint64_t id);
    void (*wake)(void *arg, void *session);
    /* a job's subscriptions, or the previews that they demand, have changed */
    void (*followed)(void *arg, struct job *);
    /* previews that connections took, and that were replaced before one took them */
    uint64_t previews_sent, previews_replaced;
    void *arg;
};

/* NULL when memory is short. */
struct client *client_open(struct clients *, void *session, struct account *);
void client_close(struct clients *, struct client *);

/* Reserve the next place in the order of answers. NULL when memory is short (the client is broken
 * then). */
struct pending_reply *client_reply_new(struct clients *, struct client *, const char *ref);
/* Its text will be known when the disk has answered for the job. */
void client_reply_wait(struct pending_reply *, struct job *);
/* Take the replies that wait for the job, in the order in which they came (waiter_next). */
struct pending_reply *client_waiters(struct job *);
/* Its text is known: takes the blob (NULL: memory was short, the client is broken). */
void client_reply_ready(struct clients *, struct pending_reply *, struct blob *text);
/* The newest reply, if its text is not known yet, will have about so many bytes. They count as
 * backlog from now on: a client that sends faster than the disk answers is slowed down in time. */
void client_reply_expect(struct client *, size_t bytes);
size_t client_backlog(const struct client *);

/* May it see this job? */
bool client_sees(const struct client *, const struct job *);
bool client_follows(const struct client *, const struct job *);
/* It follows LIMIT_WATCHES jobs, those counted that it will follow when its answers go out. */
bool client_full(const struct client *);
/* Once this answer goes out its client follows a job: count it from now on. */
void client_reply_follows(struct pending_reply *);

/* The client demands other previews from now on. */
void client_previews(struct clients *, struct client *, const struct command_previews *);

/* The job's board has changed, by a post or a cleared slot: file its subscriptions anew and wake
 * their sessions. Must come before the next client_next(). */
void clients_posted(struct clients *, struct job *, int64_t now);
/* How many connections have not taken the preview on the job's board, although it was time. */
unsigned clients_behind(const struct job *, int64_t now);
/* Statistics with this number are there: wake those that want them. */
void clients_stats(struct clients *, uint64_t seq);
/* A notice with the next number, for everybody or for one account; takes the message. What memory
 * is too short for is not sent. */
void clients_notice(struct clients *, struct account *, const struct notice *,
                    struct blob *message);
/* File the previews that came too soon, once clients.due has passed. */
void clients_tick(struct clients *, int64_t now);
/* What this account may not see any more is not sent to it: its subscriptions to others' jobs end.
 */
void clients_narrow(struct clients *, const struct account *);
/* The job is not shared any more: its guests see nothing, and are woken to be told. */
void clients_unshare(struct clients *, uint64_t job);
/* The job goes: end every subscription, and what its guests see. */
void clients_forget(struct clients *, struct job *);

/* The next message; NULL: nothing, and the session will be woken. stats: the newest statistics. The
 * caller owns the reference. */
struct blob *client_next(struct clients *, struct client *, int64_t now, struct blob *stats,
                         uint64_t stats_seq, bool *binary);

#endif
