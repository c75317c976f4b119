/* routes - a table of routes; a page's ETag is the digest of its bytes, a result's is its own name. */
#include "server/http/routes.h"

#include "proto/text.h"
#include "proto/url.h"
#include "server/worker/png.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct http_header HTTP_SECURITY[] = {
    {"content-security-policy:",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
     "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
     "frame-ancestors 'none'"},
    {"x-content-type-options:", "nosniff"},
    {"x-frame-options:", "DENY"},
    {"referrer-policy:", "no-referrer"},
    {"cross-origin-opener-policy:", "same-origin"},
    {"cross-origin-resource-policy:", "same-origin"},
    {"permissions-policy:", "camera=(), geolocation=(), microphone=()"},
    {NULL, NULL},
};

static const struct {
    const char *suffix, *type;
} TYPES[] = {
    {".html", "text/html; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".json", "application/json"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".webmanifest", "application/manifest+json"},
};

struct http {
    struct http_conf conf;
    int n_pages;
    char (*etags)[24]; /* of each page, with quotes */
};

int http_new(struct http **out, const struct http_conf *conf, struct fail *f)
{
    struct http *h = calloc(1, sizeof *h);
    *out = h;
    if (!h) return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the page.");
    h->conf = *conf;
    while (conf->pages[h->n_pages].path)
        h->n_pages++;
    h->etags = calloc((size_t)h->n_pages + 1, sizeof *h->etags);
    if (!h->etags) {
        http_free(h);
        *out = NULL;
        return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the page.");
    }
    for (int i = 0; i < h->n_pages; i++) {
        char digest[PNG_DIGEST_TEXT];
        const struct http_page *p = &conf->pages[i];
        png_digest(p->start, (size_t)(p->end - p->start), digest);
        snprintf(h->etags[i], sizeof h->etags[i], "\"%.20s\"", digest);
    }
    return 0;
}

void http_free(struct http *h)
{
    if (!h) return;
    free(h->etags);
    free(h);
}

static void reply_init(struct http_reply *r, int status)
{
    memset(r, 0, sizeof *r);
    r->status = status;
    r->cache = "no-store";
    r->fd = -1;
}

void http_reply_free(struct http_reply *r)
{
    free(r->owned);
    if (r->fd >= 0) close(r->fd);
    reply_init(r, 0);
}

static void reply_text(struct http_reply *r, struct text *t, const char *type)
{
    size_t len;
    r->owned = text_take(t, &len);
    r->body = (const uint8_t *)r->owned;
    r->bytes = r->owned ? (int64_t)len : 0;
    r->type = type;
}

void http_refuse(struct http_reply *r, const struct fail *why, int status)
{
    struct text t;
    reply_init(r, status);
    if (why->retry_after_ms > 0) r->retry_after_s = (int)((why->retry_after_ms + 999) / 1000);
    text_init(&t, 0, 4096);
    text_open(&t, NULL, '{');
    text_string(&t, "code", fail_wire(why->code));
    text_string(&t, "message", why->message);
    text_string(&t, "hint", why->hint);
    text_close(&t, '}');
    reply_text(r, &t, "application/json");
}

static void refuse(struct http_reply *r, enum err code, const char *message, const char *hint)
{
    struct fail f;
    fail_set(&f, code, "%s", message);
    fail_advise(&f, "%s", hint);
    http_refuse(r, &f, fail_status(code));
}

/* RFC 9110: a list of tags or *; weak ones compare equal. */
static bool etag_matches(const char *list, const char *etag)
{
    return *list && (strcmp(list, "*") == 0 || strstr(list, etag));
}

static void not_modified(struct http_reply *r, const struct http_request *q)
{
    if (!etag_matches(q->if_none_match, r->etag)) return;
    r->status = 304;
    r->head = true;
}

static const char *type_of(const char *path)
{
    size_t len = strlen(path);
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++) {
        size_t n = strlen(TYPES[i].suffix);
        if (len > n && strcmp(path + len - n, TYPES[i].suffix) == 0) return TYPES[i].type;
    }
    return "application/octet-stream";
}

static bool route_page(struct http *h, const struct http_request *q, struct http_reply *r)
{
    const char *path = strcmp(q->path, "/") == 0 ? "/index.html" : q->path;
    for (int i = 0; i < h->n_pages; i++) {
        const struct http_page *p = &h->conf.pages[i];
        if (strcmp(p->path, path) != 0) continue;
        reply_init(r, 200);
        r->type = type_of(path);
        r->cache = "no-cache";
        r->body = p->start;
        r->bytes = p->end - p->start;
        snprintf(r->etag, sizeof r->etag, "%s", h->etags[i]);
        not_modified(r, q);
        return true;
    }
    return false;
}

static bool wants_download(const char *query)
{
    for (const char *at = query; at; at = strchr(at, '&')) {
        if (*at == '&') at++;
        if (strncmp(at, "download=1", 10) == 0 && (!at[10] || at[10] == '&')) return true;
    }
    return false;
}

static void route_result(struct http *h, const struct http_request *q, struct http_reply *r)
{
    struct store_file file;
    struct fail f;
    char digest[URL_DIGEST];
    if (!url_picture_parse(q->path, digest)) {
        refuse(r, ERR_NOT_FOUND, "There is no such picture.",
               "Take the address from a job's result: /i/, 64 hex digits, .png.");
        return;
    }
    if (store_find(h->conf.store, digest, &file, &f)) {
        http_refuse(r, &f, fail_status(f.code));
        return;
    }
    reply_init(r, 200);
    r->fd = file.fd;
    r->bytes = file.bytes;
    r->type = "image/png";
    r->cache = "public, max-age=31536000, immutable";
    snprintf(r->etag, sizeof r->etag, "\"%s\"", digest);
    if (wants_download(q->query)) {
        char *cut = strstr(file.name, digest); /* a name for people: the first digits are enough */
        if (cut) snprintf(cut, sizeof file.name - (size_t)(cut - file.name), "%.8s.png", digest);
        snprintf(r->disposition, sizeof r->disposition, "attachment; filename=\"%s\"", file.name);
    }
    not_modified(r, q);
}

static void route_health(struct http *h, const struct http_request *q, struct http_reply *r)
{
    struct hub_counts n;
    struct text t;
    (void)q;
    hub_counts(h->conf.hub, &n);
    bool ok = n.ready && !n.stopping;
    reply_init(r, ok ? 200 : 503);
    if (!ok) r->retry_after_s = 1;
    text_init(&t, 0, 4096);
    text_open(&t, NULL, '{');
    text_bool(&t, "ok", ok);
    text_string(&t, "version", h->conf.version);
    text_string(&t, "model", h->conf.model);
    text_int(&t, "running", n.running);
    text_int(&t, "queued", n.queued);
    text_close(&t, '}');
    reply_text(r, &t, "application/json");
}

static void metric(struct text *t, const char *name, const char *type, const char *help, int64_t n)
{
    text_printf(t, "# HELP darkroom_%s %s\n# TYPE darkroom_%s %s\ndarkroom_%s %" PRId64 "\n", name,
                help, name, type, name, n);
}

static void metric_histogram(struct text *t, const struct histogram *l)
{
    static const char name[] = "darkroom_frame_lag_seconds";
    uint64_t seen = 0;
    text_printf(t, "# HELP %s From the end of a quantum to its preview in the socket.\n", name);
    text_printf(t, "# TYPE %s histogram\n", name);
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += l->count[i];
        text_printf(t, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name,
                    (double)HISTOGRAM_BOUNDS_US[i] / 1e6, seen);
    }
    text_printf(t, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %g\n%s_count %" PRIu64 "\n", name,
                l->n, name, (double)l->sum_us / 1e6, name, l->n);
}

static void route_metrics(struct http *h, const struct http_request *q, struct http_reply *r)
{
    struct hub_counts n;
    struct text t;
    (void)q;
    hub_counts(h->conf.hub, &n);
    reply_init(r, 200);
    text_init(&t, 0, 8192);
    metric(&t, "ready", "gauge", "1 when the model is loaded.", n.ready);
    metric(&t, "cap", "gauge", "Pictures that may be drawn at a time.", n.cap);
    metric(&t, "jobs_running", "gauge", "Jobs on the device.", n.running);
    metric(&t, "jobs_queued", "gauge", "Jobs that wait.", n.queued);
    metric(&t, "jobs_done_total", "counter", "Jobs that ended with a picture.", n.done);
    metric(&t, "jobs_failed_total", "counter", "Jobs that failed.", n.failed);
    metric(&t, "jobs_cancelled_total", "counter", "Jobs that were cancelled.", n.cancelled);
    if (h->conf.frame_lag) metric_histogram(&t, h->conf.frame_lag);
    reply_text(r, &t, "text/plain; version=0.0.4");
}

static const struct {
    const char *path; /* with a slash at its end: all below it */
    void (*route)(struct http *, const struct http_request *, struct http_reply *);
} ROUTES[] = {
    {URL_PICTURES, route_result},
    {"/healthz", route_health},
    {"/metrics", route_metrics},
};

void http_route(struct http *h, const struct http_request *q, struct http_reply *r)
{
    bool head = strcmp(q->method, "HEAD") == 0;
    if (!head && strcmp(q->method, "GET") != 0) {
        refuse(r, ERR_BAD_REQUEST, "Only GET and HEAD are served here.",
               "Commands go over the WebSocket at /ws, as PROTOCOL.md shows.");
        r->status = 405;
        r->allow = "GET, HEAD";
        return;
    }
    bool found = route_page(h, q, r);
    for (size_t i = 0; i < sizeof ROUTES / sizeof *ROUTES && !found; i++) {
        size_t n = strlen(ROUTES[i].path);
        found = ROUTES[i].path[n - 1] == '/' ? strncmp(q->path, ROUTES[i].path, n) == 0
                                             : strcmp(q->path, ROUTES[i].path) == 0;
        if (found) ROUTES[i].route(h, q, r);
    }
    if (!found && strcmp(q->path, "/ws") == 0)
        refuse(r, ERR_BAD_REQUEST, "This address speaks WebSocket, subprotocol darkroom.v1.",
               "Connect with a WebSocket client, as PROTOCOL.md shows.");
    else if (!found)
        refuse(r, ERR_NOT_FOUND, "There is nothing at this address.", "The page is at /.");
    if (head) r->head = true;
}
