/* stats - what the statistics say. */
#include "server/core/stats.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { SLOT_US = 10 * 1000000 };
static const double FADE = 1 - 1.0 / 256;

void stats_begin(struct stats *t, int64_t now)
{
    if (t->begun) return;
    t->begun = true;
    t->begun_us = now;
    t->slot_no = now / SLOT_US;
}

void stats_quantum(struct stats *t, enum glm_phase phase, int batch, int64_t elapsed_us)
{
    if (phase >= GLM_DONE || elapsed_us <= 0) return;
    t->count[phase] = t->count[phase] * FADE + batch;
    t->seconds[phase] = t->seconds[phase] * FADE + (double)elapsed_us / 1e6;
}

/* Empty the slots that nothing ended in since the newest one. */
static void advance(struct stats *t, int64_t now)
{
    int64_t no = now / SLOT_US;

    if (no - t->slot_no >= STATS_SLOTS) memset(t->slot, 0, sizeof t->slot);
    while (t->slot_no < no && no - t->slot_no < STATS_SLOTS)
        t->slot[++t->slot_no % STATS_SLOTS] = 0;
    if (t->slot_no < no) t->slot_no = no;
}

void stats_end(struct stats *t, int64_t now, enum job_state outcome)
{
    assert(outcome >= JOB_DONE && outcome < JOB_STATES);
    if (outcome == JOB_FAILED) t->failed++;
    if (outcome == JOB_CANCELLED) t->cancelled++;
    if (outcome != JOB_DONE) return;
    t->done++;
    advance(t, now);
    t->slot[t->slot_no % STATS_SLOTS]++;
}

double stats_rate(const struct stats *t, enum glm_phase phase)
{
    return t->seconds[phase] > 0 ? t->count[phase] / t->seconds[phase] : (double)NAN;
}

double stats_pictures(const struct stats *t, int64_t now)
{
    int64_t over_us = now - t->begun_us, no = now / SLOT_US, all = (int64_t)SLOT_US * STATS_SLOTS;
    int n = 0;

    if (!t->begun || over_us < 1000000) return (double)NAN;
    for (int64_t s = no - STATS_SLOTS + 1; s <= t->slot_no; s++)
        if (s >= 0 && s > t->slot_no - STATS_SLOTS) n += t->slot[s % STATS_SLOTS];
    return n * 60e6 / (double)(over_us < all ? over_us : all);
}
