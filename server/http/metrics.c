/* metrics - counts of the hub in the text form of Prometheus, and health and readiness as JSON. */
#include "server/http/metrics.h"

#include "proto/event.h"
#include "proto/text.h"
#include "proto/user.h"
#include "server/base/usage.h"

#include "kernels/glm.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

void metrics_health(const struct metrics *m, struct http_reply *r)
{
    struct text t;

    reply_init(r, 200);
    text_init(&t, 0, 4096);
    text_open(&t, NULL, '{');
    text_bool(&t, "ok", true);
    text_string(&t, "version", m->version);
    text_close(&t, '}');
    reply_text(r, &t, "application/json");
}

static void write_lacks(const struct hub_counts *n, struct text *t)
{
    text_open(t, "lacks", '[');
    if (!n->ready) text_string(t, NULL, "model");
    if (n->disk) text_string(t, NULL, "disk");
    if (n->stopping) text_string(t, NULL, "draining");
    text_close(t, ']');
}

void metrics_readiness(const struct metrics *m, struct http_reply *r)
{
    struct hub_counts n;
    struct text t;
    bool ok;

    hub_counts(m->hub, &n);
    ok = n.ready && !n.stopping && !n.disk;
    reply_init(r, ok ? 200 : 503);
    if (!ok) r->retry_after_s = 1;
    text_init(&t, 0, 4096);
    text_open(&t, NULL, '{');
    text_bool(&t, "ok", ok);
    write_lacks(&n, &t);
    text_string(&t, "version", m->version);
    text_string(&t, "model", m->model);
    text_int(&t, "running", n.running);
    text_int(&t, "queued", n.queued);
    if (n.disk) text_string(&t, "disk", n.disk);
    text_close(&t, '}');
    reply_text(r, &t, "application/json");
}

static void head(struct text *t, const char *name, const char *type, const char *help)
{
    text_printf(t, "# HELP darkroom_%s %s\n# TYPE darkroom_%s %s\n", name, help, name, type);
}

static void metric(struct text *t, const char *name, const char *type, const char *help, int64_t n)
{
    head(t, name, type, help);
    text_printf(t, "darkroom_%s %" PRId64 "\n", name, n);
}

static void metric_seconds(struct text *t, const char *name, const char *help, double seconds)
{
    head(t, name, "counter", help);
    text_printf(t, "darkroom_%s %g\n", name, seconds);
}

/* A histogram's labels, with those of a bucket; lane NULL: it is not by lane. */
static void bucket(struct text *t, const char *name, const char *lane, double bound, uint64_t seen)
{
    text_printf(t, "darkroom_%s_bucket{", name);
    if (lane) text_printf(t, "lane=\"%s\",", lane);
    if (isinf(bound))
        text_printf(t, "le=\"+Inf\"} %" PRIu64 "\n", seen);
    else
        text_printf(t, "le=\"%g\"} %" PRIu64 "\n", bound, seen);
}

static void histogram_end(struct text *t, const char *name, const char *lane, double sum,
                          uint64_t n)
{
    char by[40] = "";

    bucket(t, name, lane, (double)INFINITY, n);
    if (lane) snprintf(by, sizeof by, "{lane=\"%s\"}", lane);
    text_printf(t, "darkroom_%s_sum%s %g\n", name, by, sum);
    text_printf(t, "darkroom_%s_count%s %" PRIu64 "\n", name, by, n);
}

static void metric_times(struct text *t, const char *name, const char *help,
                         const struct histogram *h)
{
    uint64_t seen = 0;

    if (!h) return;
    head(t, name, "histogram", help);
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        bucket(t, name, NULL, (double)HISTOGRAM_BOUNDS_US[i] / 1e6, seen += h->count[i]);
    histogram_end(t, name, NULL, (double)h->sum_us / 1e6, h->n);
}

static void histogram_of(struct text *t, const char *name, const char *lane,
                         const struct stats_histogram *h)
{
    uint64_t seen = 0;

    for (int i = 0; i < STATS_BOUNDS; i++)
        bucket(t, name, lane, h->bounds[i], seen += h->count[i]);
    histogram_end(t, name, lane, h->sum, h->n);
}

static void metric_histogram(struct text *t, const char *name, const char *help,
                             const struct stats_histogram *h)
{
    head(t, name, "histogram", help);
    histogram_of(t, name, NULL, h);
}

static void metric_by_lane(struct text *t, const char *name, const char *help,
                           const struct stats_histogram h[LANES])
{
    head(t, name, "histogram", help);
    for (int i = 0; i < LANES; i++)
        histogram_of(t, name, USER_LANES[i], &h[i]);
}

/* Of n pictures in a quantum; the bounds are the numbers that a batch can have. */
static void metric_batches(struct text *t, const struct stats_totals *s)
{
    uint64_t seen = 0, sum = 0;

    head(t, "batch_pictures", "histogram", "Pictures that share a quantum.");
    for (int i = 1; i <= LIMIT_BATCH; i++) {
        sum += (uint64_t)i * s->batch[i];
        bucket(t, "batch_pictures", NULL, i, seen += s->batch[i]);
    }
    histogram_end(t, "batch_pictures", NULL, (double)sum, seen);
}

static void metric_phases(struct text *t, const struct stats_totals *s)
{
    head(t, "quanta_total", "counter", "Quanta that devices have done, by phase.");
    for (int i = 0; i < GLM_PHASES; i++)
        text_printf(t, "darkroom_quanta_total{phase=\"%s\"} %" PRIu64 "\n",
                    glm_phase_name((enum glm_phase)i), s->quanta[i]);
    head(t, "phase_seconds_total", "counter", "Device time of quanta, by phase.");
    for (int i = 0; i < GLM_PHASES; i++)
        text_printf(t, "darkroom_phase_seconds_total{phase=\"%s\"} %g\n",
                    glm_phase_name((enum glm_phase)i), s->seconds[i]);
}

static void metric_refusals(struct text *t, const struct stats_totals *s)
{
    head(t, "refusals_total", "counter", "Commands that were answered with an error, by its code.");
    for (int i = 1; i <= -ERR_LAST; i++)
        text_printf(t, "darkroom_refusals_total{code=\"%s\"} %" PRIu64 "\n",
                    fail_wire((enum err) - i), s->refused[i]);
}

static void limited(struct text *t, const char *limit, uint64_t n)
{
    text_printf(t, "darkroom_limited_total{limit=\"%s\"} %" PRIu64 "\n", limit, n);
}

static void metric_limits(struct text *t, const struct stats_totals *s, const struct traffic *c)
{
    static const char *const name[STATS_LIMITS] = {"submits", "messages", "waiting", "queue",
                                                   "watches"};

    head(t, "limited_total", "counter", "Commands and connections that a limit has refused.");
    for (int i = 0; i < STATS_LIMITS; i++)
        limited(t, name[i], s->limited[i]);
    if (!c) return;
    limited(t, "connections", c->refused);
    limited(t, "connections_address", c->refused_address);
    limited(t, "connections_user", c->refused_user);
}

static void metric_lanes(struct text *t, const struct hub_counts *n)
{
    head(t, "lane_jobs_queued", "gauge", "Jobs that wait, by lane.");
    for (int i = 0; i < LANES; i++)
        text_printf(t, "darkroom_lane_jobs_queued{lane=\"%s\"} %d\n", USER_LANES[i], n->waiting[i]);
}

static void metric_totals(struct text *t, const struct stats_totals *s)
{
    metric_by_lane(t, "wait_seconds", "From accepted to the first start.", s->wait);
    metric_by_lane(t, "run_seconds", "On devices, of finished pictures.", s->run);
    metric_histogram(t, "cancel_seconds", "From a cancel to the end of the run.", &s->cancel);
    metric_histogram(t, "estimate_error_ratio", "What first estimates are off by.", &s->error);
    metric_phases(t, s);
    metric_batches(t, s);
    metric_refusals(t, s);
    metric(t, "jobs_abandoned_total", "counter", "Jobs cancelled as nobody looked at them.",
           (int64_t)s->abandoned);
    metric(t, "checkpoints_total", "counter", "States of runs that were saved.",
           (int64_t)s->checkpoints);
    metric(t, "checkpoint_bytes_total", "counter", "Bytes of them.", (int64_t)s->checkpoint_bytes);
    metric_seconds(t, "checkpoint_seconds_total", "Device time that they took.",
                   s->checkpoint_seconds);
}

static void metric_previews(struct text *t, const struct hub_counts *n)
{
    metric(t, "previews_sent_total", "counter", "Preview frames that connections took.",
           (int64_t)n->previews_sent);
    head(t, "preview_drops_total", "counter",
         "Previews not sent: a newer one came before the client took it, or the encoder was "
         "behind.");
    text_printf(t, "darkroom_preview_drops_total{where=\"client\"} %" PRIu64 "\n",
                n->previews_replaced);
    text_printf(t, "darkroom_preview_drops_total{where=\"encoder\"} %" PRIu64 "\n",
                n->totals->previews_missed);
}

/* A status that was never answered is left out. */
static void metric_traffic(struct text *t, const struct traffic *c)
{
    if (!c) return;
    metric(t, "connections", "gauge", "Connections that are open, WebSockets and others.",
           c->connections);
    metric(t, "connections_max", "gauge",
           "Connections that may be open: --connections, or what the limit of descriptors leaves.",
           c->connections_max);
    metric(t, "websockets", "gauge", "WebSockets among them.", c->websockets);
    head(t, "http_requests_total", "counter",
         "Requests by the status of their answer; 101: it became a WebSocket.");
    for (int i = TRAFFIC_STATUS_MIN; i <= TRAFFIC_STATUS_MAX; i++) {
        uint64_t n = c->answered[i - TRAFFIC_STATUS_MIN];

        if (n) text_printf(t, "darkroom_http_requests_total{status=\"%d\"} %" PRIu64 "\n", i, n);
    }
    metric_times(t, "frame_lag_seconds", "From the end of a quantum to its preview in the socket.",
                 &c->frame_lag);
}

static void metric_webhooks(struct text *t, const struct webhooks_counts *c)
{
    if (!c) return;
    metric(t, "webhooks_delivered_total", "counter", "Ends of jobs that a webhook's host took.",
           (int64_t)c->delivered);
    metric(t, "webhooks_failed_total", "counter",
           "Tries that did not get through, to be made again.", (int64_t)c->failed);
    metric(t, "webhooks_given_up_total", "counter", "Ends of jobs that no host took within a day.",
           (int64_t)c->given_up);
}

static void metric_decoder(struct text *t, const struct decoder_counts *c)
{
    static const char name[] = "darkroom_images_refused_total";

    if (!c) return;
    metric(t, "images_decoded_total", "counter", "Files of clients that became pictures.",
           (int64_t)c->decoded);
    head(t, "images_refused_total", "counter", "Files of clients that became none, by the reason.");
    text_printf(t, "%s{reason=\"bad_image\"} %" PRIu64 "\n", name, c->bad_image);
    text_printf(t, "%s{reason=\"too_large\"} %" PRIu64 "\n", name, c->too_large);
    text_printf(t, "%s{reason=\"memory\"} %" PRIu64 "\n", name, c->memory);
    text_printf(t, "%s{reason=\"unavailable\"} %" PRIu64 "\n", name, c->unavailable);
    metric(t, "decoder_starts_total", "counter",
           "Starts of the process that decodes: the first, and each after a death or its time.",
           (int64_t)c->starts);
    metric_seconds(t, "decoder_seconds_total", "From a file's turn to its end.", c->seconds);
}

static void process(struct text *t, const char *name, const char *type, const char *help, double x)
{
    text_printf(t, "# HELP process_%s %s\n# TYPE process_%s %s\n", name, help, name, type);
    text_printf(t, "process_%s %.17g\n", name, x);
}

/* Names as Prometheus' own client libraries have them. */
static void metric_process(struct text *t, double started_s)
{
    struct usage u;

    usage_read(&u);
    process(t, "start_time_seconds", "gauge", "Unix time of the start.", started_s);
    process(t, "cpu_seconds_total", "counter", "Processor time of all threads.", u.cpu_seconds);
    process(t, "resident_memory_bytes", "gauge", "Memory of the process.",
            (double)u.resident_bytes);
    process(t, "open_fds", "gauge", "Descriptors that are open.", u.open_fds);
    process(t, "max_fds", "gauge", "Descriptors that may be.", u.max_fds);
}

void metrics_route(const struct metrics *m, struct http_reply *r)
{
    struct hub_counts n;
    struct text t;

    hub_counts(m->hub, &n);
    reply_init(r, 200);
    text_init(&t, 0, 65536);
    metric(&t, "ready", "gauge", "1 when the model is loaded.", n.ready);
    metric(&t, "disk_refuses", "gauge", "1 while the disk takes no jobs and pictures.",
           n.disk != NULL);
    metric(&t, "cap", "gauge", "Pictures that may be drawn at a time.", n.cap);
    metric(&t, "jobs_running", "gauge", "Jobs on the device.", n.running);
    metric(&t, "jobs_queued", "gauge", "Jobs that wait.", n.queued);
    metric(&t, "jobs_done_total", "counter", "Jobs that ended with a picture.", n.done);
    metric(&t, "jobs_failed_total", "counter", "Jobs that failed.", n.failed);
    metric(&t, "jobs_cancelled_total", "counter", "Jobs that were cancelled.", n.cancelled);
    metric(&t, "clients", "gauge", "WebSockets that were greeted, requests that wait.", n.clients);
    metric(&t, "device_budget_bytes", "gauge", "Memory for pictures.", (int64_t)n.budget);
    metric(&t, "device_promised_bytes", "gauge", "Memory promised to jobs.", (int64_t)n.promised);
    metric_lanes(&t, &n);
    metric_totals(&t, n.totals);
    metric_limits(&t, n.totals, m->traffic);
    metric_previews(&t, &n);
    metric_traffic(&t, m->traffic);
    metric_webhooks(&t, m->webhooks);
    metric_decoder(&t, m->decoded);
    metric_process(&t, m->started_s);
    metric_times(&t, "commit_seconds", "One transaction of the job store, with its files.",
                 m->commit);
    reply_text(r, &t, "text/plain; version=0.0.4");
}
