/* finish - jobs that end before their last denoising step. */
#include "server/core/finish.h"

#include "server/core/lifecycle.h"
#include "server/core/notify.h"

#include "proto/answer.h"

#include <assert.h>

/* --- the command ------------------------------------------------------------------------------ */

static bool is_over(const struct job *j)
{
    return j->state == JOB_ENDING || job_over(j);
}

/* All its steps are done, or it was told to end. */
static bool ends_anyway(const struct job *j)
{
    return j->state == JOB_SAVING || j->run.view.phase > GLM_DENOISE || j->steps > 0;
}

static int check(const struct job *j, struct fail *f)
{
    if (is_over(j)) {
        fail_field(f, ERR_CONFLICT, "job", "The job is over already");
        return fail_advise(f, "Nothing is left to finish.");
    }
    if (j->sweep) {
        fail_field(f, ERR_CONFLICT, "job", "The job is a sweep, which has no steps of its own");
        return fail_advise(f, "Finish its cells.");
    }
    if (ends_anyway(j)) return 0;
    if (j->run.view.phase == GLM_DENOISE && j->run.view.done > 0) return 0;
    fail_field(f, ERR_CONFLICT, "job", "The job has no denoising step yet that could be shown");
    return fail_advise(f,
                       "Send it again after the first `progress` of `denoise`, or cancel the job.");
}

static void reply(struct hub *h, struct pending_reply *a, const struct job *j)
{
    struct text t;

    text_init(&t, BLOB_HEAD, LIMIT_OUTBOX_BYTES);
    answer_ok(a->ref, COMMAND_FINISH, j->id, (int)job_public(j), &t);
    client_reply_ready(&h->clients, a, blob_from_text(&t));
    text_free(&t);
}

static void refuse(struct hub *h, struct pending_reply *a, const struct job *j,
                   const struct fail *why)
{
    struct text t;

    text_init(&t, BLOB_HEAD, LIMIT_OUTBOX_BYTES);
    answer_error(a->ref, COMMAND_FINISH, j->id, why, &t);
    client_reply_ready(&h->clients, a, blob_from_text(&t));
    text_free(&t);
}

static void in_fewer_steps(const struct job *j, struct glm_progress *v)
{
    if (v->phase != GLM_DENOISE || v->total == j->steps) return;
    v->total = j->steps;
    if (v->done > v->total) v->done = v->total;
    v->left = (double)(v->total - v->done) / v->total;
}

static void shorten(struct hub *h, struct job *j)
{
    j->steps = j->run.view.done;
    finish_plan(j);
    in_fewer_steps(j, &j->run.view);
    j->forecast.first_us = 0; /* it was made for the whole job */
    h->estimated_us = INT64_MIN / 2;
    lanes_changed(&h->lanes, &h->accounts);
    notify_touch(h);
}

static void store(struct hub *h, struct job *j)
{
    struct hub_row r = lifecycle_row(j);

    j->storing_steps = true;
    j->steps_lost = false;
    h->n_storing++;
    h->out.store_finish(h->out.arg, &r);
}

int finish_job(struct hub *h, struct job *j, struct pending_reply *a, struct fail *f)
{
    int err = check(j, f);

    if (err) return err;
    if (!ends_anyway(j)) {
        shorten(h, j);
        if (j->state == JOB_RUNNING)
            h->out.finish(h->out.arg, j->run.device->index, j->id, j->steps);
        store(h, j);
    } else if (j->steps_lost) {
        store(h, j);
    }
    if (j->storing_steps)
        client_reply_wait(a, j);
    else
        reply(h, a, j);
    return 0;
}

void finish_stored(struct hub *h, struct job *j, const struct fail *why)
{
    assert(j->storing_steps);
    j->storing_steps = false;
    j->steps_lost = why != NULL;
    for (struct pending_reply *a = client_waiters(j), *next; a; a = next) {
        next = a->waiter_next;
        if (why)
            refuse(h, a, j, why);
        else
            reply(h, a, j);
    }
}

/* --- plans and progress ----------------------------------------------------------------------- */

void finish_plan(struct job *j)
{
    struct glm_cost *c = &j->plan.cost;
    const double part = (double)j->steps / j->spec.steps;

    if (!j->steps || c->quanta[GLM_DENOISE] <= j->steps) return;
    c->quanta[GLM_DENOISE] = j->steps;
    c->work[GLM_DENOISE] *= part;
    c->flops[GLM_DENOISE] *= part;
}

bool finish_views(const struct device *d, struct device_event *n)
{
    bool any = false;

    for (int i = 0; i < n->n; i++) {
        const struct job *j = device_find(d, n->run[i].job);

        if (!j || !j->steps) continue;
        any = any || (n->run[i].view.phase == GLM_DENOISE && n->run[i].view.total != j->steps);
        in_fewer_steps(j, &n->run[i].view);
    }
    return any;
}
