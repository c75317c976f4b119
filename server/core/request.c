/* request - one picture, or the cells of a sweep, planned. */
#include "server/core/request.h"

#include "server/core/capacity.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ", steps 200": a long prompt is cut. */
static void add_value(char *out, size_t size, const struct spec *spec, int field)
{
    size_t len = strlen(out);
    struct text t;

    text_init(&t, 0, 6 * LIMIT_PROMPT_BYTES + 16);
    spec_write_value(spec, field, &t);
    snprintf(out + len, size - len, "%s%s %.60s", len ? ", " : "", SPEC_TABLE[field].name,
             text_check(&t, NULL) ? "" : t.at);
    text_free(&t);
}

/* "In cell 7 (steps 200, guidance 1.5): ..": which one, by what it has of its own. */
static void name_cell(const struct command *c, int cell, struct fail *f)
{
    char own[160], why[sizeof f->message];
    struct spec spec;

    if (c->sweep.cells == 0) return;
    sweep_cell(&c->sweep, &c->spec, cell, &spec, NULL);
    own[0] = '\0';
    for (int a = 0; a < c->sweep.axes; a++)
        add_value(own, sizeof own, &spec, c->sweep.axis[a].field);
    snprintf(why, sizeof why, "%s", f->message);
    snprintf(f->message, sizeof f->message, "In cell %d (%s): %.220s", cell, own, why);
    if (!*f->field)
        snprintf(f->field, sizeof f->field, "%s", SPEC_TABLE[c->sweep.axis[0].field].name);
}

/* Two cells that differ in nothing but the seed take the same. */
static bool costs_alike(const struct spec *a, const struct spec *b)
{
    struct spec seeded = *b;

    spec_borrow(&seeded, SPEC_SEED, a);
    return seeded.prompt == a->prompt && spec_same_images(&seeded, a) && seeded.width == a->width
           && seeded.height == a->height && seeded.steps == a->steps
           && !(seeded.guidance < a->guidance) && !(seeded.guidance > a->guidance);
}

/* Whether a device can draw it at all, and in the time that a job may take. The latter only when
 * rates are measured: a guess refuses nothing. */
static int plan_one(struct hub *h, struct request *r, int i, struct fail *f)
{
    const struct glm_progress begin = {.total = 0};
    const struct spec *spec = &r->spec[i];
    int err;

    if (i > 0 && costs_alike(spec, &r->spec[i - 1])) {
        r->plan[i] = r->plan[i - 1];
        r->seconds[i] = r->seconds[i - 1];
        return 0;
    }
    err = capacity_plan(h, spec, &r->plan[i], f);
    if (err) return err;
    r->seconds[i] = eta_seconds(&h->eta, &r->plan[i].cost, &begin, spec->width * spec->height);
    if (!eta_measured(&h->eta) || r->seconds[i] <= h->conf.job_seconds) return 0;
    return fail_set(f, ERR_TIMEOUT,
                    "This picture would take about %.0f s of computing time; a job may take %d s",
                    ceil(r->seconds[i]), h->conf.job_seconds);
}

int request_plan(struct hub *h, const struct command *c, struct request *out, struct fail *f)
{
    int err = 0;

    out->n = c->sweep.cells ? c->sweep.cells : 1;
    out->planned = devices_ready(&h->devices);
    for (int i = 0; i < out->n && !err; i++) {
        if (c->sweep.cells)
            sweep_cell(&c->sweep, &c->spec, i, &out->spec[i], NULL);
        else
            out->spec[i] = c->spec;
        if (out->planned) err = plan_one(h, out, i, f);
        if (err) name_cell(c, i, f);
    }
    return err;
}

int request_allowed(const struct account *a, const struct command *c, struct fail *f)
{
    int n = c->sweep.cells ? c->sweep.cells : 1, err = 0;
    struct spec spec = c->spec;

    for (int i = 0; i < n && !err; i++) {
        if (c->sweep.cells) sweep_cell(&c->sweep, &c->spec, i, &spec, NULL);
        err = account_may_draw(a, (enum user_lane)spec.lane, f);
    }
    return err;
}

/* Without users everybody is one: then by connection. */
int request_often(struct hub *h, int64_t now, struct client *p, struct fail *f)
{
    bool one = p->account->user.id != USER_NONE;
    int64_t wait =
        bucket_take(one ? &p->account->submits : &p->submits, now, h->conf.submits_per_s);

    if (wait == 0) return 0;
    h->stats.totals.limited[LIMITED_SUBMITS]++;
    fail_set(f, ERR_RATE_LIMITED, "More than %d requests a second came from you",
             h->conf.submits_per_s);
    fail_advise(f, "Send it again after retry_after_ms.");
    f->retry_after_ms = (wait + 999) / 1000;
    return ERR_RATE_LIMITED;
}

void request_times(struct hub *h, int64_t now, const struct account *a, const struct request *r,
                   struct forecast_times *out)
{
    struct timeline_item more[LIMIT_CELLS];
    int n = 0;

    assert(r->planned);
    for (int lane = 0; lane < LANES; lane++) {
        struct dispatch_job turn = lanes_next(&h->lanes, a, (enum user_lane)lane);

        for (int i = 0; i < r->n; i++) {
            if (r->spec[i].lane != lane) continue;
            turn.plan = &r->plan[i];
            turn.cost_s = r->seconds[i];
            more[n++] = (struct timeline_item){
                .plan = turn.plan, .turn = turn, .pixels = r->spec[i].width * r->spec[i].height};
            turn.begin += r->seconds[i] / a->user.weight;
        }
    }
    assert(n == r->n);
    forecast_quote(h, now, more, n, out);
}

double request_seconds(const struct request *r)
{
    double all = 0;

    for (int i = 0; i < r->n; i++)
        all += r->seconds[i];
    return all;
}

int64_t request_bytes(const struct request *r)
{
    uint64_t most = 0;

    for (int i = 0; i < r->n; i++) {
        uint64_t bytes = r->plan[i].cost.run_bytes + r->plan[i].cost.scratch_bytes;

        if (bytes > most) most = bytes;
    }
    return (int64_t)most;
}
