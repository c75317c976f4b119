/* conn - counted when accepted, in all and by address; over a limit, a reply says so before it
 * is closed. */
#include "server/net/conn.h"

#include "server/base/clock.h"
#include "server/net/http_conn.h"
#include "server/net/ws_conn.h"

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

enum { PER_IP = 64 }; /* connections from one address of another machine */

void conn_free(struct conn *c)
{
    *c->self = c->next;
    if (c->next) c->next->self = c->self;
    c->all->n--;
    census_leave(c->from);
    wheel_stop(&c->all->wheel, &c->timer);
    if (c->http) http_conn_close(c);
    if (c->session) c->all->n_sessions--;
    session_free(c->session, clock_us());
    free(c);
}

/* Proxies, tunnels and scripts on this machine share one address for many clients. */
static int limit_from(const struct conns *n, const struct address *from)
{
    if (n->per_ip) return n->per_ip;
    return address_local(from) ? n->room : PER_IP;
}

static struct conn *conn_new(struct conns *n, const struct address *from)
{
    struct conn *c = calloc(1, sizeof *c);

    if (!c) return NULL;
    c->all = n;
    c->from = census_enter(&n->census, from);
    if (!c->from) {
        free(c);
        return NULL;
    }
    c->over = n->n >= n->room || c->from->n > limit_from(n, from);
    c->next = n->first;
    c->self = &n->first;
    if (c->next) c->next->self = &c->next;
    n->first = c;
    n->n++;
    return c;
}

void conn_accept(struct conns *n, int fd, const struct address *from)
{
    struct conn *c = n->n < n->room + CONN_REFUSED_MAX ? conn_new(n, from) : NULL;

    if (!c)
        close(fd);
    else if (!http_conn_open(c, fd))
        conn_free(c);
}

struct conn *conn_of(struct timer *t)
{
    return (struct conn *)(void *)((char *)t - offsetof(struct conn, timer));
}

void conn_timer(struct conn *c)
{
    if (c->http)
        http_conn_timer(c);
    else
        ws_conn_timer(c);
}
