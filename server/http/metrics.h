/* metrics - /metrics for Prometheus, /healthz and /readyz for supervisors. Thread: the loop's. */
#ifndef SERVER_HTTP_METRICS_H
#define SERVER_HTTP_METRICS_H

#include "server/base/histogram.h"
#include "server/core/hub.h"
#include "server/http/reply.h"

/* Connections that a limit has refused: on all, on an address's, on a user's. */
struct refused_connections {
    uint64_t all, address, user;
};

/* What is reported; all borrowed. */
struct metrics {
    struct hub *hub;
    const char *version, *model;
    const struct histogram *frame_lag, *commit; /* NULL: not reported */
    const struct refused_connections *refused;  /* NULL: not reported */
};

void metrics_route(const struct metrics *, struct http_reply *);
/* 200: the process lives and its loop turns. */
void metrics_health(const struct metrics *, struct http_reply *);
/* 200, or 503 while the model is not open, the disk takes nothing, or the server stops: `lacks`
 * lists which. */
void metrics_readiness(const struct metrics *, struct http_reply *);

#endif
