/* stats - the figures of the statistics. */
#include "server/core/stats.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { SLOT_US = 10 * 1000000 };
static const double FADE = 1 - 1.0 / 256;

void stats_begin(struct stats *s, int64_t now)
{
    if (s->begun) return;
    s->begun = true;
    s->begun_us = now;
    s->slot_no = now / SLOT_US;
}

void stats_quantum(struct stats *s, enum glm_phase phase, int batch, int64_t elapsed_us)
{
    if (phase >= GLM_DONE || elapsed_us <= 0) return;
    s->count[phase] = s->count[phase] * FADE + batch;
    s->seconds[phase] = s->seconds[phase] * FADE + (double)elapsed_us / 1e6;
}

/* Empty the slots that nothing ended in since the newest one. */
static void advance(struct stats *s, int64_t now)
{
    int64_t no = now / SLOT_US;

    if (no - s->slot_no >= STATS_SLOTS) memset(s->slot, 0, sizeof s->slot);
    while (s->slot_no < no && no - s->slot_no < STATS_SLOTS)
        s->slot[++s->slot_no % STATS_SLOTS] = 0;
    if (s->slot_no < no) s->slot_no = no;
}

void stats_end(struct stats *s, int64_t now, enum job_state outcome)
{
    assert(outcome >= JOB_DONE && outcome < JOB_STATES);
    if (outcome == JOB_FAILED) s->failed++;
    if (outcome == JOB_CANCELLED) s->cancelled++;
    if (outcome != JOB_DONE) return;
    s->done++;
    advance(s, now);
    s->slot[s->slot_no % STATS_SLOTS]++;
}

double stats_rate(const struct stats *s, enum glm_phase phase)
{
    return s->seconds[phase] > 0 ? s->count[phase] / s->seconds[phase] : (double)NAN;
}

double stats_pictures(const struct stats *s, int64_t now)
{
    int64_t over_us = now - s->begun_us, no = now / SLOT_US, all = (int64_t)SLOT_US * STATS_SLOTS;
    int n = 0;

    if (!s->begun || over_us < 1000000) return (double)NAN;
    for (int64_t at = no - STATS_SLOTS + 1; at <= s->slot_no; at++)
        if (at >= 0 && at > s->slot_no - STATS_SLOTS) n += s->slot[at % STATS_SLOTS];
    return n * 60e6 / (double)(over_us < all ? over_us : all);
}
