/* upgrade - only the values that were checked are written into the new request. */
#include "server/net/upgrade.h"

#include "server/base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool upgrade_wanted(const struct head *h)
{
    return head_has(h, "upgrade", "websocket");
}

/* --- what is refused -------------------------------------------------------------------------- */

/* Log what came and what would help: most such requests come through a proxy set up wrong. */
static int warn(struct conn *c, int status, const struct fail *f)
{
    static const char *const headers[] = {"Host", "Origin", "Upgrade"};
    int64_t now = clock_us();

    for (size_t i = 0; i < sizeof headers / sizeof *headers && status; i++) {
        int64_t *last = &c->all->warned_us[i];

        if (strcmp(f->field, headers[i]) != 0 || (*last && now - *last < CONN_WARN_US)) continue;
        *last = now;
        log_warn(c->all->log, "refused: %s %s", f->message, f->hint);
    }
    return status;
}

int upgrade_check(struct conn *c, const struct head *h, struct fail *f)
{
    char up[64], connection[128], protocols[256];
    struct handshake s = {.method = h->method,
                          .path = h->path,
                          .upgrade = up,
                          .connection = connection,
                          .version = head_value(h, "sec-websocket-version"),
                          .key = head_value(h, "sec-websocket-key"),
                          .protocols = protocols,
                          .host = head_value(h, "host"),
                          .origin = head_value(h, "origin"),
                          .old = h->old};

    if (head_body(h)) {
        fail_set(f, ERR_BAD_REQUEST, "An upgrade carries no body.");
        return 400;
    }
    head_list(h, "upgrade", up, sizeof up);
    head_list(h, "connection", connection, sizeof connection);
    head_list(h, "sec-websocket-protocol", protocols, sizeof protocols);
    return warn(c, handshake_check(&c->all->rules, &s, f), f);
}

int upgrade_check_plain(struct conn *c, const struct head *h, struct fail *f)
{
    const char *host = head_value(h, "host");
    int status = handshake_check_host(&c->all->rules, host, f);
    bool reads = strcmp(h->method, "GET") == 0 || strcmp(h->method, "HEAD") == 0;

    if (!status && !reads) /* no other site's page changes anything in its visitor's name */
        status = handshake_check_origin(&c->all->rules, head_value(h, "origin"), host, f);
    if (status || strcmp(h->path, HANDSHAKE_PATH) != 0 || strcmp(h->method, "GET") != 0)
        return warn(c, status, f);
    handshake_missing(h->old, f);
    return warn(c, 400, f);
}

/* --- handing over ----------------------------------------------------------------------------- */

/* The request as libwebsockets is to read it, and what the client sent behind its own. */
static void write_request(struct text *t, const struct head *h, const char *rest, size_t n)
{
    text_init(t, 0, 2 * HEAD_BYTES);
    text_printf(t,
                "GET " HANDSHAKE_PATH " HTTP/1.1\r\nHost: darkroom\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Protocol: " HANDSHAKE_SUBPROTOCOL "\r\n\r\n",
                head_value(h, "sec-websocket-key"));
    text_bytes(t, rest, n);
}

void upgrade_begin(struct conn *c, const struct head *h, int fd, char *rest, size_t n)
{
    struct conns *all = c->all;
    struct text t;

    write_request(&t, h, rest, n);
    free(rest);
    all->upgrading = c;
    if (t.code)
        close(fd);
    else /* answers at once; closes fd when it fails */
        lws_adopt_socket_vhost_readbuf(all->vhost, fd, t.at, t.len);
    if (all->upgrading == c && !c->wsi) conn_free(c);
    all->upgrading = NULL;
    text_free(&t);
}
