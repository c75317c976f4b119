/* stats - the figures of the statistics. */
#include "server/core/stats.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const double FADE = 1 - 1.0 / 256;

const double STATS_SECONDS[STATS_BOUNDS] = {0.01, 0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1800, 3600};
const double STATS_SHARES[STATS_BOUNDS] = {0.02, 0.05, 0.1, 0.15, 0.2, 0.25,
                                           0.3,  0.4,  0.5, 0.75, 1,   2};

static void add(struct stats_histogram *h, double x)
{
    int i = 0;

    if (!(x > 0)) x = 0;
    while (i < STATS_BOUNDS && x > h->bounds[i])
        i++;
    h->count[i]++;
    h->n++;
    h->sum += x;
}

void stats_init(struct stats *s)
{
    *s = (struct stats){.totals = {.cancel.bounds = STATS_SECONDS, .error.bounds = STATS_SHARES}};
    for (int i = 0; i < LANES; i++)
        s->totals.wait[i].bounds = s->totals.run[i].bounds = STATS_SECONDS;
}

void stats_wait(struct stats *s, enum user_lane lane, int64_t us)
{
    add(&s->totals.wait[lane], (double)us / 1e6);
}

void stats_run(struct stats *s, enum user_lane lane, int64_t us)
{
    add(&s->totals.run[lane], (double)us / 1e6);
}

void stats_cancel(struct stats *s, int64_t us)
{
    add(&s->totals.cancel, (double)us / 1e6);
}

void stats_estimate(struct stats *s, int64_t forecast_us, int64_t real_us)
{
    if (forecast_us <= 0 || real_us <= 0) return;
    add(&s->totals.error, fabs((double)(forecast_us - real_us)) / (double)real_us);
}

void stats_refusal(struct stats *s, enum err code)
{
    assert(code < 0 && code >= ERR_LAST);
    s->totals.refused[-code]++;
}

void stats_checkpoint(struct stats *s, size_t bytes, int64_t us)
{
    s->totals.checkpoints++;
    s->totals.checkpoint_bytes += bytes;
    s->totals.checkpoint_seconds += (double)us / 1e6;
}

void stats_begin(struct stats *s, int64_t now)
{
    if (s->begun) return;
    s->begun = true;
    s->begun_us = now;
}

void stats_quantum(struct stats *s, enum glm_phase phase, int batch, int64_t elapsed_us)
{
    if (phase >= GLM_DONE || elapsed_us <= 0) return;
    assert(batch > 0 && batch <= LIMIT_BATCH);
    s->totals.quanta[phase]++;
    s->totals.batch[batch]++;
    s->totals.seconds[phase] += (double)elapsed_us / 1e6;
    s->count[phase] = s->count[phase] * FADE + batch;
    s->seconds[phase] = s->seconds[phase] * FADE + (double)elapsed_us / 1e6;
}

void stats_end(struct stats *s, int64_t now, enum job_state outcome)
{
    assert(outcome >= JOB_DONE && outcome < JOB_STATES);
    if (outcome == JOB_FAILED) s->failed++;
    if (outcome == JOB_CANCELLED) s->cancelled++;
    if (outcome != JOB_DONE) return;
    s->done++;
    recent_add(&s->ends, now, 1);
}

double stats_rate(const struct stats *s, enum glm_phase phase)
{
    return s->seconds[phase] > 0 ? s->count[phase] / s->seconds[phase] : (double)NAN;
}

double stats_pictures(const struct stats *s, int64_t now)
{
    int64_t over_us = now - s->begun_us;

    if (!s->begun || over_us < 1000000) return (double)NAN;
    return (double)recent_sum(&s->ends, now) * 60e6
           / (double)(over_us < RECENT_US ? over_us : RECENT_US);
}
