/* access - what a proxy says of the client is logged where it is believed. */
#include "server/net/access.h"

#include "server/net/proxy.h"

void access_log(const struct conn *c, const struct head *head, int status, int64_t bytes)
{
    static const struct head unread = {.method = "-", .path = "-"};
    const struct user *user = c->known ? auth_user(c->all->auth, &c->who) : NULL;
    struct proxied p = {.from = c->address};
    char from[64];

    traffic_answered(c->all->traffic, status);
    if (!c->all->log || !c->all->log->access) return;
    if (head) proxy_read(head, &c->address, c->all->trust_proxy, &p);
    if (!head || !head->method || !head->path) head = &unread;
    address_text(&p.from, from, sizeof from);
    log_request(c->all->log, &(struct log_request){.from = from,
                                                   .user = user ? user->name : "",
                                                   .method = head->method,
                                                   .path = head->path,
                                                   .status = status,
                                                   .bytes = bytes});
}
