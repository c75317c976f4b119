/* routes - the page's files first, then a table of the other routes. */
#include "server/http/routes.h"

#include "proto/url.h"
#include "server/http/metrics.h"
#include "server/http/pages.h"
#include "server/http/pictures.h"

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
                                  .frame_lag = conf->frame_lag};
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

static void route_metrics(struct http *h, const struct http_request *q, struct http_reply *r)
{
    (void)q;
    metrics_route(&h->metrics, r);
}

static const struct {
    const char *path; /* with a slash at its end: all below it */
    void (*route)(struct http *, const struct http_request *, struct http_reply *);
} ROUTES[] = {
    {URL_PICTURES, route_picture},
    {"/healthz", route_health},
    {"/metrics", route_metrics},
};

void http_route(struct http *h, const struct http_request *q, struct http_reply *r)
{
    bool head = strcmp(q->method, "HEAD") == 0;
    bool found;

    if (!head && strcmp(q->method, "GET") != 0) {
        reply_refuse(r, ERR_BAD_REQUEST, "Only GET and HEAD are served here.",
                     "Commands go over the WebSocket at /ws, as PROTOCOL.md shows.");
        r->status = 405;
        r->allow = "GET, HEAD";
        return;
    }
    found = pages_route(&h->pages, q, r);
    for (size_t i = 0; i < sizeof ROUTES / sizeof *ROUTES && !found; i++) {
        size_t n = strlen(ROUTES[i].path);

        found = ROUTES[i].path[n - 1] == '/' ? strncmp(q->path, ROUTES[i].path, n) == 0
                                             : strcmp(q->path, ROUTES[i].path) == 0;
        if (found) ROUTES[i].route(h, q, r);
    }
    if (!found && strcmp(q->path, "/ws") == 0)
        reply_refuse(r, ERR_BAD_REQUEST, "This address speaks WebSocket, subprotocol darkroom.v1.",
                     "Connect with a WebSocket client, as PROTOCOL.md shows.");
    else if (!found)
        reply_refuse(r, ERR_NOT_FOUND, "There is nothing at this address.", "The page is at /.");
    if (head) r->head = true;
}
