/* test_chaos - the real core under 100,000 random operations: clients, disk, device and encoder at odds.
 *
 * Clients submit good and bad requests, repeat keys, watch with old numbers, cancel, read slowly, break
 * off and come back; runs fail, the device dies, gets stuck, runs out of memory, writes are late or
 * fail, the process is killed with writes half done, or drained. After every operation the invariants
 * of the service are checked. A failure prints its seed and step:
 *     DARKROOM_SEED=7 build/release/test/sim/test_chaos */
#include "test/sim/world.h"

#include "proto/frame.h"
#include "proto/id.h"

#include <jansson.h>
#include <math.h>

enum { CLIENTS = 12, VIEWS = 512, REFS = 512, OPERATIONS = 100000, KEYS = 64 };

/* What a client knows of one job. */
struct view {
    uint64_t job, seq;
    bool watching, ended;
};

struct client {
    struct peer *peer; /* NULL: not connected */
    bool woken;
    struct view views[VIEWS]; /* ring of the newest */
    unsigned n_views;
    unsigned refs[REFS]; /* of commands that were not answered yet, in order */
    unsigned ref_first, ref_end;
    struct command_previews previews;
};

struct chaos {
    struct world *w;
    struct client c[CLIENTS];
    unsigned next_ref;
    char keys[KEYS][16]; /* with the seed that they were used with */
    int key_seed[KEYS];
    long accepted, ends, previews, restarts, conflicts, full;
    int64_t device_due;
};

static void woken(struct world *w, void *session)
{
    struct client *c = session;

    MUST(w, !c->woken, "woken twice");
    c->woken = true;
}

/* --- reading ----------------------------------------------------------------------------------------- */

static struct view *view_of(struct client *c, uint64_t job)
{
    unsigned from = c->n_views > VIEWS ? c->n_views - VIEWS : 0;

    for (unsigned i = c->n_views; i-- > from;)
        if (c->views[i % VIEWS].job == job) return &c->views[i % VIEWS];
    return NULL;
}

static struct view *view_add(struct client *c, uint64_t job)
{
    struct view *v = view_of(c, job);

    if (v) return v;
    v = &c->views[c->n_views++ % VIEWS];
    *v = (struct view){.job = job};
    return v;
}

static int64_t integer(json_t *m, const char *name)
{
    json_t *v = json_object_get(m, name);

    return json_is_number(v) ? (int64_t)json_number_value(v) : -1;
}

static const char *string(json_t *m, const char *name)
{
    const char *s = json_string_value(json_object_get(m, name));

    return s ? s : "";
}

static void hear_queue(struct world *w, json_t *m)
{
    json_t *range = json_object_get(m, "eta_range_ms");
    int64_t eta = integer(m, "eta_ms"), start = integer(m, "start_ms");

    MUST(w, integer(m, "position") >= 1, "a place before the first");
    MUST(w, integer(m, "ahead") >= integer(m, "position") - 1, "ahead");
    MUST(w, json_object_get(m, "eta_ms") != NULL && eta >= -1, "an estimate below zero");
    MUST(w, start <= eta, "ends before it starts");
    if (eta < 0) return;
    MUST(w, (int64_t)json_number_value(json_array_get(range, 0)) <= eta, "range above");
    MUST(w, (int64_t)json_number_value(json_array_get(range, 1)) >= eta, "range below");
}

static void hear_end(struct chaos *x, uint64_t job, uint64_t seq, json_t *m)
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

/* An event of a job, as an answer to a submit or to a viewer. */
static void hear_event(struct chaos *x, struct client *c, json_t *m, const char *type)
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

static void hear_accepted(struct chaos *x, struct client *c, json_t *m)
{
    uint64_t job = 0, seq = (uint64_t)integer(m, "seq");
    struct view *v;

    MUST(x->w, id_parse(string(m, "job"), &job), "no job");
    MUST(x->w, truth_of(x->w, job)->disk != NULL, "accepted but not on disk");
    x->accepted++;
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

/* The direct answer to the oldest command. Watching begins and ends with its `ok`. */
static void hear_answer(struct chaos *x, struct client *c, json_t *m, const char *type)
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
    if (strcmp(type, "ok") != 0 || !v) return;
    if (strcmp(re, "unwatch") == 0) v->watching = false;
    if (strcmp(re, "watch") != 0) return;
    /* the reference tells from where: w<ref> as it was, z<ref> from zero */
    from = ref[0] == 'z' ? 0 : v->seq;
    v->seq = from;
    v->ended = false;
    /* a job that was over and whose end is known is not followed any more */
    v->watching = event_state_parse(string(m, "state")) < STATE_DONE
                  || from < truth_of(w, job)->disk->row.end_seq;
}

static void hear_preview(struct chaos *x, struct client *c, const struct blob *b)
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

static bool is_event(const char *type, const char *ref)
{
    return strcmp(type, "queue") == 0 || strcmp(type, "phase") == 0 || strcmp(type, "progress") == 0
           || strcmp(type, "result") == 0 || strcmp(type, "end") == 0
           || (strcmp(type, "accepted") == 0 && !ref[0]);
}

/* One message. False: there was none. */
static bool listen_one(struct chaos *x, struct client *c)
{
    bool binary, woken_before = c->woken;
    struct blob *b = hub_next(x->w->hub, x->w->now, c->peer, &binary);
    json_t *m;
    const char *type, *ref;

    if (!b) {
        c->woken = false;
        return false;
    }
    MUST(x->w, woken_before, "a message that nobody was woken for");
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
    else
        MUST(x->w, strcmp(type, "stats") == 0, "a stray %s", type);
    json_decref(m);
    blob_unref(b);
    return true;
}

/* Read to the end: then each viewer is up to date. */
static void listen_to_end(struct chaos *x, struct client *c)
{
    if (!c->peer) return;
    while (listen_one(x, c))
        ;
    for (unsigned i = 0; i < VIEWS && i < c->n_views; i++) {
        struct view *v = &c->views[i];
        struct job *j = v->watching ? shelf_find(&x->w->hub->shelf, v->job) : NULL;

        if (j && c->ref_first == c->ref_end && peer_follows(c->peer, j))
            MUST(x->w, !board_has_text(&j->board, v->seq), "news that did not arrive");
    }
}

/* --- commanding -------------------------------------------------------------------------------------- */

__attribute__((format(printf, 4, 5))) static void say(struct chaos *x, struct client *c, char mark,
                                                      const char *format, ...)
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
    hub_text(x->w->hub, x->w->now, c->peer, text, (size_t)n);
}

static void op_submit(struct chaos *x, struct client *c)
{
    static const int SIDES[] = {64, 128, 256, 256, 256, 320, 384, 512, 1000, 1024};
    struct world *w = x->w;
    char key[64] = "";
    int seed = chance(w, 0.5) ? -1 : pick(w, 1000), side = SIDES[pick(w, 10)], k = pick(w, KEYS);
    const char *prompt = chance(w, 0.02) ? "<image>" : chance(w, 0.3) ? "a \\\"word\\\"" : "x";
    bool watch = chance(w, 0.8);

    if (chance(w, 0.6)) {
        if (x->keys[k][0] == '\0' || chance(w, 0.3)) {
            snprintf(x->keys[k], sizeof x->keys[k], "k%u", x->next_ref);
            x->key_seed[k] = seed;
        }
        snprintf(key, sizeof key, "\"key\":\"%s\",", x->keys[k]);
        seed = chance(w, 0.9) ? x->key_seed[k] : seed;
        side = 256;
    }
    say(x, c, watch ? 's' : 'n',
        "\"type\":\"submit\",%s\"watch\":%s,\"spec\":{\"prompt\":\"%s\",\"width\":%d,\"height\":%d,"
        "\"steps\":%d,\"seed\":%d}",
        key, watch ? "true" : "false", key[0] ? "x" : prompt, side, chance(w, 0.9) ? side : 256,
        key[0] ? 3 : 1 + pick(w, 6), seed);
}

/* A job that this client has heard of, or any other number. */
static uint64_t some_job(struct chaos *x, struct client *c)
{
    unsigned recent = c->n_views < VIEWS ? c->n_views : VIEWS;

    if (recent == 0 || chance(x->w, 0.02)) return world_random(x->w) | 1;
    if (recent > 16 && chance(x->w, 0.8)) recent = 16;
    return c->views[(c->n_views - 1 - (unsigned)pick(x->w, (int)recent)) % VIEWS].job;
}

static void watch(struct chaos *x, struct client *c, uint64_t job, bool from_zero)
{
    char id[ID_TEXT];
    struct view *v = view_of(c, job);

    if (v && !from_zero && (v->watching || c->ref_first != c->ref_end)) return;
    id_format(job, id);
    say(x, c, from_zero ? 'z' : 'w', "\"type\":\"watch\",\"job\":\"%s\",\"seq\":%llu", id,
        (unsigned long long)(v && !from_zero ? v->seq : 0));
}

static void op_command(struct chaos *x, struct client *c)
{
    struct world *w = x->w;
    uint64_t job = some_job(x, c);
    char id[ID_TEXT];

    id_format(job, id);
    switch (pick(w, 12)) {
    case 0: watch(x, c, job, true); break;
    case 1:
    case 2: watch(x, c, job, false); break;
    case 3: say(x, c, 'u', "\"type\":\"unwatch\",\"job\":\"%s\"", id); break;
    case 4:
    case 5: say(x, c, 'c', "\"type\":\"cancel\",\"job\":\"%s\"", id); break;
    case 6: say(x, c, 'l', "\"type\":\"list\",\"limit\":%d", 1 + pick(w, 20)); break;
    case 7: say(x, c, 'q', "\"type\":\"quote\",\"spec\":{\"prompt\":\"x\"}"); break;
    case 8: say(x, c, 'p', "\"type\":\"ping\""); break;
    case 9:
        say(x, c, 't', "\"type\":\"stats\",\"on\":%s", chance(w, 0.5) ? "true" : "false");
        break;
    case 10: say(x, c, 'b', "\"type\":\"cancel\",\"job\":\"%s\",\"jbo\":1", id); break;
    default:
        listen_to_end(x, c); /* what was promised before comes in the old form */
        if (c->ref_first != c->ref_end) break;
        c->previews = (struct command_previews){pick(w, 3) * 100, 16 + pick(w, 497),
                                                chance(w, 0.3) ? FRAME_PNG : FRAME_JPEG};
        say(x, c, 'v', "\"type\":\"previews\",\"every_ms\":%d,\"max_px\":%d,\"format\":\"%s\"",
            c->previews.every_ms, c->previews.max_px, frame_format_name(c->previews.format));
    }
}

static void disconnect(struct chaos *x, struct client *c)
{
    if (c->peer && x->w->hub) hub_close(x->w->hub, x->w->now, c->peer);
    c->peer = NULL;
    c->woken = false;
    c->ref_first = c->ref_end;
    for (unsigned i = 0; i < VIEWS && i < c->n_views; i++)
        c->views[i].watching = false;
}

/* Connect, and go on with every job that has not ended, from the last number seen. */
static void connect(struct chaos *x, struct client *c)
{
    c->peer = hub_open(x->w->hub, c);
    assert_non_null(c->peer);
    c->previews = COMMAND_PREVIEWS_DEFAULT;
    for (unsigned i = 0; i < VIEWS && i < c->n_views; i++) {
        struct view *v = &c->views[i];
        char id[ID_TEXT];

        if (v->ended || !shelf_find(&x->w->hub->shelf, v->job)) continue;
        if (c->n_views - i > 64 && c->n_views <= VIEWS) continue;
        id_format(v->job, id);
        say(x, c, 'w', "\"type\":\"watch\",\"job\":\"%s\",\"seq\":%llu", id,
            (unsigned long long)v->seq);
    }
}

static void op_client(struct chaos *x)
{
    struct world *w = x->w;
    struct client *c = &x->c[pick(w, CLIENTS)];

    if (!c->peer) {
        if (chance(w, 0.3)) connect(x, c);
        return;
    }
    switch (pick(w, 10)) {
    case 0:
    case 1:
    case 2: op_submit(x, c); break;
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

/* --- the world's side --------------------------------------------------------------------------------- */

static void op_preview(struct chaos *x)
{
    struct hub *h = x->w->hub;
    struct board_image im[BOARD_CLASSES];
    struct job *j;
    struct blob *b;
    int n = 0;

    struct device *c = &h->devices.at[pick(x->w, h->devices.n)];

    if (c->n_resident == 0) return;
    j = c->resident[pick(x->w, c->n_resident)];
    b = blob_copy("picture", 7);
    for (int class = 0; class < BOARD_CLASSES; class ++)
        if (j->wish_classes & 1u << class)
            im[n++] = (struct board_image){class, board_class_px(class), 16, b};
    hub_preview(h, x->w->now, j->id, PHASE_PRIOR, im, n);
    blob_unref(b);
}

static void op_trouble(struct chaos *x)
{
    struct world *w = x->w;
    struct fake_device *d = &w->dev[pick(w, w->hub->devices.n)];
    struct fail f;

    if (!d->open) return;
    switch (pick(w, 4)) {
    case 0:
        if (d->n_runs == 0) break;
        fail_set(&f, chance(w, 0.3) ? ERR_OUT_OF_MEMORY : ERR_BAD_PROMPT, "a bad run");
        run_end(w, d, pick(w, d->n_runs), &f);
        break;
    case 1:
        if (chance(w, 0.3)) {
            worker_fails_on(w, d, chance(w, 0.5) ? ERR_OUT_OF_MEMORY : ERR_DEVICE, pick(w, 4));
            x->device_due = w->now + pick(w, 2000000);
        }
        break;
    case 2: /* stuck: nothing is heard for a long time */
        if (!chance(w, 0.1) || w->note_first != w->note_end) break;
        w->n_busy = d->n_runs > 0 ? 1 : 0;
        if (d->n_runs > 0) w->busy_jobs[0] = d->runs[pick(w, d->n_runs)].job;
        w->now += 61000000;
        hub_tick(w->hub, w->now);
        w->n_busy = 0;
        break;
    default: break;
    }
}

static void start_again(struct chaos *x, unsigned written)
{
    x->restarts++;
    for (int i = 0; i < CLIENTS; i++)
        disconnect(x, &x->c[i]);
    world_kill(x->w, written);
    world_boot(x->w);
    x->device_due = x->w->now + pick(x->w, 500000);
}

static void op_restart(struct chaos *x)
{
    struct world *w = x->w;

    if (chance(w, 0.5)) {
        start_again(x, (unsigned)pick(w, 8));
        return;
    }
    hub_drain(w->hub, w->now);
    for (int i = 0; !hub_idle(w->hub) && i < 1000; i++) {
        worker_take(w);
        note_deliver(w);
        encoder_answer(w, true);
        store_answer(w, chance(w, 0.98));
    }
    MUST(w, hub_idle(w->hub), "a drain that does not end");
    start_again(x, 0);
}

/* A device that is away comes back, or says that it does not. */
static void open_one(struct chaos *x, int i)
{
    struct world *w = x->w;
    struct note *n;

    if (w->dev[i].open) return;
    if (w->now >= x->device_due) {
        worker_open_on(w, &w->dev[i]);
    } else if (chance(w, 0.05)) {
        struct fake_device *d = &w->dev[i];

        worker_take(w);
        n = note_new(w, d, NOTE_AWAY, 0);
        n->batch = 1 + pick(w, 9);
        for (n->n = 0; n->n < d->n_runs; n->n++) /* they were on their way */
            n->run[n->n].job = d->runs[n->n].job;
        d->n_runs = 0;
        fail_set(&n->fail, ERR_DEVICE, "it is gone");
    }
}

static void op_world(struct chaos *x)
{
    struct world *w = x->w;

    switch (pick(w, 8)) {
    case 0:
        for (int n = pick(w, 4); n >= 0; n--)
            store_answer(w, chance(w, 0.99));
        break;
    case 1: encoder_answer(w, chance(w, 0.99)); break;
    case 2: op_preview(x); break;
    case 3:
        open_one(x, pick(w, w->hub->devices.n));
        if (chance(w, 0.02)) op_trouble(x);
        break;
    case 4:
        for (int n = pick(w, 6); n >= 0; n--)
            note_deliver(w);
        break;
    default: worker_step(w, 1000 + pick(w, 30000));
    }
}

static void pass_time(struct chaos *x)
{
    struct world *w = x->w;

    w->now += pick(w, 12000);
    if (hub_due(w->hub) <= w->now && chance(w, 0.7)) hub_tick(w->hub, w->now);
}

/* --- invariants --------------------------------------------------------------------------------------- */

static void check_jobs(struct world *w)
{
    struct hub *h = w->hub;
    int in[JOB_STATES] = {0}, n = 0, resident = 0;
    uint64_t order = UINT64_MAX;

    for (struct job *j = h->shelf.newest; j; j = j->older) {
        MUST(w, j->order < order, "order");
        order = j->order;
        in[j->state]++;
        n++;
        resident += j->device != NULL;
        MUST(w, (j->state == JOB_QUEUED) == (sched_place(&h->queue, j) > 0), "in the queue or not");
        MUST(w, j->state != JOB_RUNNING || (j->device && !j->dropping), "runs nowhere");
        MUST(w, job_over(j) == board_ended(&j->board), "over without end, or the reverse");
        MUST(w, j->overall >= 0 && j->overall <= 1, "overall %f", j->overall);
        MUST(w, j->state == JOB_ADMIT || truth_of(w, j->id)->disk, "a job that is not on disk");
        if (j->state == JOB_QUEUED && !h->touched && devices_ready(&h->devices))
            MUST(w, j->said_place == sched_place(&h->queue, j), "a place that was not told");
    }
    MUST(w, memcmp(in, h->in, JOB_DONE * sizeof in[0]) == 0, "counts");
    MUST(w, n == h->shelf.n && resident == devices_residents(&h->devices), "counts");
    for (int i = 0; i < h->devices.n; i++)
        MUST(w, h->devices.at[i].ledger.n == h->devices.at[i].n_resident, "the ledger");
    MUST(w, h->in[JOB_RUNNING] <= h->devices.n * LEDGER_MAX, "runs");
}

static void check_queue(struct world *w)
{
    struct hub *h = w->hub;
    int64_t last = 0;

    for (int i = 0; i < h->queue.n; i++) {
        struct job *j = h->queue.at[i];

        MUST(w, i == 0 || sched_before(h->queue.at[i - 1], j), "order");
        if (j->eta_start_us >= 0 && !h->touched) {
            MUST(w, j->eta_start_us >= last, "starts before those ahead of it");
            last = j->eta_start_us;
        }
        MUST(w, j->eta_end_us < 0 || j->eta_end_us >= j->eta_start_us, "ends before it starts");
    }
}

/* No accepted job is lost: what is on disk without an end is in the hub. */
static void check_disk(struct world *w)
{
    for (int i = 0; i < w->n_disk; i++)
        if (w->disk[i]->row.state == STATE_QUEUED)
            MUST(w, shelf_find(&w->hub->shelf, w->disk[i]->row.job), "a job is lost");
}

/* --- the run ------------------------------------------------------------------------------------------ */

/* Let everything come to its end: every accepted job must. */
static void finish(struct chaos *x)
{
    struct world *w = x->w;
    struct hub *h = w->hub;
    int open = 1;

    for (long i = 0; open > 0 && i < 1000000; i++) {
        w->now += 10000;
        for (int d = 0; d < h->devices.n; d++)
            if (!w->dev[d].open && w->note_first == w->note_end) worker_open_on(w, &w->dev[d]);
        worker_step(w, 10000);
        while (w->note_first != w->note_end)
            note_deliver(w);
        while (w->picture_first != w->picture_end)
            encoder_answer(w, true);
        while (w->write_first != w->write_end)
            store_answer(w, true);
        if (hub_due(h) <= w->now) hub_tick(h, w->now);
        open = h->in[JOB_ADMIT] + h->in[JOB_QUEUED] + h->in[JOB_RUNNING] + h->in[JOB_SAVING]
               + h->in[JOB_ENDING];
    }
    MUST(w, open == 0, "%d jobs never end", open);
    for (int i = 0; i < CLIENTS; i++) {
        struct client *c = &x->c[i];

        listen_to_end(x, c);
        for (unsigned v = 0; c->peer && v < VIEWS && v < c->n_views; v++)
            MUST(w,
                 !c->views[v].watching || !shelf_find(&h->shelf, c->views[v].job)
                     || c->views[v].seq >= truth_of(w, c->views[v].job)->disk->row.end_seq,
                 "a viewer that was not told the end");
    }
    for (int i = 0; i < w->n_disk; i++)
        MUST(w, w->disk[i]->row.state != STATE_QUEUED, "a job without end on disk");
}

static void chaos(uint64_t seed, long operations)
{
    struct chaos *x = calloc(1, sizeof *x);
    struct world *w = world_new(seed);

    assert_non_null(x);
    x->w = w;
    world_devices(w, 1 + (int)(seed % 2));
    w->woken = woken;
    w->conf.kept = w->hub->shelf.kept = seed % 2 ? 200 : 5;
    for (w->step = 0; w->step < operations; w->step++) {
        pass_time(x);
        if (chance(w, 0.4))
            op_client(x);
        else
            op_world(x);
        if (chance(w, 0.0005)) op_restart(x);
        check_jobs(w);
        forecast_remember(w);
        if (w->step % 16 == 0) check_queue(w);
        if (w->step % 1000 == 0) check_disk(w);
    }
    finish(x);
    check_jobs(w);
    print_message("seed %llu: %ld accepted, %d stored, %ld ends read, %ld previews, %ld restarts, "
                  "%ld conflicts, %ld refused as full\n",
                  (unsigned long long)seed, x->accepted, w->n_disk, x->ends, x->previews,
                  x->restarts, x->conflicts, x->full);
    MUST(w, w->checked > operations / 100, "next to no start was forecast");
    MUST(w, x->accepted > operations / 100 && x->ends > operations / 200 && x->restarts > 0,
         "the test did next to nothing");
    for (int i = 0; i < CLIENTS; i++)
        disconnect(x, &x->c[i]);
    world_free(w);
    free(x);
}

/* catches: whatever nobody thought of */
static void no_order_of_events_breaks_a_rule(void **state)
{
    const char *seed = getenv("DARKROOM_SEED");

    (void)state;
    if (seed) {
        chaos(strtoull(seed, NULL, 10), OPERATIONS);
        return;
    }
    chaos(1, OPERATIONS);
    for (uint64_t s = 2; s <= 4; s++)
        chaos(s, OPERATIONS / 5);
}

/* catches: a check of forecasts that cannot fail. The first two jobs change places behind the hub's back. */
static void a_start_that_was_not_forecast_is_seen(void **state)
{
    struct world *w = world_new(1);
    struct command c;
    struct peer *p = hub_open(w->hub, w);
    struct job *first;
    uint64_t order;

    (void)state;
    w->hub->conf.concurrency = 1;
    worker_open(w);
    note_deliver(w);
    for (int i = 0; i < 3; i++) {
        static const char SUBMIT[] = "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}";

        assert_int_equal(command_decode(SUBMIT, sizeof SUBMIT - 1, &w->limits, &c, NULL), 0);
        hub_command(w->hub, w->now, p, &c);
        store_answer(w, true);
    }
    assert_int_equal(w->hub->queue.n, 2);
    forecast_remember(w);
    first = w->hub->queue.at[0];
    w->hub->queue.at[0] = w->hub->queue.at[1];
    w->hub->queue.at[1] = first;
    order = first->order;
    first->order = w->hub->queue.at[0]->order;
    w->hub->queue.at[0]->order = order;
    w->wrong_forecasts = true;
    while (w->hub->queue.n == 2) {
        worker_step(w, 10000);
        while (w->note_first != w->note_end)
            note_deliver(w);
    }
    assert_int_equal(w->n_wrong, 1);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_that_was_not_forecast_is_seen),
        cmocka_unit_test(no_order_of_events_breaks_a_rule),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
