/* routes - the plain HTTP routes: the page's files from memory, results from disk, health, metrics.
 *
 * Knows no socket: a request goes in, a reply comes out, net writes it. Every reply carries the same
 * security headers (HTTP_SECURITY). Thread: the loop's. */
#ifndef SERVER_HTTP_ROUTES_H
#define SERVER_HTTP_ROUTES_H

#include "proto/fail.h"
#include "server/base/histogram.h"
#include "server/core/hub.h"
#include "server/store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http;

/* One file inside the binary (the table page_files of frontend/pack.sh, which ends with a NULL path). */
struct http_page {
    const char *path; /* "/index.html" */
    const uint8_t *start, *end;
};

struct http_conf {
    const struct http_page *pages;
    struct hub *hub;
    struct store *store;
    const char *version, *model;       /* borrowed */
    const struct histogram *frame_lag; /* NULL: not told */
};

struct http_request {
    const char *method;        /* "GET", "HEAD", anything else */
    const char *path;          /* decoded, without the query */
    const char *query;         /* as sent, "" when there is none */
    const char *if_none_match; /* "" when there is none */
};

struct http_reply {
    int status;
    const char *type;  /* Content-Type, NULL: none */
    const char *cache; /* Cache-Control */
    const char *allow; /* Allow, or NULL */
    char etag[80];     /* with its quotes, or "" */
    char disposition[STORE_NAME_BYTES + 40];
    int retry_after_s; /* 0: not said */
    int64_t bytes;     /* of the body, also for HEAD and 304 */
    bool head;         /* send no body */
    /* the body is one of: borrowed bytes, owned bytes, a file */
    const uint8_t *body;
    char *owned;
    int fd; /* -1: none */
};

struct http_header {
    const char *name, *value; /* the name in lower case, with its colon */
};
extern const struct http_header HTTP_SECURITY[]; /* ends with a NULL name */

int http_new(struct http **out, const struct http_conf *, struct fail *f);
void http_free(struct http *);

/* Always makes a reply; the caller ends it with http_reply_free(). */
void http_route(struct http *, const struct http_request *, struct http_reply *out);
/* A refusal as JSON {"code","message","hint"}. */
void http_refuse(struct http_reply *out, const struct fail *why, int status);
void http_reply_free(struct http_reply *);

#endif
