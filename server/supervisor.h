/* supervisor - tells a service manager what the service does: open, at work, reading its options
 * again, stopping, and that its loop turns (systemd's Type=notify and WatchdogSec=).
 *
 * Lines of KEY=VALUE in one datagram to the socket that $NOTIFY_SOCKET names: sd_notify(3) promises
 * that this stays, for programs that want nothing else of libsystemd. Without that variable nothing
 * is sent. Sending never waits: what a full socket does not take is sent again soon.
 * Thread: the loop's. */
#ifndef SERVER_SUPERVISOR_H
#define SERVER_SUPERVISOR_H

#include "server/core/hub.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct supervisor {
    int fd; /* -1: none listens */
    struct sockaddr_un at;
    socklen_t len;
    bool ready, stopping;
    int64_t watchdog_us; /* a sign of life is due so often; 0: never */
    int64_t alive_us;    /* when the next one is */
    int64_t told_us;     /* when the hub was asked last */
    char status[160];    /* that was sent last */
};

/* Reads $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID; what makes no sense is ignored. */
void supervisor_open(struct supervisor *);
void supervisor_close(struct supervisor *);

/* After each round of the loop: READY once the model is open, what it does (once a second at most),
 * WATCHDOG when it is due. Returns when it wants to be called next; INT64_MAX: with the next
 * round. */
int64_t supervisor_round(struct supervisor *, const struct hub *, int64_t now);

/* Options and users are read again; they have been. */
void supervisor_reloading(struct supervisor *, int64_t now);
void supervisor_reloaded(struct supervisor *);
void supervisor_stopping(struct supervisor *);

#endif
