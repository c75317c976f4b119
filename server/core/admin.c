/* admin - each of its commands, and the end of a drain. */
#include "server/core/admin.h"

#include "server/core/capacity.h"
#include "server/core/notify.h"
#include "server/core/placing.h"
#include "server/core/respond.h"

#include "proto/answer.h"

#include <stdio.h>
#include <string.h>

/* --- drain ------------------------------------------------------------------------------------ */

/* "90 s", "15 min" */
static void say_time(int ms, char *out, size_t bytes)
{
    if (ms < 120000)
        snprintf(out, bytes, "%d s", (ms + 999) / 1000);
    else
        snprintf(out, bytes, "%d min", (ms + 59999) / 60000);
}

static void begin_drain(struct hub *h, int64_t now, const struct command *c)
{
    struct notice n = {.kind = NOTICE_DRAIN, .at_ms = notify_unix_ms(h, now) + c->deadline_ms};
    char time[32];

    say_time(c->deadline_ms, time, sizeof time);
    n.own = !*c->text;
    if (*c->text)
        memcpy(n.text, c->text, sizeof n.text);
    else
        snprintf(n.text, sizeof n.text,
                 "The server stops in %s at the latest. What waits is kept and goes on with its "
                 "next start.",
                 time);
    h->drain_us = now + (int64_t)c->deadline_ms * 1000;
    placing_drain(h, true);
    notify_notice(h, now, NULL, &n);
}

static void end_drain(struct hub *h, int64_t now)
{
    struct notice n = {.kind = NOTICE_DRAIN};

    h->drain_us = INT64_MAX;
    placing_drain(h, false);
    notify_notice(h, now, NULL, &n);
}

static void drain(struct hub *h, int64_t now, struct pending_reply *a, const struct command *c)
{
    struct fail f;

    if (h->stopping) {
        fail_set(&f, ERR_CONFLICT, "The server stops already");
        fail_advise(&f, "Start it again when it has ended.");
        respond_error(h, a, c, &f);
        return;
    }
    respond_ok(h, a, c, NULL);
    if (!c->undo)
        begin_drain(h, now, c);
    else if (h->draining)
        end_drain(h, now);
}

void admin_look(struct hub *h, int64_t now)
{
    int busy = h->in[JOB_ADMIT] + h->in[JOB_RUNNING] + h->in[JOB_SAVING] + h->in[JOB_ENDING];

    if (!h->draining || h->stopping || (busy > 0 && now < h->drain_us)) return;
    placing_stop(h, now);
}

int64_t admin_due(const struct hub *h)
{
    return h->draining && !h->stopping ? h->drain_us : INT64_MAX;
}

/* --- limits ----------------------------------------------------------------------------------- */

void admin_tune(struct hub *h, const struct hub_tuning *t)
{
    h->conf.queue_max = t->queue_max;
    h->conf.concurrency = t->concurrency;
    h->conf.job_seconds = t->job_seconds;
    h->conf.stuck_seconds = t->stuck_seconds;
    h->conf.submits_per_s = t->submits_per_s;
    h->conf.messages_per_s = t->messages_per_s;
    h->conf.private_s = t->private_s;
    for (int i = 0; i < h->devices.n; i++)
        if (h->devices.at[i].ready) capacity_set(h, &h->devices.at[i]);
    notify_touch(h);
}

static struct hub_tuning tuning_of(const struct hub *h)
{
    return (struct hub_tuning){.queue_max = h->conf.queue_max,
                               .concurrency = h->conf.concurrency,
                               .job_seconds = h->conf.job_seconds,
                               .stuck_seconds = h->conf.stuck_seconds,
                               .submits_per_s = h->conf.submits_per_s,
                               .messages_per_s = h->conf.messages_per_s,
                               .private_s = h->conf.private_s};
}

/* Else it only wants to know what holds. */
static bool asks(const struct command_set *s)
{
    return s->concurrency >= 0 || s->queue >= 0 || s->job_seconds >= 0;
}

/* A device is not stuck while one quantum takes what a whole job may. */
static void set(struct hub *h, struct pending_reply *a, const struct command *c)
{
    struct hub_tuning t = tuning_of(h);
    struct concurrency concurrency;
    struct answer_tuning now = {.concurrency = &concurrency};
    struct text text;

    if (c->set.concurrency >= 0) t.concurrency = c->set.concurrency;
    if (c->set.queue >= 0) t.queue_max = c->set.queue;
    if (c->set.job_seconds >= 0) t.job_seconds = c->set.job_seconds;
    if (t.stuck_seconds < t.job_seconds) t.stuck_seconds = t.job_seconds;
    if (asks(&c->set)) {
        admin_tune(h, &t);
        h->out.tuned(h->out.arg, &t);
    }
    now.set = (struct command_set){t.concurrency, t.queue_max, t.job_seconds};
    capacity_tell(h, &concurrency);
    respond_begin(&text);
    answer_set(a->ref, &now, &text);
    respond_text(h, a, &text);
}

/* --- users ------------------------------------------------------------------------------------ */

static void tell_user(struct hub *h, struct account *a)
{
    struct notice n = {.kind = NOTICE_USER};
    struct text t;

    text_init(&t, BLOB_HEAD, LIMIT_MESSAGE_BYTES);
    answer_user_changed(&a->user, &t);
    clients_notice(&h->clients, a, &n, blob_from_text(&t));
    text_free(&t);
}

void admin_users(struct hub *h)
{
    for (int i = 1; i < h->accounts.n; i++) {
        struct account *a = h->accounts.at[i];

        if (!a->changed) continue;
        a->changed = false;
        blob_unref(a->stats); /* it may name others' jobs */
        a->stats = NULL;
        clients_narrow(&h->clients, a);
        tell_user(h, a);
    }
}

/* --- the table -------------------------------------------------------------------------------- */

static void announce(struct hub *h, int64_t now, struct pending_reply *a, const struct command *c)
{
    struct notice n = {.kind = NOTICE_MESSAGE};

    memcpy(n.text, c->text, sizeof n.text);
    respond_ok(h, a, c, NULL);
    notify_notice(h, now, NULL, &n);
}

void admin_obey(struct hub *h, int64_t now, struct pending_reply *a, const struct command *c)
{
    switch (c->kind) {
    case COMMAND_DRAIN: drain(h, now, a, c); break;
    case COMMAND_NOTICE: announce(h, now, a, c); break;
    case COMMAND_SET: set(h, a, c); break;
    default:
        respond_ok(h, a, c, NULL);
        placing_pause(h, c->kind == COMMAND_PAUSE);
        break;
    }
}
