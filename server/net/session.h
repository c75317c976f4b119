/* session - one WebSocket: messages in, one finished message out for each time the socket can
 * take one.
 *
 * It joins the fragments of a message up to LIMIT_MESSAGE_BYTES, of a binary one to a part of an
 * upload, and gives whole ones to the hub; it holds no queue of its own: what a slow client has
 * not read stays as slots on boards, and what it was answered stays with the hub, which counts
 * it. Knows no socket. Thread: the loop's. */
#ifndef SERVER_NET_SESSION_H
#define SERVER_NET_SESSION_H

#include "server/core/hub.h"

#include <stdbool.h>
#include <stddef.h>

struct session; /* begins with a struct waker (waker.h), which the hub wakes */

/* One fragment of a message as it comes from the wire. */
struct session_fragment {
    const char *bytes;
    size_t len;
    bool first, last, binary;
};

/* What a session asks of its connection. */
struct session_conn {
    void *arg;
    void (*want_write)(void *arg); /* there is something for session_next() */
    /* Its first message, while it is not known whose it is, or when that is an `auth`. 0 and the
     * user, or why not, which ends the session. */
    int (*sign_in)(void *arg, int64_t now, const char *text, size_t len, uint32_t *user,
                   struct fail *f);
};

/* It belongs to nobody before session_user(), or before its first message has said who it is. Until
 * then the hub does not know of it. Nothing but errors is sent before session_hello(), and a later
 * message that is whole before is held until then. ERR_OUT_OF_MEMORY. */
int session_new(struct session **out, struct hub *, const struct session_conn *, struct fail *f);
/* Before session_user() of USER_GUEST: the job that it sees. */
void session_shared(struct session *, uint64_t job);
/* Before session_user(): which machine it comes from, as hub_comes_from(). */
void session_comes_from(struct session *, uint64_t host);
/* Whose it is; USER_NONE in a service without users. ERR_OUT_OF_MEMORY. */
int session_user(struct session *, uint32_t user, struct fail *f);
/* Connections of a user that are open. */
int session_of_user(const struct session *, uint32_t user);
bool session_known(const struct session *);
/* It is a guest's, and what it saw is not shared any more. */
bool session_is_cut(const struct session *);
/* What it sent as its first message lets nobody in: close it when all has been sent. */
bool session_refused(const struct session *);
void session_free(struct session *, int64_t now); /* NULL is fine */

/* The first message of one that is known; takes the reference. */
void session_hello(struct session *, int64_t now, struct blob *hello);
bool session_is_open(const struct session *);
/* May session_receive() be called? Not while a message is held. */
bool session_reads(const struct session *);

void session_receive(struct session *, int64_t now, const struct session_fragment *);
/* The next message to send (the caller owns the reference) or NULL. */
struct blob *session_next(struct session *, int64_t now, bool *binary);
/* For a message from session_next() that is being sent now: microseconds since the quantum that the
 * preview shows. -1: it is no preview, or the session had sent everything after it was posted, so
 * that it was held back as the client asked, or is an old one for a new viewer. */
int64_t session_latency(const struct session *, int64_t now, const struct blob *);
/* Bytes of answers that wait to be sent. */
size_t session_backlog(const struct session *);
/* More waits to be sent than a connection may hold: close it with 4008. */
bool session_is_slow(const struct session *);

/* Send an error about the connection itself. */
void session_error(struct session *, int64_t now, const struct fail *);

#endif
