/* search - a ticket for each answer that waits; its client may be gone when the store has it. */
#include "server/core/search.h"

#include "server/core/respond.h"

static int waiting(const struct client *p)
{
    int n = 0;

    for (const struct pending_reply *a = p->held; a; a = a->next)
        n += a->ticket != 0 && !a->then;
    return n;
}

void search_obey(struct hub *h, struct pending_reply *a, const struct command *c)
{
    const struct client *p = a->client;
    const struct account *who = p->account;
    struct hub_search s = {.all = p->shared || who->user.id == USER_NONE,
                           .owner = who->user.id,
                           .only = p->shared,
                           .limit = c->limit,
                           .ref = a->ref,
                           .what = &c->search};
    struct fail f;

    if (waiting(p) >= SEARCHES_MAX) {
        fail_set(&f, ERR_RATE_LIMITED, "%d lists of results are on their way already",
                 SEARCHES_MAX);
        fail_advise(&f, "Wait for their answers.");
        respond_error(h, a, c, &f);
        return;
    }
    a->ticket = s.ticket = ++h->tickets;
    h->out.search(h->out.arg, &s);
}

void search_found(struct hub *h, uint64_t ticket, struct blob *answer, const struct fail *why)
{
    const struct command list = {.kind = COMMAND_LIST};
    struct pending_reply *a = respond_ticket(h, ticket);

    if (!a) return;
    a->ticket = 0;
    if (answer)
        client_reply_ready(&h->clients, a, blob_ref(answer));
    else
        respond_error(h, a, &list, why);
}
