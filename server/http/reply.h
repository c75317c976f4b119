/* reply - a request and its reply, without a socket; every reply carries the same security headers.
 * Thread: any, no state. */
#ifndef SERVER_HTTP_REPLY_H
#define SERVER_HTTP_REPLY_H

#include "proto/fail.h"
#include "proto/text.h"
#include "proto/user.h"
#include "server/http/head.h"
#include "server/store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_COOKIE_BYTES 320
#define HTTP_ALLOW_BYTES  48

/* Who asks, as net has found out; all borrowed for the time of the call. */
struct http_asker {
    bool known;              /* one of the users, or the service has none */
    bool near;               /* on this machine, and not through a proxy */
    uint64_t host;           /* as hub_comes_from() */
    bool secure;             /* over TLS, which ends before us */
    const struct user *user; /* NULL: unknown, or the service has none */
    uint64_t shared;         /* a guest's: the job that it may see; 0: it is none */
    const struct fail *why;  /* what to tell one that is not known */
    /* values of Set-Cookie: for who came with a token, else ""; and to end such a cookie */
    const char *sign_in, *sign_out;
    /* Is this the token of a user? True: cookie is the value of Set-Cookie for it; false: why not.
     * NULL: the service has no users. */
    bool (*sign)(const struct http_asker *, const char *token, char cookie[HTTP_COOKIE_BYTES],
                 struct fail *why);
};

#define HTTP_PARAMS      2
#define HTTP_PARAM_BYTES 65 /* of one, with its NUL: ids, names, digests */

struct http_param {
    char text[HTTP_PARAM_BYTES];
};

struct exchange;

struct http_request {
    const char *method;        /* "GET", "HEAD", anything else */
    const char *path;          /* as in struct head */
    const char *query;         /* as sent, "" when there is none */
    const char *if_none_match; /* "" when there is none */
    const struct http_asker *asker;
    const struct head *head; /* all headers; NULL: there are none */
    const char *body;        /* len bytes, when the route takes one */
    size_t len;
    const struct lift *lift;              /* pictures that the body had (lift.h); NULL: none */
    struct http_param param[HTTP_PARAMS]; /* what stands for the {words} of the route's path */
};

/* A header's value, "" when there is none. */
static inline const char *request_header(const struct http_request *q, const char *name)
{
    return q->head ? head_value(q->head, name) : "";
}

struct http_reply {
    int status;
    const char *type;               /* Content-Type, NULL: none */
    const char *language;           /* Content-Language, or NULL */
    const char *cache;              /* Cache-Control */
    char allow[HTTP_ALLOW_BYTES];   /* Allow, or "" */
    char location[96];              /* Location, or "" */
    char applied[24];               /* Preference-Applied, or "" */
    char *link;                     /* Link, or NULL; owned */
    const char *encoding;           /* Content-Encoding, or NULL */
    char content_range[64];         /* or "" */
    bool parts;                     /* Accept-Ranges */
    const char *origin;             /* of another site, whose page may read it; NULL: none */
    bool preflight;                 /* it may send what `allow` and the API's headers say */
    bool answer;                    /* the body is what the hub answered */
    const char *vary;               /* Vary, or NULL */
    char cookie[HTTP_COOKIE_BYTES]; /* Set-Cookie, or "" */
    char etag[80];                  /* with its quotes, or "" */
    char disposition[PICTURE_NAME_BYTES + 40];
    int retry_after_s; /* 0: no such header */
    /* for the libraries of a foreign dialect, which repeat requests by themselves, else 0, NULL */
    int64_t retry_after_ms;
    const char *should_retry;
    bool stream;   /* the body comes in pieces until it ends: bytes is not known */
    int64_t bytes; /* of the body, also for HEAD and 304 */
    int64_t from;  /* where in the picture it begins */
    bool head;     /* send no body */
    uint64_t once; /* the job whose picture is gone when it was sent whole; 0: none */
    /* the body is one of: borrowed bytes, owned bytes, a picture */
    const uint8_t *body;
    char *owned;
    struct store *store; /* of the picture, whose digest the ETag is; NULL: none */
    struct store_asker asker;
    int fd;                    /* of the picture while some of it is sent, else -1 */
    struct exchange *exchange; /* that answers later; NULL: this is the reply */
};

struct http_header {
    const char *name, *value; /* the name in lower case */
};
extern const struct http_header HTTP_SECURITY[]; /* ends with a NULL name */

/* Begin a reply: no body, not cached. */
void reply_init(struct http_reply *, int status);
void reply_free(struct http_reply *);
/* The body is what was written into t, which is emptied. */
void reply_text(struct http_reply *, struct text *t, const char *type);
/* Begin a refusal in a form of one's own: with its time to wait. */
void reply_init_fail(struct http_reply *, const struct fail *why, int status);
/* A refusal as application/problem+json with our code, message, hint, field and time to wait. */
void reply_fail(struct http_reply *, const struct fail *why, int status);
/* The same with the code's own status. */
void reply_refuse(struct http_reply *, enum err code, const char *message, const char *hint);
/* Of a reply_init() one: its body is a copy of this picture. false: there is no memory, and it says
 * so. */
bool reply_picture(struct http_reply *, const uint8_t *file, size_t bytes, const char *type);
/* Status line and headers as HTTP/1.1 writes them, with the empty line; last: the connection
 * ends with this reply; old: to a client of HTTP/1.0, which knows no chunks. The body follows
 * unless reply->head is set. */
void reply_head(const struct http_reply *, bool last, bool old, struct text *out);
/* Bytes of the body from an offset on, at most n of them: borrowed ones, or some of the picture
 * read into chunk. NULL: the picture cannot be read any more. A picture's file is open from then
 * until reply_rest(), so that clients who do not read hold no descriptor. */
const void *reply_body(struct http_reply *, int64_t at, void *chunk, size_t n);
void reply_rest(struct http_reply *);

#endif
