/* routes - the plain HTTP routes: the page's files from memory, results from disk, health,
 * metrics.
 *
 * Knows no socket: a request goes in, a reply comes out, net writes it. Every reply carries the
 * same security headers (reply.h). Thread: the loop's. */
#ifndef SERVER_HTTP_ROUTES_H
#define SERVER_HTTP_ROUTES_H

#include "proto/fail.h"
#include "server/base/histogram.h"
#include "server/core/hub.h"
#include "server/http/pages.h"
#include "server/http/reply.h"
#include "server/store/store.h"

struct http;

struct http_conf {
    const struct http_page *pages;
    struct hub *hub;
    struct store *store;
    const char *version, *model;                /* borrowed */
    const struct histogram *frame_lag, *commit; /* NULL: not reported */
};

int http_new(struct http **out, const struct http_conf *, struct fail *f);
void http_free(struct http *);

/* Who may ask. */
enum http_access {
    HTTP_PUBLIC, /* anybody */
    HTTP_KNOWN,  /* users, or anybody in a service without */
    HTTP_ADMIN   /* administrators, and programs on this machine that come through no proxy */
};

struct http_route {
    const char *path;    /* with a slash at its end: all below it */
    const char *methods; /* as the header Allow lists them */
    enum http_access access;
    void (*route)(struct http *, const struct http_request *, struct http_reply *);
};
/* Every route but the page's own files, which anybody may get; ends with a NULL path. */
extern const struct http_route HTTP_ROUTES[];

/* Always makes a reply; the caller ends it with reply_free(). */
void http_route(struct http *, const struct http_request *, struct http_reply *out);

#endif
