/* http_out - bytes that were formatted go first, then those of the body from where they are. */
#include "server/net/http_out.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum {
    CHUNK_BYTES = 16 << 10, /* of a body in one write */
    TURN_BYTES = 256 << 10, /* written to one connection before others get their turn */
    OUT_BYTES = 128 << 20   /* of a stream's chunk */
};

bool http_out_begin(struct http_out *o, const struct http_reply *r, bool last, bool old)
{
    http_out_free(o);
    text_init(&o->bytes, 0, OUT_BYTES);
    reply_head(r, last, old, &o->bytes);
    o->old = old;
    return !o->bytes.code;
}

void http_out_free(struct http_out *o)
{
    text_free(&o->bytes);
    o->sent = 0;
    o->body = 0;
}

static enum out_step put(int fd, const void *bytes, size_t n, int flags, size_t *sent)
{
    ssize_t did = send(fd, bytes, n, flags | MSG_NOSIGNAL);

    *sent = did > 0 ? (size_t)did : 0;
    if (did < 0 && errno != EAGAIN && errno != EINTR) return OUT_GONE;
    return *sent == n ? OUT_DONE : OUT_WAIT;
}

static enum out_step put_bytes(struct http_out *o, int fd, int flags)
{
    size_t left = o->bytes.len - o->sent, sent;
    enum out_step step;

    if (!left) return OUT_DONE;
    step = put(fd, o->bytes.at + o->sent, left, flags, &sent);
    o->sent += sent;
    if (step != OUT_DONE) return step;
    text_free(&o->bytes);
    o->sent = 0;
    return OUT_DONE;
}

/* Some of the body from memory or from its file. */
static enum out_step put_body(struct http_out *o, int fd, struct http_reply *r)
{
    int64_t left = r->bytes - o->body;
    char chunk[CHUNK_BYTES];
    size_t n = left < CHUNK_BYTES ? (size_t)left : (size_t)CHUNK_BYTES, sent;
    const void *bytes = reply_body(r, o->body, chunk, n);
    enum out_step step;

    /* content-length was sent: hang up, so that the client sees it is cut short */
    if (!bytes) return OUT_GONE;
    step = put(fd, bytes, n, 0, &sent);
    o->body += (int64_t)sent;
    return step;
}

enum out_step http_out_reply(struct http_out *o, int fd, struct http_reply *r)
{
    int64_t until = o->body + TURN_BYTES;
    enum out_step step = put_bytes(o, fd, !r->head && r->bytes ? MSG_MORE : 0);

    if (r->head) return step;
    while (step == OUT_DONE && o->body < r->bytes)
        step = o->body < until ? put_body(o, fd, r) : OUT_WAIT;
    reply_rest(r);
    return step;
}

bool http_out_chunk(struct http_out *o, struct text *t)
{
    if (!o->bytes.at) text_init(&o->bytes, 0, OUT_BYTES);
    if (!o->old) text_printf(&o->bytes, "%zx\r\n", t->len);
    text_bytes(&o->bytes, t->at + t->head, t->len);
    if (!o->old) text_raw(&o->bytes, "\r\n");
    if (t->code) o->bytes.code = t->code;
    text_free(t);
    return !o->bytes.code;
}

bool http_out_end(struct http_out *o)
{
    if (!o->bytes.at) text_init(&o->bytes, 0, OUT_BYTES);
    if (!o->old) text_raw(&o->bytes, "0\r\n\r\n");
    return !o->bytes.code;
}

enum out_step http_out_send(struct http_out *o, int fd)
{
    return put_bytes(o, fd, 0);
}
