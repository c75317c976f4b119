/* conn - counted when taken, in all and by address; what is over a limit is still told so. */
#include "server/net/conn.h"

#include "server/base/clock.h"

#include <stdlib.h>
#include <unistd.h>

enum { PER_IP = 64 }; /* connections from one address of another machine */

void conn_free(struct conn *c)
{
    *c->self = c->next;
    if (c->next) c->next->self = c->self;
    c->all->n--;
    if (c->session) c->all->n_sessions--;
    session_free(c->session, clock_us());
    if (c->replying) reply_free(&c->reply);
    free(c);
}

/* Proxies, tunnels and scripts of this machine have one address for many people. */
static int most_from(const struct conns *n, const struct address *from)
{
    if (n->per_ip) return n->per_ip;
    return address_local(from) ? n->room : PER_IP;
}

static bool over_limit(const struct conns *n, const struct address *from)
{
    int same = 0;
    for (const struct conn *c = n->first; c; c = c->next)
        same += address_same_host(&c->from, from);
    return n->n >= n->room || same >= most_from(n, from);
}

static struct conn *conn_new(struct conns *n, const struct address *from)
{
    struct conn *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->all = n;
    c->from = *from;
    c->over = over_limit(n, from);
    c->next = n->first;
    c->self = &n->first;
    if (c->next) c->next->self = &c->next;
    n->first = c;
    n->n++;
    return c;
}

void conn_accept(struct conns *n, struct lws_vhost *vhost, int fd, const struct address *from)
{
    struct conn *c = n->n < n->room + CONN_REFUSED_MAX ? conn_new(n, from) : NULL;
    if (!c) {
        close(fd);
        return;
    }
    lws_adopt_desc_t adopt = {
        .vh = vhost, .type = LWS_ADOPT_SOCKET | LWS_ADOPT_HTTP, .fd.sockfd = fd, .opaque = c};
    struct lws *wsi = lws_adopt_descriptor_vhost_via_info(&adopt); /* closes fd when it fails */
    if (!wsi)
        conn_free(c);
    else
        c->wsi = wsi;
}

void conn_header(struct lws *wsi, enum lws_token_indexes which, char *out, int bytes)
{
    int n = lws_hdr_copy(wsi, out, bytes, which);
    out[n > 0 ? n : 0] = 0;
}

const char *conn_method(struct lws *wsi)
{
    if (lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI)) return "GET";
    if (lws_hdr_total_length(wsi, WSI_TOKEN_HEAD_URI)) return "HEAD";
    return "other";
}
