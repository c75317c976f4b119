/* preview_fit - drawing what the preview colours are fitted to. */
#include "kernels/engine/preview_fit.h"

#include "kernels/engine/engine.h"

#include <stdlib.h>
#include <string.h>

enum { PICTURE_STEPS = 6, CODE_STEPS = 1, DECODED = 6 };

/* Many colours in few pictures. */
static const char *const PROMPTS[] = {"a red circle on a white background",
                                      "a green field under a blue sky",
                                      "a yellow flower on a black background",
                                      "a city at night",
                                      "a ship at sunset",
                                      "an orange cat on a purple sofa"};
enum { PICTURES = sizeof PROMPTS / sizeof *PROMPTS };

struct preview_fit {
    struct glm *g;
    char *cache;                /* folder */
    struct preview_colors seen; /* how latents look in mosaics of random codes */
    struct preview_colors_fit fit, mosaic;
    int next; /* pictures drawn so far */
    int side;
    int pictures; /* ordinary ones; 0: over the budget, codes are given instead */
    int mosaics;  /* pictures with given codes; the first `decoded` of them to the end */
    int decoded;
    int32_t *order; /* the codes, shuffled */
    float *latents; /* of one picture [channels, side/8, side/8] */
    uint8_t *rgb;   /* [side, side, 3] */
    int32_t *codes; /* [side/32, side/32] */
};

static struct glm_req request(const char *prompt, int side, int steps, int picture)
{
    return (struct glm_req){.prompt = prompt,
                            .prompt_len = strlen(prompt),
                            .width = side,
                            .height = side,
                            .steps = steps,
                            .guidance = 1.0,
                            .seed = 1,
                            .picture = (uint32_t)picture};
}

static int cells_of(const struct preview_fit *s)
{
    return s->side / CONFIG_AR_PIXELS * (s->side / CONFIG_AR_PIXELS);
}

/* The largest size at which the budget pays for something to fit latents to; then as many codes as
 * it still pays for. */
static int choose(struct preview_fit *s, struct fail *f)
{
    double budget = s->g->dev->traits.preview_flops;
    int codes = s->g->model.cfg.vq.codes;

    for (s->side = s->g->info.default_width;;
         s->side = s->side / 2 / LIMIT_SIDE_STEP * LIMIT_SIDE_STEP) {
        struct glm_req q = request("", s->side, PICTURE_STEPS, 0);
        struct glm_cost c;
        int err = glm_plan(s->g, &q, &c, f);
        double fixed, picture, mosaic;

        if (err) return err;
        fixed = c.flops[GLM_GLYPH] + c.flops[GLM_DECODE];
        picture = fixed + c.flops[GLM_PRIOR] + c.flops[GLM_DENOISE];
        mosaic = fixed + c.flops[GLM_DENOISE] * CODE_STEPS / PICTURE_STEPS;
        s->pictures = PICTURES * picture <= budget ? PICTURES : 0;
        s->mosaics = (codes + cells_of(s) - 1) / cells_of(s);
        budget -= s->pictures * picture;
        if (mosaic * s->mosaics > budget) s->mosaics = (int)(budget / mosaic);
        if (s->pictures || s->mosaics > 1 || s->side < 2 * LIMIT_SIDE_MIN) break;
    }
    if (!s->mosaics) s->mosaics = 1;
    s->decoded = s->mosaics < DECODED ? s->mosaics : DECODED;
    return 0;
}

/* Fisher and Yates with a small generator: the same order every time. */
static void shuffle(int32_t *v, int n)
{
    uint64_t x = 88172645463325252u;

    for (int i = 0; i < n; i++)
        v[i] = i;
    for (int i = n - 1; i > 0; i--) {
        int j;
        int32_t t;

        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        j = (int)(x % (uint64_t)(i + 1));
        t = v[i];
        v[i] = v[j];
        v[j] = t;
    }
}

static int step_until(struct glm *g, struct glm_run *r, enum glm_phase end, struct fail *f)
{
    int err = 0;

    while (!err && r->phase != end)
        err = glm_step(g, &r, 1, f);
    return err;
}

/* The prior's phase is skipped: the large grid shows the codes from `first` on. */
static void give_codes(const struct preview_fit *s, struct glm_run *r, int first)
{
    int codes = s->g->model.cfg.vq.codes, head = r->prompt.preview.rows * r->prompt.preview.cols;

    for (int i = 0; i < r->prompt.tokens; i++)
        r->tokens[i] = i < head ? 0 : s->order[(first + i - head) % codes];
    s->g->dev->ops->put(s->g->dev, r->prior.tokens, r->tokens);
    r->phase = GLM_DENOISE;
}

static int fetch(struct preview_fit *s, struct glm_run *r, struct fail *f)
{
    struct dev *d = s->g->dev;

    d->ops->get(d, s->latents, r->dit.latents);
    d->ops->get(d, s->rgb, r->vae.rgb);
    return d->ops->sync(d, f);
}

/* One picture to its end, or, `undecoded`, to its latents; an ordinary one with this prompt, or one
 * with the codes from `first` on. */
static int draw(struct preview_fit *s, const char *prompt, int number, int undecoded,
                struct fail *f)
{
    struct glm_run *r;
    struct glm_req q =
        request(prompt ? prompt : "", s->side, prompt ? PICTURE_STEPS : CODE_STEPS, number);
    int err = glm_run_new(&r, s->g, &q, f);
    int head;

    if (err) return err;
    err = step_until(s->g, r, GLM_PRIOR, f);
    if (!prompt) give_codes(s, r, number * cells_of(s));
    if (!err) err = step_until(s->g, r, undecoded ? GLM_DECODE : GLM_DONE, f);
    if (!err) err = fetch(s, r, f);
    head = r->prompt.preview.rows * r->prompt.preview.cols;
    memcpy(s->codes, r->tokens + head, (size_t)cells_of(s) * sizeof *s->codes);
    glm_run_free(r);
    return err;
}

/* For the map of latents: ordinary pictures, or given codes where those are over the budget. */
static int for_latents(const struct preview_fit *s)
{
    return s->pictures ? s->pictures : s->decoded;
}

static int fit_latents(struct preview_fit *s, int i, struct fail *f)
{
    int n = s->side / CONFIG_LATENT_PIXELS;
    int err = draw(s, s->pictures ? PROMPTS[i] : NULL, i, 0, f);

    if (err) return err;
    preview_colors_fit_add(&s->fit, s->rgb, n, n, s->latents, s->codes);
    if (i == for_latents(s) - 1) preview_colors_fit_latent(&s->fit, &s->g->preview_colors);
    return 0;
}

/* Colours of codes: the first mosaics are decoded and say how latents look among unrelated
 * neighbours; the others are coloured by that instead of decoded. */
static int fit_codes(struct preview_fit *s, int i, struct fail *f)
{
    int n = s->side / CONFIG_LATENT_PIXELS;
    int err = draw(s, NULL, i, i >= s->decoded, f);

    if (err) return err;
    if (i < s->decoded) preview_colors_fit_add(&s->mosaic, s->rgb, n, n, s->latents, NULL);
    if (i == s->decoded - 1) preview_colors_fit_latent(&s->mosaic, &s->seen);
    if (i >= s->decoded) preview_colors_show(&s->seen, s->rgb, s->latents, n, n);
    preview_colors_fit_add(&s->fit, s->rgb, n, n, NULL, s->codes);
    if (i == s->mosaics - 1) preview_colors_fit_code(&s->fit, &s->g->preview_colors);
    return 0;
}

static int prepare(struct preview_fit *s, struct fail *f)
{
    const struct model_config *c = &s->g->model.cfg;
    int err = choose(s, f);
    size_t pixels;

    if (!err) err = preview_colors_fit_new(&s->fit, c->dit.channels, c->vq.codes, f);
    if (!err) err = preview_colors_fit_new(&s->mosaic, c->dit.channels, c->vq.codes, f);
    if (!err) err = preview_colors_new(&s->seen, c->dit.channels, c->vq.codes, f);
    if (err) return err;
    pixels = (size_t)s->side * (size_t)s->side;
    s->order = calloc((size_t)c->vq.codes, sizeof *s->order);
    s->latents = calloc(pixels / 64 * (size_t)c->dit.channels, sizeof *s->latents);
    s->rgb = calloc(pixels, 3);
    s->codes = calloc((size_t)cells_of(s), sizeof *s->codes);
    if (!s->order || !s->latents || !s->rgb || !s->codes)
        return fail_set(f, ERR_OUT_OF_MEMORY, "no memory to learn preview colours");
    shuffle(s->order, c->vq.codes);
    return 0;
}

int preview_fit_open(struct glm *g, const char *cache, struct fail *f)
{
    const struct model_config *c = &g->model.cfg;
    struct preview_fit *s = g->preview_fit = calloc(1, sizeof *s);
    int err;

    if (!s || !(s->cache = strdup(cache)))
        return fail_set(f, ERR_OUT_OF_MEMORY, "no memory to learn preview colours");
    s->g = g;
    err = preview_colors_new(&g->preview_colors, c->dit.channels, c->vq.codes, f);
    if (err || !preview_colors_load(&g->preview_colors, cache, g->digest)) return err;
    g->preview_known = PREVIEW_ALL;
    preview_fit_close(g);
    return 0;
}

/* One mosaic comes first: its latents are good enough until those of ordinary pictures are
 * known. */
int preview_fit_step(struct glm *g, struct fail *f)
{
    struct preview_fit *s = g->preview_fit;
    int err, n, pictures, mosaic;

    if (!s) return 0;
    err = s->order ? 0 : prepare(s, f);
    n = s->next;
    pictures = for_latents(s);
    mosaic = n ? n - pictures : 0;
    if (!err) err = n && n <= pictures ? fit_latents(s, n - 1, f) : fit_codes(s, mosaic, f);
    if (err) {
        preview_fit_close(g);
        return err;
    }
    s->next++;
    if (n == 0) {
        preview_colors_fit_latent(&s->mosaic, &g->preview_colors);
        g->preview_known = PREVIEW_LATENTS;
    }
    if (s->next < pictures + s->mosaics) return 1;
    g->preview_known = PREVIEW_ALL;
    preview_colors_save(&g->preview_colors, s->cache, g->digest, NULL);
    preview_fit_close(g);
    return 0;
}

void preview_fit_close(struct glm *g)
{
    struct preview_fit *s = g->preview_fit;

    if (!s) return;
    preview_colors_fit_free(&s->fit);
    preview_colors_fit_free(&s->mosaic);
    preview_colors_free(&s->seen);
    free(s->order);
    free(s->latents);
    free(s->rgb);
    free(s->codes);
    free(s->cache);
    free(s);
    g->preview_fit = NULL;
}
