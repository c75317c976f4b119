/* learn - drawing what the preview maps are fitted to. */
#include "kernels/learn.h"

#include "kernels/engine.h"

#include <stdlib.h>
#include <string.h>

/* What learning may cost: some seconds of a laptop, some of a GPU. */
static const double CPU_FLOPS = 1e12, DEVICE_FLOPS = 2e15;
enum { LEARN_STEPS = 2 };

struct lesson {
    struct glm *g;
    struct maps_fit fit;
    int side, pictures;
    int32_t *order; /* the codes, shuffled */
    float *latents; /* of one picture [channels, side/8, side/8] */
    uint8_t *rgb;   /* [side, side, 3] */
};

static struct glm_req request(int side)
{
    return (struct glm_req){.prompt = "",
                            .width = side,
                            .height = side,
                            .steps = LEARN_STEPS,
                            .guidance = 1.0,
                            .seed = 1};
}

/* The largest size that the budget can pay, and how many pictures of it show every code once. */
static int choose_size(struct lesson *s, struct fail *f)
{
    const double budget = strcmp(s->g->dev->ops->name, "cpu") ? DEVICE_FLOPS : CPU_FLOPS;
    int codes = s->g->model.cfg.vq.codes;
    for (s->side = s->g->info.default_width;;
         s->side = s->side / 2 / LIMIT_SIDE_STEP * LIMIT_SIDE_STEP) {
        struct glm_req q = request(s->side);
        struct glm_cost c;
        int rc = glm_plan(s->g, &q, &c, f);
        if (rc) return rc;
        double one = c.flops[GLM_GLYPH] + c.flops[GLM_DENOISE] + c.flops[GLM_DECODE];
        int cells = s->side / CONFIG_AR_PIXELS * (s->side / CONFIG_AR_PIXELS);
        s->pictures = (codes + cells - 1) / cells;
        if (one * s->pictures > budget) s->pictures = (int)(budget / one);
        if (s->pictures > 0 || s->side < 2 * LIMIT_SIDE_MIN) break;
    }
    if (s->pictures < 1) s->pictures = 1;
    return 0;
}

/* Fisher and Yates with a small generator: the same lesson every time. */
static void shuffle(int32_t *v, int n)
{
    uint64_t x = 88172645463325252u;
    for (int i = 0; i < n; i++)
        v[i] = i;
    for (int i = n - 1; i > 0; i--) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        int j = (int)(x % (uint64_t)(i + 1));
        int32_t t = v[i];
        v[i] = v[j];
        v[j] = t;
    }
}

/* Finish a picture whose codes are given: the prior has nothing to say. Its large grid shows the codes
 * from `first` on. */
static int draw(struct lesson *s, struct glm_run *r, int first, struct fail *f)
{
    struct glm *g = s->g;
    int codes = g->model.cfg.vq.codes, head = r->prompt.preview.rows * r->prompt.preview.cols;
    int rc = glm_step(g, &r, 1, f);
    for (int i = 0; i < r->prompt.tokens; i++)
        r->tokens[i] = i < head ? 0 : s->order[(first + i - head) % codes];
    g->dev->ops->put(g->dev, r->prior.tokens, r->tokens);
    r->phase = GLM_DENOISE;
    while (!rc && r->phase != GLM_DONE)
        rc = glm_step(g, &r, 1, f);
    if (rc) return rc;
    g->dev->ops->get(g->dev, s->latents, r->dit.latents);
    g->dev->ops->get(g->dev, s->rgb, r->vae.rgb);
    rc = g->dev->ops->sync(g->dev, f);
    if (!rc) maps_fit_add(&s->fit, s->latents, s->rgb, r->tokens + head, r->dit.h, r->dit.w);
    return rc;
}

static int draw_all(struct lesson *s, struct fail *f)
{
    int cells = s->side / CONFIG_AR_PIXELS * (s->side / CONFIG_AR_PIXELS), rc = 0;
    for (int i = 0; i < s->pictures && !rc; i++) {
        struct glm_run *r;
        struct glm_req q = request(s->side);
        q.picture = (uint32_t)i;
        rc = glm_run_new(&r, s->g, &q, f);
        if (rc) return rc;
        rc = draw(s, r, i * cells, f);
        glm_run_free(r);
    }
    return rc;
}

static int learn(struct glm *g, struct fail *f)
{
    const struct model_config *c = &g->model.cfg;
    struct lesson s = {.g = g};
    int rc = choose_size(&s, f);
    if (!rc) rc = maps_fit_new(&s.fit, c->dit.channels, c->vq.codes, f);
    size_t pixels = (size_t)s.side * (size_t)s.side;
    s.order = calloc((size_t)c->vq.codes, sizeof *s.order);
    s.latents = calloc(pixels / 64 * (size_t)c->dit.channels, sizeof *s.latents);
    s.rgb = calloc(pixels, 3);
    if (!rc && (!s.order || !s.latents || !s.rgb))
        rc = fail_set(f, ERR_OUT_OF_MEMORY, "no memory to learn preview colours");
    if (!rc) {
        shuffle(s.order, c->vq.codes);
        rc = draw_all(&s, f);
    }
    if (!rc) maps_fit_solve(&s.fit, &g->maps);
    maps_fit_free(&s.fit);
    free(s.order);
    free(s.latents);
    free(s.rgb);
    return rc;
}

int learn_maps(struct glm *g, const char *cache, struct fail *f)
{
    int rc = maps_new(&g->maps, g->model.cfg.dit.channels, g->model.cfg.vq.codes, f);
    if (rc) return rc;
    if (maps_load(&g->maps, cache, g->digest)) return 0;
    rc = learn(g, f);
    if (rc)
        maps_free(&g->maps);
    else
        maps_save(&g->maps, cache, g->digest, NULL);
    return rc;
}
