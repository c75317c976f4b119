/* respond - the answers that all commands share. */
#include "server/core/respond.h"

#include "server/core/lifecycle.h"
#include "server/core/private.h"

#include "proto/answer.h"

void respond_text(struct hub *h, struct pending_reply *a, struct text *t)
{
    client_reply_ready(&h->clients, a, blob_from_text(t));
    text_free(t);
}

void respond_begin(struct text *t)
{
    text_init(t, BLOB_HEAD, LIMIT_OUTBOX_BYTES);
}

void respond_ok(struct hub *h, struct pending_reply *a, const struct command *c,
                const struct job *j)
{
    struct text t;

    respond_begin(&t);
    answer_ok(a->ref, (enum command_kind)c->kind, c->job, j ? (int)job_public(j) : -1, &t);
    respond_text(h, a, &t);
}

void respond_error(struct hub *h, struct pending_reply *a, const struct command *c,
                   const struct fail *f)
{
    struct text t;

    a->act = REPLY_NONE;
    stats_refusal(&h->stats, f->code);
    respond_begin(&t);
    answer_error(a->ref, c->kind, c->job, f, &t);
    respond_text(h, a, &t);
}

struct pending_reply *respond_ticket(const struct hub *h, uint64_t ticket)
{
    for (const struct client *p = h->clients.first; p; p = p->next)
        for (struct pending_reply *a = p->held; a; a = a->next)
            if (a->ticket == ticket) return a;
    return NULL;
}

uint64_t respond_later(struct hub *h, struct pending_reply *a, struct text *t)
{
    a->then = blob_from_text(t);
    text_free(t);
    return a->ticket = ++h->tickets;
}

void respond_stored(struct hub *h, uint64_t ticket, const struct command *about,
                    const struct fail *why)
{
    struct pending_reply *a = respond_ticket(h, ticket);
    struct blob *text;

    if (!a) return;
    text = a->then;
    a->ticket = 0;
    a->then = NULL;
    if (!why) {
        client_reply_ready(&h->clients, a, text);
        return;
    }
    blob_unref(text);
    respond_error(h, a, about, why);
}

struct job *respond_job(const struct hub *h, const struct client *p, uint64_t id)
{
    struct job *j = lifecycle_find(h, id);

    return j && client_sees(p, j) && private_open(p->account, j) ? j : NULL;
}

void respond_unknown(struct hub *h, struct pending_reply *a, const struct command *c)
{
    struct fail f;

    fail_field(&f, ERR_NOT_FOUND, "job", "There is no such job");
    fail_advise(&f, "Only the newest jobs are remembered; `list` says which.");
    respond_error(h, a, c, &f);
}
