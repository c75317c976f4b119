/* exchange - one HTTP request that the hub answers: a client of the hub with another encoder.
 *
 * A request that asks something of jobs opens a client of the hub (hub_open), sends it the commands
 * of PROTOCOL.md, and makes its answer of the messages that come back. What these mean stands in a
 * struct translator: the API of this server (jobs.h, events.h) and each foreign dialect is one file
 * with such a table, and has no job table, queue, rights or errors of its own.
 *
 * The door for a dialect
 * 1. A row in HTTP_ROUTES (routes.c): path, methods, who may ask, what body it takes, &TRANSLATOR.
 *    By then the method, the rights, the type and the length of the body have been checked.
 * 2. begin() reads the request (query.h, text_parse of its body) and sends commands with
 *    exchange_send(), or answers at once with exchange_refuse() or exchange_answer().
 * 3. message() gets each direct answer and each event, as a WebSocket would: JSON, in the order of
 *    PROTOCOL.md, or a preview frame (frame.h). It starts without previews; `previews` asks for
 *    them. idle() says that all that the hub has for now was given.
 * 4. The answer is one reply (exchange_reply(), then exchange_answer()), or a stream:
 *    exchange_stream() gives the text to write into, at first use sending status and headers, and
 *    exchange_finish() ends it. While what was written waits for the socket, no message is taken
 *    from the hub, whose boards keep only the newest of each kind: a slow client costs nothing.
 *    more() is called when all was sent, for what is too long to be written at once.
 * 5. exchange_alarm() sets the one timer: a heart beat, the end of a bounded wait.
 * 6. drain(): the server stops; what waits should be answered now. end(): free what state owns;
 *    also when the client has gone, and then exchange_gone() is true: a dialect whose jobs are of
 *    no use without their client cancels them there.
 * A client that ends its side of the connection counts as gone while a stream is written, or when
 * the exchange is `lasting`; a short answer is still given.
 *
 * Nothing here is called from inside a call of the hub. Thread: the loop's. */
#ifndef SERVER_HTTP_EXCHANGE_H
#define SERVER_HTTP_EXCHANGE_H

#include "server/base/blob.h"
#include "server/core/hub.h"
#include "server/http/reply.h"
#include "server/store/store.h"
#include "server/worker/converter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct exchange;

/* What answers are made from; all borrowed, the same for every exchange. */
struct backend {
    struct hub *hub;
    struct store *store;
    /* A `hello` for this user (the caller owns it), NULL while the model is loaded. */
    struct blob *(*hello)(void *arg, const struct user *);
    /* Give it to the converter; it comes back through exchange_converted(). */
    void (*convert)(void *arg, struct conversion *);
    void *arg;
    const char *base; /* "/", or the path below which a proxy serves this */
    const char *model;
    const struct spec_limits *limits; /* what requests may ask for; may change between calls */
};

struct translator {
    size_t state; /* bytes of its own in each exchange, all zero at first */
    bool lasting; /* at first; see exchange_lasting() */
    /* media types of its answers, a space between two: else 406. NULL: Accept is not read, as the
     * clients of foreign dialects send what they like */
    const char *types;
    /* How this dialect writes an error as a whole reply; NULL: reply_fail(). Also for what is
     * refused before there is an exchange. */
    void (*refuse)(struct http_reply *, const struct fail *, int status);
    void (*begin)(struct exchange *, const struct http_request *);
    void (*message)(struct exchange *, const struct blob *, bool binary);
    /* these may be NULL */
    void (*idle)(struct exchange *);
    void (*more)(struct exchange *);
    /* the answer to exchange_convert(), NULL: it failed; then more() is called */
    void (*converted)(struct exchange *, struct blob *file);
    void (*alarm)(struct exchange *);
    void (*drain)(struct exchange *);
    void (*end)(struct exchange *);
};

enum exchange_state {
    EXCHANGE_WAITS,    /* no answer yet */
    EXCHANGE_ANSWERED, /* the reply is whole */
    EXCHANGE_STREAMS,  /* the reply's head may be sent, and what exchange_out() has */
    EXCHANGE_FINISHED  /* the same, and nothing will be added */
};

/* --- for the connection ----------------------------------------------------------------------- */

/* Who is told when the hub has something for it. */
struct exchange_conn {
    void *arg;
    void (*wake)(void *arg);
};

/* Begin to answer the request, which is borrowed for the call, into this reply, which stays where
 * it is; also a failure is answered there. NULL: no memory, and the reply says so. */
struct exchange *exchange_new(const struct backend *, const struct translator *,
                              const struct http_request *, int64_t now, struct http_reply *);
/* Write an error as the translator (NULL: of none) does. */
void exchange_write_fail(const struct translator *, struct http_reply *, const struct fail *,
                         int status);
/* gone: its client has left before it was answered. NULL is fine. */
void exchange_free(struct exchange *, int64_t now, bool gone);
void exchange_bind(struct exchange *, const struct exchange_conn *);
/* Take what the hub has; call it when woken, and when all of exchange_out() was sent. */
enum exchange_state exchange_run(struct exchange *, int64_t now);
enum exchange_state exchange_state(const struct exchange *);
struct text *exchange_out(struct exchange *);  /* what is to be sent; the caller empties it */
int64_t exchange_due(const struct exchange *); /* INT64_MAX: no alarm is set */
void exchange_timer(struct exchange *, int64_t now);
void exchange_drain(struct exchange *, int64_t now);
/* A conversion is done, whose exchange may be gone; the caller frees it, and drops its file. */
void exchange_converted(struct conversion *);
bool exchange_lasts(const struct exchange *);
/* As hub_is_cut(). */
bool exchange_is_cut(const struct exchange *);

/* --- for translators -------------------------------------------------------------------------- */

void *exchange_own(struct exchange *); /* the translator's state */
/* The pictures that have left the request's text; NULL behind begin(). */
const struct lift *exchange_lift(const struct exchange *);
const struct backend *exchange_backend(const struct exchange *);
int64_t exchange_now(const struct exchange *);

/* Send a command as an object of PROTOCOL.md; it is borrowed. */
void exchange_send(struct exchange *, const json_t *command);
/* The same for {"type":TYPE} with {"job":JOB} unless that is NULL. */
void exchange_send_job(struct exchange *, const char *type, const char *job);

/* Send a whole file to become a picture that jobs begin with; `image` or `error` comes back, with
 * this ref. */
void exchange_upload(struct exchange *, const char *ref, const void *bytes, size_t len,
                     bool private);

/* The reply, begun with reply_init(status): fill it in, then exchange_answer(). */
struct http_reply *exchange_reply(struct exchange *, int status);
void exchange_answer(struct exchange *);
void exchange_refuse(struct exchange *, const struct fail *);
/* Answer with what the hub has sent, as it is; headers may be added to the reply. */
struct http_reply *exchange_pass(struct exchange *, int status, const struct blob *);

/* The text of a stream; the reply is the one of exchange_reply(), begun before. */
struct text *exchange_stream(struct exchange *);
/* The same; the first time it begins a reply of status 200 and this type. */
struct text *exchange_stream_as(struct exchange *, const char *type);
void exchange_finish(struct exchange *);
void exchange_alarm(struct exchange *, int64_t at_us);
/* From now on it may take long, and is of no use to a client that has gone. */
void exchange_lasting(struct exchange *);
/* Ask for a picture of the store in another format, its longest side at most px (0: as it is); one
 * at a time. false: it is gone, or memory is short. */
bool exchange_convert(struct exchange *, const struct store_file *, enum picture_format,
                      int quality, int px);
/* The same of a PNG in memory, which is copied. */
bool exchange_convert_bytes(struct exchange *, const void *png, size_t len, enum picture_format,
                            int quality);
bool exchange_gone(const struct exchange *);

/* A message of the hub: is it of this type? Read it (json_decref), NULL: no memory. An error's
 * members, or those of an object that is one. */
bool exchange_is(const struct blob *, const char *type);
json_t *exchange_read(const struct blob *);
void exchange_error(const struct blob *, struct fail *);
void exchange_fail(const json_t *, struct fail *);

#endif
