/* routes - the plain HTTP routes: the page's files from memory, results from disk, health,
 * metrics.
 *
 * Knows no socket: a request goes in, a reply comes out, net writes it. Every reply carries the
 * same security headers (reply.h). Thread: the loop's. */
#ifndef SERVER_HTTP_ROUTES_H
#define SERVER_HTTP_ROUTES_H

#include "proto/fail.h"
#include "server/base/traffic.h"
#include "server/core/hub.h"
#include "server/http/exchange.h"
#include "server/http/pages.h"
#include "server/http/reply.h"
#include "server/store/store.h"

struct http;

struct http_conf {
    const struct http_page *pages;
    struct hub *hub;
    struct store *store;
    const char *version, *model;                           /* borrowed */
    struct blob *(*hello)(void *arg, const struct user *); /* as in struct backend */
    void (*convert)(void *arg, struct conversion *);       /* the same */
    void *arg;
    const char *base;
    const struct spec_limits *limits;       /* NULL: the widest */
    const struct histogram *commit;         /* NULL: not reported */
    const struct webhooks_counts *webhooks; /* the same */
    const struct decoder_counts *decoded;   /* the same */
    const struct traffic *traffic;          /* the same */
};

int http_new(struct http **out, const struct http_conf *, struct fail *f);
void http_free(struct http *);
/* A reply was sent whole. */
void http_sent(struct http *, const struct http_reply *, int64_t now);

/* Who may ask. */
enum http_access {
    HTTP_PUBLIC, /* anybody */
    HTTP_GUEST,  /* those of HTTP_KNOWN, and guests; the route sees to what these may see */
    HTTP_KNOWN,  /* users, or anybody in a service without */
    HTTP_ADMIN   /* administrators, and programs on this machine that come through no proxy */
};

/* What body it takes. */
enum http_body {
    HTTP_NO_BODY,
    HTTP_JSON,  /* application/json, or none */
    HTTP_FILE,  /* a picture's file, as it is or in multipart/form-data; or such a form of fields */
    HTTP_FILES, /* several files, in multipart/form-data */
    HTTP_FORM,  /* JSON or multipart/form-data, with pictures in it */
    HTTP_LOGIN  /* the fields of a form, in either of the types that forms have */
};

struct http_route {
    /* With a slash at its end: all below it. {job}: one word of the path, given as param;
     * {command}: one that is a command about the job before, or about none. */
    const char *path;
    const char *methods; /* as the header Allow lists them */
    enum http_access access;
    /* answers at once; NULL: the translator does, later */
    void (*route)(struct http *, const struct http_request *, struct http_reply *);
    const struct translator *translator;
    enum http_body body;
    /* that its address takes, ends with NULL; NULL: the translator sees to them, or to those that
     * it knows */
    const char *const *parameters;
};
/* Every route but the page's own files, which anybody may get; ends with a NULL path. */
extern const struct http_route HTTP_ROUTES[];

/* Before its body is read: the route of a request, whose params are filled in. NULL: it is
 * refused, or is a file of the page, and the reply is made. */
const struct http_route *http_find(struct http *, struct http_request *, struct http_reply *out);
/* The bytes of body that this route takes at most. */
int64_t http_body_max(const struct http_route *);
/* Refuse what belongs to this route (NULL: none was looked for) at this address, as its dialect
 * writes errors. */
void http_refuse(const struct http_route *, const char *method, const char *path,
                 const struct fail *, int status, struct http_reply *out);
/* Answer it, the body included: the reply is made, or out->exchange will make it. The caller ends
 * it with negotiate() before it is sent, exchange_free() and reply_free(). */
void http_answer(struct http *, const struct http_route *, const struct http_request *, int64_t now,
                 struct http_reply *out);
/* A browser asks what a page of another site may send to this address. false: it is no such
 * question, and there is no reply. */
bool http_preflight(struct http_request *, struct http_reply *out);
/* Find, answer and negotiate, for a request that has come whole. */
void http_route(struct http *, struct http_request *, int64_t now, struct http_reply *out);

#endif
