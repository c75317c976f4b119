/* previews - the preview demand of a job, and posting previews to its subscriptions. */
#include "server/core/previews.h"

#include <assert.h>

struct preview_demand previews_demand(const struct job *j)
{
    struct preview_demand w = {0, 0, LIMIT_PREVIEW_EVERY_MS};

    for (const struct subscription *v = j->subscriptions; v; v = v->job_next) {
        int class = v->client->class;

        if (class < 0) continue;
        w.classes |= 1u << class;
        if (board_class_px(class) > w.max_px) w.max_px = board_class_px(class);
        if (v->client->previews.every_ms < w.every_ms) w.every_ms = v->client->previews.every_ms;
    }
    if (!w.classes) w.every_ms = 0;
    return w;
}

void previews_followed(struct hub *h, struct job *j)
{
    struct preview_demand w;

    if (j->state != JOB_RUNNING || j->sweep) return; /* previews are of its cells */
    w = previews_demand(j);
    if (w.classes == j->run.demand_classes && w.every_ms == j->run.demand_every_ms) return;
    j->run.demand_classes = w.classes;
    j->run.demand_every_ms = w.every_ms;
    h->out.demand(h->out.arg, j->run.device->index, j->id, &w);
}

void previews_post(struct hub *h, int64_t now, uint64_t job, enum event_phase phase,
                   const struct board_image *images, int n)
{
    struct job *j = registry_find(&h->registry, job);
    unsigned behind;

    assert(n >= 0 && n <= BOARD_CLASSES);
    if (!j || j->state != JOB_RUNNING) return;
    behind = clients_behind(j, now);
    if (!board_post_preview(&j->board, phase, images, n)) return;
    h->clients.previews_replaced += behind;
    clients_posted(&h->clients, j, now);
}
