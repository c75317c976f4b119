/* preview - previews may take only a small share of the device's time. */
#include "server/worker/preview.h"

#include "server/base/clock.h"
#include "server/core/phases.h"

enum {
    EVERY_US_MIN = 40000, /* between two previews of one job: 25 a second look continuous */
    SHARE = 60,           /* previews may take one part in so many of the device's time */
    CREDIT_US = 3000
};

static bool preview_due(const struct preview *p, const struct resident *r, int64_t now)
{
    int64_t every = (int64_t)r->demand.every_ms * 1000;

    if (!r->demand.classes || now - r->shown_us < (every > EVERY_US_MIN ? every : EVERY_US_MIN))
        return false;
    return p->preview_us <= p->busy_us / SHARE + CREDIT_US;
}

int preview_draw(struct preview *p, struct resident *r, enum glm_phase phase, int64_t computed_us,
                 struct fail *f)
{
    int64_t before = clock_us();
    struct pixels_preview *s;
    struct glm_picture picture;
    int drawn;
    int64_t after;

    if (!preview_due(p, r, before)) return 0;
    s = pixels_take(&p->pixels);
    if (!s) p->missed++;
    if (!s) return 0;
    picture = (struct glm_picture){.rgb = s->rgb,
                                   .capacity = LIMIT_PREVIEW_PX_MAX * LIMIT_PREVIEW_PX_MAX * 3};
    drawn = glm_run_preview(r->run, r->demand.max_px, &picture, f);
    after = clock_us();
    p->preview_us += after - before;
    if (drawn < 0) log_warn(p->log, "worker: preview: %s", f->message);
    if (drawn <= 0) {
        pixels_release(s);
        return drawn == ERR_DEVICE ? ERR_DEVICE : 0;
    }
    r->shown_us = after;
    s->job = r->job;
    s->computed_us = computed_us;
    s->phase = phases_wire(phase);
    s->classes = r->demand.classes;
    s->width = picture.width;
    s->height = picture.height;
    mbox_push(p->encoder, &s->m);
    return 0;
}
