/* asking - the user by token, proxy or cookie, and the cookies that may be given. */
#include "server/net/asking.h"

#include "server/base/clock.h"
#include "server/net/proxy.h"

#include <string.h>

/* Cookies of a page that came over TLS, which ends before us, are for TLS alone. */
static bool is_secure(const struct head *head, const struct proxied *p)
{
    return p->secure || strncmp(head_value(head, "origin"), "https://", 8) == 0;
}

/* Of a form that signs in. */
static bool sign(const struct http_asker *asker, const char *token, char cookie[HTTP_COOKIE_BYTES],
                 struct fail *why)
{
    const struct asking *a = (const struct asking *)asker;
    struct auth_result r;

    auth_token(a->auth, token, &a->from, clock_us(), &r);
    *why = r.why;
    if (!r.known) return false;
    auth_cookie(a->auth, &r.who, a->base, asker->secure, cookie);
    return true;
}

void asking_begin(struct asking *a, struct conn *c, const struct head *head)
{
    struct auth *auth = c->all->auth;
    struct proxied p;

    proxy_read(head, &c->address, c->all->trust_proxy, &p);
    auth_head(auth, head, &p, clock_us(), &a->r);
    if (a->r.why.code == ERR_RATE_LIMITED) conn_warn_tokens(c, &p.from);
    c->known = a->r.known;
    c->who = a->r.who;
    *a->sign_in = 0;
    a->auth = auth;
    a->from = p.from;
    a->base = c->all->base;
    a->asker = (struct http_asker){.near = address_local(&c->address) && !proxy_passed(head),
                                   .host = address_local(&p.from) ? 0 : address_number(&p.from),
                                   .secure = is_secure(head, &p),
                                   .known = a->r.known,
                                   .user = a->r.known ? auth_user(auth, &a->r.who) : NULL,
                                   .shared = a->r.known ? a->r.who.shared : 0,
                                   .why = &a->r.why,
                                   .sign_in = a->sign_in,
                                   .sign_out = a->sign_out,
                                   .sign = auth_needed(auth) ? sign : NULL};
    if (a->r.token) auth_cookie(auth, &a->r.who, c->all->base, a->asker.secure, a->sign_in);
    auth_cookie_end(auth, c->all->base, a->sign_out);
}
