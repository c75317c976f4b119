/* reply - the headers that every reply carries, and the kinds of body. */
#include "server/http/reply.h"

#include "proto/event.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const struct http_header HTTP_SECURITY[] = {
    {"content-security-policy",
     /* the digest is that of the only script inside index.html */
     "default-src 'none'; script-src 'self' 'sha256-5v2xFkAezZRFycPQL6tFyAQ1gm6jOY2Mk2SzGayQ7hc='; "
     "style-src 'self'; img-src 'self' blob:; "
     "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
     "frame-ancestors 'none'"},
    {"x-content-type-options", "nosniff"},
    {"x-frame-options", "DENY"},
    {"referrer-policy", "no-referrer"},
    {"cross-origin-opener-policy", "same-origin"},
    {"cross-origin-resource-policy", "same-origin"},
    {"permissions-policy", "camera=(), geolocation=(), microphone=()"},
    {NULL, NULL},
};

void reply_init(struct http_reply *r, int status)
{
    memset(r, 0, sizeof *r);
    r->status = status;
    r->cache = "no-store";
    r->fd = -1;
}

void reply_free(struct http_reply *r)
{
    free(r->owned);
    free(r->link);
    reply_rest(r);
    reply_init(r, 0);
}

void reply_rest(struct http_reply *r)
{
    if (r->fd >= 0) close(r->fd);
    r->fd = -1;
}

static bool open_picture(struct http_reply *r)
{
    struct store_file file;
    char digest[65] = "";

    memccpy(digest, r->etag + 1, '"', sizeof digest - 1);
    if (store_find(r->store, &r->asker, digest, &file, NULL)) return false;
    r->fd = file.fd;
    return true;
}

const void *reply_body(struct http_reply *r, int64_t at, void *chunk, size_t n)
{
    at += r->from;
    if (!r->store) return r->body + at;
    if (r->fd < 0 && !open_picture(r)) return NULL;
    return pread(r->fd, chunk, n, (off_t)at) == (ssize_t)n ? chunk : NULL;
}

void reply_text(struct http_reply *r, struct text *t, const char *type)
{
    size_t len;

    r->owned = text_take(t, &len);
    r->body = (const uint8_t *)r->owned;
    r->bytes = r->owned ? (int64_t)len : 0;
    r->type = type;
}

static const char *phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } all[] = {
        {200, "OK"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].status == status) return all[i].phrase;
    return "";
}

void reply_init_fail(struct http_reply *r, const struct fail *why, int status)
{
    reply_init(r, status);
    if (why->retry_after_ms > 0) r->retry_after_s = (int)((why->retry_after_ms + 999) / 1000);
}

void reply_fail(struct http_reply *r, const struct fail *why, int status)
{
    struct text t;

    reply_init_fail(r, why, status);
    text_init(&t, 0, 8192);
    text_open(&t, NULL, '{');
    text_string(&t, "title", phrase(status));
    text_int(&t, "status", status);
    text_string(&t, "detail", why->message);
    event_write_fail(why, &t);
    text_close(&t, '}');
    reply_text(r, &t, "application/problem+json");
}

void reply_refuse(struct http_reply *r, enum err code, const char *message, const char *hint)
{
    struct fail f;

    fail_set(&f, code, "%s", message);
    fail_advise(&f, "%s", hint);
    reply_fail(r, &f, fail_status(code));
}

bool reply_picture(struct http_reply *r, const uint8_t *file, size_t bytes, const char *type)
{
    r->owned = malloc(bytes);
    if (!r->owned) {
        reply_refuse(r, ERR_OUT_OF_MEMORY, "No memory for the picture.", "Fetch it again later.");
        return false;
    }
    memcpy(r->owned, file, bytes);
    r->body = (const uint8_t *)r->owned;
    r->bytes = (int64_t)bytes;
    r->type = type;
    return true;
}

/* --- on the wire ------------------------------------------------------------------------------ */

static void put(struct text *t, const char *name, const char *value)
{
    if (value && *value) text_printf(t, "%s: %s\r\n", name, value);
}

static void put_date(struct text *t)
{
    time_t now = time(NULL);
    struct tm tm;
    char date[40];

    gmtime_r(&now, &tm);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    put(t, "date", date);
}

/* For a page of a site of --origins. Its cookies are not sent here (SameSite): it shows a token. It
 * may send any header, as the libraries of other dialects have their own; the star stands for no
 * `authorization`, and old browsers do not know it. */
static void put_cors(const struct http_reply *r, struct text *t)
{
    put(t, "access-control-allow-origin", r->origin);
    put(t, "vary", "origin");
    if (!r->preflight) {
        put(t, "access-control-expose-headers",
            "location, etag, link, preference-applied, retry-after, retry-after-ms, "
            "x-should-retry");
        return;
    }
    put(t, "access-control-allow-methods", r->allow);
    put(t, "access-control-allow-headers",
        "authorization, content-type, idempotency-key, last-event-id, prefer, *");
    put(t, "access-control-max-age", "600");
}

void reply_head(const struct http_reply *r, bool last, bool old, struct text *t)
{
    text_printf(t, "HTTP/1.1 %d %s\r\n", r->status, phrase(r->status));
    put(t, "server", "darkroom");
    put_date(t);
    for (const struct http_header *h = HTTP_SECURITY; h->name; h++)
        put(t, h->name, h->value);
    put(t, "content-type", r->type);
    put(t, "content-language", r->language);
    put(t, "cache-control", r->cache);
    put(t, "vary", r->vary);
    if (!r->preflight) put(t, "allow", r->allow);
    put(t, "set-cookie", r->cookie);
    if (r->status == 401) put(t, "www-authenticate", "Bearer realm=\"darkroom\"");
    if (r->retry_after_s) text_printf(t, "retry-after: %d\r\n", r->retry_after_s);
    if (r->retry_after_ms) text_printf(t, "retry-after-ms: %" PRId64 "\r\n", r->retry_after_ms);
    put(t, "x-should-retry", r->should_retry);
    put(t, "etag", r->etag);
    put(t, "content-disposition", r->disposition);
    put(t, "location", r->location);
    put(t, "preference-applied", r->applied);
    put(t, "link", r->link);
    put(t, "content-encoding", r->encoding);
    put(t, "content-range", r->content_range);
    if (r->parts) put(t, "accept-ranges", "bytes");
    if (r->origin) put_cors(r, t);
    if (!r->stream && r->status != 304 && r->status != 204)
        text_printf(t, "content-length: %" PRId64 "\r\n", r->bytes);
    if (r->stream && !old) put(t, "transfer-encoding", "chunked");
    if (r->stream) put(t, "x-accel-buffering", "no"); /* nginx: pass it on as it comes */
    if (last) put(t, "connection", "close");
    text_raw(t, "\r\n");
}
