/* residents - removing one keeps the order of the others, as the batcher breaks ties by it. */
#include "server/worker/residents.h"

#include "server/base/blob.h"

void residents_look(struct residents *s, int i)
{
    struct glm_progress v = glm_run_progress(s->at[i].run);

    batcher_look(&s->served[i], &s->at[i].cost, &v);
}

void residents_add(struct residents *s, const struct resident *r)
{
    s->at[s->n] = *r;
    s->served[s->n] =
        (struct batcher_run){.place = r->place, .urgent = r->spec.lane == LANE_URGENT};
    residents_look(s, s->n++);
}

void residents_advance(struct residents *s, const int *picked, int n, int64_t elapsed_us)
{
    batcher_passed(s->served, s->n, picked, n, elapsed_us);
    for (int i = 0; i < n; i++)
        residents_look(s, picked[i]);
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
