/* exchange - opens a client, hands its messages to a translator, keeps what that answers. */
#include "server/http/exchange.h"

#include "proto/limits.h"
#include "server/base/waker.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STREAM_BYTES = 64 << 20 /* that one write of a translator may add */ };

struct exchange {
    struct waker waker; /* the hub's */
    const struct translator *translator;
    const struct backend *backend;
    struct client *client;
    struct http_reply *reply;
    const struct lift *lift; /* the request's, while it begins */
    enum exchange_state state;
    struct text out;
    int64_t now, alarm_us;
    bool lasting, gone;
    struct exchange_conn conn;
    struct conversion *conversion; /* with the converter; NULL: none */
    _Alignas(max_align_t) char own[];
};

/* --- life ------------------------------------------------------------------------------------- */

static void wake(struct waker *w)
{
    struct exchange *x = (struct exchange *)(void *)w;

    if (x->conn.wake) x->conn.wake(x->conn.arg);
}

/* Previews cost device time: none, until they are asked for. */
static void without_previews(struct exchange *x)
{
    struct command c = {.kind = COMMAND_PREVIEWS, .previews = {.format = FRAME_NONE}};
    bool binary;

    hub_command(x->backend->hub, x->now, x->client, &c);
    blob_unref(hub_next(x->backend->hub, x->now, x->client, &binary));
}

struct exchange *exchange_new(const struct backend *b, const struct translator *t,
                              const struct http_request *q, int64_t now, struct http_reply *r)
{
    const struct user *user = q->asker->user;
    struct exchange *x = calloc(1, sizeof *x + t->state);

    if (x) {
        x->waker.wake = wake;
        x->client = q->asker->shared ? hub_open_guest(b->hub, &x->waker, q->asker->shared)
                                     : hub_open(b->hub, &x->waker, user ? user->id : USER_NONE);
    }
    if (!x || !x->client) {
        free(x);
        reply_refuse(r, ERR_OUT_OF_MEMORY, "No memory for the request.", "Send it again later.");
        return NULL;
    }
    hub_comes_from(x->client, q->asker->host);
    x->translator = t;
    x->lasting = t->lasting;
    x->backend = b;
    x->reply = r;
    x->now = now;
    x->alarm_us = INT64_MAX;
    text_init(&x->out, 0, STREAM_BYTES);
    without_previews(x);
    x->lift = q->lift;
    t->begin(x, q);
    x->lift = NULL;
    return x;
}

void exchange_free(struct exchange *x, int64_t now, bool gone)
{
    if (!x) return;
    x->now = now;
    x->gone = gone;
    if (x->conversion) x->conversion->owner = NULL;
    if (x->translator->end) x->translator->end(x);
    hub_close(x->backend->hub, now, x->client);
    text_free(&x->out);
    free(x);
}

void exchange_bind(struct exchange *x, const struct exchange_conn *conn)
{
    x->conn = *conn;
}

/* --- for the connection ----------------------------------------------------------------------- */

static bool takes(const struct exchange *x)
{
    return x->state < EXCHANGE_FINISHED && x->state != EXCHANGE_ANSWERED && !x->out.len;
}

/* An answer that did not fit in memory is a connection that is cut. */
static void check_broken(struct exchange *x)
{
    struct fail f;

    if (x->state != EXCHANGE_WAITS || hub_backlog(x->client) <= LIMIT_OUTBOX_BYTES) return;
    fail_set(&f, ERR_OUT_OF_MEMORY, "No memory for the answer.");
    exchange_refuse(x, &f);
}

static void take_messages(struct exchange *x)
{
    struct blob *m;
    bool binary;

    while (takes(x) && (m = hub_next(x->backend->hub, x->now, x->client, &binary))) {
        x->translator->message(x, m, binary);
        blob_unref(m);
    }
}

enum exchange_state exchange_run(struct exchange *x, int64_t now)
{
    x->now = now;
    check_broken(x);
    if (takes(x) && x->state == EXCHANGE_STREAMS && x->translator->more) x->translator->more(x);
    take_messages(x);
    if (takes(x) && x->translator->idle) {
        x->translator->idle(x);
        take_messages(x); /* the answers to what it has sent */
    }
    return x->state;
}

enum exchange_state exchange_state(const struct exchange *x)
{
    return x->state;
}

struct text *exchange_out(struct exchange *x)
{
    return &x->out;
}

int64_t exchange_due(const struct exchange *x)
{
    return x->alarm_us;
}

void exchange_timer(struct exchange *x, int64_t now)
{
    x->now = now;
    if (now < x->alarm_us || !takes(x)) return;
    x->alarm_us = INT64_MAX;
    x->translator->alarm(x);
}

void exchange_drain(struct exchange *x, int64_t now)
{
    x->now = now;
    if (takes(x) && x->translator->drain) x->translator->drain(x);
}

bool exchange_is_cut(const struct exchange *x)
{
    return hub_is_cut(x->client);
}

bool exchange_lasts(const struct exchange *x)
{
    return x->lasting || x->state == EXCHANGE_STREAMS;
}

/* --- for translators -------------------------------------------------------------------------- */

void *exchange_own(struct exchange *x)
{
    return x->own;
}

const struct lift *exchange_lift(const struct exchange *x)
{
    return x->lift;
}

const struct backend *exchange_backend(const struct exchange *x)
{
    return x->backend;
}

int64_t exchange_now(const struct exchange *x)
{
    return x->now;
}

void exchange_send(struct exchange *x, const json_t *command)
{
    hub_json(x->backend->hub, x->now, x->client, command);
}

void exchange_send_job(struct exchange *x, const char *type, const char *job)
{
    json_t *c =
        job ? json_pack("{ssss}", "type", type, "job", job) : json_pack("{ss}", "type", type);

    exchange_send(x, c);
    json_decref(c);
}

void exchange_upload(struct exchange *x, const char *ref, const void *bytes, size_t len,
                     bool private)
{
    hub_upload(x->backend->hub, x->now, x->client, ref, bytes, len, private);
}

struct http_reply *exchange_reply(struct exchange *x, int status)
{
    struct http_reply *r = x->reply;

    reply_free(r);
    reply_init(r, status);
    r->exchange = x;
    return r;
}

void exchange_answer(struct exchange *x)
{
    assert(x->state == EXCHANGE_WAITS);
    x->state = EXCHANGE_ANSWERED;
}

void exchange_write_fail(const struct translator *t, struct http_reply *r, const struct fail *f,
                         int status)
{
    if (t && t->refuse)
        t->refuse(r, f, status);
    else
        reply_fail(r, f, status);
}

void exchange_refuse(struct exchange *x, const struct fail *f)
{
    struct http_reply *r = exchange_reply(x, 0);

    exchange_write_fail(x->translator, r, f, fail_status(f->code));
    r->exchange = x;
    exchange_answer(x);
}

struct http_reply *exchange_pass(struct exchange *x, int status, const struct blob *m)
{
    struct http_reply *r = exchange_reply(x, status);
    struct text t;

    text_init(&t, 0, m->len + 1);
    text_bytes(&t, m->data, m->len);
    reply_text(r, &t, "application/json");
    r->answer = true;
    exchange_answer(x);
    return r;
}

struct text *exchange_stream(struct exchange *x)
{
    assert(x->state == EXCHANGE_WAITS || x->state == EXCHANGE_STREAMS);
    x->state = EXCHANGE_STREAMS;
    return &x->out;
}

struct text *exchange_stream_as(struct exchange *x, const char *type)
{
    struct http_reply *r;

    if (x->state == EXCHANGE_WAITS) {
        r = exchange_reply(x, 200);
        r->stream = true;
        r->type = type;
    }
    return exchange_stream(x);
}

void exchange_finish(struct exchange *x)
{
    assert(x->state == EXCHANGE_STREAMS);
    x->state = EXCHANGE_FINISHED;
}

static bool begin_conversion(struct exchange *x, struct conversion what)
{
    struct conversion *c = malloc(sizeof *c);

    assert(!x->conversion);
    if (!c) return false;
    what.owner = x;
    *c = what;
    x->conversion = c;
    x->backend->convert(x->backend->arg, c);
    return true;
}

bool exchange_convert(struct exchange *x, const struct store_file *file, enum picture_format format,
                      int quality, int px)
{
    const struct conversion what = {
        .fd = file->fd, .bytes = file->bytes, .format = format, .quality = quality, .px = px};

    if (begin_conversion(x, what)) return true;
    close(file->fd);
    return false;
}

bool exchange_convert_bytes(struct exchange *x, const void *png, size_t len,
                            enum picture_format format, int quality)
{
    const struct conversion what = {
        .png = blob_copy(png, len), .fd = -1, .format = format, .quality = quality};

    if (what.png && begin_conversion(x, what)) return true;
    blob_unref(what.png);
    return false;
}

void exchange_converted(struct conversion *c)
{
    struct exchange *x = c->owner;

    if (!x) return;
    x->conversion = NULL;
    x->translator->converted(x, c->file);
    wake(&x->waker);
}

void exchange_alarm(struct exchange *x, int64_t at_us)
{
    x->alarm_us = at_us;
}

void exchange_lasting(struct exchange *x)
{
    x->lasting = true;
}

bool exchange_gone(const struct exchange *x)
{
    return x->gone;
}

/* --- messages of the hub ---------------------------------------------------------------------- */

bool exchange_is(const struct blob *m, const char *type)
{
    static const char begin[] = "{\"type\":\"";
    size_t head = sizeof begin - 1, n = strlen(type);

    return m->len > head + n && memcmp(m->data, begin, head) == 0
           && memcmp(m->data + head, type, n) == 0 && m->data[head + n] == '"';
}

json_t *exchange_read(const struct blob *m)
{
    return text_parse((const char *)m->data, m->len, m->len, NULL);
}

void exchange_fail(const json_t *o, struct fail *f)
{
    const char *code = json_string_value(json_object_get(o, "code"));
    const char *field = json_string_value(json_object_get(o, "field"));
    const char *message = json_string_value(json_object_get(o, "message"));
    const char *hint = json_string_value(json_object_get(o, "hint"));

    fail_field(f, code ? fail_from_wire(code) : ERR_INTERNAL, field ? field : "", "%s",
               message ? message : "No memory for the error.");
    if (hint) fail_advise(f, "%s", hint);
    f->retry_after_ms = (int64_t)json_number_value(json_object_get(o, "retry_after_ms"));
}

void exchange_error(const struct blob *m, struct fail *f)
{
    json_t *o = exchange_read(m);

    exchange_fail(o, f);
    json_decref(o);
}
