/* upgrade - checked twice, as libwebsockets asks: before it upgrades, before it chooses a protocol. */
#include "server/net/upgrade.h"

#include "server/net/handshake.h"
#include "server/net/http_conn.h"

#include <stdio.h>

/* 0, or the status of a refusal. Every header is copied: what libwebsockets passes may be moved. */
int upgrade_check(struct conn *c, struct fail *f)
{
    char up[32], connection[64], version[8], key[64], protocols[128], host[256], origin[256],
        path[64];
    struct lws *wsi = c->wsi;
    conn_header(wsi, WSI_TOKEN_UPGRADE, up, sizeof up);
    conn_header(wsi, WSI_TOKEN_CONNECTION, connection, sizeof connection);
    conn_header(wsi, WSI_TOKEN_VERSION, version, sizeof version);
    conn_header(wsi, WSI_TOKEN_KEY, key, sizeof key);
    conn_header(wsi, WSI_TOKEN_PROTOCOL, protocols, sizeof protocols);
    conn_header(wsi, WSI_TOKEN_HOST, host, sizeof host);
    conn_header(wsi, WSI_TOKEN_ORIGIN, origin, sizeof origin);
    conn_header(wsi, WSI_TOKEN_GET_URI, path, sizeof path);
    struct handshake s = {.method = conn_method(wsi),
                          .path = path,
                          .upgrade = up,
                          .connection = connection,
                          .version = version,
                          .key = key,
                          .protocols = protocols,
                          .host = host,
                          .origin = origin};
    if (c->over) {
        fail_set(f, ERR_RATE_LIMITED, "There are too many connections.");
        f->retry_after_ms = 5000;
        return 503;
    }
    /* an Origin too long to be copied is not "no Origin" */
    if (lws_hdr_total_length(wsi, WSI_TOKEN_ORIGIN) && !*origin) snprintf(origin, 2, "?");
    if (http_conn_has_body(wsi)) {
        fail_set(f, ERR_BAD_REQUEST, "An upgrade carries no body.");
        return 400;
    }
    return handshake_check(&c->all->rules, &s, f);
}

/* Answer at once, headers and body: libwebsockets ends the transaction when told 1. */
static int refuse_upgrade(struct conn *c, const struct fail *why, int status)
{
    struct http_reply r;
    bool body = http_conn_has_body(c->wsi);
    reply_fail(&r, why, status);
    bool bad = http_conn_write_whole(c->wsi, &r, body);
    reply_free(&r);
    return bad || body ? -1 : 1;
}

int upgrade_confirm(struct conn *c)
{
    struct fail f = {0};
    int status = upgrade_check(c, &f);
    return status ? refuse_upgrade(c, &f, status) : 0;
}
