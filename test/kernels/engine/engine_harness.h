/* engine_harness - what the tests of whole runs share: an engine on the CPU, requests, and steps of
 * several runs together. */
#ifndef TEST_KERNELS_ENGINE_ENGINE_HARNESS_H
#define TEST_KERNELS_ENGINE_ENGINE_HARNESS_H

#include "kernels/engine/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* cache: its folder; previews are fitted before it returns. NULL: without previews. */
static inline struct glm *open_engine(const char *model, enum glm_type type, int threads,
                                      const char *cache)
{
    struct glm *g;
    int err = 0;
    struct fail f = {0};
    const struct glm_opts o = {
        .model = model, .device = "cpu", .type = type, .threads = threads, .cache = cache};

    if (glm_open(&g, &o, &f)) fail_msg("%s", f.message);
    while (cache && (err = glm_preview_fit(g, &f)) > 0)
        ;
    if (err) fail_msg("%s", f.message);
    return g;
}

static inline struct glm_req request(const char *prompt, int width, int height, uint64_t seed)
{
    return (struct glm_req){.prompt = prompt,
                            .prompt_len = strlen(prompt),
                            .width = width,
                            .height = height,
                            .steps = 2,
                            .guidance = 1.5,
                            .seed = seed};
}

/* Three chunks of a prompt, or more. */
static inline const char *long_prompt(void)
{
    static char text[2048];

    for (size_t i = 0; !text[sizeof text - 2] && i < sizeof text - 1; i++)
        text[i] = "a lamp, b 12 c! "[i * i % 16];
    return text;
}

static inline struct glm_run *start(struct glm *g, const struct glm_req *q)
{
    struct glm_run *r;
    struct fail f = {0};

    if (glm_run_new(&r, g, q, &f)) fail_msg("%s", f.message);
    return r;
}

/* One quantum for all that are in the phase of the one that is furthest behind. */
static inline void step_some(struct glm *g, struct glm_run **all, int n)
{
    struct glm_run *batch[LIMIT_BATCH];
    struct fail f = {0};
    enum glm_phase least = GLM_DONE;
    int count = 0;

    for (int i = 0; i < n; i++)
        if (glm_run_progress(all[i]).phase < least) least = glm_run_progress(all[i]).phase;
    for (int i = 0; i < n; i++)
        if (glm_run_progress(all[i]).phase == least) batch[count++] = all[i];
    if (glm_step(g, batch, count, &f)) fail_msg("%s", f.message);
}

static inline void finish(struct glm *g, struct glm_run **all, int n)
{
    for (int done = 0; done < n;) {
        step_some(g, all, n);
        for (done = 0; done < n && glm_run_progress(all[done]).phase == GLM_DONE; done++)
            ;
    }
}

#endif
