/* service - wires: what one part emits becomes another's input; nothing is decided here. */
#include "server/service.h"

#include "server/base/clock.h"
#include "server/events.h"
#include "server/intake.h"
#include "server/service_priv.h"
#include "server/store/checkpoints.h"
#include "server/store/images.h"
#include "server/worker/rates.h"

#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    STOP_US = 4000000, /* from the signal to the end, whatever still hangs */
    LOOP_NAPS = 10,    /* longest turn of the network loop, in the watchdog's naps */
    RETRY_MS = 2000    /* retry_after_ms of the closing message */
};

/* --- events of the other threads -------------------------------------------------------------- */

static void announce(struct service *s)
{
    struct hub_counts n;

    hub_counts(s->hub, &n);
    printf("  model    %s (%s)\n", s->model, s->conf->model);
    printf("  device   %s\n  weights  %s\n", s->device, s->residency);
    printf("  drawing  %d at a time: %s\n", n.cap, hub_why_cap(s->hub));
    fflush(stdout);
}

/* What an earlier start has measured. NULL: nothing. */
static const struct eta_known *recall(struct service *s, struct eta_known *known)
{
    char key[RATES_KEY];
    struct fail f;
    int err;

    rates_key(&s->info, key);
    err = rates_load(s->conf->data, key, known, &f);
    if (err == ERR_IO) log_warn(s->log, "rates: %s", f.message);
    return err ? NULL : known;
}

/* The limits are narrowed before the hub gets the event: it may start jobs at once. */
static void on_device_event(struct service *s, struct loop_device_event *m)
{
    bool first = m->event.kind == DEVICE_READY && !s->loaded;
    struct eta_known known;

    if (first) {
        glm_info(worker_glm(s->worker[m->event.device]), &s->info);
        snprintf(s->model, sizeof s->model, "%s", s->info.model);
        snprintf(s->device, sizeof s->device, "%s", s->info.device);
        if (s->workers > 1)
            snprintf(s->device, sizeof s->device, "%d devices, %s the first", s->workers,
                     s->info.device);
        snprintf(s->residency, sizeof s->residency, "%s", s->info.residency);
        snprintf(s->type, sizeof s->type, "%s", s->info.type);
        hello_model(&s->hello, &s->info);
        m->event.known = recall(s, &known);
        s->loaded = true;
    }
    hub_device_event(s->hub, clock_us(), &m->event);
    if (m->event.kind == DEVICE_FAILED) worker_release(s->worker[m->event.device]);
    if (!first) return;
    if (!m->event.known) worker_probe(s->worker[m->event.device]);
    announce(s);
    net_resume(s->net);
}

static void on_preview(struct service *s, struct loop_preview *m)
{
    int64_t now = clock_us();

    for (int i = 0; i < m->n; i++) {
        m->image[i].computed_us = m->computed_us;
        m->image[i].posted_us = now;
    }
    hub_preview(s->hub, now, m->job, m->phase, m->image, m->n);
}

static void on_encoded(struct service *s, struct loop_encoded *m)
{
    hub_encoded(s->hub, clock_us(), m->job, m->file, m->digest, m->file ? NULL : &m->why);
}

static void on_stored(struct service *s, struct loop_stored *m)
{
    if (m->commit_us) histogram_add(&s->commit, m->commit_us);
    if (s->webhooks && !m->why.code) webhooks_look(s->webhooks);
    hub_stored(s->hub, clock_us(), m->job, m->why.code ? &m->why : NULL);
}

static void on_shared(struct service *s, struct loop_shared *m)
{
    hub_share_stored(s->hub, clock_us(), &m->share, m->why.code ? &m->why : NULL);
}

static void on_deleted(struct service *s, struct loop_deleted *m)
{
    store_settled(s->store, m->deletion.job);
    hub_deleted(s->hub, clock_us(), &m->deletion, m->why.code ? &m->why : NULL);
}

static void on_discarded(struct service *s, const struct image_discard *m)
{
    hub_discarded(s->hub, clock_us(), m->ticket, m->why.code ? &m->why : NULL);
}

static void on_disk(struct service *s, struct loop_disk *m)
{
    hub_disk(s->hub, clock_us(), m->why.code ? &m->why : NULL);
}

static void on_removal(struct service *s, struct loop_removal *m)
{
    hub_removal(s->hub, clock_us(), &m->removal);
}

static void on_found(struct service *s, struct loop_found *m)
{
    hub_found(s->hub, clock_us(), m->ticket, m->answer, m->answer ? NULL : &m->why);
}

static void on_fatal(struct service *s, struct loop_fatal *m)
{
    s->fatal = m->why;
    hub_drain(s->hub, clock_us()); /* connections are closed after the workers have ended */
    net_stop(s->net);
}

static void on_events(void *arg)
{
    struct service *s = arg;

    for (struct msg *m = mbox_take(&s->box), *next; m; m = next) {
        next = m->next;
        switch (m->kind) {
        case LOOP_DEVICE_EVENT: on_device_event(s, (struct loop_device_event *)m); break;
        case LOOP_FATAL: on_fatal(s, (struct loop_fatal *)m); break;
        case LOOP_PREVIEW: on_preview(s, (struct loop_preview *)m); break;
        case LOOP_ENCODED: on_encoded(s, (struct loop_encoded *)m); break;
        case LOOP_STORED: on_stored(s, (struct loop_stored *)m); break;
        case LOOP_SHARED: on_shared(s, (struct loop_shared *)m); break;
        case LOOP_DELETED: on_deleted(s, (struct loop_deleted *)m); break;
        case LOOP_DISK: on_disk(s, (struct loop_disk *)m); break;
        case LOOP_REMOVAL: on_removal(s, (struct loop_removal *)m); break;
        case LOOP_FOUND: on_found(s, (struct loop_found *)m); break;
        case LOOP_CONVERTED: exchange_converted((struct conversion *)m); break;
        case LOOP_DECODED: intake_decoded(s, (struct decoding *)m); break;
        case LOOP_PRESSED: intake_pressed(s, (struct intake *)m); continue;
        case LOOP_KEPT: intake_kept(s, (struct intake *)m); break;
        case LOOP_DISCARDED: on_discarded(s, (struct image_discard *)m); break;
        default: break;
        }
        events_free(m);
    }
}

/* Events that nothing handles any more, as the loop has ended. */
static void drop_events(struct service *s)
{
    for (struct msg *m = mbox_take(&s->box), *next; m; m = next) {
        next = m->next;
        if (m->kind == LOOP_DECODED) free(((struct decoding *)m)->owner);
        events_free(m);
    }
}

static void wake(void *arg)
{
    struct service *s = arg;

    if (s->net) net_wake(s->net);
}

/* --- what the network asks -------------------------------------------------------------------- */

static struct blob *hello_to(void *arg, const struct user *user)
{
    struct service *s = arg;
    const struct notice *notices[NOTICE_KINDS];
    struct concurrency concurrency;
    struct answer_hello say;

    if (!s->loaded) return NULL;
    hub_concurrency(s->hub, &concurrency);
    say = (struct answer_hello){.version = s->conf->version,
                                .boot_id = s->boot_id,
                                .time_ms = clock_unix_ms(),
                                .model = s->model,
                                .device = s->device,
                                .dtype = s->type,
                                .concurrency = &concurrency,
                                .user = user,
                                .queue_max = s->conf->options->queue,
                                .job_seconds = s->conf->options->job_seconds};
    say.notices = notices;
    if (!user || user->role != ROLE_GUEST)
        say.n_notices = hub_notices(s->hub, user ? user->id : USER_NONE, notices, &say.notice_seq);
    return hello_blob(&s->hello, &say);
}

static struct blob *make_hello(void *arg, const struct auth_who *who)
{
    return hello_to(arg, auth_user(&((struct service *)arg)->auth, who));
}

static struct session *open_session(void *arg, const struct session_conn *conn)
{
    struct service *s = arg;
    struct session *session;
    struct fail f;

    return session_new(&session, s->hub, conn, &f) ? NULL : session;
}

/* --- signals --------------------------------------------------------------------------------- */

static void on_watched(void *arg, int fd)
{
    if (users_announced(fd)) live_renew_users(arg);
}

/* SIGHUP has two meanings: the terminal is gone, or the administrator has changed something. */
static bool hung_up(const struct service *s)
{
    return s->terminal && !isatty(STDERR_FILENO);
}

static void begin_stop(struct service *s)
{
    struct fail why;

    log_info(s->log, "stopping: work that runs goes back to the queue");
    supervisor_stopping(&s->supervisor);
    s->stop_by = clock_us() + STOP_US;
    hub_drain(s->hub, clock_us());
    fail_set(&why, ERR_SHUTTING_DOWN, "The server stops; accepted jobs are kept.");
    why.retry_after_ms = RETRY_MS;
    net_drain(s->net, &why);
}

static void on_signal(void *arg, int which)
{
    struct service *s = arg;

    if (which == SIGHUP && !hung_up(s)) {
        supervisor_reloading(&s->supervisor, clock_us());
        if (s->conf->options->config) live_reread(s);
        live_renew_users(s);
        supervisor_reloaded(&s->supervisor);
        return;
    }
    if (s->stop_by) _exit(128 + which); /* a second signal: exit at once */
    begin_stop(s);
}

static void on_round(void *arg)
{
    struct service *s = arg;
    int64_t now = clock_us(), due = hub_due(s->hub), wanted;

    pulse_end(&s->pulse);
    if (due <= now) {
        hub_tick(s->hub, now);
        due = hub_due(s->hub);
    }
    wanted = supervisor_round(&s->supervisor, s->hub, now);
    if (due > wanted) due = wanted;
    if (!s->stop_by && !s->fatal.code && hub_stopping(s->hub)) begin_stop(s); /* a drain's end */
    if (s->stop_by) {
        bool done = hub_idle(s->hub) && (!net_sessions(s->net) || now > s->stop_by - STOP_US / 2);

        if (done || now >= s->stop_by) net_stop(s->net);
        if (due > s->stop_by) due = s->stop_by;
        if (due > now + 100000) due = now + 100000;
    }
    net_alarm(s->net, due);
}

/* --- life ------------------------------------------------------------------------------------- */

static int open_store(struct service *s, struct fail *f)
{
    struct store_conf conf = {.data = s->conf->data,
                              .loop = &s->box,
                              .log = s->log,
                              .keep_days = s->conf->options->keep_days,
                              .keep_bytes = s->conf->options->keep_size,
                              .upload_hours = s->conf->options->upload_hours,
                              .grace_minutes = s->conf->options->grace_minutes};
    int err = store_open(&s->store, &conf, f);

    s->folder = err ? -1 : store_folder(s->store);
    return err;
}

static int open_webhooks(struct service *s, struct fail *f)
{
    const struct options *c = s->conf->options;
    struct webhooks_conf conf = {.data = s->conf->data,
                                 .hosts = c->webhook_hosts,
                                 .secret = c->webhook_secret,
                                 .ca = c->webhook_ca,
                                 .version = s->conf->version,
                                 .log = s->log};

    return webhooks_open(&s->webhooks, &conf, f);
}

static int open_hub(struct service *s, struct fail *f)
{
    const struct options *c = s->conf->options;
    struct hub_conf conf = {.boot = store_boot(s->store),
                            .unix_ms = clock_unix_ms() - clock_us() / 1000,
                            .limits = &s->hello.limits,
                            .queue_max = c->queue,
                            .devices = s->workers,
                            .concurrency = c->concurrency,
                            .job_seconds = c->job_seconds,
                            .stuck_seconds = live_stuck_seconds(c),
                            .submits_per_s = c->submits_per_second,
                            .messages_per_s = c->messages_per_second,
                            .private_s = 60 * c->private_minutes,
                            .kept = LIMIT_JOBS_KEPT};
    struct hub_out out = emit_effects(s);
    int err = store_counts(s->store, &conf.done, &conf.failed, &conf.cancelled, f);

    if (!err && hub_new(&s->hub, &conf, &out))
        err = fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the service.");
    return err;
}

static int open_auth(struct service *s, struct fail *f)
{
    s->watch = users_watch(s->conf->data); /* before they are read, so that no change is missed */
    if (s->watch < 0)
        log_warn(s->log, "users: the system watches no more folders; send SIGHUP after a change");
    auth_init(&s->auth, store_secret(s->store), s->conf->options->open);
    s->auth.hub = s->hub;
    return live_users(s, f);
}

static int restore_one(void *arg, const struct hub_row *row, struct fail *f)
{
    struct service *s = arg;

    return hub_restore(s->hub, clock_us(), row, f);
}

static void convert(void *arg, struct conversion *c)
{
    converter_push(((struct service *)arg)->converter, c);
}

static int open_http(struct service *s, struct fail *f)
{
    struct http_conf conf = {.pages = s->conf->pages,
                             .hub = s->hub,
                             .store = s->store,
                             .version = s->conf->version,
                             .model = s->model,
                             .hello = hello_to,
                             .convert = convert,
                             .arg = s,
                             .base = s->conf->options->base,
                             .limits = &s->hello.limits,
                             .traffic = &s->traffic,
                             .commit = &s->commit,
                             .webhooks = webhooks_counts(s->webhooks),
                             .decoded = &s->decoded};

    return http_new(&s->http, &conf, f);
}

static int open_net(struct service *s, struct fail *f)
{
    const struct options *c = s->conf->options;
    struct net_conf conf = {.host = c->host,
                            .origins = c->origins,
                            .port = c->port,
                            .open = c->open,
                            .connections = c->connections,
                            .connections_per_ip = c->connections_per_ip,
                            .connections_per_user = c->connections_per_user,
                            .ping_seconds = c->ping_seconds,
                            .hangup_seconds = c->hangup_seconds,
                            .log = s->log,
                            .http = s->http,
                            .auth = &s->auth,
                            .trust_proxy = c->trust_proxy,
                            .base = c->base,
                            .socket = c->listen ? c->listen + strlen("unix:") : NULL,
                            .watch_fd = s->watch,
                            .traffic = &s->traffic,
                            .arg = s,
                            .open_session = open_session,
                            .hello = make_hello,
                            .events = on_events,
                            .signal = on_signal,
                            .watched = on_watched,
                            .round = on_round};

    s->watch = -1;
    return net_new(&s->net, &conf, f);
}

static struct blob *recall_checkpoint(void *arg, uint64_t job)
{
    return checkpoints_read(((struct service *)arg)->folder, job);
}

static struct blob *recall_source(void *arg, const char *digest)
{
    return images_read(((struct service *)arg)->folder, digest);
}

static int open_threads(struct service *s, struct fail *f)
{
    const struct options *c = s->conf->options;
    struct encoder_conf encoder = {
        .loop = &s->box, .log = s->log, .model = s->model, .version = s->conf->version};
    struct decoder_conf decoder = {.loop = &s->box, .log = s->log};
    int err = encoder_new(&s->encoder, &encoder, f);

    if (!err) err = converter_new(&s->converter, &s->box, f);
    if (!err) err = decoder_new(&s->decoder, &decoder, f);
    if (err) return err;
    for (int i = 0; i < s->workers && !err; i++) {
        struct worker_conf worker = {.opts = {.model = s->conf->model,
                                              .device = s->names[i],
                                              .type = options_dtype(c),
                                              .threads = c->threads,
                                              .vram = (uint64_t)c->vram,
                                              .cache = s->conf->data,
                                              .version = s->conf->version},
                                     .index = i,
                                     .of = s->workers,
                                     .memory = (uint64_t)c->memory_mb << 20,
                                     .loop = &s->box,
                                     .previews = encoder_previews(s->encoder),
                                     .pictures = encoder_pictures(s->encoder),
                                     .recall = recall_checkpoint,
                                     .source = recall_source,
                                     .arg = s,
                                     .log = s->log};

        err = worker_new(&s->worker[i], &worker, f);
    }
    return err;
}

/* Only while the loop turns: what comes after it may wait for the device. */
static int open_watchdog(struct service *s, struct fail *f)
{
    struct watchdog_conf conf = {.pulses = {&s->pulse, store_pulse(s->store)},
                                 .nap_ms = WATCHDOG_NAP_MS,
                                 .fd = STDERR_FILENO,
                                 .end = _exit};
    s->pulse = (struct pulse){.name = "network loop", .naps_max = LOOP_NAPS, .ask = wake, .arg = s};
    return watchdog_new(&s->watchdog, &conf, f);
}

static void close_all(struct service *s)
{
    for (int i = 0; i < s->workers; i++)
        worker_stop(s->worker[i]);
    decoder_free(s->decoder);
    converter_free(s->converter);
    encoder_free(s->encoder); /* gives the last slots back to the workers */
    for (int i = 0; i < s->workers; i++)
        worker_free(s->worker[i]);
    webhooks_close(s->webhooks);
    s->webhooks = NULL;
    store_close(s->store); /* its last rows go to the mailbox, so it ends before the rest */
    net_free(s->net);
    s->net = NULL;
    http_free(s->http);
    drop_events(s);
    if (s->hub) hub_free(s->hub);
    if (s->watch >= 0) close(s->watch);
    supervisor_close(&s->supervisor);
    auth_free(&s->auth);
    hello_free(&s->hello);
    mbox_destroy(&s->box);
    reserve_free(&s->reserve);
}

static bool all_open(const struct service *s)
{
    for (int i = 0; i < s->workers; i++)
        if (!worker_glm(s->worker[i])) return false;
    return true;
}

/* A quantum, or opening a model, takes longer than stopping may: exit, as all rows are on disk. */
static void stop_now(struct service *s)
{
    if (!hub_idle(s->hub))
        log_warn(s->log,
                 "the device did not stop in time; its work begins again at the next start");
    store_close(s->store);
    fflush(stdout);
    _exit(0);
}

int service_run(const struct service_conf *conf, struct fail *f)
{
    struct service s = {.conf = conf, .log = conf->log, .watch = -1};
    int err;

    hello_init(&s.hello);
    mbox_init(&s.box, wake, &s);
    s.reserve.bytes = sizeof(struct intake);
    reserve_fill(&s.reserve);
    supervisor_open(&s.supervisor);
    s.terminal = isatty(STDERR_FILENO) != 0;
    randombytes_buf(&s.boot_id, sizeof s.boot_id);
    s.boot_id |= 1;
    s.workers = glm_devices(conf->options->device, s.names, f);
    err = s.workers < 0 ? s.workers : 0;
    if (err) s.workers = 0;
    if (!err) err = open_store(&s, f);
    if (!err) err = open_webhooks(&s, f);
    if (!err) err = open_hub(&s, f);
    if (!err) err = open_auth(&s, f);
    if (!err) err = store_restore(s.store, LIMIT_JOBS_KEPT, restore_one, &s, f);
    if (!err) err = open_http(&s, f);
    if (!err) err = open_net(&s, f);
    if (!err) {
        printf("darkroom %s\n  address  %s\n  data     %s\n", conf->version, net_url(s.net),
               conf->data);
        fflush(stdout);
        err = open_threads(&s, f);
    }
    if (!err) err = open_watchdog(&s, f);
    if (!err) {
        net_run(s.net);
        watchdog_free(s.watchdog);
        if (s.stop_by && (!hub_idle(s.hub) || !all_open(&s))) stop_now(&s);
        if (!s.stop_by && !s.fatal.code)
            fail_set(&s.fatal, ERR_INTERNAL, "The network loop ended by itself.");
        err = s.fatal.code;
        if (err) *f = s.fatal;
    }
    close_all(&s);
    return err;
}
