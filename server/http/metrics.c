/* metrics - counts of the hub in the text form of Prometheus, and health and readiness as JSON. */
#include "server/http/metrics.h"

#include "proto/text.h"

#include <inttypes.h>

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

static void metric(struct text *t, const char *name, const char *type, const char *help, int64_t n)
{
    text_printf(t, "# HELP darkroom_%s %s\n# TYPE darkroom_%s %s\ndarkroom_%s %" PRId64 "\n", name,
                help, name, type, name, n);
}

static void metric_histogram(struct text *t, const struct histogram *h)
{
    static const char name[] = "darkroom_frame_lag_seconds";
    uint64_t seen = 0;

    text_printf(t, "# HELP %s From the end of a quantum to its preview in the socket.\n", name);
    text_printf(t, "# TYPE %s histogram\n", name);
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->count[i];
        text_printf(t, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name,
                    (double)HISTOGRAM_BOUNDS_US[i] / 1e6, seen);
    }
    text_printf(t, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %g\n%s_count %" PRIu64 "\n", name,
                h->n, name, (double)h->sum_us / 1e6, name, h->n);
}

void metrics_route(const struct metrics *m, struct http_reply *r)
{
    struct hub_counts n;
    struct text t;

    hub_counts(m->hub, &n);
    reply_init(r, 200);
    text_init(&t, 0, 8192);
    metric(&t, "ready", "gauge", "1 when the model is loaded.", n.ready);
    metric(&t, "disk_refuses", "gauge", "1 while the disk takes no jobs and pictures.",
           n.disk != NULL);
    metric(&t, "cap", "gauge", "Pictures that may be drawn at a time.", n.cap);
    metric(&t, "jobs_running", "gauge", "Jobs on the device.", n.running);
    metric(&t, "jobs_queued", "gauge", "Jobs that wait.", n.queued);
    metric(&t, "jobs_done_total", "counter", "Jobs that ended with a picture.", n.done);
    metric(&t, "jobs_failed_total", "counter", "Jobs that failed.", n.failed);
    metric(&t, "jobs_cancelled_total", "counter", "Jobs that were cancelled.", n.cancelled);
    if (m->frame_lag) metric_histogram(&t, m->frame_lag);
    reply_text(r, &t, "text/plain; version=0.0.4");
}
