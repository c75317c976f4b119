/* colors - the engine fits them, picture by picture. */
#include "server/worker/colors.h"

#include "server/base/clock.h"

enum { SHARE = 4 };

void colors_begin(struct colors *c)
{
    *c = (struct colors){.missing = true}; /* the first step tells */
}

bool colors_due(const struct colors *c, const struct residents *on)
{
    if (!c->missing) return false;
    return on->n == 0 || (residents_watched(on) && c->us <= c->drawing_us / SHARE);
}

int colors_step(struct colors *c, struct glm *glm, struct log *log, struct fail *f)
{
    int64_t before = clock_us();
    int more = glm_preview_fit(glm, f);

    c->us += clock_us() - before;
    c->missing = more > 0;
    if (more < 0) log_warn(log, "worker: previews end here: %s", f->message);
    return more == ERR_DEVICE ? more : 0;
}
