/* world - everything around the real hub, faked: disk, device, encoder, clock. One per test.
 *
 * Effects of the hub land in lists; the test decides when and how each is answered, so every delay,
 * order and failure that threads and disks can produce is a plain choice of a random number. What
 * is on `disk` survives world_restart(). A broken rule ends the test with its seed and step. */
#ifndef TEST_SIM_WORLD_H
#define TEST_SIM_WORLD_H

#include "test/sim/world_disk.h"
#include "test/sim/world_forecast.h"

/* --- plans ------------------------------------------------------------------------------------ */

static inline int out_plan(void *arg, const struct spec *s, struct job_plan *p, struct fail *f)
{
    struct world *w = arg;

    MUST(w, devices_ready(&w->hub->devices), "a plan while there is no model");
    return plan_of(s, p, f);
}

/* --- device ----------------------------------------------------------------------------------- */

static inline void out_start(void *arg, int device, const struct hub_work *work)
{
    struct world *w = arg;
    struct hub *h = w->hub;
    struct device *c = &h->devices.at[device];
    struct truth *t = truth_of(w, work->job);
    struct order *o = &w->orders[w->order_end++ % WORLD_ORDERS];
    const struct job *j = registry_find(&h->registry, work->job);
    bool urgent = work->spec->lane == LANE_URGENT;

    *o = (struct order){.start = true,
                        .device = device,
                        .job = work->job,
                        .steps = work->steps,
                        .prior_from = work->spec->prior_from,
                        .place = work->place,
                        .demand = work->demand,
                        .checkpoint = work->checkpoint ? blob_ref(work->checkpoint) : NULL};
    t->starts++;
    MUST(w, !w->forecast_due, "a start that no forecast was made before");
    forecast_check(w, t);
    MUST(w, !j->held && !h->paused && !h->draining, "a held job starts, or one in a pause");
    MUST(w, t->disk->row.steps == 0 || work->steps == t->disk->row.steps, "steps forgotten");
    MUST(w, h->n_refused == 0, "a start while finished pictures wait for the disk");
    MUST(w, t->starts == t->ends + 1, "started twice");
    MUST(w, t->disk && t->disk->row.state == STATE_QUEUED, "started, but not on disk or over");
    MUST(w, c->ready && (urgent || c->n_resident <= c->cap), "%d residents, cap %d", c->n_resident,
         c->cap);
    MUST(w, urgent || devices_residents(&h->devices) <= capacity_cap(h),
         "%d residents on all devices", devices_residents(&h->devices));
    MUST(w, ledger_need(&c->ledger, NULL) <= c->ledger.budget,
         "more bytes promised than there are");
    MUST(w, work->scratch == ledger_scratch(&c->ledger, NULL), "scratch");
    for (int i = 0; i < h->queue.n; i++)
        MUST(w,
             w->wrong_forecasts || h->queue.at[i]->state == JOB_ADMIT
                 || h->queue.at[i]->owner->user.running > 0
                 || h->queue.at[i]->spec.lane != j->spec.lane || queue_before(j, h->queue.at[i]),
             "overtaken in its lane");
    MUST(w,
         urgent || h->queue.n == 0 || h->queue.at[0]->state == JOB_ADMIT
             || h->queue.at[0]->owner->user.running > 0 || h->queue.at[0]->spec.lane != LANE_URGENT,
         "an urgent job is overtaken");
}

static inline void out_drop(void *arg, int device, uint64_t job)
{
    struct world *w = arg;

    w->orders[w->order_end++ % WORLD_ORDERS] = (struct order){.device = device, .job = job};
}

static inline void out_suspend(void *arg, int device, uint64_t job)
{
    struct world *w = arg;

    w->orders[w->order_end++ % WORLD_ORDERS] =
        (struct order){.suspend = true, .device = device, .job = job};
}

static inline void out_finish(void *arg, int device, uint64_t job, int steps)
{
    struct world *w = arg;

    MUST(w, steps > 0, "a picture of no step");
    w->orders[w->order_end++ % WORLD_ORDERS] =
        (struct order){.finish = true, .device = device, .job = job, .steps = steps};
}

static inline void out_demand(void *arg, int device, uint64_t job,
                              const struct preview_demand *demand)
{
    struct world *w = arg;
    struct job *j = registry_find(&w->hub->registry, job);

    MUST(w, j && j->run.device == &w->hub->devices.at[device],
         "a demand for a job that is elsewhere");
    MUST(w, demand->max_px <= LIMIT_PREVIEW_PX_MAX, "preview of %d pixels", demand->max_px);
}

static inline int out_busy(void *arg, int device, uint64_t *jobs, int max)
{
    struct world *w = arg;
    const int n = w->n_busy < max ? w->n_busy : max;

    (void)device;
    memcpy(jobs, w->busy_jobs, (size_t)n * sizeof *jobs);
    return n;
}

static inline void out_wake(void *arg, void *session)
{
    struct world *w = arg;

    if (w->woken) w->woken(w, session);
}

/* A token a byte; the whole prompt is lettering when it begins with a quotation mark. */
static inline int out_words(void *arg, const char *prompt, struct glm_words *out, struct fail *f)
{
    struct world *w = arg;

    (void)f;
    MUST(w, devices_ready(&w->hub->devices), "words while there is no model");
    memset(out, 0, sizeof *out);
    out->tokens = (int)strlen(prompt);
    if (*prompt != '"' || out->tokens < 2) return 0;
    out->texts = 1;
    out->text[0].at = 1;
    out->text[0].len = out->tokens - 2;
    return 0;
}

static inline void out_tuned(void *arg, const struct hub_tuning *t)
{
    MUST((struct world *)arg, t->queue_max > 0 && t->stuck_seconds >= t->job_seconds, "limits");
    ((struct world *)arg)->tuned++;
}

/* Two lines, of which the second says how many were asked for. */
static inline int out_log(void *arg, uint64_t after, struct answer_line *out, int max)
{
    int n = 0;

    (void)arg;
    if (after < 1 && max > 1)
        out[n++] = (struct answer_line){.seq = 1, .time_ms = 1767225600123, .level = "warn"};
    if (after > 1) return n;
    out[n] = (struct answer_line){.seq = 2, .time_ms = 1767225600124, .level = "info"};
    snprintf(out[n++].text, LIMIT_LOG_TEXT, "at most %d", max);
    return n;
}

static inline void out_rates(void *arg, const struct eta_known *known)
{
    struct world *w = arg;

    w->known = *known;
    w->kept++;
}

static inline uint64_t out_random(void *arg)
{
    return world_random(arg);
}

/* One after the other, and a "hash" that tells them apart. */
static inline void out_secret(void *arg, char text[SHARE_TEXT], uint8_t hash[SHARE_HASH_BYTES])
{
    uint64_t bits = world_random(arg);

    ((struct world *)arg)->secret = bits;
    snprintf(text, SHARE_TEXT, "drs_%016llx", (unsigned long long)bits);
    memset(hash, 0, SHARE_HASH_BYTES);
    memcpy(hash, &bits, sizeof bits);
}

static inline struct device_event *event_new(struct world *w, const struct fake_device *d,
                                             enum device_event_kind kind, uint64_t job)
{
    struct device_event *n = calloc(1, sizeof *n);

    assert_non_null(n);
    n->kind = kind;
    n->device = (int)(d - w->dev);
    n->job = job;
    w->events[w->event_end++ % WORLD_ORDERS] = n;
    return n;
}

static inline void event_free(struct device_event *n)
{
    blob_unref(n->checkpoint);
    blob_unref(n->tokens);
    free(n);
}

/* What a run's checkpoint holds. */
static inline struct blob *run_save(const struct fake_run *r)
{
    struct blob *b = blob_copy(r, sizeof *r);

    assert_non_null(b);
    return b;
}

static inline void run_free(struct fake_device *d, int i)
{
    memmove(&d->runs[i], &d->runs[i + 1], (size_t)(d->n_runs - i - 1) * sizeof d->runs[0]);
    memmove(&d->served[i], &d->served[i + 1], (size_t)(d->n_runs - i - 1) * sizeof d->served[0]);
    memmove(&d->used_us[i], &d->used_us[i + 1], (size_t)(d->n_runs - i - 1) * sizeof d->used_us[0]);
    d->n_runs--;
}

static inline int run_find(const struct fake_device *d, uint64_t job)
{
    for (int i = 0; i < d->n_runs; i++)
        if (d->runs[i].job == job) return i;
    return -1;
}

static inline void run_look(struct fake_device *d, int i)
{
    struct fake_run *r = &d->runs[i];

    r->view.prefill = r->view.phase == GLM_PRIOR && r->view.done < r->cost.chunks;
    batcher_look(&d->served[i], &r->cost, &r->view);
}

/* The part of its phase that is to come. */
static inline double run_left(const struct fake_run *r)
{
    int done = r->view.done, chunks = r->view.phase == GLM_PRIOR ? r->cost.chunks : 0;
    double prompt = chunks ? r->cost.prefill : 0;

    if (done < chunks) return 1 - prompt * done / chunks;
    return (1 - prompt) * (r->view.total - done) / (r->view.total - chunks);
}

static inline double run_overall(const struct fake_run *r)
{
    double all = 0, done = 0;

    for (int p = 0; p < GLM_PHASES; p++) {
        all += r->cost.work[p];
        done += r->cost.work[p] * (1 - eta_left(&r->view, p));
    }
    return done / all;
}

static inline void run_next_phase(struct fake_run *r)
{
    do
        r->view.phase++;
    while (r->view.phase < GLM_DONE && r->cost.quanta[r->view.phase] == 0);
    r->view.done = 0;
    r->view.left = 1;
    r->view.total = r->view.phase < GLM_DONE ? r->cost.quanta[r->view.phase] : 0;
    r->view.overall = run_overall(r);
}

static inline void run_step(struct fake_run *r)
{
    if (++r->view.done == r->view.total) {
        run_next_phase(r);
        return;
    }
    r->view.left = run_left(r);
    r->view.overall = run_overall(r);
}

/* As glm_run_finish() has it. */
static inline void run_finish(struct fake_run *r, int steps)
{
    int done = r->view.phase == GLM_DENOISE ? r->view.done : 0;
    double overall = r->view.overall;

    if (r->view.phase > GLM_DENOISE || r->stop) return;
    if (steps < done) steps = done;
    if (steps >= r->steps) return;
    r->stop = steps;
    r->cost.work[GLM_DENOISE] *= (double)steps / r->steps;
    r->cost.flops[GLM_DENOISE] *= (double)steps / r->steps;
    r->cost.quanta[GLM_DENOISE] = steps;
    if (r->view.phase != GLM_DENOISE) return;
    r->view.total = steps;
    r->view.left = run_left(r);
    if (done == steps) run_next_phase(r);
    if (r->view.overall < overall) r->view.overall = overall;
}

/* In its first steps it is as long as it was; what has come further stays. */
static inline void run_lengthen(struct fake_run *r)
{
    if (!r->stop || r->view.phase > GLM_DENOISE) return;
    r->cost.work[GLM_DENOISE] *= (double)r->steps / r->stop;
    r->cost.flops[GLM_DENOISE] *= (double)r->steps / r->stop;
    r->cost.quanta[GLM_DENOISE] = r->steps;
    if (r->view.phase == GLM_DENOISE) r->view.total = r->steps;
    r->stop = 0;
}

/* From the checkpoint of its start, or the newest one on disk, which is no older. */
static inline void run_resume(struct world *w, struct fake_run *r, const struct blob *from)
{
    const struct fake_run *saved;

    if (!from) from = truth_of(w, r->job)->checkpoint;
    if (!from) return;
    saved = (const struct fake_run *)(const void *)from->data;
    MUST(w, saved->job == r->job, "a checkpoint of another job");
    if (saved->skip != r->skip) return; /* of another request, for the engine */
    *r = *saved;
    run_lengthen(r);
    r->resumed = true;
}

static inline void run_new(struct world *w, struct fake_device *d, const struct order *o)
{
    struct fake_run *r = &d->runs[d->n_runs];
    struct saved *s = truth_of(w, o->job)->disk;
    struct spec spec = s->spec;
    struct job_plan p;

    MUST(w, d->n_runs < LEDGER_MAX, "more runs than the ledger holds");
    for (int i = 0; i < WORLD_DEVICES; i++)
        MUST(w, run_find(&w->dev[i], o->job) < 0, "two runs of one job");
    if (o->prior_from && !s->kept) {
        w->lost_tokens++;
        fail_set(&event_new(w, d, RUN_FAILED, o->job)->fail, ERR_CONFLICT, "no tokens");
        return;
    }
    spec.prior_from = o->prior_from;
    plan_of(&spec, &p, NULL);
    memset(r, 0, sizeof *r);
    r->job = o->job;
    r->steps = spec.steps;
    r->skip = o->prior_from != 0;
    r->cost = p.cost;
    while (p.cost.quanta[r->view.phase] == 0)
        r->view.phase++;
    r->view.total = p.cost.quanta[r->view.phase];
    r->view.left = 1;
    run_resume(w, r, o->checkpoint);
    if (o->steps) run_finish(r, o->steps);
    if (r->resumed) event_new(w, d, RUN_RESUMED, r->job)->run[0].view = r->view;
    r->resumed = false;
    d->served[d->n_runs] =
        (struct batcher_run){.place = o->place, .urgent = s->spec.lane == LANE_URGENT};
    d->used_us[d->n_runs] = d->n_runs > 0 ? INT64_MAX : 0; /* level with the least served */
    for (int i = 0; i < d->n_runs; i++)
        if (d->used_us[i] < d->used_us[d->n_runs]) d->used_us[d->n_runs] = d->used_us[i];
    run_look(d, d->n_runs++);
}

/* The workers take their messages. */
static inline void worker_take(struct world *w)
{
    while (w->order_first != w->order_end) {
        struct order *o = &w->orders[w->order_first++ % WORLD_ORDERS];
        struct fake_device *d = &w->dev[o->device];
        int i = run_find(d, o->job);

        if (o->start) {
            run_new(w, d, o);
            blob_unref(o->checkpoint);
        } else if (i >= 0 && o->finish) {
            run_finish(&d->runs[i], o->steps);
            run_look(d, i);
        } else if (i >= 0) {
            event_new(w, d, o->suspend ? RUN_SUSPENDED : RUN_DROPPED, o->job)->checkpoint =
                o->suspend ? run_save(&d->runs[i]) : NULL;
            run_free(d, i);
        }
    }
}

/* A run ends: drawn, or failed by itself. */
static inline void run_end(struct world *w, struct fake_device *d, int i, const struct fail *why)
{
    uint64_t job = d->runs[i].job;
    int steps = d->runs[i].stop ? d->runs[i].stop : d->runs[i].steps;
    struct device_event *n;

    run_free(d, i);
    if (why) {
        event_new(w, d, RUN_FAILED, job)->fail = *why;
        return;
    }
    n = event_new(w, d, RUN_FINISHED, job);
    n->steps = steps;
    n->tokens = chance(w, 0.9) ? blob_copy("tokens", 6) : NULL;
}

static inline int choose(const struct world *w, struct fake_device *d, int *picked)
{
    if (w->choose) return w->choose(d, picked);
    return batcher_pick(d->served, d->n_runs, LIMIT_BATCH, BATCHER_ALL, picked);
}

/* Messages, batch, quantum, events: one worker's loop once. elapsed_us 0: as planned, and the clock
 * moves on by it. */
static inline void worker_step_on(struct world *w, struct fake_device *d, int64_t elapsed_us)
{
    int picked[LIMIT_BATCH], n;
    struct device_event *event;

    worker_take(w);
    if (!d->open) return;
    n = choose(w, d, picked);
    if (n == 0) return;
    if (elapsed_us == 0)
        w->now += elapsed_us = w->takes ? w->takes(w, d, picked, n) : shared_us(d, picked, n);
    event = event_new(w, d, QUANTUM_DONE, 0);
    event->phase = d->runs[picked[0]].view.phase;
    event->elapsed_us = elapsed_us;
    event->n = n;
    batcher_passed(d->served, d->n_runs, picked, n, elapsed_us);
    if (w->charge) w->charge(d, picked, n, elapsed_us);
    for (int i = 0; i < n; i++) {
        struct fake_run *r = &d->runs[picked[i]];

        MUST(w, r->view.phase == event->phase, "a batch of two phases");
        run_step(r);
        run_look(d, picked[i]);
        event->run[i].job = r->job;
        event->run[i].view = r->view;
        if (r->view.phase < GLM_DONE && chance(w, 0.1))
            event_new(w, d, CHECKPOINT_TAKEN, r->job)->checkpoint = run_save(r);
    }
    for (int i = d->n_runs - 1; i >= 0; i--)
        if (d->runs[i].view.phase == GLM_DONE) run_end(w, d, i, NULL);
}

static inline void worker_step(struct world *w, int64_t elapsed_us)
{
    for (int i = 0; i < WORLD_DEVICES; i++)
        worker_step_on(w, &w->dev[i], elapsed_us);
}

/* The device fails: everything on it is lost; batch: how many were in the quantum. */
static inline void worker_fails_on(struct world *w, struct fake_device *d, enum err code, int batch)
{
    struct device_event *n;

    worker_take(w);
    n = event_new(w, d, DEVICE_FAILED, 0);
    n->n = d->n_runs;
    n->batch = batch < n->n ? batch : n->n;
    for (int i = 0; i < n->n; i++)
        n->run[i].job = d->runs[i].job;
    fail_set(&n->fail, code, "the device broke");
    d->n_runs = 0;
    d->open = false;
}

static inline void worker_device_fails(struct world *w, enum err code, int batch)
{
    worker_fails_on(w, &w->dev[0], code, batch);
}

static inline void worker_open_on(struct world *w, struct fake_device *d)
{
    d->open = true;
    struct device_event *n = event_new(w, d, DEVICE_READY, 0);

    n->budget = w->budget;
    n->model = w->model;
}

static inline void worker_open(struct world *w)
{
    worker_open_on(w, &w->dev[0]);
}

/* Deliver the oldest event. */
static inline void event_deliver(struct world *w)
{
    struct device_event *n;

    if (w->event_first == w->event_end) return;
    n = w->events[w->event_first++ % WORLD_ORDERS];
    if (n->kind == RUN_FINISHED) {
        w->pictures[w->picture_end++ % WORLD_ORDERS] = n->job;
        truth_of(w, n->job)->steps_done = n->steps;
    }
    if (n->kind == RUN_FINISHED || n->kind == RUN_DROPPED || n->kind == RUN_SUSPENDED
        || n->kind == RUN_FAILED)
        truth_of(w, n->job)->ends++;
    for (int i = 0; (n->kind == DEVICE_FAILED || n->kind == DEVICE_LOST) && i < n->n; i++)
        truth_of(w, n->run[i].job)->ends++;
    world_enter(w);
    hub_device_event(w->hub, w->now, n);
    event_free(n);
}

/* The encoder finishes its oldest picture (ERR_OK) or fails. */
static inline void encoder_answer(struct world *w, enum err code)
{
    char digest[65];
    struct fail f;
    struct blob *file = NULL;
    uint64_t job;

    if (w->picture_first == w->picture_end) return;
    job = w->pictures[w->picture_first++ % WORLD_ORDERS];
    picture_digest(&truth_of(w, job)->disk->spec, truth_of(w, job)->steps_done, digest);
    if (code) fail_set(&f, code, "the encoder broke");
    if (!code) file = blob_copy(digest, 64);
    world_enter(w);
    hub_encoded(w->hub, w->now, job, file, digest, code ? &f : NULL);
    blob_unref(file);
}

/* --- start and end ---------------------------------------------------------------------------- */

/* A cell of a sweep that is not over. */
static inline bool saved_of_live(struct world *w, const struct saved *s)
{
    const struct saved *p;

    if (!s->row.place.parent) return false;
    p = truth_of(w, s->row.place.parent)->disk;
    return p && p->row.state == STATE_QUEUED;
}

static inline void world_boot(struct world *w)
{
    struct hub_out out = {.arg = w,
                          .store_accept = out_store_accept,
                          .store_end = out_store_end,
                          .store_place = out_store_place,
                          .store_share = out_store_share,
                          .store_finish = out_store_finish,
                          .store_delete = out_store_delete,
                          .webhook = out_webhook,
                          .has_picture = out_has_picture,
                          .recall = out_recall,
                          .source = out_source,
                          .take_image = out_take_image,
                          .list_images = out_list_images,
                          .discard_image = out_discard_image,
                          .store_checkpoint = out_store_checkpoint,
                          .start = out_start,
                          .drop = out_drop,
                          .suspend = out_suspend,
                          .finish = out_finish,
                          .demand = out_demand,
                          .busy = out_busy,
                          .plan = out_plan,
                          .words = out_words,
                          .wake = out_wake,
                          .random = out_random,
                          .secret = out_secret,
                          .tuned = out_tuned,
                          .log = out_log,
                          .rates = out_rates};
    int over = 0;

    w->conf.boot++;
    w->conf.limits = &w->limits;
    w->conf.unix_ms = 1767225600000;
    for (int i = 0; i < WORLD_DEVICES; i++)
        w->dev[i].open = false;
    assert_int_equal(hub_new(&w->hub, &w->conf, &out), 0);
    assert_int_equal(hub_users(w->hub, w->now, w->users, w->n_users), 0);
    for (int i = 0; i < w->n_disk; i++)
        over += !w->marks[i].waits && !w->marks[i].deleted;
    for (int i = 0; i < w->n_disk; i++) {
        struct fail f;

        if (w->marks[i].deleted) continue;
        if (!w->marks[i].waits && over-- > w->conf.kept && !saved_of_live(w, w->disk[i])) continue;
        assert_int_equal(hub_restore(w->hub, w->now, &w->disk[i]->row, &f), 0);
    }
}

/* The process ends, here and now; of the writes on their way the first `written` reach the disk. */
static inline void world_kill(struct world *w, unsigned written)
{
    int more;

    while (w->write_first != w->write_end) {
        if (written > 0 && disk_takes(w)) {
            disk_write(w);
            written--;
            continue;
        }
        do { /* all rows of it, or none */
            more = w->writes[w->write_first % WORLD_ORDERS]->more;
            saved_free(w->writes[w->write_first++ % WORLD_ORDERS]);
        } while (more > 0);
    }
    while (w->event_first != w->event_end)
        event_free(w->events[w->event_first++ % WORLD_ORDERS]);
    while (w->order_first != w->order_end)
        blob_unref(w->orders[w->order_first++ % WORLD_ORDERS].checkpoint);
    w->picture_first = w->picture_end;
    images_lose(w);
    for (int i = 0; i < WORLD_DEVICES; i++)
        w->dev[i].n_runs = 0;
    w->n_busy = 0;
    for (int i = 0; i < WORLD_MAP; i++) {
        if (!w->map[i]) continue;
        w->map[i]->starts = w->map[i]->ends = 0;
        w->map[i]->overall = 0;
        w->map[i]->unwatched_us = 0;
    }
    for (int i = 0; i < w->n_disk; i++)
        w->disk[i]->going = false;
    for (int i = 0; i < w->n_disk; i++) /* they were in memory alone */
        if (!w->marks[i].deleted && w->disk[i]->row.private) disk_delete(w, w->disk[i]);
    hub_free(w->hub);
    w->hub = NULL;
}

static inline struct world *world_new(uint64_t seed)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    w->seed = w->random = seed;
    w->now = 1000000;
    spec_limits_init(&w->limits);
    spec_limits_model(&w->limits, 1024, 256, 4);
    w->budget = 256 * 256 * (100 * 4 + 20 + 30);
    w->conf = (struct hub_conf){.devices = 1,
                                .queue_max = 64,
                                .job_seconds = 300,
                                .stuck_seconds = 60,
                                .private_s = 5,
                                .kept = 1024};
    world_boot(w);
    return w;
}

/* Begin again with so many devices. */
static inline void world_devices(struct world *w, int n)
{
    world_kill(w, 0);
    w->conf.devices = n;
    world_boot(w);
}

/* One more user, at once. */
static inline struct user *world_user(struct world *w, const char *name, enum user_role role)
{
    struct user *u = &w->users[w->n_users];

    assert_true(w->n_users < WORLD_USERS);
    user_defaults(u);
    u->id = (uint32_t)++w->n_users;
    u->role = role;
    snprintf(u->name, sizeof u->name, "%s", name);
    assert_int_equal(hub_users(w->hub, w->now, w->users, w->n_users), 0);
    return u;
}

static inline void world_free(struct world *w)
{
    world_kill(w, 0);
    for (int i = 0; i < w->n_disk; i++)
        saved_free(w->disk[i]);
    for (int i = 0; i < WORLD_MAP; i++) {
        if (w->map[i]) blob_unref(w->map[i]->checkpoint);
        free(w->map[i]);
    }
    free(w->disk);
    free(w->marks);
    free(w);
}

#endif
