/* residents - removing one keeps the order of the others, as the batcher breaks ties by it. */
#include "server/worker/residents.h"

#include "server/base/blob.h"

/* What its next quantum is planned to cost, and how long that will take. Decoding ends in pieces
 * of unequal size, so the mean of a phase stands for each. */
static void look(struct residents *s, int i)
{
    struct batcher_run *b = &s->served[i];
    const struct glm_cost *cost = &s->at[i].cost;
    struct glm_progress v = glm_run_progress(s->at[i].run);
    enum eta_stage stage;
    double rate;

    b->phase = v.phase;
    b->prefill = v.prefill;
    if (v.phase >= GLM_DONE) return;
    stage = eta_stage_of(v.phase, v.prefill);
    rate = s->work_per_us[stage];
    b->cost = eta_quantum(cost, stage);
    b->quantum_us = rate > 0 ? (int64_t)(b->cost / rate) + 1 : 0;
}

void residents_add(struct residents *s, const struct resident *r)
{
    s->at[s->n] = *r;
    s->served[s->n] = (struct batcher_run){.urgent = r->spec.lane == LANE_URGENT};
    look(s, s->n++);
    batcher_join(s->served, s->n);
}

/* Half of it is the newest quantum: enough to follow a machine that others use too. */
static void measure(struct residents *s, const int *picked, int n, int64_t elapsed_us)
{
    const struct batcher_run *first = &s->served[picked[0]];
    double work = 0, *rate = &s->work_per_us[eta_stage_of(first->phase, first->prefill)];

    if (elapsed_us <= 0) return;
    for (int i = 0; i < n; i++)
        work += s->served[picked[i]].cost;
    *rate = *rate > 0 ? (*rate + work / (double)elapsed_us) / 2 : work / (double)elapsed_us;
}

void residents_advance(struct residents *s, const int *picked, int n, int64_t elapsed_us)
{
    measure(s, picked, n, elapsed_us);
    batcher_charge(s->served, s->n, picked, n, elapsed_us);
    for (int i = 0; i < s->n; i++)
        look(s, i);
}

int residents_find(const struct residents *s, uint64_t job)
{
    for (int i = 0; i < s->n; i++)
        if (s->at[i].job == job) return i;
    return -1;
}

void residents_remove(struct residents *s, int i)
{
    glm_run_free(s->at[i].run);
    spec_free(&s->at[i].spec);
    blob_unref(s->at[i].saved);
    s->n--;
    for (; i < s->n; i++) {
        s->at[i] = s->at[i + 1];
        s->served[i] = s->served[i + 1];
    }
}

void residents_clear(struct residents *s)
{
    while (s->n)
        residents_remove(s, s->n - 1);
}

bool residents_last_decode(const struct residents *s, enum glm_phase phase)
{
    bool waits = false;

    for (int i = 0; i < s->n; i++) {
        if (s->served[i].phase == GLM_DENOISE) return false;
        waits = waits || s->served[i].phase < GLM_DENOISE;
    }
    return waits && phase == GLM_DECODE;
}

bool residents_watched(const struct residents *s)
{
    for (int i = 0; i < s->n; i++)
        if (s->at[i].demand.classes) return true;
    return false;
}
