/* supervisor - one unconnected datagram socket, so that a service manager that starts anew is found
 * again. */
#include "server/supervisor.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STATUS_US = 1000000, RETRY_US = 100000 };

/* "/run/systemd/notify", or "@name" for an abstract one. */
static bool read_address(struct supervisor *s)
{
    const char *path = getenv("NOTIFY_SOCKET");
    size_t n = path ? strlen(path) : 0;

    if (n < 2 || n >= sizeof s->at.sun_path || (*path != '/' && *path != '@')) return false;
    s->at.sun_family = AF_UNIX;
    memcpy(s->at.sun_path, path, n);
    if (*path == '@') s->at.sun_path[0] = '\0';
    s->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    return true;
}

/* Half of what systemd waits, as it advises; 0: it does not watch this process. */
static int64_t read_watchdog(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    long long us = usec ? strtoll(usec, NULL, 10) : 0;

    if (pid && strtoll(pid, NULL, 10) != getpid()) return 0;
    return us > 0 ? (us + 1) / 2 : 0;
}

void supervisor_open(struct supervisor *s)
{
    *s = (struct supervisor){.fd = -1};
    if (!read_address(s)) return;
    s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    s->watchdog_us = read_watchdog();
}

void supervisor_close(struct supervisor *s)
{
    if (s->fd >= 0) close(s->fd);
    s->fd = -1;
}

static bool say(struct supervisor *s, const char *what)
{
    size_t n = strlen(what);

    if (s->fd < 0) return true;
    return sendto(s->fd, what, n, MSG_NOSIGNAL, (struct sockaddr *)&s->at, s->len) == (ssize_t)n;
}

static void describe(const struct hub_counts *n, char *out, size_t bytes)
{
    if (n->stopping)
        snprintf(out, bytes, "STATUS=Stopping; %d jobs still run", n->running);
    else if (!n->ready)
        snprintf(out, bytes, "STATUS=Opens the model");
    else
        snprintf(out, bytes, "STATUS=%d jobs run, %d wait, %d clients%s", n->running, n->queued,
                 n->clients, n->disk ? "; the disk takes nothing" : "");
}

static void tell(struct supervisor *s, const struct hub *hub)
{
    char status[sizeof s->status];
    struct hub_counts n;

    hub_counts(hub, &n);
    if (n.ready && !s->ready) s->ready = say(s, "READY=1");
    describe(&n, status, sizeof status);
    if (strcmp(status, s->status) != 0 && say(s, status)) memcpy(s->status, status, sizeof status);
}

int64_t supervisor_round(struct supervisor *s, const struct hub *hub, int64_t now)
{
    int64_t due = INT64_MAX;

    if (s->fd < 0) return due;
    if (now - s->told_us >= STATUS_US) {
        s->told_us = now;
        tell(s, hub);
    } else
        due = s->told_us + STATUS_US;
    if (!s->watchdog_us) return due;
    if (now >= s->alive_us) s->alive_us = now + (say(s, "WATCHDOG=1") ? s->watchdog_us : RETRY_US);
    return due < s->alive_us ? due : s->alive_us;
}

void supervisor_reloading(struct supervisor *s, int64_t now)
{
    char text[80];

    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, now);
    say(s, text);
}

void supervisor_reloaded(struct supervisor *s)
{
    if (s->ready) say(s, "READY=1");
}

void supervisor_stopping(struct supervisor *s)
{
    if (s->stopping) return;
    s->stopping = true;
    say(s, "STOPPING=1");
}
