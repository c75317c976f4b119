/* routes - a table of routes, then the page's files. */
#include "server/http/routes.h"

#include "proto/answer.h"
#include "proto/url.h"
#include "server/http/metrics.h"
#include "server/http/pages.h"
#include "server/http/pictures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct http {
    struct pages pages;
    struct metrics metrics;
    struct store *store;
};

int http_new(struct http **out, const struct http_conf *conf, struct fail *f)
{
    struct http *h = calloc(1, sizeof *h);
    int err;

    *out = h;
    if (!h) return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the page.");
    h->store = conf->store;
    h->metrics = (struct metrics){.hub = conf->hub,
                                  .version = conf->version,
                                  .model = conf->model,
                                  .frame_lag = conf->frame_lag,
                                  .commit = conf->commit};
    err = pages_init(&h->pages, conf->pages, f);
    if (err) {
        http_free(h);
        *out = NULL;
    }
    return err;
}

void http_free(struct http *h)
{
    if (!h) return;
    pages_free(&h->pages);
    free(h);
}

static void route_picture(struct http *h, const struct http_request *q, struct http_reply *r)
{
    pictures_route(h->store, q, r);
}

static void route_health(struct http *h, const struct http_request *q, struct http_reply *r)
{
    (void)q;
    metrics_health(&h->metrics, r);
}

static void route_readiness(struct http *h, const struct http_request *q, struct http_reply *r)
{
    (void)q;
    metrics_readiness(&h->metrics, r);
}

static void route_metrics(struct http *h, const struct http_request *q, struct http_reply *r)
{
    (void)q;
    metrics_route(&h->metrics, r);
}

/* GET: who am I; POST with a token: a cookie for it; DELETE: no cookie any more. */
static void route_session(struct http *h, const struct http_request *q, struct http_reply *r)
{
    bool ends = strcmp(q->method, "DELETE") == 0;
    struct text t;

    (void)h;
    reply_init(r, 200);
    if (strcmp(q->method, "POST") == 0)
        snprintf(r->cookie, sizeof r->cookie, "%s", q->asker->sign_in);
    if (ends) snprintf(r->cookie, sizeof r->cookie, "%s", q->asker->sign_out);
    text_init(&t, 0, 4096);
    text_open(&t, NULL, '{');
    answer_user(ends ? NULL : q->asker->user, &t);
    text_close(&t, '}');
    reply_text(r, &t, "application/json");
}

/* The WebSocket's own path, asked for without an upgrade. */
static void route_socket(struct http *h, const struct http_request *q, struct http_reply *r)
{
    (void)h, (void)q;
    reply_refuse(r, ERR_BAD_REQUEST, "This address speaks WebSocket, subprotocol darkroom.v1.",
                 "Connect with a WebSocket client, as PROTOCOL.md shows.");
}

const struct http_route HTTP_ROUTES[] = {
    {URL_PICTURES, "GET, HEAD", HTTP_KNOWN, route_picture},
    {"/healthz", "GET, HEAD", HTTP_PUBLIC, route_health},
    {"/readyz", "GET, HEAD", HTTP_PUBLIC, route_readiness},
    {"/metrics", "GET, HEAD", HTTP_ADMIN, route_metrics},
    {"/v1/session", "GET, HEAD, POST", HTTP_KNOWN, route_session},
    {"/v1/session", "DELETE", HTTP_PUBLIC, route_session},
    {"/ws", "GET, HEAD", HTTP_PUBLIC, route_socket},
    {NULL, NULL, HTTP_PUBLIC, NULL},
};

static bool is_at(const struct http_route *row, const char *path)
{
    size_t n = strlen(row->path);

    return row->path[n - 1] == '/' ? strncmp(path, row->path, n) == 0
                                   : strcmp(path, row->path) == 0;
}

/* Is the method one of the list "GET, HEAD"? */
static bool lists(const char *methods, const char *method)
{
    size_t n = strlen(method);

    while (*methods) {
        size_t len = strcspn(methods, ",");

        if (len == n && memcmp(methods, method, n) == 0) return true;
        methods += len + strspn(methods + len, ", ");
    }
    return false;
}

/* The row of this path and method. NULL: none; *methods are then those of the path, or NULL. */
static const struct http_route *find(const struct http_request *q, const char **methods)
{
    *methods = NULL;
    for (const struct http_route *row = HTTP_ROUTES; row->path; row++) {
        if (!is_at(row, q->path)) continue;
        if (lists(row->methods, q->method)) return row;
        *methods = *methods ? "DELETE, GET, HEAD, POST" : row->methods; /* of two rows */
    }
    return NULL;
}

/* True: it may ask; else the reply says why not. */
static bool permitted(enum http_access access, const struct http_asker *a, struct http_reply *r)
{
    if (access == HTTP_PUBLIC || (access == HTTP_ADMIN && a->near)) return true;
    if (!a->known) {
        reply_fail(r, a->why, fail_status(a->why->code));
        return false;
    }
    if (access == HTTP_KNOWN || !a->user || a->user->role == ROLE_ADMIN) return true;
    reply_refuse(r, ERR_FORBIDDEN, "This is for administrators.",
                 "Ask the administrator of this server for the role `admin`.");
    return false;
}

static void refuse_method(const char *allow, struct http_reply *r)
{
    reply_refuse(r, ERR_BAD_REQUEST, "This address does not take this method.",
                 "Commands go over the WebSocket at /ws, as PROTOCOL.md shows.");
    r->status = 405;
    r->allow = allow;
}

void http_route(struct http *h, const struct http_request *q, struct http_reply *r)
{
    bool head = strcmp(q->method, "HEAD") == 0, read = head || strcmp(q->method, "GET") == 0;
    const char *methods;
    const struct http_route *row = find(q, &methods);

    if (row) {
        if (permitted(row->access, q->asker, r)) row->route(h, q, r);
    } else if (methods || !read)
        refuse_method(methods ? methods : "GET, HEAD", r);
    else if (!pages_route(&h->pages, q, r))
        reply_refuse(r, ERR_NOT_FOUND, "There is nothing at this address.", "The page is at /.");
    if (head) r->head = true;
}
