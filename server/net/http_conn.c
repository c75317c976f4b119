/* http_conn - one chunk a writeable callback; a request with a body ends its connection. */
#include "server/net/http_conn.h"

#include "server/net/handshake.h"

#include <string.h>
#include <unistd.h>

enum {
    CHUNK_BYTES = 16 << 10, /* of an HTTP body in one write */
    HEADER_BYTES = 4096
};

static bool add(struct lws *wsi, const char *name, const char *value, uint8_t **at, uint8_t *end)
{
    return *value
           && lws_add_http_header_by_name(wsi, (const unsigned char *)name,
                                          (const unsigned char *)value, (int)strlen(value), at, end)
                  != 0;
}

static bool add_number(struct lws *wsi, const char *name, int64_t n, uint8_t **at, uint8_t *end)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)n);
    return add(wsi, name, text, at, end);
}

/* Status line and headers; true when they did not fit or the socket is gone. */
static bool write_head(struct lws *wsi, const struct http_reply *r, bool last)
{
    uint8_t buffer[LWS_PRE + HEADER_BYTES], *start = buffer + LWS_PRE, *at = start;
    uint8_t *end = buffer + sizeof buffer;
    bool bad = lws_add_http_header_status(wsi, (unsigned)r->status, &at, end) != 0;
    for (const struct http_header *h = HTTP_SECURITY; h->name; h++)
        bad |= add(wsi, h->name, h->value, &at, end);
    if (r->type) bad |= add(wsi, "content-type:", r->type, &at, end);
    if (r->cache) bad |= add(wsi, "cache-control:", r->cache, &at, end);
    if (r->allow) bad |= add(wsi, "allow:", r->allow, &at, end);
    if (r->retry_after_s) bad |= add_number(wsi, "retry-after:", r->retry_after_s, &at, end);
    if (last) bad |= add(wsi, "connection:", "close", &at, end);
    bad |= add(wsi, "etag:", r->etag, &at, end);
    bad |= add(wsi, "content-disposition:", r->disposition, &at, end);
    if (r->status != 304) bad |= add_number(wsi, "content-length:", r->bytes, &at, end);
    return bad || lws_finalize_write_http_header(wsi, start, &at, end);
}

static int finish(struct conn *c)
{
    reply_free(&c->reply);
    c->replying = false;
    if (c->last_request) return -1;
    return lws_http_transaction_completed(c->wsi) ? -1 : 0;
}

/* One chunk of the body; -1 hangs up, 1: all of it is written. */
static int write_some(struct conn *c)
{
    uint8_t buffer[LWS_PRE + CHUNK_BYTES], *chunk = buffer + LWS_PRE;
    int64_t left = c->reply.bytes - c->sent;
    size_t n = left < CHUNK_BYTES ? (size_t)left : (size_t)CHUNK_BYTES;
    if (c->reply.fd < 0)
        memcpy(chunk, c->reply.body + c->sent, n);
    else if (pread(c->reply.fd, chunk, n, (off_t)c->sent) != (ssize_t)n)
        return -1; /* the length was promised: cut off, so that nobody takes it for whole */
    bool last = (int64_t)n == left;
    if (lws_write(c->wsi, chunk, n, last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < 0) return -1;
    c->sent += (int64_t)n;
    return last;
}

int http_conn_writeable(struct conn *c)
{
    if (!c->replying) return 0;
    int done = write_some(c);
    if (done < 0) return -1;
    if (done) return finish(c);
    lws_set_timeout(c->wsi, PENDING_TIMEOUT_HTTP_CONTENT, HTTP_CONN_KEEP_SECONDS);
    lws_callback_on_writable(c->wsi);
    return 0;
}

static int begin(struct conn *c)
{
    c->replying = true;
    c->sent = 0;
    if (write_head(c->wsi, &c->reply, c->last_request)) return -1;
    if (c->reply.head || !c->reply.bytes) return finish(c);
    lws_callback_on_writable(c->wsi);
    return 0;
}

/* Head and body in one go, for replies of a few hundred bytes; true when the socket is gone. */
bool http_conn_write_whole(struct lws *wsi, const struct http_reply *r, bool last)
{
    char body[LWS_PRE + 1024];
    size_t n = (size_t)r->bytes < sizeof body - LWS_PRE ? (size_t)r->bytes : sizeof body - LWS_PRE;
    if (write_head(wsi, r, last)) return true;
    if (r->body) memcpy(body + LWS_PRE, r->body, n);
    return lws_write(wsi, (uint8_t *)body + LWS_PRE, n, LWS_WRITE_HTTP_FINAL) < 0;
}

/* Does a body follow? Any length but zero, written once, and any transfer coding count. */
bool http_conn_has_body(struct lws *wsi)
{
    char length[32];
    int n = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH);
    if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING)) return true;
    conn_header(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH, length, sizeof length);
    return n > 0 && strspn(length, "0") != (size_t)n;
}

/* libwebsockets 4.1.6 reads a buffered segment again and again when nothing of it is consumed, which
 * is what happens to a body behind a reply that waits to be written: answer at once and hang up. */
static int refuse_body(struct conn *c)
{
    if (strcmp(conn_method(c->wsi), "other") != 0 && c->reply.status < 400) {
        struct fail f;
        reply_free(&c->reply);
        fail_set(&f, ERR_BAD_REQUEST, "This request carries a body, and none is read here.");
        fail_advise(&f, "Send GET without Content-Length and Transfer-Encoding.");
        reply_fail(&c->reply, &f, 400);
    }
    http_conn_write_whole(c->wsi, &c->reply, true);
    reply_free(&c->reply);
    return -1;
}

static void too_many(struct http_reply *r)
{
    struct fail f;
    fail_set(&f, ERR_RATE_LIMITED, "There are too many connections.");
    f.retry_after_ms = 5000;
    reply_fail(r, &f, 503);
}

int http_conn_request(struct conn *c, const char *path, size_t len)
{
    char host[256], match[512], query[256], copy[1024];
    struct fail f;
    conn_header(c->wsi, WSI_TOKEN_HOST, host, sizeof host);
    conn_header(c->wsi, WSI_TOKEN_HTTP_IF_NONE_MATCH, match, sizeof match);
    conn_header(c->wsi, WSI_TOKEN_HTTP_URI_ARGS, query, sizeof query);
    snprintf(copy, sizeof copy, "%.*s", (int)(len < sizeof copy ? len : sizeof copy - 1), path);
    struct http_request q = {
        .method = conn_method(c->wsi), .path = copy, .query = query, .if_none_match = match};
    c->last_request = c->over || strcmp(q.method, "other") == 0;
    if (c->over)
        too_many(&c->reply);
    else if (!handshake_host(&c->all->rules, host)) {
        fail_set(&f, ERR_FORBIDDEN, "This Host is not served here.");
        reply_fail(&c->reply, &f, 403);
    } else
        http_route(c->all->http, &q, &c->reply);
    return http_conn_has_body(c->wsi) ? refuse_body(c) : begin(c);
}
