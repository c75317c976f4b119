/* queue - what runs and what waits: a page for who runs the machine, JSON for programs, with the
 * names that Gradio's /queue/status had beside those of `stats`. Thread: the loop's. */
#ifndef SERVER_HTTP_QUEUE_H
#define SERVER_HTTP_QUEUE_H

#include "server/http/exchange.h"

/* GET /queue, the page or JSON as Accept asks, and GET /v1/queue, JSON. */
extern const struct translator QUEUE_PAGE, QUEUE_JSON;

/* Seconds that a picture took in the mean since the start; none: before the first one. */
double queue_mean_s(const struct backend *, double none);

#endif
