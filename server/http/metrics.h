/* metrics - /metrics for Prometheus, /healthz and /readyz for supervisors. Thread: the loop's. */
#ifndef SERVER_HTTP_METRICS_H
#define SERVER_HTTP_METRICS_H

#include "server/base/traffic.h"
#include "server/core/hub.h"
#include "server/decoder/decoder.h"
#include "server/http/reply.h"
#include "server/webhook/webhooks.h"

/* What is reported; all borrowed. */
struct metrics {
    struct hub *hub;
    const char *version, *model;
    double started_s;                       /* unix time of the start */
    const struct histogram *commit;         /* NULL: not reported */
    const struct traffic *traffic;          /* the same */
    const struct webhooks_counts *webhooks; /* the same */
    const struct decoder_counts *decoded;   /* the same */
};

void metrics_route(const struct metrics *, struct http_reply *);
/* 200: the process lives and its loop turns. */
void metrics_health(const struct metrics *, struct http_reply *);
/* 200, or 503 while the model is not open, the disk takes nothing, or the server stops: `lacks`
 * lists which. */
void metrics_readiness(const struct metrics *, struct http_reply *);

#endif
