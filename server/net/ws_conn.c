/* ws_conn - pieces go to the session as they come; it gives one message for each writeable
 * callback. */
#include "server/net/ws_conn.h"

#include "server/base/clock.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

enum {
    CLOSE_UNKNOWN = 4001,
    CLOSE_SLOW = 4008,
    CLOSE_SILENT = 4009,
    CLOSE_CROWDED = 4010,
    FULL_BYTES = 256 << 10, /* of answers that wait: no further commands are read .. */
    ROOM_BYTES = 64 << 10,  /* .. until no more than this are left */
    SLOW_SECONDS = 5,       /* who is full is looked at so often .. */
    SLOW_LOOKS = 4,         /* .. and does not read when it has taken nothing in so many looks */
    CLOSE_SECONDS = 5,      /* for the close frame to get out */
    AUTH_SECONDS = 5,       /* for a client to say who it is */
    SECOND_US = 1000000
};

static void want_write(void *arg)
{
    struct conn *c = arg;

    lws_callback_on_writable(c->wsi);
}

/* From a callback: close with this code. */
static int hang_up(struct conn *c, int code, const char *reason)
{
    unsigned char text[64];
    size_t n = strlen(reason);

    memcpy(text, reason, n);
    lws_close_reason(c->wsi, (enum lws_close_status)code, text, n);
    return -1;
}

static const char *reason_of(int code)
{
    switch (code) {
    case CLOSE_UNKNOWN: return "unauthorized";
    case CLOSE_SLOW: return "slow";
    case CLOSE_SILENT: return "silent";
    case CLOSE_CROWDED: return "too_many";
    case LWS_CLOSE_STATUS_GOINGAWAY: return "shutting_down";
    default: return "internal";
    }
}

/* --- reading or not --------------------------------------------------------------------------- */

static void look_again(struct conn *c, int64_t at_us)
{
    wheel_set(&c->all->wheel, &c->timer, at_us);
}

/* What the kernel knows: when the last byte came, of whatever frame, read by us or not; how much of
 * what we sent has arrived. All zero when it does not say. */
static struct tcp_info ask_kernel(const struct conn *c)
{
    struct tcp_info info = {0};

    socklen_t n = sizeof info;

    getsockopt(lws_get_socket_fd(c->wsi), IPPROTO_TCP, TCP_INFO, &info, &n);
    return info;
}

/* What it has taken of what we sent grows; of a unix socket the kernel does not tell. */
static uint64_t taken(const struct conn *c)
{
    struct tcp_info info = ask_kernel(c);

    return info.tcpi_state ? info.tcpi_bytes_acked : UINT64_MAX - session_backlog(c->session);
}

/* How long nothing has come from it. Of a unix socket what libwebsockets shows counts: messages and
 * pongs, but no pings. */
static int64_t silence(const struct conn *c, int64_t now)
{
    struct tcp_info info = ask_kernel(c);

    if (c->deaf) return 0;
    return info.tcpi_state ? (int64_t)info.tcpi_last_data_recv * 1000 : now - c->heard_us;
}

/* Stop reading from a client that has much to read itself, and go on when it has. */
static void control_flow(struct conn *c)
{
    size_t waits = session_backlog(c->session);
    bool full = waits > (c->full ? ROOM_BYTES : FULL_BYTES);
    bool deaf = full || !session_reads(c->session);

    if (full && !c->full) {
        c->acked = taken(c);
        c->looks = 0;
        look_again(c, clock_us() + (int64_t)SLOW_SECONDS * SECOND_US);
    }
    c->full = full;
    if (deaf != c->deaf) {
        lws_rx_flow_control(c->wsi, !deaf);
        c->heard_us = clock_us(); /* it could not be heard until now */
    }
    c->deaf = deaf;
}

void ws_conn_hello(struct conn *c)
{
    struct blob *hello = c->known && !c->close_code ? c->all->hello(c->all->arg, &c->who) : NULL;

    if (!hello) return;
    session_hello(c->session, clock_us(), hello);
    control_flow(c);
}

/* --- looking at it now and then --------------------------------------------------------------- */

/* From a timer: close when the socket can take the close frame, and without it when it cannot. */
static void hang_up_soon(struct conn *c, int code)
{
    c->close_code = code;
    look_again(c, clock_us() + (int64_t)CLOSE_SECONDS * SECOND_US);
    lws_callback_on_writable(c->wsi);
}

void ws_conn_users(struct conn *c)
{
    if (c->session && c->known && !c->close_code && !auth_holds(c->all->auth, &c->who))
        hang_up_soon(c, CLOSE_UNKNOWN);
}

/* It is a guest's, and what it saw is not shared any more. */
static bool unshared(const struct conn *c)
{
    return c->known && c->who.shared
           && (!auth_holds(c->all->auth, &c->who) || session_is_cut(c->session));
}

/* It waits to read what it was answered; does it? */
static void look_at_reader(struct conn *c, int64_t now)
{
    uint64_t acked = taken(c);

    c->looks = acked == c->acked ? c->looks + 1 : 0;
    c->acked = acked;
    if (c->looks >= SLOW_LOOKS)
        hang_up_soon(c, CLOSE_SLOW);
    else
        look_again(c, now + (int64_t)SLOW_SECONDS * SECOND_US);
}

/* Until it is hung up on. It must have been asked for a while, too: this process may have been
 * stopped (Ctrl+Z, a frozen container), which is no silence of a client. */
static int64_t time_to_answer(struct conn *c, int64_t now, int64_t silent)
{
    int64_t ping = (int64_t)c->all->ping_seconds * SECOND_US,
            hangup = (int64_t)c->all->hangup_seconds * SECOND_US, answer;

    if (silent < ping) c->asked_us = 0;
    if (silent >= ping && !c->asked_us) c->asked_us = now;
    answer = c->asked_us ? c->asked_us + hangup - ping - now : 0;
    return answer > hangup - silent ? answer : hangup - silent;
}

void ws_conn_timer(struct conn *c)
{
    int64_t now = clock_us(), ping = (int64_t)c->all->ping_seconds * SECOND_US, silent, left, next;

    if (!c->session) return;
    if (c->close_code || c->closing == CLOSE_UNKNOWN
        || c->closing == CLOSE_CROWDED) { /* the close frame did not get out */
        shutdown(lws_get_socket_fd(c->wsi), SHUT_RDWR);
        return;
    }
    if (!c->known || unshared(c)) {
        hang_up_soon(c, CLOSE_UNKNOWN);
        return;
    }
    if (c->full) { /* it cannot show that it lives: it is not read */
        look_at_reader(c, now);
        return;
    }
    silent = silence(c, now);
    left = time_to_answer(c, now, silent);
    if (left <= 0) {
        hang_up_soon(c, CLOSE_SILENT);
        return;
    }
    if (silent >= ping) {
        c->ping = true;
        lws_callback_on_writable(c->wsi);
    }
    next = silent < ping ? ping - silent : ping;
    look_again(c, now + (next < left ? next : left));
}

/* --- callbacks -------------------------------------------------------------------------------- */

/* Whether its user may have one more; it counts itself when it is known to the hub. */
static int check_crowd(struct conn *c, uint32_t user, struct fail *f)
{
    int most = c->all->per_user;

    if (!most || session_known(c->session) || session_of_user(c->session, user) < most) return 0;
    c->crowded = true;
    c->all->traffic->refused_user++;
    fail_set(f, ERR_RATE_LIMITED, "You have %d connections, which is as many as you may have",
             most);
    fail_advise(f, "Close some of them, then connect again.");
    f->retry_after_ms = 5000;
    return ERR_RATE_LIMITED;
}

static int sign_in(void *arg, int64_t now, const char *text, size_t len, uint32_t *user,
                   struct fail *f)
{
    struct conn *c = arg;
    struct auth_result r;

    auth_message(c->all->auth, text, len, &c->address, now, &r);
    *f = r.why;
    if (r.why.code == ERR_RATE_LIMITED) conn_warn_tokens(c, &c->address);
    if (!r.known) return r.why.code;
    if (c->known && (r.who.user != c->who.user || r.who.shared != c->who.shared))
        return fail_set(f, ERR_CONFLICT, "This connection is another user's, by its header.");
    if (check_crowd(c, r.who.user, f)) return f->code;
    if (!session_known(c->session)) session_shared(c->session, r.who.shared);
    c->known = true;
    c->who = r.who;
    *user = r.who.user;
    return 0;
}

/* It is not let in: by its first message, or by its head. */
static void refuse(struct conn *c)
{
    c->closing = c->crowded ? CLOSE_CROWDED : CLOSE_UNKNOWN;
    look_again(c, clock_us() + (int64_t)CLOSE_SECONDS * SECOND_US);
    lws_callback_on_writable(c->wsi);
}

/* Whose it is by the head of its request, or a question who it is. false: no memory. */
static bool open_known(struct conn *c)
{
    struct conns *n = c->all;
    int first = n->ping_seconds < n->hangup_seconds ? n->ping_seconds : n->hangup_seconds;
    struct fail f;

    if (c->known && !auth_holds(n->auth, &c->who)) c->known = false;
    if (c->known && check_crowd(c, c->who.user, &f)) {
        c->known = false;
        session_error(c->session, clock_us(), &f);
        refuse(c);
        return true;
    }
    if (c->known) session_shared(c->session, c->who.shared);
    if (c->known && session_user(c->session, c->who.user, &f)) return false;
    if (!c->known) {
        auth_unknown(&f);
        session_error(c->session, clock_us(), &f);
        first = AUTH_SECONDS;
    }
    look_again(c, clock_us() + (int64_t)first * SECOND_US);
    return true;
}

static int on_open(struct conn *c)
{
    struct conns *n = c->all;
    struct session_conn conn = {.arg = c, .want_write = want_write, .sign_in = sign_in};

    c->heard_us = clock_us();
    c->session = n->open_session(n->arg, &conn);
    if (!c->session) return hang_up(c, LWS_CLOSE_STATUS_UNEXPECTED_CONDITION, "internal");
    session_comes_from(c->session, address_local(&c->address) ? 0 : address_number(&c->address));
    n->traffic->websockets = ++n->n_sessions;
    if (!open_known(c)) return hang_up(c, LWS_CLOSE_STATUS_UNEXPECTED_CONDITION, "internal");
    ws_conn_hello(c);
    return 0;
}

static int on_receive(struct conn *c, const char *in, size_t len)
{
    struct session_fragment fragment = {.bytes = in,
                                        .len = len,
                                        .first = lws_is_first_fragment(c->wsi) != 0,
                                        .last = lws_is_final_fragment(c->wsi) != 0,
                                        .binary = lws_frame_is_binary(c->wsi) != 0};

    if (!c->session || c->closing || c->close_code) return 0;
    c->heard_us = clock_us();
    session_receive(c->session, c->heard_us, &fragment);
    if (session_refused(c->session)) {
        refuse(c);
        return 0;
    }
    if (c->known && !session_is_open(c->session)) ws_conn_hello(c);
    if (session_is_slow(c->session)) return hang_up(c, CLOSE_SLOW, "slow");
    control_flow(c);
    return 0;
}

static int send_ping(struct conn *c)
{
    /* one byte: libwebsockets 4.1.6 does not show an empty pong */
    unsigned char buffer[LWS_PRE + 1] = {0};

    c->ping = false;
    lws_callback_on_writable(c->wsi);
    return lws_write(c->wsi, buffer + LWS_PRE, 1, LWS_WRITE_PING) < 0 ? -1 : 0;
}

static int send_message(struct conn *c, struct blob *m, bool binary)
{
    /* the blob's head is scribbled on by this thread alone; its bytes stay as they are */
    uint8_t *bytes = (uint8_t *)m->memory + BLOB_HEAD;
    int64_t latency = session_latency(c->session, clock_us(), m);
    int sent = lws_write(c->wsi, bytes, m->len, binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT);

    blob_unref(m);
    if (sent < 0) return -1;
    if (latency >= 0) histogram_add(&c->all->traffic->frame_lag, latency);
    if (c->full) control_flow(c);
    lws_callback_on_writable(c->wsi);
    return 0;
}

static int on_writeable(struct conn *c)
{
    bool binary = false;
    struct blob *m;

    if (!c->session) return 0;
    if (!c->close_code && unshared(c)) c->close_code = CLOSE_UNKNOWN;
    if (c->close_code) {
        wheel_stop(&c->all->wheel, &c->timer); /* from here on libwebsockets sees to the end */
        return hang_up(c, c->close_code, reason_of(c->close_code));
    }
    if (session_is_slow(c->session)) return hang_up(c, CLOSE_SLOW, "slow");
    if (c->ping) return send_ping(c);
    m = session_next(c->session, clock_us(), &binary);
    if (m) return send_message(c, m, binary);
    if (!c->closing) return 0;
    wheel_stop(&c->all->wheel, &c->timer);
    return hang_up(c, c->closing, reason_of(c->closing));
}

static void on_closed(struct conn *c)
{
    if (c->session) c->all->traffic->websockets = --c->all->n_sessions;
    session_free(c->session, clock_us());
    c->session = NULL;
    wheel_stop(&c->all->wheel, &c->timer);
    c->all->stir(c->all->net);
}

int ws_conn_event(struct conn *c, enum lws_callback_reasons why, void *in, size_t len)
{
    switch (why) {
    case LWS_CALLBACK_ESTABLISHED: return on_open(c);
    case LWS_CALLBACK_RECEIVE: return on_receive(c, in, len);
    case LWS_CALLBACK_RECEIVE_PONG: c->heard_us = clock_us(); return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE: return on_writeable(c);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE: /* half a code would be echoed */
        return len == 1 ? hang_up(c, LWS_CLOSE_STATUS_PROTOCOL_ERR, "") : 0;
    case LWS_CALLBACK_CLOSED: on_closed(c); return 0;
    default: return 0;
    }
}

void ws_conn_close(struct conn *c, const struct fail *why)
{
    if (!c->session || c->closing) return;
    c->closing = LWS_CLOSE_STATUS_GOINGAWAY;
    session_error(c->session, clock_us(), why);
    lws_callback_on_writable(c->wsi);
}
