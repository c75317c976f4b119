/* ending - an end on its way to the disk and to its viewers. */
#include "server/core/ending.h"

#include "server/core/acceptance.h"
#include "server/core/capacity.h"
#include "server/core/finish.h"
#include "server/core/lifecycle.h"
#include "server/core/notify.h"
#include "server/core/private.h"

#include <assert.h>
#include <string.h>

/* Compare the first estimate with what came, and hand out measured rates to be kept. What a device
 * or a disk that failed has added teaches nothing. */
static void judge(struct hub *h, int64_t now, const struct job *j, bool was_refused)
{
    if (j->end.outcome != JOB_DONE) return;
    stats_run(&h->stats, (enum user_lane)j->spec.lane, j->run.spent_us);
    if (j->run.retries == 0 && !was_refused) {
        eta_tail(&h->eta, now - j->run.started_us - (j->run.spent_us - j->run.past_us));
        eta_judge(&h->eta, j->forecast.kind, j->forecast.first_us, now - j->forecast.accepted_us);
        stats_estimate(&h->stats, j->forecast.first_us, now - j->forecast.accepted_us);
    }
    if (now - h->rates_us < HUB_RATES_US) return;
    h->rates_us = now;
    h->out.rates(h->out.arg, &h->eta.known);
}

/* What the disk was given, or will not take. */
static void forget_bytes(struct job *j)
{
    blob_unref(j->end.file);
    blob_unref(j->end.tokens);
    j->end.file = j->end.tokens = NULL;
}

static bool post_result(struct hub *h, int64_t now, struct job *j)
{
    char url[URL_TEXT];
    struct event e = {.kind = EVENT_RESULT, .u.result = job_result(j, url)};

    if (j->board.at[EVENT_RESULT]) return true;
    notify_post(h, now, j, &e);
    return j->board.at[EVENT_RESULT] != 0;
}

/* The end is durable: post `result` and `end`. What memory refuses is tried again. */
static void post_end(struct hub *h, int64_t now, struct job *j)
{
    static const enum job_move MOVE[] = {
        [JOB_DONE] = MOVE_DONE, [JOB_FAILED] = MOVE_FAILED, [JOB_CANCELLED] = MOVE_CANCELLED};
    struct event end = {.kind = EVENT_END, .u.end = {.state = job_outcome(j)}};
    bool was_refused = j->end.refused;

    j->end.on_disk = true;
    if (j->end.refused) h->n_refused--;
    j->end.refused = false;
    if (j->end.outcome == JOB_DONE && !j->sweep && !post_result(h, now, j)) {
        h->again_us = now + HUB_AGAIN_US;
        return;
    }
    end.u.end.error = j->end.outcome == JOB_FAILED ? &j->end.error : NULL;
    end.u.end.counts = j->sweep ? &j->sweep->counts : NULL;
    end.u.end.cells = j->sweep ? j->sweep->kept : NULL;
    notify_post(h, now, j, &end);
    if (!board_ended(&j->board)) {
        h->again_us = now + HUB_AGAIN_US;
        return;
    }
    if (j->end.outcome == JOB_DONE && j->end.tokens) j->end.kept = true;
    if (!j->private) forget_bytes(j);
    lifecycle_move(h, j, MOVE[j->end.outcome]);
    if (!j->sweep) stats_end(&h->stats, now, j->end.outcome);
    if (!j->sweep) judge(h, now, j, was_refused);
    private_over(h, now, j);
    registry_over(&h->registry, j);
}

void ending_again(struct hub *h, int64_t now)
{
    struct job *older;

    if (now < h->again_us) return;
    h->again_us = INT64_MAX;
    for (struct job *j = h->registry.newest; j; j = older) {
        older = j->links.older;
        if (j->state != JOB_ENDING) continue;
        if (j->end.on_disk) post_end(h, now, j);
        if (!j->end.refused || j->end.asked) continue;
        j->end.asked = true;
        lifecycle_store_end(h, j);
    }
}

/* Whether the same row may be taken later: the disk is full, no descriptor is left, .. */
static bool may_pass(const struct fail *why)
{
    return why->code == ERR_IO || why->code == ERR_OUT_OF_MEMORY;
}

void ending_disk(struct hub *h, int64_t now, const struct fail *why)
{
    const struct fail was = h->disk;

    h->disk = why ? *why : (struct fail){0};
    if (was.code == h->disk.code && strcmp(was.message, h->disk.message) == 0) return;
    if (!why && h->n_refused > 0) h->again_us = now;
    capacity_explain(h);
}

/* An end that cannot be stored is not posted: after a restart the job would run again and come to
 * another one. The disk is asked until it takes it. A finished picture waits in memory; since
 * nothing is started meanwhile, there are at most as many as were on the devices and with the
 * encoder. */
static void end_not_stored(struct hub *h, int64_t now, struct job *j, const struct fail *why)
{
    if (!may_pass(why) && j->end.outcome != JOB_DONE) {
        post_end(h, now, j); /* its row is wrong: another try changes nothing */
        return;
    }
    if (!may_pass(why)) {
        forget_bytes(j);
        j->end.outcome = JOB_FAILED;
        j->end.error = *why;
    }
    if (!j->end.refused) h->n_refused++;
    j->end.refused = true;
    j->end.asked = false;
    if (h->again_us == INT64_MAX) h->again_us = now + HUB_AGAIN_US;
}

void ending_answered(struct hub *h, int64_t now, const struct fail *why)
{
    assert(h->n_storing > 0);
    h->n_storing--;
    if (!why || may_pass(why)) ending_disk(h, now, why);
}

void ending_stored(struct hub *h, int64_t now, uint64_t job, const struct fail *why)
{
    struct job *j = registry_find(&h->registry, job);

    assert(j);
    ending_answered(h, now, why);
    if (j->state == JOB_ADMIT)
        acceptance_stored(h, now, j, why);
    else if (j->storing_steps)
        finish_stored(h, j, why);
    else if (why)
        end_not_stored(h, now, j, why);
    else
        post_end(h, now, j);
}

void ending_encoded(struct hub *h, int64_t now, uint64_t job, struct blob *file, const char *digest,
                    const struct fail *why)
{
    struct job *j = registry_find(&h->registry, job);

    assert(h->n_encoding > 0);
    h->n_encoding--;
    if (!j || j->state != JOB_SAVING) return; /* cancelled meanwhile */
    if (!file && why->code == ERR_OUT_OF_MEMORY) {
        lifecycle_lose(h, now, j, why);
        return;
    }
    if (file) {
        j->end.file = blob_ref(file);
        j->end.bytes = (int64_t)file->len;
        memccpy(j->end.digest, digest, '\0', sizeof j->end.digest - 1);
        job_identify(j, j->private ? 0 : h->model);
        lifecycle_end(h, j, JOB_DONE, NULL);
    } else {
        lifecycle_end(h, j, JOB_FAILED, why);
    }
}
