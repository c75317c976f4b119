/* capacity - how many pictures the devices hold, what one takes, and why a job has to wait. */
#include "server/core/capacity.h"

#include "server/core/notify.h"

#include <assert.h>
#include <stdio.h>

int capacity_cap(const struct hub *h)
{
    int n = devices_cap(&h->devices);

    return h->conf.concurrency > 0 && n > h->conf.concurrency ? h->conf.concurrency : n;
}

bool capacity_open(const struct hub *h)
{
    return !h->paused && !h->draining;
}

void capacity_state(const struct hub *h, struct dispatch_state *out)
{
    devices_state(&h->devices, capacity_cap(h), out);
    out->passed_s = h->lanes.passed_s;
}

/* --- what a picture takes --------------------------------------------------------------------- */

static int shrink(int side, int eighths)
{
    int s = side * eighths / 8 / LIMIT_SIDE_STEP * LIMIT_SIDE_STEP;

    return s < LIMIT_SIDE_MIN ? LIMIT_SIDE_MIN : s;
}

void capacity_advise(const struct hub *h, const struct spec *spec, uint64_t bytes, struct fail *f)
{
    for (int eighths = 7; eighths > 0; eighths--) {
        struct spec s = *spec;
        struct job_plan p;

        s.width = shrink(spec->width, eighths);
        s.height = shrink(spec->height, eighths);
        if (h->out.plan(h->out.arg, &s, &p, NULL) != 0) continue;
        if (p.cost.run_bytes + p.cost.scratch_bytes > bytes) continue;
        fail_advise(f, "Ask for %dx%d or less, which fits.", s.width, s.height);
        return;
    }
}

static double mb(uint64_t bytes)
{
    return (double)bytes / 1e6;
}

int capacity_plan(const struct hub *h, const struct spec *spec, struct job_plan *p, struct fail *f)
{
    const struct ledger *l = devices_largest(&h->devices);
    int err = h->out.plan(h->out.arg, spec, p, f);

    assert(l);
    if (err) return err;
    if (ledger_ever_fits(l, p)) return 0;
    fail_set(f, ERR_TOO_BIG_FOR_DEVICE, "A picture of %dx%d takes %.0f MB; the device has %.0f MB",
             spec->width, spec->height, mb(p->cost.run_bytes + p->cost.scratch_bytes),
             mb(l->budget));
    capacity_advise(h, spec, l->budget, f);
    return ERR_TOO_BIG_FOR_DEVICE;
}

/* --- how many --------------------------------------------------------------------------------- */

/* The ordinary picture, which the cap is computed for. */
static int plan_ordinary(const struct hub *h, struct spec *s, struct job_plan *p)
{
    char prompt[] = "a picture";

    spec_defaults(s, h->conf.limits);
    s->prompt = prompt;
    if (s->seed == SPEC_SEED_PICK) s->seed = 0;
    return h->out.plan(h->out.arg, s, p, NULL);
}

static enum cap_reason reason_of(const struct hub *h, const struct device *d)
{
    if (d->cap == d->cap_failure && d->cap_failure < LEDGER_MAX) return CAP_LOWERED;
    if (d->cap == h->conf.concurrency) return CAP_OPTION;
    if (d->cap == d->cap_useful && d->cap < d->cap_memory) return CAP_USEFUL;
    return d->cap == LEDGER_MAX ? CAP_BATCH : CAP_MEMORY;
}

/* One device's reason, without a stop. */
static void say_why(const struct cap_device *d, char *out, size_t bytes)
{
    char fit[120];

    snprintf(fit, sizeof fit,
             "%d picture%s of %dx%d fit%s beside the model (%.0f MB each of %.0f MB)", d->fits,
             d->fits == 1 ? "" : "s", d->width, d->height, d->fits == 1 ? "s" : "",
             mb(d->picture_bytes), mb(d->bytes));
    switch (d->why) {
    case CAP_STARTING: snprintf(out, bytes, "the model is being loaded"); break;
    case CAP_FAILED:
        snprintf(out, bytes, "the device has failed and is being opened again: %s", d->message);
        break;
    case CAP_LOST:
        snprintf(out, bytes, "the device does not come back (tried %d time%s): %s", d->tries,
                 d->tries == 1 ? "" : "s", d->message);
        break;
    case CAP_LOWERED:
        snprintf(out, bytes, "lowered to %d since the device ran out of memory; by plan %s", d->cap,
                 fit);
        break;
    case CAP_OPTION: snprintf(out, bytes, "--concurrency is %d; %s", d->cap, fit); break;
    case CAP_USEFUL:
        snprintf(out, bytes, "more than %d would only slow each other; %s", d->cap, fit);
        break;
    case CAP_BATCH: snprintf(out, bytes, "%d share one batch at most; %s", d->cap, fit); break;
    default: snprintf(out, bytes, "%s", fit);
    }
}

/* Of one device its own sentence; of several each sentence with its number and cap, cut short. */
void capacity_explain(struct hub *h)
{
    size_t at = 0;

    h->devices.why_cap[0] = '\0';
    h->devices.why_seq++;
    if (h->disk.code)
        at = (size_t)snprintf(h->devices.why_cap, sizeof h->devices.why_cap,
                              "The disk takes no pictures: %.100s ", h->disk.message);
    for (int i = 0; i < h->devices.n && at + 1 < sizeof h->devices.why_cap; i++) {
        const struct device *d = &h->devices.at[i];
        char count[32] = "", why[192];

        say_why(&d->why, why, sizeof why);
        if (h->devices.n > 1) snprintf(count, sizeof count, "device %d: %d; ", i, d->cap);
        if (h->devices.n > 1 && !d->ready) snprintf(count, sizeof count, "device %d: ", i);
        at += (size_t)snprintf(h->devices.why_cap + at, sizeof h->devices.why_cap - at,
                               "%s%s%.150s", i ? ". " : "", count, why);
    }
    notify_touch(h);
}

void capacity_tell(const struct hub *h, struct concurrency *out)
{
    *out = (struct concurrency){.cap = capacity_cap(h),
                                .why = h->devices.why_cap,
                                .disk = h->disk.code ? h->disk.message : NULL,
                                .devices = h->devices.n,
                                .seq = h->devices.why_seq};
    for (int i = 0; i < h->devices.n; i++)
        out->device[i] = &h->devices.at[i].why;
}

/* The least of: memory, the cap after an out-of-memory, the useful batch; --concurrency overrides
 * the last. */
void capacity_set(struct hub *h, struct device *d)
{
    struct spec s;
    struct job_plan p = {.scratch_more = 0};
    int most;

    assert(d->ready);
    d->cap_memory = 1;
    if (plan_ordinary(h, &s, &p) == 0) d->cap_memory = ledger_count(&d->ledger, &p);
    if (d->cap_memory < 1) d->cap_memory = 1;
    d->cap = d->cap_memory;
    if (d->cap > d->cap_failure) d->cap = d->cap_failure;
    most = h->conf.concurrency > 0 ? h->conf.concurrency : d->cap_useful;
    if (most > 0 && d->cap > most) d->cap = most;
    d->why = (struct cap_device){.why = reason_of(h, d),
                                 .cap = d->cap,
                                 .fits = d->cap_memory,
                                 .width = s.width,
                                 .height = s.height,
                                 .picture_bytes = p.cost.run_bytes,
                                 .bytes = d->ledger.budget};
    capacity_explain(h);
}

void capacity_lower(struct hub *h, struct device *d, int residents)
{
    int to = residents > 1 ? residents - 1 : 1;

    assert(residents >= 0);
    if (to < d->cap_failure) d->cap_failure = to;
    if (d->ready) capacity_set(h, d);
}

enum event_why capacity_why(const struct hub *h, const struct job *j)
{
    struct dispatch_state s;
    bool failed = true;

    for (int i = 0; i < h->devices.n; i++)
        failed = failed && h->devices.at[i].failed;
    if (!devices_working(&h->devices)) return failed ? WHY_DEVICE : WHY_STARTING;
    capacity_state(h, &s);
    return j->planned && dispatch_lacks_memory(&s, &j->plan) ? WHY_MEMORY : WHY_SLOTS;
}
