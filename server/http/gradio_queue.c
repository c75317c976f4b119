/* gradio_queue - joins are submits that outlive their request; a stream follows its session's. */
#include "proto/id.h"
#include "proto/limits.h"
#include "server/http/gradio.h"
#include "server/http/query.h"
#include "server/http/queue.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum {
    SESSION_JOBS = 40,  /* that one stream follows; as many as gradio_client has threads */
    KEY_DIGEST = 16,    /* bytes */
    KEEP_MS = 60000,    /* of a job without a stream */
    ALIVE_US = 10000000 /* clients of /heartbeat wait 20 s */
};

#define KEY_TEXT  (3 + 2 * KEY_DIGEST + 1) /* "gr-", the digest in hex, "-" */
#define KEY_BYTES (KEY_TEXT + 1)
#define ORIGIN    320
#define SSE       "text/event-stream"

/* --- sessions by keys ------------------------------------------------------------------------- */

/* What the keys of this session's jobs begin with; of a user's own session. */
static void session_key(const struct http_request *q, const char *session, char out[KEY_BYTES])
{
    uint8_t digest[KEY_DIGEST];
    char hex[2 * KEY_DIGEST + 1];
    char named[600];
    int n = snprintf(named, sizeof named, "%u/%.512s",
                     (unsigned)(q->asker->user ? q->asker->user->id : USER_NONE), session);

    crypto_generichash(digest, sizeof digest, (const uint8_t *)named, (unsigned long long)n, NULL,
                       0);
    sodium_bin2hex(hex, sizeof hex, digest, sizeof digest);
    snprintf(out, KEY_BYTES, "gr-%s-", hex);
}

/* Behind it: a random word, the size that was asked for when it is another one, a number. */
static void asked_of(const char *key, char out[GRADIO_ASKED])
{
    const char *at = key && strlen(key) > KEY_TEXT ? strchr(key + KEY_TEXT, '-') : NULL;
    size_t n = at ? strcspn(at + 1, "-") : 0;

    *out = 0;
    if (n && n < GRADIO_ASKED && memchr(at + 1, 'x', n))
        snprintf(out, GRADIO_ASKED, "%.*s", (int)n, at + 1);
}

/* --- join ------------------------------------------------------------------------------------- */

/* Takes the body; NULL: f says why. */
static void join(struct exchange *x, const struct http_request *q, json_t *body, struct fail *f)
{
    struct drawing *d = exchange_own(x);
    json_t *spec = NULL;
    const char *session = json_string_value(json_object_get(body, "session_hash"));
    int err = body ? 0 : (int)f->code;
    char asked[GRADIO_ASKED], key[KEY_BYTES + 40], own[KEY_BYTES];

    drawing_init(d, q);
    d->keep_ms = KEEP_MS;
    d->fresh = true; /* its stream finds it by its key */
    if (!err) err = gradio_read(x, d, body, &spec, asked, f);
    if (!err) {
        session_key(q, session ? session : "", own);
        snprintf(key, sizeof key, "%s%08x%s%s", own, (unsigned)randombytes_random(),
                 *asked ? "-" : "", asked);
        drawing_submit(x, d, spec, 1, key);
    } else
        exchange_refuse(x, f);
    json_decref(spec);
    json_decref(body);
}

static void begin_join(struct exchange *x, const struct http_request *q)
{
    struct fail f;

    join(x, q, text_parse(q->body, q->len, LIMIT_MESSAGE_BYTES, &f), &f);
}

static void begin_named(struct exchange *x, const struct http_request *q)
{
    struct fail f;
    json_t *named = text_parse(q->body, q->len, LIMIT_MESSAGE_BYTES, &f);

    join(x, q, named ? gradio_by_place(x, named, &f) : NULL, &f);
    json_decref(named);
}

static void take_join(struct exchange *x, const struct blob *m, bool binary)
{
    struct drawing *d = exchange_own(x);
    struct text t;
    int which;

    if (binary || exchange_state(x) != EXCHANGE_WAITS) return;
    switch (drawing_take(x, d, m, &which)) {
    case DRAWING_FAILED: exchange_refuse(x, &d->why); break;
    case DRAWING_ACCEPTED:
        text_init(&t, 0, 256);
        text_open(&t, NULL, '{');
        text_string(&t, "event_id", d->all[0].job);
        text_close(&t, '}');
        reply_text(exchange_reply(x, 200), &t, "application/json");
        exchange_answer(x);
        break;
    default: break;
    }
}

static void beat_join(struct exchange *x)
{
    drawing_check(x, exchange_own(x));
}

static void end_join(struct exchange *x)
{
    drawing_free(exchange_own(x));
}

#define JOIN(name)                                                               \
    {                                                                            \
        .state = sizeof(struct drawing), .refuse = gradio_refuse, .begin = name, \
        .message = take_join, .alarm = beat_join, .end = end_join                \
    }

const struct translator GRADIO_JOIN = JOIN(begin_join), GRADIO_NAMED = JOIN(begin_named);

/* --- one job's messages ----------------------------------------------------------------------- */

struct followed {
    struct drawn p;
    char asked[GRADIO_ASKED];
};

static void open_message(struct text *t, const char *msg, const char *event)
{
    text_init(t, 0, LIMIT_MESSAGE_BYTES);
    text_open(t, NULL, '{');
    text_string(t, "msg", msg);
    text_string(t, "event_id", event);
}

static void close_message(struct exchange *x, struct text *t)
{
    struct text *out = exchange_stream_as(x, SSE);

    text_close(t, '}');
    text_raw(out, "data: ");
    text_bytes(out, t->at, t->len);
    text_raw(out, "\n\n");
    text_free(t);
}

static double number(const json_t *o, const char *name)
{
    return json_number_value(json_object_get(o, name));
}

static void text_seconds(struct text *t, const char *key, const json_t *ms)
{
    if (json_is_number(ms))
        text_real(t, key, json_number_value(ms) / 1000);
    else
        text_null(t, key);
}

static void write_estimation(struct exchange *x, const struct followed *w, const json_t *o)
{
    double position = number(o, "position");
    struct text t;

    open_message(&t, "estimation", w->p.job);
    text_real(&t, "rank", position > 0 ? position - 1 : 0);
    text_real(&t, "queue_size", number(o, "ahead") + 1);
    text_seconds(&t, "rank_eta", json_object_get(o, "eta_ms"));
    close_message(x, &t);
}

static void write_start(struct exchange *x, const struct followed *w)
{
    struct text t;

    open_message(&t, "process_starts", w->p.job);
    text_null(&t, "eta");
    close_message(x, &t);
}

static void write_progress(struct exchange *x, const struct followed *w, const json_t *o)
{
    const char *phase = json_string_value(json_object_get(o, "phase"));
    bool steps = phase && strcmp(phase, "denoise") == 0;
    struct text t;

    open_message(&t, "progress", w->p.job);
    text_open(&t, "progress_data", '[');
    text_open(&t, NULL, '{');
    text_real(&t, "index", number(o, "done"));
    text_real(&t, "length", number(o, "total"));
    text_string(&t, "unit", steps ? "steps" : "parts");
    text_real(&t, "progress", number(o, "overall"));
    text_string(&t, "desc", phase);
    text_close(&t, '}');
    text_close(&t, ']');
    text_seconds(&t, "rank_eta", json_object_get(o, "eta_ms"));
    close_message(x, &t);
}

static void write_completed(struct exchange *x, const struct followed *w, const char *origin,
                            const struct fail *why)
{
    struct text t;

    open_message(&t, "process_completed", w->p.job);
    text_open(&t, "output", '{');
    if (why) {
        text_string(&t, "error", why->message);
        text_raw(&t, ",\"visible\":true,\"duration\":10,\"title\":\"Error\"");
    } else {
        gradio_write_data(&w->p, w->asked, origin, &t);
        text_bool(&t, "is_generating", false);
        text_real(&t, "duration", w->p.seconds);
        text_real(&t, "average_duration", queue_mean_s(exchange_backend(x), w->p.seconds));
        text_raw(&t, ",\"render_config\":null,\"changed_state_ids\":[]");
    }
    text_close(&t, '}');
    text_bool(&t, "success", !why);
    close_message(x, &t);
}

/* --- a session's stream ----------------------------------------------------------------------- */

struct session {
    char key[KEY_BYTES], origin[ORIGIN];
    struct followed all[SESSION_JOBS];
    int n, over;          /* slots that were taken; those of them whose job is over */
    char newest[ID_TEXT]; /* of the jobs that were followed, "": none yet */
    bool wide;            /* it was not among the last few: look further back */
    bool listing, again;  /* an answer is due; ask once more behind it */
    bool closing;         /* all are over: this list decides whether that is all */
};

static void ask_list(struct exchange *x)
{
    struct session *s = exchange_own(x);
    int limit = s->n && !s->wide ? SESSION_JOBS : LIMIT_LIST; /* also what others came after */
    json_t *c = json_pack("{ss si}", "type", "list", "limit", limit);

    s->listing = true;
    s->again = false;
    exchange_send(x, c);
    json_decref(c);
}

static void begin_data(struct exchange *x, const struct http_request *q)
{
    struct session *s = exchange_own(x);
    char session[512];
    struct fail f;

    if (!query_value(q->query, "session_hash", session, sizeof session) || !*session) {
        fail_field(&f, ERR_BAD_FIELD, "session_hash", "session_hash is missing");
        exchange_refuse(x, &f);
        return;
    }
    session_key(q, session, s->key);
    drawing_origin(x, q, s->origin, sizeof s->origin);
    exchange_send_job(x, "stats", NULL); /* tells when there may be new jobs */
    ask_list(x);
}

static struct followed *find(struct session *s, const char *job)
{
    for (int i = 0; job && i < s->n; i++)
        if (strcmp(s->all[i].p.job, job) == 0) return &s->all[i];
    return NULL;
}

/* A slot that was never taken, or that of a job that is over; NULL: there is none. */
static struct followed *free_slot(struct exchange *x)
{
    struct session *s = exchange_own(x);

    if (s->n < SESSION_JOBS) return &s->all[s->n++];
    for (struct followed *w = s->all; w < s->all + SESSION_JOBS; w++) {
        if (!w->p.over) continue;
        exchange_send_job(x, "unwatch", w->p.job);
        *w = (struct followed){.asked = ""};
        s->over--;
        return w;
    }
    return NULL;
}

/* One of the session's jobs in a list. */
struct listed {
    const char *job, *key;
    bool over;
};

/* false: it must wait for a slot. */
static bool follow(struct exchange *x, const struct listed *l)
{
    struct session *s = exchange_own(x);
    struct followed *w = find(s, l->job);

    if (!w) {
        w = free_slot(x);
        if (!w) return false;
        snprintf(w->p.job, sizeof w->p.job, "%s", l->job);
        asked_of(l->key, w->asked);
        exchange_send_job(x, "watch", l->job);
    }
    snprintf(s->newest, sizeof s->newest, "%s", l->job);
    return true;
}

static struct listed read_row(const json_t *row)
{
    const char *state = json_string_value(json_object_get(row, "state"));

    return (struct listed){.job = json_string_value(json_object_get(row, "job")),
                           .key = json_string_value(json_object_get(row, "key")),
                           .over = state && strcmp(state, "queued") && strcmp(state, "running")};
}

/* The session's jobs that came after the newest that was followed, the newest first; -1: that one
 * is not in the list. */
static int list_new(const struct session *s, const json_t *jobs, struct listed out[LIMIT_LIST])
{
    const json_t *row;
    size_t i;
    int n = 0;

    json_array_foreach(jobs, i, row)
    {
        struct listed l = read_row(row);

        if (n == LIMIT_LIST || !l.job || strcmp(l.job, s->newest) == 0) break;
        if (l.key && strncmp(l.key, s->key, strlen(s->key)) == 0) out[n++] = l;
    }
    return *s->newest && !s->wide && i == json_array_size(jobs) ? -1 : n;
}

/* From the oldest on, as far as there are slots. What an earlier stream of the session has told is
 * left out of more than there are slots for. */
static void follow_new(struct exchange *x, const struct listed *all, int n)
{
    const struct session *s = exchange_own(x);

    while (!*s->newest && n > SESSION_JOBS && all[n - 1].over)
        n--;
    while (n > 0 && follow(x, &all[n - 1]))
        n--;
}

static void close_stream(struct exchange *x)
{
    text_raw(exchange_stream_as(x, SSE), "data: {\"msg\":\"close_stream\",\"event_id\":null}\n\n");
    exchange_finish(x);
}

static void take_list(struct exchange *x, const json_t *o)
{
    struct session *s = exchange_own(x);
    struct listed all[LIMIT_LIST];
    int n = list_new(s, json_object_get(o, "jobs"), all);

    s->listing = false;
    exchange_stream_as(x, SSE);
    s->wide = n < 0;
    if (s->wide) {
        ask_list(x);
        return;
    }
    follow_new(x, all, n);
    if (s->closing && s->over == s->n) {
        close_stream(x);
        return;
    }
    s->closing = false;
    if (s->again) ask_list(x);
}

/* What is over makes room, and a stream of finished jobs ends. */
static void completed(struct exchange *x, struct followed *w, const struct fail *why)
{
    struct session *s = exchange_own(x);

    w->p.over = true;
    s->over++;
    write_completed(x, w, s->origin, why);
    if (s->over < s->n) return;
    s->closing = true;
    ask_list(x);
}

static void take_event(struct exchange *x, struct followed *w, const json_t *o)
{
    const char *type = json_string_value(json_object_get(o, "type"));
    bool started = w->p.started;
    struct fail f;

    switch (drawn_take(&w->p, type, o, &f)) {
    case DRAWING_DONE: completed(x, w, NULL); break;
    case DRAWING_FAILED: completed(x, w, &f); break;
    case DRAWING_PROGRESS:
        if (strcmp(type, "queue") == 0) write_estimation(x, w, o);
        if (w->p.started && !started) write_start(x, w);
        if (strcmp(type, "progress") == 0) write_progress(x, w, o);
        break;
    default: break;
    }
}

/* A direct answer that is an error: a job is not there any more. */
static void take_error(struct exchange *x, struct followed *w, const json_t *o)
{
    struct fail f;

    exchange_fail(o, &f);
    if (exchange_state(x) == EXCHANGE_WAITS)
        exchange_refuse(x, &f);
    else if (w && !w->p.over)
        completed(x, w, &f);
}

static void take_data(struct exchange *x, const struct blob *m, bool binary)
{
    struct session *s = exchange_own(x);
    struct followed *w;
    json_t *o;

    if (binary) return;
    o = exchange_read(m);
    w = find(s, json_string_value(json_object_get(o, "job")));
    if (exchange_is(m, "list"))
        take_list(x, o);
    else if (exchange_is(m, "error"))
        take_error(x, w, o);
    else if (exchange_is(m, "stats") && s->listing)
        s->again = true;
    else if (exchange_is(m, "stats"))
        ask_list(x);
    else if (w && !exchange_is(m, "ok") && !exchange_is(m, "job"))
        take_event(x, w, o);
    json_decref(o);
}

static void beat_later(struct exchange *x)
{
    exchange_alarm(x, exchange_now(x) + DRAWING_BEAT_US);
}

static void idle_data(struct exchange *x)
{
    if (exchange_due(x) == INT64_MAX) beat_later(x);
}

/* No comment: gradio_client takes lines alone that begin with "data:". */
static void beat_data(struct exchange *x)
{
    const struct session *s = exchange_own(x);

    text_raw(exchange_stream_as(x, SSE), "data: {\"msg\":\"heartbeat\"}\n\n");
    for (int i = 0; i < s->n; i++)
        if (!s->all[i].p.over) exchange_send_job(x, "job", s->all[i].p.job);
    beat_later(x);
}

static void drain_data(struct exchange *x)
{
    text_raw(exchange_stream_as(x, SSE),
             "data: {\"msg\":\"Server stopped unexpectedly.\",\"message\":"
             "\"Server stopped unexpectedly.\",\"success\":false}\n\n");
    exchange_finish(x);
}

const struct translator GRADIO_DATA = {.state = sizeof(struct session),
                                       .lasting = true,
                                       .refuse = gradio_refuse,
                                       .begin = begin_data,
                                       .message = take_data,
                                       .idle = idle_data,
                                       .alarm = beat_data,
                                       .drain = drain_data};

/* --- the second step of /call ----------------------------------------------------------------- */

struct result {
    struct followed w;
    char origin[ORIGIN];
};

static void begin_result(struct exchange *x, const struct http_request *q)
{
    struct result *s = exchange_own(x);
    struct fail f;
    uint64_t job;

    if (!id_parse(q->param[1].text, &job)) {
        fail_field(&f, ERR_NOT_FOUND, "event_id", "There is no such event");
        exchange_refuse(x, &f);
        return;
    }
    drawing_origin(x, q, s->origin, sizeof s->origin);
    snprintf(s->w.p.job, sizeof s->w.p.job, "%.16s", q->param[1].text);
    beat_later(x);
    exchange_send_job(x, "watch", q->param[1].text);
}

static void finish_result(struct exchange *x, const struct fail *why)
{
    struct result *s = exchange_own(x);
    struct text *out, t;

    if (exchange_state(x) == EXCHANGE_WAITS && why && why->code == ERR_NOT_FOUND) {
        exchange_refuse(x, why);
        return;
    }
    text_init(&t, 0, LIMIT_MESSAGE_BYTES);
    if (why)
        text_string(&t, NULL, why->message);
    else {
        text_open(&t, NULL, '{');
        gradio_write_data(&s->w.p, s->w.asked, s->origin, &t);
    }
    out = exchange_stream_as(x, SSE);
    text_printf(out, "event: %s\ndata: ", why ? "error" : "complete");
    if (why)
        text_bytes(out, t.at, t.len);
    else /* the array alone */
        text_bytes(out, t.at + strlen("{\"data\":"), t.len - strlen("{\"data\":"));
    text_raw(out, "\n\n");
    text_free(&t);
    exchange_finish(x);
}

static void take_result(struct exchange *x, const struct blob *m, bool binary)
{
    struct result *s = exchange_own(x);
    const char *type;
    struct fail f;
    json_t *o;

    if (binary || exchange_is(m, "notice")) return;
    o = exchange_read(m);
    type = json_string_value(json_object_get(o, "type"));
    if (exchange_is(m, "error")) {
        exchange_fail(o, &f);
        finish_result(x, &f);
    } else if (type && !exchange_is(m, "ok") && !exchange_is(m, "job")) {
        if (exchange_is(m, "accepted"))
            asked_of(json_string_value(json_object_get(o, "key")), s->w.asked);
        switch (drawn_take(&s->w.p, type, o, &f)) {
        case DRAWING_DONE: finish_result(x, NULL); break;
        case DRAWING_FAILED: finish_result(x, &f); break;
        default: break;
        }
    }
    json_decref(o);
}

static void beat_result(struct exchange *x)
{
    const struct result *s = exchange_own(x);

    text_raw(exchange_stream_as(x, SSE), "event: heartbeat\ndata: null\n\n");
    exchange_send_job(x, "job", s->w.p.job);
    beat_later(x);
}

static void drain_result(struct exchange *x)
{
    struct fail f;

    fail_set(&f, ERR_SHUTTING_DOWN, "The server stops.");
    finish_result(x, &f);
}

const struct translator GRADIO_RESULT = {.state = sizeof(struct result),
                                         .lasting = true,
                                         .refuse = gradio_refuse,
                                         .begin = begin_result,
                                         .message = take_result,
                                         .alarm = beat_result,
                                         .drain = drain_result};

/* --- cancel and reset ------------------------------------------------------------------------- */

static void answer_success(struct exchange *x)
{
    struct text t;

    text_init(&t, 0, 64);
    text_raw(&t, "{\"success\":true}");
    reply_text(exchange_reply(x, 200), &t, "application/json");
    exchange_answer(x);
}

static void begin_end(struct exchange *x, const struct http_request *q)
{
    struct fail f;
    json_t *body = text_parse(q->body, q->len, LIMIT_MESSAGE_BYTES, &f);
    const char *event = json_string_value(json_object_get(body, "event_id"));

    if (!body)
        exchange_refuse(x, &f);
    else if (event)
        exchange_send_job(x, "cancel", event);
    else
        answer_success(x);
    json_decref(body);
}

static void take_end(struct exchange *x, const struct blob *m, bool binary)
{
    struct fail f = {0};

    if (binary || exchange_state(x) != EXCHANGE_WAITS) return;
    if (exchange_is(m, "error")) exchange_error(m, &f);
    if (f.code && f.code != ERR_CONFLICT) /* that is one that is over */
        exchange_refuse(x, &f);
    else if (f.code || exchange_is(m, "ok"))
        answer_success(x);
}

const struct translator GRADIO_END = {
    .refuse = gradio_refuse, .begin = begin_end, .message = take_end};

/* --- heartbeat -------------------------------------------------------------------------------- */

static void alive(struct exchange *x)
{
    text_raw(exchange_stream_as(x, SSE), "data: ALIVE\n\n");
    exchange_alarm(x, exchange_now(x) + ALIVE_US);
}

static void begin_alive(struct exchange *x, const struct http_request *q)
{
    (void)q;
    alive(x);
}

static void take_alive(struct exchange *x, const struct blob *m, bool binary)
{
    (void)x, (void)m, (void)binary;
}

const struct translator GRADIO_HEARTBEAT = {.lasting = true,
                                            .refuse = gradio_refuse,
                                            .begin = begin_alive,
                                            .message = take_alive,
                                            .alarm = alive,
                                            .drain = exchange_finish};
