/* live - users and options that change while the service runs. */
#include "server/service_priv.h"

#include "server/base/clock.h"
#include "server/net/handshake.h"

enum { STUCK_SECONDS = 120 }; /* silence of a busy device, unless a job may run longer than that */

/* --- users ------------------------------------------------------------------------------------ */

/* What the data folder says now: to the hub, then to those who check tokens. */
int live_users(struct service *s, struct fail *f)
{
    struct user_rows rows;
    int err = store_users(s->store, &rows, f);

    if (err) return err;
    if (rows.damaged)
        log_error(s->log, "users: %d damaged rows are left out: they cannot sign in", rows.damaged);
    if (hub_users(s->hub, clock_us(), rows.user, rows.n)) {
        users_free(&rows);
        return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the users.");
    }
    auth_users(&s->auth, &rows);
    hello_changed(&s->hello);
    return 0;
}

void live_renew_users(struct service *s)
{
    struct fail f;

    if (live_users(s, &f)) {
        log_error(s->log, "users: those of before stay: %s", f.message);
        return;
    }
    log_info(s->log, "users: %d may sign in%s", s->auth.rows.n,
             auth_needed(&s->auth) ? "" : "; everybody is let in");
    net_users(s->net);
}

/* --- options ---------------------------------------------------------------------------------- */

int live_stuck_seconds(const struct options *c)
{
    return c->job_seconds > STUCK_SECONDS ? c->job_seconds : STUCK_SECONDS;
}

static void tune(struct service *s)
{
    const struct options *c = s->conf->options;
    struct hub_tuning hub = {.queue_max = c->queue,
                             .concurrency = c->concurrency,
                             .job_seconds = c->job_seconds,
                             .stuck_seconds = live_stuck_seconds(c),
                             .submits_per_s = c->submits_per_second,
                             .messages_per_s = c->messages_per_second,
                             .private_s = 60 * c->private_minutes};
    struct net_tuning net = {.origins = c->origins,
                             .connections_per_ip = c->connections_per_ip,
                             .connections_per_user = c->connections_per_user,
                             .ping_seconds = c->ping_seconds,
                             .hangup_seconds = c->hangup_seconds};

    log_set_level(s->log, (enum log_level)log_level_parse(c->log_level));
    hub_tune(s->hub, clock_us(), &hub);
    net_tune(s->net, &net);
    if (store_keep(s->store, c->keep_days, c->keep_size, c->grace_minutes))
        log_error(s->log, "options: no memory for --keep-days, --keep-size and --grace-minutes");
    hello_changed(&s->hello);
}

void live_reread(struct service *s)
{
    struct options *c = s->conf->options, next;
    struct options_changes changes;
    struct fail f;
    int err = options_reread(c, &next, &f);

    if (!err) err = handshake_origins(next.origins, &f);
    if (err)
        log_error(s->log, "options: all stay as they were: %s", f.message);
    else {
        options_adopt(c, &next, &changes);
        if (*changes.live) tune(s);
        log_info(s->log, "options: %s was read again; changed: %s", c->config,
                 *changes.live ? changes.live : "none");
        if (*changes.restart) log_warn(s->log, "options: need a restart: %s", changes.restart);
    }
    options_free(&next); /* with the old origins, which the network has given up */
}

const struct glm *live_engine(const struct service *s)
{
    const struct glm *glm = NULL;

    for (int i = 0; i < s->workers && !glm; i++)
        if (s->worker[i]) glm = worker_glm(s->worker[i]);
    return glm;
}
