/* service - the service put together: store, hub, network, encoder and worker, and the loop
 * between them.
 *
 * Listens first and loads the model meanwhile: the page is there at once, WebSockets get hello
 * when the model is open. Thread: main's, which becomes the loop's. */
#ifndef SERVER_SERVICE_H
#define SERVER_SERVICE_H

#include "proto/fail.h"
#include "server/service_conf.h"

/* Serve until SIGTERM or SIGINT (both must be blocked already). Says on stdout where, with what and
 * why. 0, or an error that kept it from serving. */
int service_run(const struct service_conf *, struct fail *f);

#endif
