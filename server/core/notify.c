/* notify - events on a job's board, and the mark that places and numbers have changed. */
#include "server/core/notify.h"

#include "server/core/phases.h"

#include <assert.h>

void notify_post(struct hub *h, int64_t now, struct job *j, const struct event *e)
{
    assert(e->kind != EVENT_PREVIEW);
    if (board_post(&j->board, e)) clients_posted(&h->clients, j, now);
}

void notify_progress(struct hub *h, int64_t now, struct job *j, enum glm_phase phase, int done,
                     int total)
{
    struct event e = {.kind = EVENT_PROGRESS};

    assert(phase < GLM_DONE);
    e.u.progress.phase = phases_wire(phase);
    e.u.progress.done = done;
    e.u.progress.total = total;
    e.u.progress.overall = j->run.overall;
    e.u.progress.eta_ms = notify_eta_ms(now, j->forecast.end_us);
    e.u.progress.waits = j->run.waits >= 0;
    if (j->run.waits >= 0) e.u.progress.why = (enum event_why)j->run.waits;
    j->forecast.sent_why = j->run.waits;
    j->forecast.sent_end_us = j->forecast.end_us;
    notify_post(h, now, j, &e);
}

void notify_touch(struct hub *h)
{
    h->touched = true;
}

void notify_notice(struct hub *h, int64_t now, struct account *a, const struct notice *n)
{
    struct text t;

    text_init(&t, BLOB_HEAD, LIMIT_MESSAGE_BYTES);
    notice_encode(n, notify_unix_ms(h, now), &t);
    clients_notice(&h->clients, a, n, blob_from_text(&t));
    text_free(&t);
}

int64_t notify_unix_ms(const struct hub *h, int64_t now)
{
    return h->conf.unix_ms + now / 1000;
}

int64_t notify_eta_ms(int64_t now, int64_t at_us)
{
    if (at_us < 0) return -1;
    return at_us > now ? (at_us - now + 500) / 1000 : 0;
}
