/* events - a job's events, or the statistics, as a stream of server-sent events.
 *
 * A subscription with another encoder: the messages of PROTOCOL.md, each as `event:` (its type),
 * `id:` (its seq) and `data:` (the message). Last-Event-ID is the seq of a `watch`. A stream ends
 * behind `end`; asked for again from there it is 204, at which an EventSource stops. Comments are
 * the heart beat. Thread: the loop's.
 * source WHATWG HTML, section 9.2, server-sent events */
#ifndef SERVER_HTTP_EVENTS_H
#define SERVER_HTTP_EVENTS_H

#include "server/http/exchange.h"

/* GET /v1/jobs/JOB/events?seq=&previews=&every_ms=&max_px=&format= and GET /v1/stats/events */
extern const struct translator EVENTS_JOB, EVENTS_STATS;

#endif
