/* work - each message is allocated by its sender. */
#include "server/worker/work.h"

#include <stdlib.h>

struct work *work_new(enum work_kind kind, uint64_t job, const struct hub_wish *wish)
{
    struct work *k = calloc(1, sizeof *k);

    if (!k) return NULL;
    k->m.kind = (int)kind;
    k->job = job;
    if (wish) k->wish = *wish;
    return k;
}

struct work *work_start(const struct hub_work *work)
{
    struct work *k = work_new(WORK_START, work->job, &work->wish);

    if (!k) return NULL;
    k->scratch = work->scratch;
    if (spec_copy(&k->spec, work->spec) == 0) return k;
    work_free(k);
    return NULL;
}

void work_free(struct work *k)
{
    spec_free(&k->spec);
    free(k);
}
