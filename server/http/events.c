/* events - each message of the hub is one event of the stream. */
#include "server/http/events.h"

#include "proto/answer.h"
#include "proto/id.h"
#include "proto/limits.h"
#include "server/http/base64.h"
#include "server/http/query.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { BEAT_US = 15000000, RETRY_MS = 1000 };

struct feed {
    char job[ID_TEXT]; /* "": of the statistics */
    bool over;         /* the job had ended when the stream began */
};

/* --- the stream ------------------------------------------------------------------------------- */

static void beat_later(struct exchange *x)
{
    exchange_alarm(x, exchange_now(x) + BEAT_US);
}

/* Where to write the next event; the first time the stream begins. */
static struct text *stream(struct exchange *x)
{
    struct http_reply *r;
    struct text *t;

    beat_later(x);
    if (exchange_state(x) == EXCHANGE_STREAMS) return exchange_stream(x);
    r = exchange_reply(x, 200);
    r->stream = true;
    r->type = "text/event-stream";
    t = exchange_stream(x);
    text_printf(t, "retry: %d\n\n", RETRY_MS);
    return t;
}

static void write_text(struct text *t, const struct blob *m)
{
    json_t *o = exchange_read(m), *seq = json_object_get(o, "seq");
    const char *type = json_string_value(json_object_get(o, "type"));

    if (seq) text_printf(t, "id: %.0f\n", json_number_value(seq));
    text_printf(t, "event: %s\ndata: ", type ? type : "message");
    text_bytes(t, m->data, m->len);
    text_raw(t, "\n\n");
    json_decref(o);
}

/* A preview frame as JSON, its image in base64. */
static void write_preview(struct text *t, const struct blob *m)
{
    struct frame h;
    struct text data;

    if (frame_decode(m->data, m->len, &h, NULL)) return;
    text_init(&data, 0, 2 * LIMIT_FRAME_BYTES);
    text_open(&data, NULL, '{');
    text_string(&data, "type", "preview");
    text_id(&data, "job", h.job);
    text_int(&data, "seq", (int64_t)h.seq);
    text_string(&data, "phase", event_phase_name((enum event_phase)h.phase));
    text_int(&data, "width", h.width);
    text_int(&data, "height", h.height);
    text_string(&data, "mime", h.format == FRAME_PNG ? "image/png" : "image/jpeg");
    text_raw(&data, ",\"data\":\"");
    base64_write(m->data + FRAME_HEADER, h.bytes, &data);
    text_raw(&data, "\"}");
    if (!data.code) {
        text_printf(t, "id: %" PRIu64 "\nevent: preview\ndata: ", h.seq);
        text_bytes(t, data.at, data.len);
        text_raw(t, "\n\n");
    }
    text_free(&data);
}

/* --- what the hub says ------------------------------------------------------------------------ */

/* A direct answer: ok to watch and previews, the job that the heart beat asks for, or an error. */
static void direct(struct exchange *x, const struct blob *m)
{
    struct feed *s = exchange_own(x);
    json_t *o = exchange_read(m);
    const char *state = json_string_value(json_object_get(o, "state"));
    bool error = exchange_is(m, "error");
    struct fail f;

    if (exchange_is(m, "ok") && state)
        s->over = strcmp(state, "queued") != 0 && strcmp(state, "running") != 0;
    if (error && exchange_state(x) == EXCHANGE_WAITS) {
        exchange_error(m, &f);
        exchange_refuse(x, &f);
    } else if (error) { /* the job was deleted, or the server stops: nothing will follow */
        write_text(stream(x), m);
        exchange_finish(x);
    }
    json_decref(o);
}

static void message(struct exchange *x, const struct blob *m, bool binary)
{
    if (binary) {
        write_preview(stream(x), m);
        return;
    }
    if (exchange_is(m, "ok") || exchange_is(m, "job") || exchange_is(m, "error")) {
        direct(x, m);
        return;
    }
    write_text(stream(x), m);
    if (exchange_is(m, "end")) exchange_finish(x);
}

/* Nothing is there for now: the stream begins anyway, unless nothing will ever come. */
static void idle(struct exchange *x)
{
    struct feed *s = exchange_own(x);

    if (exchange_state(x) != EXCHANGE_WAITS) return;
    if (!s->over) {
        stream(x);
        return;
    }
    exchange_reply(x, 204);
    exchange_answer(x);
}

/* A heart beat, and a look whether the job is still there: a deleted one says nothing more. */
static void beat(struct exchange *x)
{
    struct feed *s = exchange_own(x);

    text_raw(stream(x), ":\n\n");
    if (*s->job) exchange_send_job(x, "job", s->job);
}

static void drain(struct exchange *x)
{
    struct fail f;
    struct text t;
    struct blob *m;

    fail_set(&f, ERR_SHUTTING_DOWN, "The server stops; accepted jobs are kept.");
    f.retry_after_ms = RETRY_MS;
    text_init(&t, BLOB_HEAD, LIMIT_MESSAGE_BYTES);
    answer_error(NULL, -1, 0, &f, &t);
    m = blob_from_text(&t);
    if (m) direct(x, m);
    blob_unref(m);
}

/* --- requests --------------------------------------------------------------------------------- */

static int read_seq(const struct http_request *q, int64_t *seq, struct fail *f)
{
    const char *last = request_header(q, "last-event-id");
    size_t digits = strspn(last, "0123456789");
    int err = query_whole(q->query, "seq", 0, LIMIT_SEQ_MAX, 0, seq, f);

    if (err || !*last) return err;
    *seq = digits && digits <= 16 && !last[digits] ? strtoll(last, NULL, 10) : -1;
    if (*seq >= 0 && (uint64_t)*seq <= LIMIT_SEQ_MAX) return 0;
    return fail_field(f, ERR_BAD_FIELD, "Last-Event-ID", "Last-Event-ID is not a seq");
}

/* Previews come when they are asked for: previews=1, and how. */
static int ask_previews(struct exchange *x, const struct http_request *q, struct fail *f)
{
    static const char *const others[] = {"seq", "previews", NULL};
    json_t *command = json_pack("{ss}", "type", "previews");
    int64_t on;
    int err = query_whole(q->query, "previews", 0, 1, 0, &on, f);

    if (!err) err = query_command(q->query, COMMAND_PREVIEWS, others, command, f);
    if (!err && on) exchange_send(x, command);
    json_decref(command);
    return err;
}

static void begin_job(struct exchange *x, const struct http_request *q)
{
    struct feed *s = exchange_own(x);
    int64_t seq = 0;
    uint64_t id;
    struct fail f;
    int err = read_seq(q, &seq, &f);
    json_t *watch;

    if (!err && !id_parse(q->param[0].text, &id))
        err = fail_field(&f, ERR_NOT_FOUND, "job", "There is no such job");
    if (!err) err = ask_previews(x, q, &f);
    if (err) {
        exchange_refuse(x, &f);
        return;
    }
    id_format(id, s->job);
    watch = json_pack("{sssssf}", "type", "watch", "job", s->job, "seq", (double)seq);
    exchange_send(x, watch);
    json_decref(watch);
}

static void begin_stats(struct exchange *x, const struct http_request *q)
{
    (void)q;
    exchange_send_job(x, "stats", NULL);
}

const struct translator EVENTS_JOB = {.state = sizeof(struct feed),
                                      .types = "text/event-stream",
                                      .lasting = true,
                                      .begin = begin_job,
                                      .message = message,
                                      .idle = idle,
                                      .alarm = beat,
                                      .drain = drain},
                        EVENTS_STATS = {.state = sizeof(struct feed),
                                        .types = "text/event-stream",
                                        .lasting = true,
                                        .begin = begin_stats,
                                        .message = message,
                                        .alarm = beat,
                                        .drain = drain};
