/* work - each message is allocated by its sender. */
#include "server/worker/work.h"

#include "server/base/blob.h"

#include <stdlib.h>

struct work *work_new(enum work_kind kind, uint64_t job, const struct preview_demand *demand)
{
    struct work *k = calloc(1, sizeof *k);

    if (!k) return NULL;
    k->m.kind = (int)kind;
    k->job = job;
    if (demand) k->demand = *demand;
    return k;
}

struct work *work_start(const struct hub_work *work)
{
    struct work *k = work_new(WORK_START, work->job, &work->demand);

    if (!k) return NULL;
    k->scratch = work->scratch;
    k->keep = work->keep;
    k->place = work->place;
    k->steps = work->steps;
    if (work->checkpoint) k->checkpoint = blob_ref(work->checkpoint);
    if (work->tokens) k->tokens = blob_ref(work->tokens);
    for (int i = 0; i < LIMIT_IMAGES; i++)
        if (work->source[i]) k->source[i] = blob_ref(work->source[i]);
    if (work->plan) k->cost = work->plan->cost;
    if (spec_copy(&k->spec, work->spec) == 0) return k;
    work_free(k);
    return NULL;
}

void work_free(struct work *k)
{
    spec_free(&k->spec);
    blob_unref(k->checkpoint);
    blob_unref(k->tokens);
    for (int i = 0; i < LIMIT_IMAGES; i++)
        blob_unref(k->source[i]);
    free(k->known);
    free(k);
}
