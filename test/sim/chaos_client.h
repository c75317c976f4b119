/* chaos_client - the clients of test_chaos: they know the protocol alone,
 * and check each message that they read. */
#ifndef TEST_SIM_CHAOS_CLIENT_H
#define TEST_SIM_CHAOS_CLIENT_H

#include "test/sim/world.h"

#include "proto/frame.h"
#include "proto/id.h"

#include <jansson.h>

enum { CLIENTS = 12, VIEWS = 512, REFS = 512, KEYS = 64, CHAOS_USERS = 4, SHARES = 32, GUESTS = 2 };

/* What a client knows of one job. */
struct view {
    uint64_t job, seq;
    bool watching, ended;
};

struct chaos_client {
    struct client *client; /* NULL: not connected */
    bool woken;
    struct view views[VIEWS]; /* ring of the newest */
    unsigned n_views;
    unsigned refs[REFS]; /* of commands that were not answered yet, in order */
    unsigned ref_first, ref_end;
    struct command_previews previews;
};

/* A secret, and what clients were told of it. */
struct chaos_share {
    uint64_t job, bits;
    unsigned ref; /* of the command that asked for it */
    int user;     /* whose job */
    int64_t until_ms;
    bool answered; /* it was given: it shows the job, unless something has ended it */
    bool ended;    /* an answer said that it shows nothing any more */
    int ending;    /* commands that end it and are not answered, or not known to be */
};

struct chaos_guest {
    struct chaos_client c;
    uint64_t job, mark;
    bool told; /* that it was the end */
};

struct chaos {
    struct world *w;
    struct chaos_client c[CLIENTS];
    unsigned next_ref;
    char keys[KEYS][16]; /* with the seed that they were used with */
    int key_seed[KEYS];
    long accepted, ends, previews, restarts, conflicts, full, finished, varied;
    int64_t device_due;
    struct user user[CHAOS_USERS]; /* of a service with users; else users is false */
    bool users, away[CHAOS_USERS];
    long comings, abandoned, notices, drains, privates;
    long sweeps, cells; /* submitted, and `cell` events read */
    long cached;        /* answers with a picture that was there */
    uint64_t asked_model;
    struct chaos_share share[SHARES]; /* ring */
    unsigned n_shares;
    struct chaos_guest guest[GUESTS];
    long shown, guests, guest_events; /* checks of a secret that shows a job; visits; events read */
};

static inline void woken(struct world *w, void *session)
{
    struct chaos_client *c = session;

    MUST(w, !c->woken, "woken twice");
    c->woken = true;
}

/* --- reading ---------------------------------------------------------------------------------- */

static inline struct view *view_of(struct chaos_client *c, uint64_t job)
{
    unsigned from = c->n_views > VIEWS ? c->n_views - VIEWS : 0;

    for (unsigned i = c->n_views; i-- > from;)
        if (c->views[i % VIEWS].job == job) return &c->views[i % VIEWS];
    return NULL;
}

static inline struct view *view_add(struct chaos_client *c, uint64_t job)
{
    struct view *v = view_of(c, job);

    if (v) return v;
    v = &c->views[c->n_views++ % VIEWS];
    *v = (struct view){.job = job};
    return v;
}

static inline int64_t integer(json_t *m, const char *name)
{
    json_t *v = json_object_get(m, name);

    return json_is_number(v) ? (int64_t)json_number_value(v) : -1;
}

static const char *string(json_t *m, const char *name)
{
    const char *s = json_string_value(json_object_get(m, name));

    return s ? s : "";
}

static inline void hear_queue(struct world *w, json_t *m)
{
    json_t *range = json_object_get(m, "eta_range_ms");
    int64_t eta = integer(m, "eta_ms"), start = integer(m, "start_ms");

    if (strcmp(string(m, "why"), "held") == 0) {
        MUST(w, integer(m, "position") == 0 && eta < 0 && start < 0, "a held job with a place");
        return;
    }
    MUST(w, integer(m, "position") >= 1, "a place before the first");
    MUST(w, integer(m, "ahead") >= integer(m, "position") - 1, "ahead");
    MUST(w, json_object_get(m, "eta_ms") != NULL && eta >= -1, "an estimate below zero");
    MUST(w, start <= eta, "ends before it starts");
    if (eta < 0) return;
    MUST(w, (int64_t)json_number_value(json_array_get(range, 0)) <= eta, "range above");
    MUST(w, (int64_t)json_number_value(json_array_get(range, 1)) >= eta, "range below");
}

static inline void hear_end(struct chaos *x, uint64_t job, uint64_t seq, json_t *m)
{
    struct truth *t = truth_of(x->w, job);
    int state = event_state_parse(string(m, "state"));

    x->ends++;
    MUST(x->w, t->disk && (int)t->disk->row.state == state, "an end that is not on disk");
    MUST(x->w, t->disk->row.end_seq == seq, "an end under another number than stored");
    MUST(x->w, !t->told || (t->told_state == state && t->told_seq == seq), "two different ends");
    t->told = true;
    t->told_state = state;
    t->told_seq = seq;
}

/* What a sweep tells of one of its cells is true. */
static inline void hear_cell(struct chaos *x, const struct truth *t, json_t *m)
{
    struct world *w = x->w;
    struct cell cells[LIMIT_CELLS];
    int64_t cell = integer(m, "cell");
    int n = cells_parse(t->disk->cells, cells), state = event_state_parse(string(m, "state"));
    const struct saved *s;

    x->cells++;
    MUST(w, cell >= 0 && cell < n && state >= 0, "no cell");
    s = truth_of(w, cells[cell].job)->disk;
    MUST(w, state < STATE_DONE || (int)s->row.state == state, "a cell in another state");
    if (state != STATE_DONE) return;
    m = json_object_get(m, "result");
    MUST(w, strcmp(string(m, "digest"), s->result_digest) == 0, "another picture in a cell");
}

/* An event of a job, as an answer to a submit or by a subscription. */
static inline void hear_event(struct chaos *x, struct chaos_client *c, json_t *m, const char *type)
{
    struct world *w = x->w;
    uint64_t job = 0, seq = (uint64_t)integer(m, "seq");
    struct truth *t;
    struct view *v;

    MUST(w, id_parse(string(m, "job"), &job), "no job");
    t = truth_of(w, job);
    v = view_of(c, job);
    MUST(w, v && v->watching, "an event %s of a job that is not watched", type);
    MUST(w, seq > v->seq, "%s: number %llu after %llu", type, (unsigned long long)seq,
         (unsigned long long)v->seq);
    MUST(w, !v->ended, "an event after the end");
    v->seq = seq;
    if (strcmp(type, "queue") == 0) hear_queue(w, m);
    if (strcmp(type, "cell") == 0) hear_cell(x, t, m);
    if (strcmp(type, "progress") == 0) {
        double o = json_number_value(json_object_get(m, "overall"));

        MUST(w, o >= 0 && o <= 1 && o >= t->overall - 1e-9, "overall %f after %f", o, t->overall);
        t->overall = o;
    }
    if (strcmp(type, "result") == 0)
        MUST(w, strcmp(string(m, "digest"), t->disk->result_digest) == 0, "another picture");
    if (strcmp(type, "end") == 0) {
        hear_end(x, job, seq, m);
        v->ended = true;
        v->watching = false;
    }
}

/* The picture of a request is there already: drawn by this model, for this user, and on disk. */
static inline void hear_cached(struct chaos *x, const struct chaos_client *c, const struct saved *s)
{
    uint32_t owner = x->users ? x->user[(c - x->c) % CHAOS_USERS].id : USER_NONE;

    x->cached++;
    MUST(x->w, s->row.state == STATE_DONE && s->row.owner == owner, "not its own picture");
    MUST(x->w, s->row.model == x->asked_model, "a picture of another model");
}

static inline void hear_accepted(struct chaos *x, struct chaos_client *c, json_t *m)
{
    uint64_t job = 0, seq = (uint64_t)integer(m, "seq");
    struct view *v;

    MUST(x->w, id_parse(string(m, "job"), &job), "no job");
    MUST(x->w, truth_of(x->w, job)->disk != NULL, "accepted but not on disk");
    x->accepted++;
    x->varied += string(m, "ref")[0] == 'y';
    if (json_object_get(m, "cached")) hear_cached(x, c, truth_of(x->w, job)->disk);
    v = view_of(c, job);
    if (string(m, "ref")[0] == 'n') { /* watch: false */
        if (!v) view_add(c, job)->seq = seq;
        return;
    }
    if (v && v->watching) return;
    v = view_add(c, job);
    v->seq = seq;
    v->watching = true;
    v->ended = false;
}

/* Told to end early, and told that it will: a server that is killed now knows it, too. */
static inline void hear_finish(struct chaos *x, uint64_t job)
{
    const struct job *j = registry_find(&x->w->hub->registry, job);

    MUST(x->w,
         !j || j->steps == 0 || truth_of(x->w, job)->disk->row.steps == j->steps || job_over(j),
         "an end that is not on disk");
    x->finished += j && j->steps > 0;
}

/* `share` and `unshare` of one who may: each ends the secrets that were given before. */
static inline void hear_share(struct chaos *x, uint64_t job, unsigned ref, bool ok)
{
    for (unsigned i = 0; i < SHARES && i < x->n_shares; i++) {
        struct chaos_share *s = &x->share[i];

        if (s->job != job || s->ref > ref) continue;
        if (s->ref == ref) {
            s->answered = ok;
            s->ended |= !ok;
        } else {
            s->ended |= ok;
            s->ending--;
        }
    }
}

/* The direct answer to the oldest command. Watching begins and ends with its `ok`. */
static inline void hear_answer(struct chaos *x, struct chaos_client *c, json_t *m, const char *type)
{
    struct world *w = x->w;
    const char *ref = string(m, "ref"), *re = string(m, "re");
    uint64_t job = 0, from = 0;
    struct view *v = NULL;

    MUST(w, c->ref_first != c->ref_end, "an answer %s to nothing", type);
    MUST(w, (unsigned)strtoul(ref + 1, NULL, 10) == c->refs[c->ref_first % REFS],
         "answer %s %s out of order", type, ref);
    c->ref_first++;
    if (id_parse(string(m, "job"), &job)) v = view_of(c, job);
    if (strcmp(type, "accepted") == 0) hear_accepted(x, c, m);
    if (strcmp(string(m, "code"), "conflict") == 0) x->conflicts++;
    if (strcmp(string(m, "code"), "queue_full") == 0) {
        x->full++;
        MUST(w, integer(m, "retry_after_ms") > 0, "no time to come back");
    }
    if (strcmp(type, "ok") == 0 && strcmp(re, "finish") == 0) hear_finish(x, job);
    if (strcmp(type, "ok") == 0 && strcmp(re, "delete") == 0)
        MUST(w, truth_of(w, job)->disk->deleted, "called deleted, and on disk");
    if (ref[0] == 'g')
        hear_share(x, job, (unsigned)strtoul(ref + 1, NULL, 10), strcmp(type, "ok") == 0);
    if (strcmp(type, "ok") != 0 || !v) return;
    if (strcmp(re, "unwatch") == 0) v->watching = false;
    if (strcmp(re, "watch") != 0) return;
    /* the reference names the first number: w<ref> as it was, z<ref> from zero */
    from = ref[0] == 'z' ? 0 : v->seq;
    v->seq = from;
    v->ended = false;
    /* a job that was over and whose end is known is not followed any more */
    v->watching = event_state_parse(string(m, "state")) < STATE_DONE
                  || from < truth_of(w, job)->disk->row.end_seq;
}

static inline void hear_preview(struct chaos *x, struct chaos_client *c, const struct blob *b)
{
    struct world *w = x->w;
    struct frame f;
    struct view *v;

    x->previews++;
    MUST(w, frame_decode(b->data, b->len, &f, NULL) == 0, "a broken frame");
    v = view_of(c, f.job);
    MUST(w, v && v->watching && f.seq > v->seq, "a preview out of order");
    v->seq = f.seq;
    MUST(w, f.format == c->previews.format, "another format than asked for");
    MUST(w, f.width <= c->previews.max_px && f.height <= c->previews.max_px, "too large");
}

static inline bool is_event(const char *type, const char *ref)
{
    return strcmp(type, "queue") == 0 || strcmp(type, "phase") == 0 || strcmp(type, "progress") == 0
           || strcmp(type, "cell") == 0 || strcmp(type, "result") == 0 || strcmp(type, "end") == 0
           || (strcmp(type, "accepted") == 0 && !ref[0]);
}

/* One message. False: there was none. */
static inline bool listen_one(struct chaos *x, struct chaos_client *c)
{
    bool binary, woken_before = c->woken;
    struct blob *b = hub_next(x->w->hub, x->w->now, c->client, &binary);
    json_t *m;
    const char *type, *ref;

    if (!b) {
        c->woken = false;
        return false;
    }
    MUST(x->w, woken_before, "a message that no session was woken for");
    if (binary) {
        hear_preview(x, c, b);
        blob_unref(b);
        return true;
    }
    m = json_loadb((const char *)b->data, b->len, 0, NULL);
    MUST(x->w, m != NULL, "not JSON: %s", (const char *)b->data);
    type = string(m, "type");
    ref = string(m, "ref");
    if (is_event(type, ref))
        hear_event(x, c, m, type);
    else if (ref[0])
        hear_answer(x, c, m, type);
    else if (strcmp(type, "notice") == 0)
        x->notices++;
    else
        MUST(x->w, strcmp(type, "stats") == 0, "a stray %s", type);
    json_decref(m);
    blob_unref(b);
    return true;
}

/* Read to the end: then each view is up to date. */
static inline void listen_to_end(struct chaos *x, struct chaos_client *c)
{
    if (!c->client) return;
    while (listen_one(x, c))
        ;
    for (unsigned i = 0; i < VIEWS && i < c->n_views; i++) {
        struct view *v = &c->views[i];
        struct job *j = v->watching ? registry_find(&x->w->hub->registry, v->job) : NULL;

        if (j && c->ref_first == c->ref_end && client_follows(c->client, j))
            MUST(x->w, !board_has_text(&j->board, v->seq), "news that did not arrive");
    }
}

/* --- commanding ------------------------------------------------------------------------------- */

__attribute__((format(printf, 4, 5))) static inline void
command(struct chaos *x, struct chaos_client *c, char mark, const char *format, ...)
{
    char text[1024], body[900];
    va_list ap;
    int n;

    va_start(ap, format);
    vsnprintf(body, sizeof body, format, ap);
    va_end(ap);
    if (c->ref_end - c->ref_first >= REFS) return;
    c->refs[c->ref_end++ % REFS] = ++x->next_ref;
    n = snprintf(text, sizeof text, "{\"ref\":\"%c%u\",%s}", mark, x->next_ref, body);
    world_enter(x->w);
    hub_text(x->w->hub, x->w->now, c->client, text, (size_t)n);
}

static inline void op_submit(struct chaos *x, struct chaos_client *c)
{
    static const int SIDES[] = {64, 128, 256, 256, 256, 320, 384, 512, 1000, 1024};
    static const char *const LANE[10] = {",\"lane\":\"urgent\"",
                                         ",\"lane\":\"batch\"",
                                         ",\"lane\":\"batch\"",
                                         "",
                                         "",
                                         "",
                                         "",
                                         "",
                                         "",
                                         ""};
    static const char *const SWEEP[5] = {",\"n\":2", ",\"sweep\":{\"steps\":[1,3],\"seed\":2}",
                                         ",\"sweep\":{\"guidance\":[1,2,3]}",
                                         ",\"sweep\":{\"lane\":[\"batch\",\"normal\"]},\"n\":2",
                                         ",\"sweep\":{\"width\":[64,256,100]}"};
    struct world *w = x->w;
    char key[64] = "";
    int seed = chance(w, 0.5) ? -1 : pick(w, 1000), side = SIDES[pick(w, 10)], k = pick(w, KEYS);
    const char *prompt = chance(w, 0.02) ? "<image>" : chance(w, 0.3) ? "a \\\"word\\\"" : "x";
    bool watch = chance(w, 0.8), again = chance(w, 0.1); /* a picture that was there, perhaps */
    const char *sweep = chance(w, 0.96) ? "" : SWEEP[pick(w, 5)];

    if (chance(w, 0.6)) {
        if (x->keys[k][0] == '\0' || chance(w, 0.3)) {
            snprintf(x->keys[k], sizeof x->keys[k], "k%u", x->next_ref);
            x->key_seed[k] = seed;
        }
        snprintf(key, sizeof key, "\"key\":\"%s\",", x->keys[k]);
        seed = chance(w, 0.9) ? x->key_seed[k] : seed;
        side = 256;
        sweep = k % 16 ? "" : SWEEP[k / 16];
    }
    if (again && !key[0]) {
        seed = pick(w, 4);
        side = 256;
        prompt = "x";
    }
    x->sweeps += sweep[0] != '\0';
    command(
        x, c, watch ? 's' : 'n',
        "\"type\":\"submit\",%s\"watch\":%s,\"spec\":{\"prompt\":\"%s\",\"width\":%d,\"height\":%d,"
        "\"steps\":%d,\"seed\":%d%s}%s%s%s%s",
        key, watch ? "true" : "false", key[0] ? "x" : prompt, side,
        again || chance(w, 0.9) ? side : 256, key[0] || again ? 3 : 1 + pick(w, 6), seed,
        key[0] ? "" : LANE[pick(w, 10)],
        chance(w, 0.02)   ? ",\"hold\":true"
        : chance(w, 0.05) ? ",\"max_wait_ms\":300"
                          : "",
        sweep,
        chance(w, 0.1)   ? ",\"on_disconnect\":{\"cancel_after_ms\":200}"
        : chance(w, 0.1) ? ",\"on_disconnect\":{\"cancel_after_ms\":20000}"
                         : "",
        chance(w, 0.1) ? ",\"private\":true" : "");
}

/* Another picture with the composition of a finished one, which may be somebody else's. */
static inline void op_vary(struct chaos *x, struct chaos_client *c)
{
    struct world *w = x->w;
    const struct job *from = NULL;
    char id[ID_TEXT];
    bool own = chance(w, 0.9);
    int skip = pick(w, 4);

    for (const struct job *j = w->hub->registry.newest; j && skip >= 0; j = j->links.older)
        if (j->state == JOB_DONE && (!own || j->owner == c->client->account)) from = j, skip--;
    if (!from) return;
    id_format(from->id, id);
    command(x, c, 'y',
            "\"type\":\"submit\",\"spec\":{\"prompt\":\"%s\",\"width\":%d,\"height\":%d,"
            "\"steps\":%d,\"prior_from\":\"%s\"%s}%s",
            from->spec.prompt[0] == 'x' ? "x" : "a \\\"word\\\"",
            chance(w, 0.05) ? 128 : from->spec.width, from->spec.height, 1 + pick(w, 6), id,
            chance(w, 0.5) ? ",\"noise_seed\":3" : "", chance(w, 0.1) ? ",\"n\":2" : "");
}

/* A job that runs, else this one. */
static inline uint64_t some_running(const struct chaos *x, uint64_t otherwise)
{
    uint64_t id = otherwise;

    for (const struct job *j = x->w->hub->registry.newest; j; j = j->links.older)
        if (j->state == JOB_RUNNING && j->run.view.phase == GLM_DENOISE) id = j->id;
    return id;
}

/* A job that this client knows, or a random number. */
static inline uint64_t some_job(struct chaos *x, struct chaos_client *c)
{
    unsigned recent = c->n_views < VIEWS ? c->n_views : VIEWS;

    if (recent == 0 || chance(x->w, 0.02)) return world_random(x->w) | 1;
    if (recent > 16 && chance(x->w, 0.8)) recent = 16;
    return c->views[(c->n_views - 1 - (unsigned)pick(x->w, (int)recent)) % VIEWS].job;
}

/* The oldest job that is held, else this one. */
static inline uint64_t some_held(const struct chaos *x, uint64_t otherwise)
{
    uint64_t id = otherwise;

    for (const struct job *j = x->w->hub->registry.newest; j; j = j->links.older)
        if (j->held && j->state == JOB_QUEUED) id = j->id;
    return id;
}

static inline void watch(struct chaos *x, struct chaos_client *c, uint64_t job, bool from_zero)
{
    char id[ID_TEXT];
    struct view *v = view_of(c, job);

    if (v && !from_zero && (v->watching || c->ref_first != c->ref_end)) return;
    id_format(job, id);
    command(x, c, from_zero ? 'z' : 'w', "\"type\":\"watch\",\"job\":\"%s\",\"seq\":%llu", id,
            (unsigned long long)(v && !from_zero ? v->seq : 0));
}

/* Of administrators, and what an owner changes later. */
static inline void op_rule(struct chaos *x, struct chaos_client *c, const char *id)
{
    struct world *w = x->w;

    if (chance(w, 0.2))
        command(x, c, 'm', "\"type\":\"favourite\",\"job\":\"%s\",\"on\":%s", id,
                chance(w, 0.7) ? "true" : "false");
    if (chance(w, 0.5)) {
        command(x, c, 'm', "\"type\":\"amend\",\"job\":\"%s\",\"on_disconnect\":%s", id,
                chance(w, 0.5) ? "\"keep\"" : "{\"cancel_after_ms\":1000}");
        return;
    }
    if (chance(w, 0.3))
        command(x, c, 'd', "\"type\":\"drain\",%s",
                chance(w, 0.8)   ? "\"cancel\":true"
                : chance(w, 0.5) ? "\"deadline_ms\":2000"
                                 : "\"deadline_ms\":50");
    if (chance(w, 0.3))
        command(x, c, 'd', "\"type\":\"notice\",\"text\":%s", chance(w, 0.5) ? "\"x\"" : "null");
}

static inline void list(struct chaos *x, struct chaos_client *c, const char *id)
{
    if (chance(x->w, 0.5))
        command(x, c, 'l', "\"type\":\"list\",\"limit\":%d", 1 + pick(x->w, 20));
    else
        command(x, c, 'l', "\"type\":\"list\",\"parent\":\"%s\"", id);
}

static inline void cancel_some(struct chaos *x, struct chaos_client *c, const char *id)
{
    if (chance(x->w, 0.5))
        command(x, c, 'f', "\"type\":\"cancel\",\"parent\":\"%s\"", id);
    else
        command(x, c, 'f', "\"type\":\"cancel\",%s",
                chance(x->w, 0.1)   ? "\"all\":true"
                : chance(x->w, 0.5) ? "\"state\":\"running\""
                                    : "\"state\":\"queued\"");
}

static inline void op_command(struct chaos *x, struct chaos_client *c)
{
    struct world *w = x->w;
    uint64_t job = some_job(x, c);
    char id[ID_TEXT], next[ID_TEXT];

    id_format(job, id);
    switch (pick(w, 23)) {
    case 0: watch(x, c, job, true); break;
    case 1:
    case 2: watch(x, c, job, false); break;
    case 3: command(x, c, 'u', "\"type\":\"unwatch\",\"job\":\"%s\"", id); break;
    case 4:
    case 5: command(x, c, 'c', "\"type\":\"cancel\",\"job\":\"%s\"", id); break;
    case 6: list(x, c, id); break;
    case 7: command(x, c, 'q', "\"type\":\"quote\",\"spec\":{\"prompt\":\"x\"}"); break;
    case 8: command(x, c, 'p', "\"type\":\"ping\""); break;
    case 9:
        command(x, c, 't', "\"type\":\"stats\",\"on\":%s", chance(w, 0.5) ? "true" : "false");
        break;
    case 10:
        if (chance(w, 0.8)) break;
        cancel_some(x, c, id);
        break;
    case 12: command(x, c, 'h', "\"type\":\"hold\",\"job\":\"%s\"", id); break;
    case 13:
        id_format(chance(w, 0.7) ? some_held(x, job) : job, id);
        command(x, c, 'r', "\"type\":\"release\",\"job\":\"%s\"", id);
        break;
    case 14:
    case 15:
        world_enter(w);
        w->forecasts++; /* the newest holds for the order that was */
        id_format(some_job(x, c), next);
        command(x, c, 'o', "\"type\":\"reorder\",\"job\":\"%s\",\"before\":%s%s%s", id,
                next[0] == '0' ? "" : "\"", next[0] == '0' ? "null" : next,
                next[0] == '0' ? "" : "\"");
        break;
    case 16: command(x, c, 'a', "\"type\":\"%s\"", chance(w, 0.05) ? "pause" : "resume"); break;
    case 17: command(x, c, 'e', "\"type\":\"delete\",\"job\":\"%s\"", id); break;
    case 18:
    case 19: op_rule(x, c, id); break;
    case 11: command(x, c, 'b', "\"type\":\"cancel\",\"job\":\"%s\",\"jbo\":1", id); break;
    case 20:
    case 21:
        id_format(chance(w, 0.8) ? some_running(x, job) : job, id);
        command(x, c, 'd', "\"type\":\"finish\",\"job\":\"%s\"", id);
        break;
    default:
        listen_to_end(x, c); /* what was promised before comes in the old form */
        if (c->ref_first != c->ref_end) break;
        c->previews = (struct command_previews){pick(w, 3) * 100, 16 + pick(w, 497),
                                                chance(w, 0.3) ? FRAME_PNG : FRAME_JPEG};
        command(x, c, 'v', "\"type\":\"previews\",\"every_ms\":%d,\"max_px\":%d,\"format\":\"%s\"",
                c->previews.every_ms, c->previews.max_px, frame_format_name(c->previews.format));
    }
}

static inline void disconnect(struct chaos *x, struct chaos_client *c)
{
    if (c->client && x->w->hub) {
        world_enter(x->w);
        hub_close(x->w->hub, x->w->now, c->client);
    }
    c->client = NULL;
    c->woken = false;
    c->ref_first = c->ref_end;
    for (unsigned i = 0; i < VIEWS && i < c->n_views; i++)
        c->views[i].watching = false;
}

/* Connect, and go on with every job that has not ended, from the last number seen. */
static inline void connect(struct chaos *x, struct chaos_client *c)
{
    long user = (c - x->c) % CHAOS_USERS;

    c->client = hub_open(x->w->hub, c, x->users ? x->user[user].id : USER_NONE);
    MUST(x->w, (c->client == NULL) == (x->users && x->away[user]), "who may connect");
    if (!c->client) return;
    c->previews = COMMAND_PREVIEWS_DEFAULT;
    for (unsigned i = 0; i < VIEWS && i < c->n_views; i++) {
        struct view *v = &c->views[i];
        char id[ID_TEXT];

        if (v->ended || !registry_find(&x->w->hub->registry, v->job)) continue;
        if (c->n_views - i > 64 && c->n_views <= VIEWS) continue;
        id_format(v->job, id);
        command(x, c, 'w', "\"type\":\"watch\",\"job\":\"%s\",\"seq\":%llu", id,
                (unsigned long long)v->seq);
    }
}

static inline void op_client(struct chaos *x)
{
    struct world *w = x->w;
    struct chaos_client *c = &x->c[pick(w, CLIENTS)];

    if (!c->client) {
        if (chance(w, 0.3)) connect(x, c);
        return;
    }
    switch (pick(w, 10)) {
    case 0:
    case 1:
    case 2:
        if (chance(w, 0.1))
            op_vary(x, c);
        else
            op_submit(x, c);
        break;
    case 3:
    case 4: op_command(x, c); break;
    case 5:
        if (chance(w, 0.05)) disconnect(x, c);
        break;
    case 6: listen_to_end(x, c); break;
    default:
        for (int n = pick(w, 4); n >= 0 && listen_one(x, c);)
            n--;
    }
}

#endif
