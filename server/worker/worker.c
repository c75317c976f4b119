/* worker - residents in order of arrival; it decides nothing but whether a preview fits into its
 * share of device time. */
#include "server/worker/worker.h"

#include "server/base/clock.h"
#include "server/worker/colors.h"
#include "server/worker/picture.h"
#include "server/worker/post.h"
#include "server/worker/preview.h"
#include "server/worker/probe.h"
#include "server/worker/rates.h"
#include "server/worker/request.h"
#include "server/worker/residents.h"
#include "server/worker/saver.h"
#include "server/worker/source.h"
#include "server/worker/work.h"

#include <stdlib.h>
#include <string.h>

enum {
    REOPEN_MS = 1000, /* before a device is tried again; twice as long every time .. */
    REOPEN_MS_MAX = 60000
};

struct worker {
    struct worker_conf conf;
    struct post post;
    struct mbox box;
    pthread_t thread;
    bool joined;

    /* the thread's own */
    struct glm *glm;
    struct residents on;
    struct preview preview;
    struct saver saver;
    struct probe probe;
    struct colors colors;
    bool stop, released;
    struct fail broken;         /* the device has failed: it is not used any more */
    uint64_t lost[LIMIT_BATCH]; /* jobs whose run was never made; the first one met the failure */
    int n_lost;

    /* shared */
    pthread_mutex_t lock;
    struct glm *shared; /* what the loop may plan with */
    uint64_t batch[LIMIT_BATCH];
    int n_batch;
};

/* --- residents -------------------------------------------------------------------------------- */

static void report_resumed(struct worker *w, const struct resident *r)
{
    struct loop_device_event *m = post_new(RUN_RESUMED, r->job);

    m->event.run[0].job = r->job;
    m->event.run[0].view = glm_run_progress(r->run);
    post_send(&w->post, m);
}

static int begin(struct worker *w, struct work *k, struct resident *r, bool *resumed,
                 struct fail *f)
{
    struct glm_image images[LIMIT_IMAGES];
    struct source_pixels source = {.rgb = {NULL}};
    const struct source_files files = {w->conf.source, w->conf.arg};
    struct glm_req req;
    int err = w->on.n + w->n_lost < LIMIT_BATCH && w->glm
                  ? w->broken.code
                  : fail_set(f, ERR_INTERNAL, "There is no room on the device.");

    request_of(&k->spec, images, &req);
    if (k->tokens) {
        req.tokens = k->tokens->data;
        req.tokens_len = k->tokens->len;
    }
    if (!err) err = source_read(&source, &files, k, images, f);
    if (!err) err = glm_reserve(w->glm, k->scratch, f);
    if (!err) err = saver_begin(&w->saver, w->glm, &req, r, k->checkpoint, &r->run, resumed, f);
    source_free(&source);
    if (err || !k->steps) return err;
    err = glm_run_finish(r->run, k->steps, f);
    if (!err) err = glm_run_failed(r->run, f);
    if (err) glm_run_free(r->run);
    return err;
}

static void start(struct worker *w, struct work *k)
{
    struct resident r = {.job = k->job,
                         .spec = k->spec,
                         .cost = k->cost,
                         .place = k->place,
                         .demand = k->demand,
                         .keep = k->keep,
                         .shown_us = INT64_MIN / 2};
    struct fail f = {0};
    bool resumed = false;
    int err;

    probe_end(&w->probe);
    err = begin(w, k, &r, &resumed, &f);
    if (err == ERR_DEVICE) {
        if (!w->broken.code) w->broken = f;
        w->lost[w->n_lost++] = k->job;
        return;
    }
    if (err) {
        post_failed(&w->post, k->job, &f);
        return;
    }
    r.saved_us = clock_us();
    r.saved_overall = glm_run_progress(r.run).overall;
    residents_add(&w->on, &r);
    memset(&k->spec, 0, sizeof k->spec);
    if (resumed) report_resumed(w, &r);
}

/* A job that the broken device has not accepted ends like one that ran on it. */
static bool end_lost(struct worker *w, uint64_t job, enum device_event_kind kind)
{
    for (int i = 0; i < w->n_lost; i++) {
        if (w->lost[i] != job) continue;
        memmove(w->lost + i, w->lost + i + 1, (size_t)(--w->n_lost - i) * sizeof *w->lost);
        post_event(&w->post, kind, job);
        return true;
    }
    return false;
}

static void drop(struct worker *w, uint64_t job)
{
    int i = residents_find(&w->on, job);

    if (i < 0) end_lost(w, job, RUN_DROPPED);
    if (i < 0) return;
    residents_remove(&w->on, i);
    post_event(&w->post, RUN_DROPPED, job);
}

static void post_checkpoint(struct worker *w, enum device_event_kind kind, uint64_t job,
                            struct blob *checkpoint, const struct fail *why)
{
    struct loop_device_event *m = post_new(kind, job);

    m->event.checkpoint = checkpoint;
    if (checkpoint) m->event.elapsed_us = w->saver.last_us;
    if (why) m->event.fail = *why;
    post_send(&w->post, m);
}

/* When the device turns out to have failed, the job is lost with it. */
static void suspend(struct worker *w, uint64_t job)
{
    int i = residents_find(&w->on, job), err = w->broken.code;
    struct blob *checkpoint = NULL;
    struct fail f = w->broken;

    if (i < 0) end_lost(w, job, RUN_SUSPENDED);
    if (i < 0) return;
    if (!err && saver_save(&w->saver, &w->on.at[i], &checkpoint, &f) == ERR_DEVICE) {
        w->broken = f;
        return;
    }
    residents_remove(&w->on, i);
    post_checkpoint(w, RUN_SUSPENDED, job, checkpoint, &f);
}

static void finish(struct worker *w, uint64_t job, int steps)
{
    int i = residents_find(&w->on, job);
    struct fail f = {0};

    if (i < 0 || w->broken.code) return;
    if (glm_run_finish(w->on.at[i].run, steps, &f)) w->broken = f;
    residents_look(&w->on, i);
    if (w->broken.code || !glm_run_failed(w->on.at[i].run, &f)) return;
    residents_remove(&w->on, i);
    post_failed(&w->post, job, &f);
}

static void keep_rates(struct worker *w, const struct eta_known *known)
{
    struct glm_info info;
    char key[RATES_KEY];
    struct fail f;

    if (!w->glm || !w->conf.opts.cache) return;
    glm_info(w->glm, &info);
    rates_key(&info, key);
    if (rates_save(w->conf.opts.cache, key, known, &f))
        log_warn(w->conf.log, "worker: measured rates are not kept: %s", f.message);
}

/* Only beside no picture: its memory is not in the ledger. */
static void begin_probe(struct worker *w)
{
    struct fail f;

    if (!w->glm || w->on.n || w->broken.code) return;
    if (probe_begin(&w->probe, w->glm, &f)) w->broken = f;
}

static void handle(struct worker *w, struct work *k)
{
    int i;

    switch (k->m.kind) {
    case WORK_START: start(w, k); break;
    case WORK_DROP: drop(w, k->job); break;
    case WORK_SUSPEND: suspend(w, k->job); break;
    case WORK_FINISH: finish(w, k->job, k->steps); break;
    case WORK_DEMAND:
        if ((i = residents_find(&w->on, k->job)) >= 0) w->on.at[i].demand = k->demand;
        break;
    case WORK_RELEASE: w->released = true; break;
    case WORK_STOP: w->stop = true; break;
    case WORK_RATES: keep_rates(w, k->known); break;
    case WORK_PROBE: begin_probe(w); break;
    default: break;
    }
}

static void handle_all(struct worker *w, struct msg *list)
{
    for (struct msg *m = list, *next; m; m = next) {
        struct work *k = (struct work *)m;

        next = m->next;
        handle(w, k);
        work_free(k);
    }
}

/* --- quanta ----------------------------------------------------------------------------------- */

/* For worker_busy(): which jobs are computed when the device stops answering. */
static void publish(struct worker *w, const int *picked, int n)
{
    pthread_mutex_lock(&w->lock);
    for (int i = 0; i < n; i++)
        w->batch[i] = w->on.at[picked[i]].job;
    w->n_batch = n;
    pthread_mutex_unlock(&w->lock);
}

static void report_quantum(struct worker *w, enum glm_phase phase, const int *picked, int n,
                           int64_t us)
{
    struct loop_device_event *m = post_new(QUANTUM_DONE, 0);

    m->event.phase = phase;
    m->event.elapsed_us = us;
    m->event.n = m->event.batch = n;
    m->event.previews_missed = w->preview.missed;
    w->preview.missed = 0;
    for (int i = 0; i < n; i++) {
        const struct resident *r = &w->on.at[picked[i]];

        m->event.run[i].job = r->job;
        m->event.run[i].view = glm_run_progress(r->run);
    }
    post_send(&w->post, m);
}

/* Short of memory the picture is worth more than its tokens, which can be drawn again. */
static struct blob *tokens_of(const struct resident *r)
{
    const size_t len = r->keep ? glm_run_tokens_bytes(r->run) : 0;
    char *memory = len ? malloc(BLOB_HEAD + len) : NULL;

    if (!memory) return NULL;
    glm_run_tokens(r->run, memory + BLOB_HEAD);
    return blob_adopt(memory, len);
}

static void post_finished(struct worker *w, uint64_t job, struct blob *tokens, int steps)
{
    struct loop_device_event *m = post_new(RUN_FINISHED, job);

    m->event.tokens = tokens;
    m->event.steps = steps;
    post_send(&w->post, m);
}

/* Its place on the device is free before the encoder begins. */
static void deliver(struct worker *w, int i)
{
    struct pixels_picture *p;
    struct blob *tokens;
    uint64_t job = w->on.at[i].job;
    struct fail f = {0};
    int err = picture_take(&w->on.at[i], &p, &f);

    if (err == ERR_DEVICE) { /* its job runs again when the device is back */
        if (!w->broken.code) w->broken = f;
        return;
    }
    tokens = err ? NULL : tokens_of(&w->on.at[i]);
    residents_remove(&w->on, i);
    if (err) {
        post_failed(&w->post, job, &f);
        return;
    }
    post_finished(w, job, tokens, p->steps);
    mbox_push(w->conf.pictures, &p->m);
}

static void save(struct worker *w, struct resident *r)
{
    struct blob *checkpoint;
    struct fail f;

    if (w->broken.code || glm_run_failed(r->run, &f)) return;
    if (saver_look(&w->saver, r, &checkpoint, &f)) w->broken = f;
    if (checkpoint) post_checkpoint(w, CHECKPOINT_TAKEN, r->job, checkpoint, NULL);
}

static void after_quantum(struct worker *w, enum glm_phase phase, const int *picked, int n,
                          int64_t made)
{
    struct fail f;

    for (int i = 0; i < n; i++) {
        struct resident *r = &w->on.at[picked[i]];

        if (w->on.served[picked[i]].phase == phase && !glm_run_failed(r->run, &f))
            if (preview_draw(&w->preview, r, phase, made, &f) && !w->broken.code) w->broken = f;
        save(w, r);
    }
    for (int i = w->on.n - 1; i >= 0; i--) {
        uint64_t job = w->on.at[i].job;

        if (glm_run_failed(w->on.at[i].run, &f)) {
            residents_remove(&w->on, i);
            post_failed(&w->post, job, &f);
        } else if (w->on.served[i].phase == GLM_DONE)
            deliver(w, i);
    }
}

/* --- the device fails ------------------------------------------------------------------------- */

/* The first 64 bits of its digest. */
static uint64_t model_of(const char *digest)
{
    char first[17] = "";

    memccpy(first, digest, '\0', sizeof first - 1);
    return strtoull(first, NULL, 16);
}

static void report_ready(struct worker *w)
{
    struct glm_info info;
    struct loop_device_event *m = post_new(DEVICE_READY, 0);

    colors_begin(&w->colors);
    glm_info(w->glm, &info);
    m->event.rate = info.rate;
    m->event.batch_useful = info.batch_useful;
    m->event.model = model_of(info.digest);
    m->event.budget = w->conf.memory ? w->conf.memory : info.memory_room;
    if (!info.own_memory && w->conf.of > 1)
        m->event.budget /= (uint64_t)w->conf.of; /* one memory for all */
    pthread_mutex_lock(&w->lock);
    w->shared = w->glm;
    pthread_mutex_unlock(&w->lock);
    post_send(&w->post, m);
}

static void add_lost(struct loop_device_event *m, uint64_t job)
{
    m->event.run[m->event.n++].job = job;
}

/* Listed first: the jobs of the failing quantum, or the one whose run could not be made. */
static void report_lost(struct worker *w, const int *picked, int n)
{
    struct loop_device_event *m = post_new(DEVICE_FAILED, 0);
    bool first[LIMIT_BATCH] = {0};

    m->event.fail = w->broken;
    for (int i = 0; i < n; i++) {
        add_lost(m, w->on.at[picked[i]].job);
        first[picked[i]] = true;
    }
    m->event.batch = n || !w->n_lost ? n : 1;
    for (int i = 0; i < w->n_lost; i++)
        add_lost(m, w->lost[i]);
    for (int i = 0; i < w->on.n; i++)
        if (!first[i]) add_lost(m, w->on.at[i].job);
    residents_clear(&w->on);
    w->n_lost = 0;
    post_send(&w->post, m);
}

/* While there is no engine, messages are kept in order, but for release and stop. */
static void defer(struct worker *w, struct msg *list, struct msg ***tail)
{
    for (struct msg *m = list, *next; m; m = next) {
        next = m->next;
        m->next = NULL;
        if (m->kind == WORK_RELEASE || m->kind == WORK_STOP) {
            handle_all(w, m);
        } else {
            **tail = m;
            *tail = &m->next;
        }
    }
}

/* Jobs that were sent before the failure was known go back to the hub, for other devices. */
static void report_away(struct worker *w, const struct fail *why, int tries, struct msg **later)
{
    struct loop_device_event *m = post_new(DEVICE_LOST, 0);

    m->event.fail = *why;
    m->event.batch = tries;
    for (struct msg **at = later; *at;) {
        struct work *k = (struct work *)*at;

        if (k->m.kind == WORK_START && m->event.n < LIMIT_BATCH) {
            add_lost(m, k->job);
            *at = k->m.next;
            work_free(k);
        } else {
            at = &(*at)->next;
        }
    }
    post_send(&w->post, m);
}

/* Close the engine and open it again, with growing pauses, until it works or the worker stops. */
static void reopen(struct worker *w)
{
    struct fail f;
    struct msg *later = NULL, **tail = &later;
    int wait_ms = REOPEN_MS;

    while (!w->released && !w->stop)
        defer(w, mbox_wait(&w->box, -1), &tail);
    w->released = false;
    glm_close(w->glm);
    w->glm = NULL;
    for (int tries = 1; !w->stop && glm_open(&w->glm, &w->conf.opts, &f); tries++) {
        log_error(w->conf.log, "worker: the device does not come back: %s", f.message);
        w->glm = NULL;
        report_away(w, &f, tries, &later);
        for (tail = &later; *tail;)
            tail = &(*tail)->next;
        for (int64_t until = clock_us() + wait_ms * 1000LL, left;
             !w->stop && (left = until - clock_us()) > 0;)
            defer(w, mbox_wait(&w->box, (int)(left / 1000 + 1)), &tail);
        wait_ms = 2 * wait_ms < REOPEN_MS_MAX ? 2 * wait_ms : REOPEN_MS_MAX;
    }
    memset(&w->broken, 0, sizeof w->broken);
    if (!w->stop) report_ready(w);
    handle_all(w, later);
}

static void device_failed(struct worker *w, const int *picked, int n)
{
    log_error(w->conf.log, "worker: the device failed: %s", w->broken.message);
    probe_end(&w->probe);
    report_lost(w, picked, n);
    reopen(w);
}

static void quantum(struct worker *w)
{
    struct glm_run *batch[LIMIT_BATCH];
    struct fail f = {0};
    int picked[LIMIT_BATCH];
    int n = batcher_pick(w->on.served, w->on.n, LIMIT_BATCH, glm_at_hand(w->glm), picked);
    enum glm_phase phase;
    int64_t before, us;
    int err;

    if (!n) return;
    phase = w->on.served[picked[0]].phase;
    for (int i = 0; i < n; i++)
        batch[i] = w->on.at[picked[i]].run;
    publish(w, picked, n);
    before = clock_us();
    if (residents_last_decode(&w->on, phase)) glm_decode_last(w->glm);
    err = glm_step(w->glm, batch, n, &f);
    us = clock_us() - before;
    publish(w, picked, 0);
    w->preview.busy_us += us;
    w->saver.busy_us += us;
    w->colors.drawing_us += us;
    if (err) {
        w->broken = f;
        device_failed(w, picked, n);
        return;
    }
    residents_advance(&w->on, picked, n, us);
    report_quantum(w, phase, picked, n, us);
    after_quantum(w, phase, picked, n, before + us);
}

static void fit_colors(struct worker *w)
{
    struct fail f = {0};

    if (colors_step(&w->colors, w->glm, w->conf.log, &f)) w->broken = f;
}

static void measure(struct worker *w)
{
    struct fail f = {0};

    if (probe_step(&w->probe, w->glm, &w->post, &f)) w->broken = f;
}

static bool has_work(const struct worker *w)
{
    return w->on.n || w->colors.missing || w->probe.run;
}

static void *run(void *arg)
{
    struct worker *w = arg;
    struct fail f = {0};
    int err;

    pthread_setname_np(pthread_self(), "worker");
    err = glm_open(&w->glm, &w->conf.opts, &f);
    if (err) w->glm = NULL;
    if (err == ERR_DEVICE && w->conf.of > 1) { /* the service can run on the other devices */
        struct msg *none = NULL;

        report_away(w, &f, 1, &none);
        w->released = true;
        reopen(w);
    } else if (err) {
        post_fatal(&w->post, &f);
    } else {
        report_ready(w);
    }
    while (!w->stop) {
        handle_all(w, has_work(w) ? mbox_take(&w->box) : mbox_wait(&w->box, -1));
        if (w->stop) break;
        if (!w->broken.code && w->probe.run)
            measure(w);
        else if (!w->broken.code && colors_due(&w->colors, &w->on))
            fit_colors(w);
        else if (!w->broken.code && w->on.n)
            quantum(w);
        if (w->broken.code) device_failed(w, NULL, 0);
    }
    residents_clear(&w->on);
    probe_end(&w->probe);
    glm_close(w->glm);
    w->glm = NULL;
    handle_all(w, mbox_take(&w->box));
    return NULL;
}

/* --- the loop's side -------------------------------------------------------------------------- */

int worker_new(struct worker **out, const struct worker_conf *conf, struct fail *f)
{
    struct worker *w = calloc(1, sizeof *w);

    *out = NULL;
    if (!w) return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the worker.");
    w->conf = *conf;
    w->post = (struct post){.loop = conf->loop, .device = conf->index};
    w->preview.encoder = conf->previews;
    w->preview.log = conf->log;
    w->saver = (struct saver){.log = conf->log, .recall = conf->recall, .arg = conf->arg};
    if (pixels_init(&w->preview.pixels, f)) {
        free(w);
        return ERR_OUT_OF_MEMORY;
    }
    mbox_init(&w->box, NULL, NULL);
    pthread_mutex_init(&w->lock, NULL);
    if (pthread_create(&w->thread, NULL, run, w)) {
        pixels_destroy(&w->preview.pixels);
        free(w);
        return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the worker.");
    }
    *out = w;
    return 0;
}

static void send(struct worker *w, struct work *k)
{
    if (k) mbox_push(&w->box, &k->m);
}

void worker_start(struct worker *w, const struct hub_work *work)
{
    struct work *k = work_start(work);
    struct fail f;

    if (!k) {
        fail_set(&f, ERR_OUT_OF_MEMORY, "No memory to start the picture.");
        post_failed(&w->post, work->job, &f);
    }
    send(w, k);
}

void worker_drop(struct worker *w, uint64_t job)
{
    send(w, work_new(WORK_DROP, job, NULL));
}

void worker_suspend(struct worker *w, uint64_t job)
{
    send(w, work_new(WORK_SUSPEND, job, NULL));
}

void worker_finish(struct worker *w, uint64_t job, int steps)
{
    struct work *k = work_new(WORK_FINISH, job, NULL);

    if (k) k->steps = steps;
    send(w, k);
}

void worker_demand(struct worker *w, uint64_t job, const struct preview_demand *demand)
{
    send(w, work_new(WORK_DEMAND, job, demand));
}

void worker_release(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    w->shared = NULL;
    pthread_mutex_unlock(&w->lock);
    send(w, work_new(WORK_RELEASE, 0, NULL));
}

void worker_rates(struct worker *w, const struct eta_known *known)
{
    struct work *k = work_new(WORK_RATES, 0, NULL);

    if (k && (k->known = malloc(sizeof *known))) {
        *k->known = *known;
        send(w, k);
    } else if (k) {
        work_free(k);
    }
}

void worker_probe(struct worker *w)
{
    send(w, work_new(WORK_PROBE, 0, NULL));
}

int worker_busy(struct worker *w, uint64_t *jobs, int max)
{
    int n;

    pthread_mutex_lock(&w->lock);
    n = w->n_batch < max ? w->n_batch : max;
    memcpy(jobs, w->batch, (size_t)n * sizeof *jobs);
    pthread_mutex_unlock(&w->lock);
    return n;
}

const struct glm *worker_glm(struct worker *w)
{
    const struct glm *g;

    pthread_mutex_lock(&w->lock);
    g = w->shared;
    pthread_mutex_unlock(&w->lock);
    return g;
}

void worker_stop(struct worker *w)
{
    if (!w || w->joined) return;
    send(w, work_new(WORK_STOP, 0, NULL));
    pthread_join(w->thread, NULL);
    w->joined = true;
}

void worker_free(struct worker *w)
{
    if (!w) return;
    worker_stop(w);
    mbox_destroy(&w->box);
    pthread_mutex_destroy(&w->lock);
    pixels_destroy(&w->preview.pixels);
    free(w);
}
