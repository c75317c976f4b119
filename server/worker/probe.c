/* probe - a picture that nothing waits for. */
#include "server/worker/probe.h"

#include "server/base/clock.h"

#include <string.h>

static const char PROMPT[] = "a red circle on a blue background";

int probe_begin(struct probe *p, struct glm *glm, struct fail *f)
{
    struct glm_info info;
    struct glm_req req = {.prompt = PROMPT, .prompt_len = sizeof PROMPT - 1, .steps = 1};
    int err;

    probe_end(p);
    glm_info(glm, &info);
    req.width = info.default_width;
    req.height = info.default_height;
    req.guidance = info.default_guidance;
    err = glm_plan(glm, &req, &p->cost, f);
    if (!err) err = glm_reserve(glm, p->cost.scratch_bytes, f);
    if (!err) err = glm_run_new(&p->run, glm, &req, f);
    if (err) p->run = NULL;
    p->pixels = req.width * req.height;
    p->until_us = clock_us() + PROBE_US;
    return err == ERR_DEVICE ? err : 0;
}

static void report(const struct probe *p, const struct post *post,
                   const struct glm_progress *before, int64_t us)
{
    struct loop_device_event *m = post_new(RATE_MEASURED, 0);
    struct glm_progress after = glm_run_progress(p->run);

    m->event.phase = before->phase;
    m->event.elapsed_us = us;
    m->event.n = 1;
    m->event.run[0].view = after;
    m->event.pixels = p->pixels;
    m->event.cost = p->cost;
    m->event.before = *before;
    post_send(post, m);
}

int probe_step(struct probe *p, struct glm *glm, const struct post *post, struct fail *f)
{
    struct glm_progress before = glm_run_progress(p->run);
    int64_t start = clock_us();
    int err = glm_step(glm, &p->run, 1, f);
    int64_t now = clock_us();

    if (err) {
        probe_end(p);
        return err;
    }
    report(p, post, &before, now - start);
    if (glm_run_progress(p->run).phase == GLM_DONE || glm_run_failed(p->run, f)
        || now > p->until_us)
        probe_end(p);
    return 0;
}

void probe_end(struct probe *p)
{
    glm_run_free(p->run);
    memset(p, 0, sizeof *p);
}
