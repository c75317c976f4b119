/* ws_conn - pieces go to the session as they come; it gives one message for each writeable callback. */
#include "server/net/ws_conn.h"

#include "server/base/clock.h"
#include "server/net/upgrade.h"

#include <string.h>

enum { CLOSE_SLOW = 4008 };

static void want_write(void *arg)
{
    struct conn *c = arg;
    if (!c->all->freeing) lws_callback_on_writable(c->wsi);
}

static int hang_up(struct conn *c, int code, const char *reason)
{
    unsigned char text[64];
    size_t n = strlen(reason);
    memcpy(text, reason, n);
    lws_close_reason(c->wsi, (enum lws_close_status)code, text, n);
    return -1;
}

/* Before hello nothing is read: what a client sends meanwhile waits in its socket. */
void ws_conn_hello(struct conn *c)
{
    struct blob *hello = c->all->hello(c->all->arg);
    lws_rx_flow_control(c->wsi, hello != NULL);
    if (hello) session_hello(c->session, hello);
}

static int on_open(struct conn *c)
{
    struct conns *n = c->all;
    c->session = n->session(n->arg, want_write, c);
    if (!c->session) return hang_up(c, LWS_CLOSE_STATUS_UNEXPECTED_CONDITION, "internal");
    n->n_sessions++;
    ws_conn_hello(c);
    return 0;
}

static int on_receive(struct conn *c, const char *in, size_t len)
{
    struct session_piece piece = {.bytes = in,
                                  .len = len,
                                  .first = lws_is_first_fragment(c->wsi) != 0,
                                  .last = lws_is_final_fragment(c->wsi) != 0,
                                  .binary = lws_frame_is_binary(c->wsi) != 0};
    if (!c->session || c->leaving) return 0;
    session_receive(c->session, clock_us(), &piece);
    return session_is_slow(c->session) ? hang_up(c, CLOSE_SLOW, "slow") : 0;
}

static int on_writeable(struct conn *c)
{
    bool binary = false;
    if (!c->session) return 0;
    if (session_is_slow(c->session)) return hang_up(c, CLOSE_SLOW, "slow");
    struct blob *m = session_next(c->session, clock_us(), &binary);
    if (!m) return c->leaving ? hang_up(c, LWS_CLOSE_STATUS_GOINGAWAY, "shutting_down") : 0;
    /* the blob's head is scribbled on by this thread alone; its bytes stay as they are */
    uint8_t *bytes = (uint8_t *)m->memory + BLOB_HEAD;
    int sent = lws_write(c->wsi, bytes, m->len, binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT);
    blob_unref(m);
    if (sent < 0) return -1;
    if (binary && c->all->made_us) {
        histogram_add(c->all->frame_lag, clock_us() - c->all->made_us);
        c->all->made_us = 0;
    }
    lws_callback_on_writable(c->wsi);
    return 0;
}

int ws_conn_event(struct conn *c, enum lws_callback_reasons why, void *in, size_t len)
{
    struct fail f;
    switch (why) {
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION: return upgrade_check(c, &f) ? -1 : 0;
    case LWS_CALLBACK_ESTABLISHED: return on_open(c);
    case LWS_CALLBACK_RECEIVE: return on_receive(c, in, len);
    case LWS_CALLBACK_SERVER_WRITEABLE: return on_writeable(c);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE: /* half a code would be echoed */
        return len == 1 ? hang_up(c, LWS_CLOSE_STATUS_PROTOCOL_ERR, "") : 0;
    case LWS_CALLBACK_CLOSED:
        if (c->session) c->all->n_sessions--;
        session_free(c->session, clock_us());
        c->session = NULL;
        return 0;
    default: return 0;
    }
}

void ws_conn_leave(struct conn *c, const struct fail *why)
{
    if (!c->session || c->leaving) return;
    c->leaving = true;
    session_error(c->session, clock_us(), why);
    lws_callback_on_writable(c->wsi);
}
