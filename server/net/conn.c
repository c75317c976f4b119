/* conn - counted when accepted, in all and by address; over a limit, a reply says so before it
 * is closed. */
#include "server/net/conn.h"

#include "server/base/clock.h"

#include <stddef.h>
#include <stdlib.h>

enum { PER_IP = 64 }; /* connections from one address of another machine */

void conn_free(struct conn *c)
{
    *c->self = c->next;
    if (c->next) c->next->self = c->self;
    conn_not_ready(c);
    c->all->traffic->connections = --c->all->n;
    census_leave(c->from);
    wheel_stop(&c->all->wheel, &c->timer);
    if (c->http) c->all->close_http(c);
    if (c->session) c->all->traffic->websockets = --c->all->n_sessions;
    session_free(c->session, clock_us());
    free(c);
}

void conn_ready(struct conn *c)
{
    if (c->ready_self) return;
    c->ready_next = c->all->ready;
    c->ready_self = &c->all->ready;
    if (c->ready_next) c->ready_next->ready_self = &c->ready_next;
    c->all->ready = c;
}

void conn_not_ready(struct conn *c)
{
    if (!c->ready_self) return;
    *c->ready_self = c->ready_next;
    if (c->ready_next) c->ready_next->ready_self = c->ready_self;
    c->ready_self = NULL;
}

/* Proxies, tunnels and scripts on this machine share one address for many clients. */
static int limit_from(const struct conns *n, const struct address *from)
{
    if (n->per_ip) return n->per_ip;
    return address_local(from) ? n->room : PER_IP;
}

struct conn *conn_new(struct conns *n, const struct address *from)
{
    struct conn *c = n->n < n->room + CONN_REFUSED_MAX ? calloc(1, sizeof *c) : NULL;

    if (!c) return NULL;
    c->all = n;
    c->address = *from;
    c->from = census_enter(&n->census, from);
    if (!c->from) {
        free(c);
        return NULL;
    }
    c->over_address = n->n < n->room && c->from->n > limit_from(n, from);
    c->over = c->over_address || n->n >= n->room;
    c->next = n->first;
    c->self = &n->first;
    if (c->next) c->next->self = &c->next;
    n->first = c;
    n->traffic->connections = ++n->n;
    return c;
}

void conn_warn_tokens(struct conn *c, const struct address *from)
{
    int64_t now = clock_us(), *last = &c->all->warned_us[CONN_WARNINGS - 1];
    char text[64];

    if (*last && now - *last < CONN_WARN_US) return;
    *last = now;
    address_text(from, text, sizeof text);
    log_warn(c->all->log, "refused: many wrong tokens came from %s", text);
}

struct conn *conn_of(struct timer *t)
{
    return (struct conn *)(void *)((char *)t - offsetof(struct conn, timer));
}
