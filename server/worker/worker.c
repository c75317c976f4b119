/* worker - residents in order of arrival; every decision of its own is whether a preview is affordable. */
#include "server/worker/worker.h"

#include "server/base/clock.h"
#include "server/core/batcher.h"
#include "server/core/board.h"
#include "server/events.h"
#include "server/worker/encoder.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WORK_START, WORK_DROP, WORK_WISH, WORK_LET_GO, WORK_STOP };

enum {
    PREVIEW_US_MIN = 40000, /* between two previews of one job: more than 25 a second nobody sees */
    PREVIEW_SHARE = 60,     /* previews may take one part in so many of the device's time */
    PREVIEW_CREDIT_US = 3000,
    CPU_WORTH =
        4, /* pictures at a time on a processor: shared weights gain by then all that they can */
    REOPEN_MS = 1000, /* before a device is tried again; twice as long every time .. */
    REOPEN_MS_MAX = 60000
};

struct work {
    struct msg m;
    uint64_t job, scratch;
    struct spec spec;
    struct hub_wish wish;
};

struct resident {
    uint64_t job;
    struct spec spec;
    struct glm_run *run;
    struct hub_wish wish;
    int64_t shown_us; /* when its last preview was drawn */
};

struct worker {
    struct worker_conf conf;
    struct mbox box;
    pthread_t thread;
    bool joined;

    /* the thread's own */
    struct glm *glm;
    struct resident resident[LIMIT_BATCH];
    struct turn_run turn[LIMIT_BATCH]; /* of the same index */
    int n;
    int64_t busy_us, preview_us;
    bool preview_fit; /* the colours of previews */
    bool stop, let_go;
    struct fail broken;         /* the device has failed: nothing more is asked of it */
    uint64_t lost[LIMIT_BATCH]; /* jobs that it had not taken yet; the first one was to blame */
    int n_lost;

    /* shared */
    pthread_mutex_t lock;
    struct glm *shared; /* what the loop may plan with */
    uint64_t batch[LIMIT_BATCH];
    int n_batch;
    struct worker_slot slot[LIMIT_PREVIEW_SLOTS], *free_slots;
};

void worker_request(const struct spec *s, struct glm_req *out)
{
    *out = (struct glm_req){.prompt = s->prompt,
                            .prompt_len = strlen(s->prompt),
                            .width = s->width,
                            .height = s->height,
                            .steps = s->steps,
                            .guidance = s->guidance,
                            .seed = (uint64_t)s->seed};
}

void worker_picture_free(struct worker_picture *p)
{
    if (!p) return;
    spec_free(&p->spec);
    free(p->rgb);
    free(p);
}

/* --- notes --------------------------------------------------------------------------------------- */

/* A note cannot be dropped: the hub would wait for it for ever. */
static struct loop_device_event *note_new(enum note_kind kind, uint64_t job)
{
    struct loop_device_event *m;
    while (!(m = calloc(1, sizeof *m)))
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    m->m.kind = LOOP_DEVICE_EVENT;
    m->note.kind = kind;
    m->note.job = job;
    return m;
}

static void note_send(struct worker *w, struct loop_device_event *m)
{
    m->note.device = w->conf.index;
    mbox_push(w->conf.loop, &m->m);
}

static void note_simple(struct worker *w, enum note_kind kind, uint64_t job)
{
    note_send(w, note_new(kind, job));
}

static void note_failed(struct worker *w, uint64_t job, const struct fail *why)
{
    struct loop_device_event *m = note_new(NOTE_FAILED, job);
    m->note.fail = *why;
    note_send(w, m);
}

/* --- residents ----------------------------------------------------------------------------------- */

static int find(const struct worker *w, uint64_t job)
{
    for (int i = 0; i < w->n; i++)
        if (w->resident[i].job == job) return i;
    return -1;
}

/* Order of arrival is kept: turn breaks ties by it. */
static void leave(struct worker *w, int i)
{
    glm_run_free(w->resident[i].run);
    spec_free(&w->resident[i].spec);
    w->n--;
    for (; i < w->n; i++) {
        w->resident[i] = w->resident[i + 1];
        w->turn[i] = w->turn[i + 1];
    }
}

static void leave_all(struct worker *w)
{
    while (w->n)
        leave(w, w->n - 1);
}

static void start(struct worker *w, struct work *k)
{
    struct glm_req req;
    struct glm_run *run = NULL;
    struct fail f = {0};
    worker_request(&k->spec, &req);
    int err = w->n + w->n_lost < LIMIT_BATCH && w->glm
                  ? w->broken.code
                  : fail_set(&f, ERR_INTERNAL, "There is no room on the device.");
    if (!err) err = glm_reserve(w->glm, k->scratch, &f);
    if (!err) err = glm_run_new(&run, w->glm, &req, &f);
    if (err == ERR_DEVICE) {
        if (!w->broken.code) w->broken = f;
        w->lost[w->n_lost++] = k->job;
        return;
    }
    if (err) {
        note_failed(w, k->job, &f);
        return;
    }
    w->resident[w->n] = (struct resident){
        .job = k->job, .spec = k->spec, .run = run, .wish = k->wish, .shown_us = INT64_MIN / 2};
    memset(&k->spec, 0, sizeof k->spec);
    w->turn[w->n] =
        (struct turn_run){.phase = glm_run_view(run).phase, .reading = glm_run_view(run).reading};
    w->n++;
    turn_join(w->turn, w->n);
}

/* A job that the broken device has not taken ends like one that it has. */
static bool drop_lost(struct worker *w, uint64_t job)
{
    for (int i = 0; i < w->n_lost; i++) {
        if (w->lost[i] != job) continue;
        memmove(w->lost + i, w->lost + i + 1, (size_t)(--w->n_lost - i) * sizeof *w->lost);
        note_simple(w, NOTE_GONE, job);
        return true;
    }
    return false;
}

static void drop(struct worker *w, uint64_t job)
{
    int i = find(w, job);
    if (i < 0) drop_lost(w, job);
    if (i < 0) return;
    leave(w, i);
    note_simple(w, NOTE_GONE, job);
}

static void obey(struct worker *w, struct work *k)
{
    int i;
    switch (k->m.kind) {
    case WORK_START: start(w, k); break;
    case WORK_DROP: drop(w, k->job); break;
    case WORK_WISH:
        if ((i = find(w, k->job)) >= 0) w->resident[i].wish = k->wish;
        break;
    case WORK_LET_GO: w->let_go = true; break;
    case WORK_STOP: w->stop = true; break;
    default: break;
    }
}

static void obey_all(struct worker *w, struct msg *list)
{
    for (struct msg *m = list, *next; m; m = next) {
        struct work *k = (struct work *)m;
        next = m->next;
        obey(w, k);
        spec_free(&k->spec);
        free(k);
    }
}

/* --- previews ------------------------------------------------------------------------------------ */

void worker_slot_free(struct worker_slot *s)
{
    pthread_mutex_lock(&s->owner->lock);
    s->next_free = s->owner->free_slots;
    s->owner->free_slots = s;
    pthread_mutex_unlock(&s->owner->lock);
}

static struct worker_slot *slot_take(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    struct worker_slot *s = w->free_slots;
    if (s) w->free_slots = s->next_free;
    pthread_mutex_unlock(&w->lock);
    return s;
}

static bool preview_due(const struct worker *w, const struct resident *r, int64_t now)
{
    int64_t every = (int64_t)r->wish.every_ms * 1000;
    if (!r->wish.classes || now - r->shown_us < (every > PREVIEW_US_MIN ? every : PREVIEW_US_MIN))
        return false;
    return w->preview_us <= w->busy_us / PREVIEW_SHARE + PREVIEW_CREDIT_US;
}

/* Draw what is known of a picture into a free slot; without one, skip it: the next quantum shows more. */
static void preview(struct worker *w, struct resident *r, enum glm_phase phase, int64_t made)
{
    int64_t before = clock_us();
    if (!preview_due(w, r, before)) return;
    struct worker_slot *s = slot_take(w);
    if (!s) return;
    struct glm_picture picture = {.rgb = s->rgb,
                                  .capacity = LIMIT_PREVIEW_PX_MAX * LIMIT_PREVIEW_PX_MAX * 3};
    struct fail f;
    int drawn = glm_run_preview(r->run, r->wish.max_px, &picture, &f);
    int64_t after = clock_us();
    w->preview_us += after - before;
    if (drawn < 0) log_warn(w->conf.log, "worker: preview: %s", f.message);
    if (drawn == ERR_DEVICE && !w->broken.code) w->broken = f;
    if (drawn <= 0) {
        worker_slot_free(s);
        return;
    }
    r->shown_us = after;
    s->job = r->job;
    s->made_us = made;
    s->phase = (enum event_phase)phase;
    s->classes = r->wish.classes;
    s->width = picture.width;
    s->height = picture.height;
    mbox_push(w->conf.previews, &s->m);
}

/* --- quanta -------------------------------------------------------------------------------------- */

/* What the watchdog names when the device is silent. */
static void publish(struct worker *w, const int *picked, int n)
{
    pthread_mutex_lock(&w->lock);
    for (int i = 0; i < n; i++)
        w->batch[i] = w->resident[picked[i]].job;
    w->n_batch = n;
    pthread_mutex_unlock(&w->lock);
}

static void tell_quantum(struct worker *w, enum glm_phase phase, const int *picked, int n,
                         int64_t us)
{
    struct loop_device_event *m = note_new(NOTE_QUANTUM, 0);
    m->note.phase = phase;
    m->note.elapsed_us = us;
    m->note.n = m->note.batch = n;
    for (int i = 0; i < n; i++) {
        const struct resident *r = &w->resident[picked[i]];
        m->note.run[i].job = r->job;
        m->note.run[i].view = glm_run_view(r->run);
        w->turn[picked[i]].phase = m->note.run[i].view.phase;
        w->turn[picked[i]].reading = m->note.run[i].view.reading;
    }
    note_send(w, m);
}

/* The finished picture leaves the device; its place is free before the encoder begins. */
static void hand_over(struct worker *w, int i)
{
    struct resident *r = &w->resident[i];
    struct fail f = {0};
    size_t bytes = (size_t)r->spec.width * (size_t)r->spec.height * 3;
    struct worker_picture *p = calloc(1, sizeof *p);
    uint64_t job = r->job;
    int err = !p || !(p->rgb = malloc(bytes))
                  ? fail_set(&f, ERR_OUT_OF_MEMORY, "No memory for the finished picture.")
                  : 0;
    struct glm_picture picture = {.rgb = p ? p->rgb : NULL, .capacity = bytes};
    if (!err) err = glm_run_image(r->run, &picture, &f);
    if (err == ERR_DEVICE) { /* it is drawn again when the device is back */
        worker_picture_free(p);
        if (!w->broken.code) w->broken = f;
        return;
    }
    if (!err) {
        p->m.kind = ENCODER_PICTURE;
        p->job = job;
        p->spec = r->spec;
        p->width = picture.width;
        p->height = picture.height;
        memset(&r->spec, 0, sizeof r->spec);
    }
    leave(w, i);
    if (err) {
        worker_picture_free(p);
        note_failed(w, job, &f);
        return;
    }
    note_simple(w, NOTE_DRAWN, job);
    mbox_push(w->conf.pictures, &p->m);
}

static void look_after(struct worker *w, enum glm_phase phase, const int *picked, int n,
                       int64_t made)
{
    struct fail f;
    for (int i = 0; i < n; i++) {
        struct resident *r = &w->resident[picked[i]];
        if (w->turn[picked[i]].phase == phase && !glm_run_failed(r->run, &f))
            preview(w, r, phase, made);
    }
    for (int i = w->n - 1; i >= 0; i--) {
        uint64_t job = w->resident[i].job;
        if (glm_run_failed(w->resident[i].run, &f)) {
            leave(w, i);
            note_failed(w, job, &f);
        } else if (w->turn[i].phase == GLM_DONE)
            hand_over(w, i);
    }
}

/* --- the device fails ---------------------------------------------------------------------------- */

static void tell_ready(struct worker *w)
{
    struct glm_info info;
    struct loop_device_event *m = note_new(NOTE_READY, 0);
    w->preview_fit = true;
    glm_info(w->glm, &info);
    m->note.worth = strncmp(info.device, "cpu", 3) == 0 ? CPU_WORTH : 0;
    m->note.budget = w->conf.memory ? w->conf.memory : info.memory_room;
    if (m->note.worth && w->conf.of > 1)
        m->note.budget /= (uint64_t)w->conf.of; /* one memory for all */
    pthread_mutex_lock(&w->lock);
    w->shared = w->glm;
    pthread_mutex_unlock(&w->lock);
    note_send(w, m);
}

static void lost_job(struct loop_device_event *m, uint64_t job)
{
    m->note.run[m->note.n++].job = job;
}

/* First those that shared the failing quantum, or the one that could not even begin. */
static void tell_lost(struct worker *w, const int *picked, int n)
{
    struct loop_device_event *m = note_new(NOTE_DEVICE, 0);
    bool first[LIMIT_BATCH] = {0};
    m->note.fail = w->broken;
    for (int i = 0; i < n; i++) {
        lost_job(m, w->resident[picked[i]].job);
        first[picked[i]] = true;
    }
    m->note.batch = n || !w->n_lost ? n : 1;
    for (int i = 0; i < w->n_lost; i++)
        lost_job(m, w->lost[i]);
    for (int i = 0; i < w->n; i++)
        if (!first[i]) lost_job(m, w->resident[i].job);
    leave_all(w);
    w->n_lost = 0;
    note_send(w, m);
}

/* While there is no engine, work that was on its way to it waits, in its order. */
static void put_off(struct worker *w, struct msg *list, struct msg ***tail)
{
    for (struct msg *m = list, *next; m; m = next) {
        next = m->next;
        m->next = NULL;
        if (m->kind == WORK_LET_GO || m->kind == WORK_STOP) {
            obey_all(w, m);
        } else {
            **tail = m;
            *tail = &m->next;
        }
    }
}

/* Jobs that were on their way when it failed must not wait for it: others may take them. */
static void tell_away(struct worker *w, const struct fail *why, int tries, struct msg **later)
{
    struct loop_device_event *m = note_new(NOTE_AWAY, 0);
    m->note.fail = *why;
    m->note.batch = tries;
    for (struct msg **at = later; *at;) {
        struct work *k = (struct work *)*at;
        if (k->m.kind == WORK_START && m->note.n < LIMIT_BATCH) {
            lost_job(m, k->job);
            *at = k->m.next;
            spec_free(&k->spec);
            free(k);
        } else {
            at = &(*at)->next;
        }
    }
    note_send(w, m);
}

/* Close all of it, open all of it; less and less often, for as long as the service lives. */
static void reopen(struct worker *w)
{
    struct fail f;
    struct msg *later = NULL, **tail = &later;
    int wait_ms = REOPEN_MS;
    while (!w->let_go && !w->stop)
        put_off(w, mbox_wait(&w->box, -1), &tail);
    w->let_go = false;
    glm_close(w->glm);
    w->glm = NULL;
    for (int tries = 1; !w->stop && glm_open(&w->glm, &w->conf.opts, &f); tries++) {
        log_error(w->conf.log, "worker: the device does not come back: %s", f.message);
        w->glm = NULL;
        tell_away(w, &f, tries, &later);
        for (tail = &later; *tail;)
            tail = &(*tail)->next;
        for (int64_t until = clock_us() + wait_ms * 1000LL, left;
             !w->stop && (left = until - clock_us()) > 0;)
            put_off(w, mbox_wait(&w->box, (int)(left / 1000 + 1)), &tail);
        wait_ms = 2 * wait_ms < REOPEN_MS_MAX ? 2 * wait_ms : REOPEN_MS_MAX;
    }
    memset(&w->broken, 0, sizeof w->broken);
    if (!w->stop) tell_ready(w);
    obey_all(w, later);
}

static void device_failed(struct worker *w, const int *picked, int n)
{
    log_error(w->conf.log, "worker: the device failed: %s", w->broken.message);
    tell_lost(w, picked, n);
    reopen(w);
}

/* The decoder is small: while it works, the weights of those that wait for the prior may come. */
static bool last_decodes(const struct worker *w, enum glm_phase phase)
{
    bool waits = false;
    for (int i = 0; i < w->n; i++) {
        if (w->turn[i].phase == GLM_DENOISE) return false;
        waits = waits || w->turn[i].phase < GLM_DENOISE;
    }
    return waits && phase == GLM_DECODE;
}

static void quantum(struct worker *w)
{
    struct glm_run *batch[LIMIT_BATCH];
    struct fail f = {0};
    int picked[LIMIT_BATCH];
    int n = turn_pick(w->turn, w->n, LIMIT_BATCH, glm_at_hand(w->glm), picked);
    if (!n) return;
    enum glm_phase phase = w->turn[picked[0]].phase;
    for (int i = 0; i < n; i++)
        batch[i] = w->resident[picked[i]].run;
    publish(w, picked, n);
    int64_t before = clock_us();
    if (last_decodes(w, phase)) glm_decode_last(w->glm);
    int err = glm_step(w->glm, batch, n, &f);
    int64_t us = clock_us() - before;
    publish(w, picked, 0);
    w->busy_us += us;
    if (err) {
        w->broken = f;
        device_failed(w, picked, n);
        return;
    }
    turn_charge(w->turn, w->n, picked, n, us);
    tell_quantum(w, phase, picked, n, us);
    look_after(w, phase, picked, n, before + us);
}

/* What previews need is learnt while there is nothing to draw, or before a picture that somebody watches. */
static bool time_to_learn(const struct worker *w)
{
    bool watched = w->n == 0;
    for (int i = 0; i < w->n; i++)
        watched = watched || w->resident[i].wish.classes;
    return w->preview_fit && watched;
}

static void fit_previews(struct worker *w)
{
    struct fail f;
    int more = glm_preview_fit(w->glm, &f);
    if (more < 0) log_warn(w->conf.log, "worker: previews end here: %s", f.message);
    if (more == ERR_DEVICE) w->broken = f;
    w->preview_fit = more > 0;
}

static void tell_fatal(struct worker *w, const struct fail *why)
{
    struct loop_stored *m;
    while (!(m = calloc(1, sizeof *m)))
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    m->m.kind = LOOP_FATAL;
    m->why = *why;
    mbox_push(w->conf.loop, &m->m);
}

static void *run(void *arg)
{
    struct worker *w = arg;
    struct fail f = {0};
    pthread_setname_np(pthread_self(), "worker");
    int err = glm_open(&w->glm, &w->conf.opts, &f);
    if (err) w->glm = NULL;
    if (err == ERR_DEVICE && w->conf.of > 1) { /* the others may do */
        struct msg *none = NULL;
        tell_away(w, &f, 1, &none);
        w->let_go = true;
        reopen(w);
    } else if (err) {
        tell_fatal(w, &f);
    } else {
        tell_ready(w);
    }
    while (!w->stop) {
        obey_all(w, w->n || w->preview_fit ? mbox_take(&w->box) : mbox_wait(&w->box, -1));
        if (w->stop) break;
        if (!w->broken.code && time_to_learn(w))
            fit_previews(w);
        else if (!w->broken.code && w->n)
            quantum(w);
        if (w->broken.code) device_failed(w, NULL, 0);
    }
    leave_all(w);
    glm_close(w->glm);
    w->glm = NULL;
    obey_all(w, mbox_take(&w->box));
    return NULL;
}

/* --- the loop's side ----------------------------------------------------------------------------- */

int worker_new(struct worker **out, const struct worker_conf *conf, struct fail *f)
{
    struct worker *w = calloc(1, sizeof *w);
    *out = NULL;
    if (!w) return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the worker.");
    w->conf = *conf;
    mbox_init(&w->box, NULL, NULL);
    pthread_mutex_init(&w->lock, NULL);
    int err = 0;
    for (int i = 0; i < LIMIT_PREVIEW_SLOTS; i++) {
        struct worker_slot *s = &w->slot[i];
        s->m.kind = ENCODER_PREVIEW;
        s->owner = w;
        s->rgb = malloc(LIMIT_PREVIEW_PX_MAX * LIMIT_PREVIEW_PX_MAX * 3);
        if (!s->rgb) err = ERR_OUT_OF_MEMORY;
        worker_slot_free(s);
    }
    if (err || pthread_create(&w->thread, NULL, run, w)) {
        for (int i = 0; i < LIMIT_PREVIEW_SLOTS; i++)
            free(w->slot[i].rgb);
        free(w);
        return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the worker.");
    }
    *out = w;
    return 0;
}

static void send(struct worker *w, int kind, uint64_t job, const struct hub_work *work,
                 const struct hub_wish *wish)
{
    struct work *k = calloc(1, sizeof *k);
    struct fail f;
    bool bad = !k || (work && spec_copy(&k->spec, work->spec));
    if (bad && work) {
        fail_set(&f, ERR_OUT_OF_MEMORY, "No memory to start the picture.");
        note_failed(w, job, &f);
    }
    if (bad) {
        free(k);
        return;
    }
    k->m.kind = kind;
    k->job = job;
    if (work) k->scratch = work->scratch;
    if (wish) k->wish = *wish;
    mbox_push(&w->box, &k->m);
}

void worker_start(struct worker *w, const struct hub_work *work)
{
    send(w, WORK_START, work->job, work, &work->wish);
}

void worker_drop(struct worker *w, uint64_t job)
{
    send(w, WORK_DROP, job, NULL, NULL);
}

void worker_wish(struct worker *w, uint64_t job, const struct hub_wish *wish)
{
    send(w, WORK_WISH, job, NULL, wish);
}

void worker_let_go(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    w->shared = NULL;
    pthread_mutex_unlock(&w->lock);
    send(w, WORK_LET_GO, 0, NULL, NULL);
}

int worker_busy(struct worker *w, uint64_t *jobs, int max)
{
    pthread_mutex_lock(&w->lock);
    int n = w->n_batch < max ? w->n_batch : max;
    memcpy(jobs, w->batch, (size_t)n * sizeof *jobs);
    pthread_mutex_unlock(&w->lock);
    return n;
}

const struct glm *worker_glm(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    const struct glm *g = w->shared;
    pthread_mutex_unlock(&w->lock);
    return g;
}

void worker_stop(struct worker *w)
{
    if (!w || w->joined) return;
    send(w, WORK_STOP, 0, NULL, NULL);
    pthread_join(w->thread, NULL);
    w->joined = true;
}

void worker_free(struct worker *w)
{
    if (!w) return;
    worker_stop(w);
    mbox_destroy(&w->box);
    pthread_mutex_destroy(&w->lock);
    for (int i = 0; i < LIMIT_PREVIEW_SLOTS; i++)
        free(w->slot[i].rgb);
    free(w);
}
