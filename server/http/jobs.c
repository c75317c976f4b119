/* jobs - a request becomes one command, its answer one reply; a wait is a subscription until the
 * end. */
#include "server/http/jobs.h"

#include "proto/id.h"
#include "proto/limits.h"
#include "server/http/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SECOND_US = 1000000 };

struct call {
    enum command_kind kind;
    bool created;     /* a submit was accepted */
    bool waits;       /* the answer comes with the job's end, or .. */
    int64_t until_us; /* .. at this time */
    char job[ID_TEXT];
    char applied[24]; /* the header Preference-Applied, or "" */
    char *pages;      /* of a list: its query without `before` and `skip`, or NULL; owned */
    int64_t skip;
};

bool jobs_has_command(const char *name, bool about_job)
{
    int kind = command_kind_parse(name);

    if (kind < 0 || command_connection((enum command_kind)kind)) return false;
    return about_job ? command_has((enum command_kind)kind, "job")
                     : !command_needs((enum command_kind)kind, "job");
}

/* --- requests --------------------------------------------------------------------------------- */

static const char *const NONE[] = {NULL}, *const WAIT[] = {"wait", NULL};

/* Send the command, or answer with what is wrong; takes it. */
static void send(struct exchange *x, json_t *command, int err, const struct fail *f)
{
    struct call *c = exchange_own(x);

    if (!err) {
        json_object_set_new(command, "type", json_string(command_kind_name(c->kind)));
        exchange_send(x, command);
    } else
        exchange_refuse(x, f);
    json_decref(command);
}

/* Members that say something about a connection, or stand elsewhere in a request. */
static int refuse_member(const json_t *command, const char *name, const char *hint, struct fail *f)
{
    if (!json_object_get(command, name)) return 0;
    fail_field(f, ERR_BAD_FIELD, name, "%s has no meaning in the body of a request", name);
    return fail_advise(f, "%s", hint);
}

static int check_members(enum command_kind kind, const json_t *command, bool job, struct fail *f)
{
    int err = refuse_member(command, "type", "The address says which command it is.", f);

    if (!err) err = refuse_member(command, "ref", "Leave it out: a reply has one request.", f);
    if (!err) err = refuse_member(command, "watch", "Use GET /v1/jobs/JOB/events to follow.", f);
    if (!err && kind == COMMAND_STATS)
        err = refuse_member(command, "on", "Use GET /v1/stats/events to follow.", f);
    if (!err && job) err = refuse_member(command, "job", "The address names the job.", f);
    return err;
}

/* The body's object, empty without a body. *err: 0 or why it is NULL. */
static json_t *body_of(const struct http_request *q, int *err, struct fail *f)
{
    json_t *o = q->len ? text_parse(q->body, q->len, LIMIT_MESSAGE_BYTES, f) : json_object();

    *err = o ? 0 : (int)f->code;
    return o;
}

/* The header Idempotency-Key is the member `key`; its value may stand in quotes. */
static int take_key(const struct http_request *q, json_t *command, struct fail *f)
{
    const char *key = request_header(q, "idempotency-key");
    size_t n = strlen(key);
    bool quoted = n > 1 && *key == '"' && key[n - 1] == '"';

    if (!n) return 0;
    if (json_object_get(command, "key"))
        return fail_field(f, ERR_BAD_FIELD, "key", "key stands beside the header Idempotency-Key");
    if (json_object_set_new(command, "key", json_stringn(key + quoted, n - (quoted ? 2 : 0))) == 0)
        return 0;
    return fail_field(f, ERR_BAD_UTF8, "key", "The header Idempotency-Key is no UTF-8");
}

/* RFC 7240: `Prefer: wait=10`, `respond-async`; what is none of the two is passed over. */
static void take_preference(const struct http_request *q, struct call *c, int64_t *seconds)
{
    char all[256];
    const char *at, *number;

    if (!q->head || !head_list(q->head, "prefer", all, sizeof all)) return;
    for (at = all; *at; at += strcspn(at, ","), at += strspn(at, ", \t")) {
        if (strncasecmp(at, "respond-async", 13) == 0 && strchr(", \t;", at[13]) && !*c->applied)
            snprintf(c->applied, sizeof c->applied, "respond-async");
        number = at + 5;
        if (strncasecmp(at, "wait=", 5) != 0) continue;
        number += *number == '"'; /* section 2: a value is the same in quotes */
        if (!strspn(number, "0123456789")) continue;
        *seconds = strspn(number, "0123456789") > 4 ? JOBS_WAIT_SECONDS : strtol(number, NULL, 10);
        if (*seconds > JOBS_WAIT_SECONDS) *seconds = JOBS_WAIT_SECONDS;
        snprintf(c->applied, sizeof c->applied, "wait=%d", (int)*seconds);
    }
}

static int take_wait(struct exchange *x, const struct http_request *q, struct fail *f)
{
    struct call *c = exchange_own(x);
    int64_t seconds;
    int err = query_whole(q->query, "wait", 0, JOBS_WAIT_SECONDS, -1, &seconds, f);

    if (!err && seconds < 0) take_preference(q, c, &seconds);
    c->waits = !err && seconds > 0;
    c->until_us = exchange_now(x) + seconds * SECOND_US;
    return err;
}

static void begin_submit(struct exchange *x, const struct http_request *q)
{
    struct call *c = exchange_own(x);
    struct fail f;
    int err;
    json_t *command = body_of(q, &err, &f);

    c->kind = COMMAND_SUBMIT;
    if (!err) err = check_members(c->kind, command, false, &f);
    if (!err) err = query_only(q->query, WAIT, &f);
    if (!err) err = take_wait(x, q, &f);
    if (!err) err = take_key(q, command, &f);
    if (!err) json_object_set_new(command, "watch", json_false());
    send(x, command, err, &f);
}

/* A command whose members stand in the query. */
static void begin_query(struct exchange *x, const struct http_request *q, enum command_kind kind)
{
    struct call *c = exchange_own(x);
    struct fail f;
    json_t *command = json_object();
    int err = query_command(q->query, kind, NONE, command, &f);

    c->kind = kind;
    if (kind == COMMAND_STATS) json_object_set_new(command, "on", json_false());
    send(x, command, err, &f);
}

/* Keep the query for the addresses of further pages; what is no address as it stands has none. */
static void keep_pages(struct call *c, const char *query)
{
    struct text t;
    size_t n, len;

    if (strpbrk(query, "<>\"\\^`{|}")
        || query_whole(query, "skip", 0, INT32_MAX, 0, &c->skip, NULL))
        return;
    text_init(&t, 0, HEAD_BYTES);
    for (; *query; query += n + (query[n] == '&')) {
        n = strcspn(query, "&");
        if (strncmp(query, "before=", 7) == 0 || strncmp(query, "skip=", 5) == 0) continue;
        text_raw(&t, t.len ? "&" : "");
        text_bytes(&t, query, n);
    }
    text_bytes(&t, "", 1);
    c->pages = text_take(&t, &len);
}

static void begin_list(struct exchange *x, const struct http_request *q)
{
    keep_pages(exchange_own(x), q->query);
    begin_query(x, q, COMMAND_LIST);
}

static void begin_quote(struct exchange *x, const struct http_request *q)
{
    begin_query(x, q, COMMAND_QUOTE);
}

static void begin_stats(struct exchange *x, const struct http_request *q)
{
    begin_query(x, q, COMMAND_STATS);
}

/* What is no id at all is not found, as any other that is no job's. */
static int take_job(const struct http_request *q, json_t *command, struct fail *f)
{
    const char *job = q->param[0].text;
    uint64_t id;

    if (!id_parse(job, &id)) {
        fail_field(f, ERR_NOT_FOUND, "job", "There is no such job");
        return fail_advise(f, "A job's id has 16 digits in lower case hex.");
    }
    json_object_set_new(command, "job", json_string(job));
    return 0;
}

static void begin_job(struct exchange *x, const struct http_request *q, enum command_kind kind,
                      const char *const *parameters)
{
    struct call *c = exchange_own(x);
    struct fail f;
    json_t *command = json_object();
    int err = take_job(q, command, &f);

    c->kind = kind;
    if (!err) err = query_only(q->query, parameters, &f);
    if (!err) err = take_wait(x, q, &f);
    send(x, command, err, &f);
}

static void begin_show(struct exchange *x, const struct http_request *q)
{
    begin_job(x, q, COMMAND_JOB, WAIT);
}

static void begin_cancel(struct exchange *x, const struct http_request *q)
{
    begin_job(x, q, COMMAND_CANCEL, NONE);
}

/* The command that the last word of the address names, about the job that it names before. */
static void begin_command(struct exchange *x, const struct http_request *q)
{
    bool about_job = *q->param[1].text;
    struct call *c = exchange_own(x);
    struct fail f;
    int err;
    json_t *command;

    c->kind = (enum command_kind)command_kind_parse(q->param[about_job].text);
    if (c->kind == COMMAND_SUBMIT) {
        begin_submit(x, q);
        return;
    }
    command = body_of(q, &err, &f);
    if (!err) err = check_members(c->kind, command, about_job, &f);
    if (!err) err = query_only(q->query, NONE, &f);
    if (!err && about_job) err = take_job(q, command, &f);
    if (!err && c->kind == COMMAND_STATS) json_object_set_new(command, "on", json_false());
    send(x, command, err, &f);
}

/* --- answers ---------------------------------------------------------------------------------- */

static const char *member(const json_t *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o, name));

    return text ? text : "";
}

/* The job is on disk: show it. */
static void accepted(struct exchange *x, const struct blob *m)
{
    struct call *c = exchange_own(x);
    json_t *o = exchange_read(m);

    c->created = true;
    exchange_send_job(x, "job", member(o, "job"));
    json_decref(o);
}

/* Follow it until its end, or until the time has come. */
static void wait_for(struct exchange *x)
{
    struct call *c = exchange_own(x);

    exchange_lasting(x);
    exchange_alarm(x, c->until_us);
    exchange_send_job(x, "watch", c->job);
}

/* The end of a wait: show the job as it is now. */
static void stop_waiting(struct exchange *x)
{
    struct call *c = exchange_own(x);

    if (!c->waits) return;
    c->waits = false;
    if (*c->job) exchange_send_job(x, "job", c->job);
}

static void shown(struct exchange *x, const struct blob *m)
{
    struct call *c = exchange_own(x);
    json_t *o = exchange_read(m);
    const char *state = member(o, "state");
    bool over = strcmp(state, "queued") != 0 && strcmp(state, "running") != 0;
    struct http_reply *r;

    snprintf(c->job, sizeof c->job, "%s", member(o, "job"));
    json_decref(o);
    if (c->waits && !over) {
        wait_for(x);
        return;
    }
    r = exchange_pass(x, c->created && !over ? 202 : 200, m);
    memcpy(r->applied, c->applied, sizeof r->applied);
    if (c->created)
        snprintf(r->location, sizeof r->location, "%sv1/jobs/%s", exchange_backend(x)->base,
                 c->job);
}

/* The parameter of the page behind this one: results are counted, other jobs are named. */
static void write_next(const struct call *c, const json_t *answer, struct text *t)
{
    const json_t *jobs = json_object_get(answer, "jobs");
    size_t n = json_array_size(jobs);

    if (json_object_get(answer, "count"))
        text_printf(t, "skip=%lld", (long long)(c->skip + (int64_t)n));
    else
        text_printf(t, "before=%s", member(json_array_get(jobs, n - 1), "job"));
}

/* RFC 8288: where the next page is, and the first one. */
static void listed(struct exchange *x, const struct blob *m)
{
    const struct call *c = exchange_own(x);
    const char *base = exchange_backend(x)->base;
    struct http_reply *r = exchange_pass(x, 200, m);
    json_t *o = exchange_read(m);
    struct text t;
    size_t len;

    text_init(&t, 0, HEAD_BYTES + 256);
    text_printf(&t, "<%sv1/jobs%s%s>; rel=\"first\"", base, *c->pages ? "?" : "", c->pages);
    if (json_is_true(json_object_get(o, "more")) && json_array_size(json_object_get(o, "jobs"))) {
        text_printf(&t, ", <%sv1/jobs?%s%s", base, c->pages, *c->pages ? "&" : "");
        write_next(c, o, &t);
        text_raw(&t, ">; rel=\"next\"");
    }
    text_bytes(&t, "", 1);
    r->link = text_take(&t, &len);
    json_decref(o);
}

static void message(struct exchange *x, const struct blob *m, bool binary)
{
    struct call *c = exchange_own(x);
    struct fail f;

    if (binary || exchange_is(m, "notice") || exchange_is(m, "user")) return; /* for who stays */
    if (exchange_is(m, "error")) {
        exchange_error(m, &f);
        exchange_refuse(x, &f);
    } else if (exchange_is(m, "job"))
        shown(x, m);
    else if (c->waits && exchange_is(m, "end"))
        stop_waiting(x);
    else if (c->kind == COMMAND_SUBMIT && !c->created && exchange_is(m, "accepted"))
        accepted(x, m);
    else if (c->pages)
        listed(x, m);
    else if (!c->created && c->kind != COMMAND_JOB) /* else an event of a job that is waited for */
        exchange_pass(x, 200, m);
}

static void end(struct exchange *x)
{
    struct call *c = exchange_own(x);

    free(c->pages);
}

#define CALL(name)                                                                   \
    {                                                                                \
        .state = sizeof(struct call), .types = "application/json", .begin = name,    \
        .message = message, .alarm = stop_waiting, .drain = stop_waiting, .end = end \
    }

const struct translator JOBS_SUBMIT = CALL(begin_submit), JOBS_LIST = CALL(begin_list),
                        JOBS_SHOW = CALL(begin_show), JOBS_CANCEL = CALL(begin_cancel),
                        JOBS_QUOTE = CALL(begin_quote), JOBS_STATS = CALL(begin_stats),
                        JOBS_COMMAND = CALL(begin_command);
