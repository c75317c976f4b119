/* gpu_speed - the released model's stages at full size on a card, with random weights: `gpu_speed [prior|dit|vae]`.
 *
 * The product's own graph runs; weights are made from one buffer of noise. First the card's ceilings in the same
 * process: a large copy, and a bf16 product of 8,192 rows. Then milliseconds a token, a step, a picture, as they are
 * and as a share of the ceiling. A later part that fails loses nothing of an earlier one: lines are
 * printed as they are measured. */
#include "kernels/cuda/cuda.h"
#include "kernels/model/dit.h"
#include "kernels/model/prior.h"
#include "kernels/model/vae.h"
#include "weights/safetensors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NOISE = 1 << 26 }; /* values of the buffer: the largest weight has 201 M, so it repeats */

struct speed {
    struct dev *d;
    struct graph g;
    struct fail f;
    struct arena mem;
    uint16_t *noise; /* host, bf16 */
    double copy;     /* bytes a second, read and written */
    double flops;    /* of a large product */
};

static void check(struct speed *s, int rc, const char *what)
{
    if (!rc && !s->d->scratch.failed && !s->mem.failed) return;
    printf("%s: %s\n", what, rc ? s->f.message : "an arena is too small");
    exit(1);
}

static struct weight *weight(struct speed *s, enum weight_use use, int64_t rows, int64_t cols,
                             int k, int bias)
{
    struct weight *w = NULL;
    struct weight_spec spec = {.use = use, .n = 0, .k = k, .name = "noise"};
    const int64_t most = NOISE / cols;
    for (int64_t left = rows; left > 0 && spec.n < 4; left -= most, spec.n++) {
        const int64_t n = left < most ? left : most;
        spec.part[spec.n] = (struct source){s->noise, ST_BF16, n, cols};
        if (bias) spec.bias[spec.n] = (struct source){s->noise, ST_BF16, n, 1};
    }
    check(s, s->d->ops->weight_new(s->d, &w, &spec, &s->f), "a weight");
    return w;
}

/* Mean milliseconds of n calls after a few that are not counted. */
#define MEASURE(s, warm, n, ms, call)                               \
    do {                                                            \
        for (int i_ = 0; i_ < (warm); i_++)                         \
            call;                                                   \
        check(s, (s)->d->ops->sync((s)->d, &(s)->f), "warming up"); \
        cuda_mark((s)->d, 0);                                       \
        for (int i_ = 0; i_ < (n); i_++)                            \
            call;                                                   \
        cuda_mark((s)->d, 1);                                       \
        check(s, (s)->d->ops->sync((s)->d, &(s)->f), "measuring");  \
        ms = cuda_between((s)->d, 0, 1) / (n);                      \
    } while (0)

static tensor fresh(struct speed *s, enum dtype type, int64_t rows, int64_t cols)
{
    tensor t = arena_tensor(&s->mem, type, rows, cols);
    check(s, 0, "a tensor");
    return t;
}

/* Contents from the noise: nothing is measured on zeros. */
static tensor noisy(struct speed *s, int64_t rows, int64_t cols)
{
    tensor t = fresh(s, DT_BF16, rows, cols);
    for (int64_t i = 0; i < rows; i += NOISE / cols) {
        const int64_t n = rows - i < NOISE / cols ? rows - i : NOISE / cols;
        s->d->ops->put(s->d, tensor_rows(t, i, n), s->noise);
    }
    return t;
}

static void ceilings(struct speed *s)
{
    const size_t mark = arena_mark(&s->mem);
    const int64_t n = 8192;
    double ms;
    tensor a = noisy(s, 65536, 16384), b = fresh(s, DT_BF16, 65536, 16384);
    MEASURE(s, 2, 10, ms, s->d->ops->copy(s->d, b, a));
    s->copy = 2.0 * (double)tensor_bytes(a) / ms * 1e3;
    arena_release(&s->mem, mark);
    tensor x = noisy(s, n, n), y = fresh(s, DT_BF16, n, n);
    struct weight *w = weight(s, USE_LINEAR, n, n, 0, 1);
    MEASURE(s, 3, 10, ms, s->d->ops->linear(s->d, y, x, w, ACT_NONE, 0));
    s->flops = 2.0 * pow((double)n, 3) / ms * 1e3;
    printf("copy %.0f GB/s, bf16 product %.0f TFLOP/s\n", s->copy / 1e9, s->flops / 1e12);
    s->d->ops->weight_free(s->d, w);
    arena_release(&s->mem, mark);
}

/* -- prior ---------------------------------------------------------------------------------------------- */

static const struct ar_config AR = {.width = 4096,
                                    .layers = 40,
                                    .heads = 32,
                                    .kv_heads = 2,
                                    .head_dim = 128,
                                    .ffn = 13696,
                                    .vocab = 168064,
                                    .rows = 16512,
                                    .eps = 1e-5f,
                                    .theta = 10000,
                                    .rotary = 64};
static const struct sample_config LAW = {.temperature = 0.9, .top_p = 0.75, .top_k = 16512};

static void make_prior(struct speed *s, struct prior *p)
{
    *p = (struct prior){.cfg = &AR, .law = &LAW, .codes = 16384};
    p->table = weight(s, USE_TABLE, 16512, AR.width, 0, 0); /* only drawn ids are fed */
    for (int i = 0; i < AR.layers; i++) {
        struct prior_layer *l = &p->layer[i];
        l->norm_in = weight(s, USE_VECTOR, AR.width, 1, 0, 0);
        l->norm_attn = l->norm_ff = l->norm_out = l->norm_in;
        l->qkv = weight(s, USE_LINEAR, (AR.heads + 2 * AR.kv_heads) * AR.head_dim, AR.width, 0, 1);
        l->out = weight(s, USE_LINEAR, AR.width, AR.width, 0, 0);
        l->gate_up = weight(s, USE_LINEAR, 2 * AR.ffn, AR.width, 0, 0);
        l->down = weight(s, USE_LINEAR, AR.width, AR.ffn, 0, 0);
    }
    p->norm = p->layer[0].norm_in;
    p->head = weight(s, USE_LINEAR, AR.rows, AR.width, 0, 0);
}

static void place_seq(struct speed *s, struct prior_seq *q, int position, int index)
{
    *q = (struct prior_seq){
        .prompt = position, .draws = 400, .drawn = 1, .seed = 1 + (uint64_t)index};
    prior_place_tokens(q, &s->mem, 0);
    prior_place(q, &s->mem, &AR, DT_BF16);
    check(s, 0, "a cache");
    const int32_t state[AR_STATE] = {position, 1, 17 + index};
    s->d->ops->put(s->d, q->state, state);
    for (int64_t i = 0; i < q->kv.rows; i += 65536) {
        const int64_t n = q->kv.rows - i < 65536 ? q->kv.rows - i : 65536;
        s->d->ops->put(s->d, tensor_rows(q->kv, i, n), s->noise);
    }
}

static void prior_speed(struct speed *s)
{
    static const int position[] = {300, 4353, 300, 300}, batch[] = {1, 1, 4, 16};
    static struct prior p;
    make_prior(s, &p);
    const double layer = 36.0 * 128 * 4096 + 4096.0 * 4096 + 3.0 * 13696 * 4096;
    const double bytes = 2 * (40 * layer + 16512.0 * 4096), floor_ms = bytes / s->copy * 1e3;
    printf("%-44s %9.3f ms\n", "prior, floor of its weights", floor_ms);
    for (int c = 0; c < 4; c++) {
        const size_t mark = arena_mark(&s->mem);
        struct prior_seq seq[16], *at[16];
        double ms;
        for (int i = 0; i < batch[c]; i++) {
            place_seq(s, &seq[i], position[c], i);
            at[i] = &seq[i];
        }
        MEASURE(s, 8, 200, ms, prior_step(&s->g, &p, at, batch[c]));
        printf("prior, position %4d, batch %2d %14s %9.3f ms a step, %7.0f tokens/s, %5.1f %% of "
               "copy\n",
               position[c], batch[c], "", ms, batch[c] * 1e3 / ms, 100 * floor_ms / ms);
        fflush(stdout);
        arena_release(&s->mem, mark);
    }
}

/* -- DiT -------------------------------------------------------------------------------------------------- */

static const struct dit_config DIT = {.layers = 30,
                                      .heads = 32,
                                      .head_dim = 128,
                                      .width = 4096,
                                      .channels = 16,
                                      .text = 1472,
                                      .time = 512,
                                      .cond = 256,
                                      .codes = 16384,
                                      .patch = 2};

static void make_dit(struct speed *s, struct dit *w)
{
    const int64_t n = DIT.width;
    *w = (struct dit){.cfg = &DIT};
    w->image = weight(s, USE_LINEAR, n, 4 * DIT.channels, 0, 1);
    w->time1 = w->time2 = w->size2 = weight(s, USE_LINEAR, DIT.time, DIT.time, 0, 1);
    w->size1 = weight(s, USE_LINEAR, DIT.time, 4 * DIT.cond, 0, 1);
    for (int i = 0; i < DIT.layers; i++) {
        struct dit_layer *l = &w->layer[i];
        l->mod = weight(s, USE_LINEAR, MODS * n, DIT.time, 0, 1);
        l->qkv = weight(s, USE_LINEAR, 3 * n, n, 0, 1);
        l->out = weight(s, USE_LINEAR, n, n, 0, 1);
        l->up = weight(s, USE_LINEAR, 4 * n, n, 0, 1);
        l->down = weight(s, USE_LINEAR, n, 4 * n, 0, 1);
    }
    w->norm_out = weight(s, USE_LINEAR, 2 * n, DIT.time, 0, 1);
    w->out = weight(s, USE_LINEAR, 4 * DIT.channels, n, 0, 1);
    w->no_text = w->no_prior = weight(s, USE_TABLE, 1, n, 0, 0);
}

static void one_dit_step(struct speed *s, const struct dit *w, struct dit_state *t)
{
    struct dit_state *at[1] = {t};
    t->step = 0;
    dit_step(&s->g, w, at, 1);
}

static void dit_speed(struct speed *s)
{
    static const int side[] = {512, 1024, 2048};
    static struct dit w;
    static float timestep[1] = {999}, sigma[2] = {1, 0.98f};
    make_dit(s, &w);
    for (int c = 0; c < 3; c++) {
        const size_t mark = arena_mark(&s->mem);
        struct dit_state t = {.h = side[c] / 8,
                              .w = side[c] / 8,
                              .width = side[c],
                              .height = side[c],
                              .steps = 1,
                              .guidance = 1.5f,
                              .timestep = timestep,
                              .sigma = sigma};
        double ms;
        dit_place(&t, &s->mem, &DIT, DT_BF16, 32);
        dit_place_prior(&t, &s->mem, &DIT, DT_BF16);
        check(s, 0, "a picture");
        s->d->ops->put(s->d, t.text, s->noise);
        s->d->ops->put(s->d, t.prior, s->noise);
        s->d->ops->put(s->d, t.times, s->noise);
        s->d->ops->put(s->d, t.size, s->noise);
        const double n = (double)dit_patches(&t), cond = n + 32, un = n + 1;
        const double flop =
            30 * (2.0 * 12 * 4096 * 4096 * (cond + un) + 4.0 * 4096 * (cond * cond + un * un));
        MEASURE(s, 2, side[c] > 1024 ? 3 : 8, ms, one_dit_step(s, &w, &t));
        printf("DiT, %4d x %-4d, a step of both branches %10s %9.2f ms, %5.0f TFLOP/s, %5.1f %% of "
               "the product\n",
               side[c], side[c], "", ms, flop / ms / 1e9, 100 * flop / ms * 1e3 / s->flops);
        fflush(stdout);
        arena_release(&s->mem, mark);
    }
}

/* -- VAE -------------------------------------------------------------------------------------------------- */

static void make_block(struct speed *s, struct vae_block *k, int in, int out)
{
    k->norm1 = k->norm1_bias = weight(s, USE_VECTOR, in, 1, 0, 0);
    k->norm2 = k->norm2_bias = weight(s, USE_VECTOR, out, 1, 0, 0);
    k->conv1 = weight(s, USE_CONV, out, 9 * in, 3, 1);
    k->conv2 = weight(s, USE_CONV, out, 9 * out, 3, 1);
    k->shortcut = in == out ? NULL : weight(s, USE_CONV, out, in, 1, 1);
}

static void make_vae(struct speed *s, struct vae *v, const struct vae_config *c)
{
    *v = (struct vae){.cfg = c};
    v->mean = v->std = weight(s, USE_VECTOR, c->latent, 1, 0, 0);
    v->conv_in = weight(s, USE_CONV, 1024, 9 * c->latent, 3, 1);
    v->norm = v->norm_bias = weight(s, USE_VECTOR, 128, 1, 0, 0);
    v->conv_out = weight(s, USE_CONV, 3, 9 * 128, 3, 1);
    v->blocks = calloc(CONFIG_VAE_LEVELS * 4, sizeof *v->blocks);
    if (!v->blocks) exit(1);
    for (int i = 0; i < 2; i++)
        make_block(s, &v->mid[i], 1024, 1024);
    for (int i = 0; i < CONFIG_VAE_LEVELS; i++) {
        struct vae_level *l = &v->level[i];
        l->out = c->channels[3 - i];
        l->in = c->channels[3 - (i ? i - 1 : 0)];
        l->block = v->blocks + 4 * i;
        for (int k = 0; k < 4; k++)
            make_block(s, &l->block[k], k ? l->out : l->in, l->out);
        if (i) l->enlarge = weight(s, USE_CONV, l->in, 9 * l->in, 3, 1);
    }
}

static void decode_all(struct speed *s, const struct vae *v, struct vae_state *t, tensor latents)
{
    t->piece = 0;
    for (int i = 0; i < VAE_PIECES; i++)
        vae_step(&s->g, v, t, latents);
}

static void vae_speed(struct speed *s)
{
    static const int side[] = {512, 1024, 2048};
    static const struct vae_config c = {
        .channels = {128, 512, 1024, 1024}, .blocks = 3, .latent = 16, .groups = 32};
    struct vae v;
    make_vae(s, &v, &c);
    for (int i = 0; i < 3; i++) {
        const size_t mark = arena_mark(&s->mem);
        struct vae_state t = {.h = side[i] / 8, .w = side[i] / 8};
        double ms;
        vae_place(&t, &s->mem, &c, DT_BF16);
        tensor latents = fresh(s, DT_F32, 16, (int64_t)t.h * t.w);
        s->d->scratch.peak = 0;
        MEASURE(s, 1, 3, ms, decode_all(s, &v, &t, latents));
        printf("VAE, %4d x %-4d %34s %9.1f ms, scratch %.2f GB\n", side[i], side[i], "", ms,
               (double)s->d->scratch.peak / 1e9);
        fflush(stdout);
        arena_release(&s->mem, mark);
    }
    free(v.blocks);
}

/* ---------------------------------------------------------------------------------------------------------- */

static void fill_noise(struct speed *s)
{
    uint32_t r = 1;
    s->noise = malloc((size_t)NOISE * 2);
    if (!s->noise) exit(1);
    for (int i = 0; i < NOISE; i++) {
        const float v = ((float)((r = r * 1664525u + 1013904223u) >> 8) / (1 << 23) - 1) * 0.03f;
        s->noise[i] = f32_to_bf16(v);
    }
}

int main(int argc, char **argv)
{
    static struct speed s;
    const size_t room = (size_t)12 << 30, scratch = (size_t)18 << 30;
    const char *part = argc > 1 ? argv[1] : "all";
    const struct cuda_opts o = {.cache = argc > 2 ? argv[2] : NULL};
    void *base, *work;
    if (cuda_open(&s.d, DT_BF16, &o, &s.f)) {
        printf("%s; %s\n", s.f.message, s.f.hint);
        return 2;
    }
    s.g.dev = s.d;
    printf("%s\n", cuda_describe(s.d));
    fill_noise(&s);
    check(&s, s.d->ops->mem_new(s.d, &base, room, &s.f), "memory");
    check(&s, s.d->ops->mem_new(s.d, &work, scratch, &s.f), "scratch");
    arena_init(&s.mem, base, room);
    arena_init(&s.d->scratch, work, scratch);
    ceilings(&s);
    if (!strcmp(part, "prior") || !strcmp(part, "all")) prior_speed(&s);
    if (!strcmp(part, "dit") || !strcmp(part, "all")) dit_speed(&s);
    if (!strcmp(part, "vae") || !strcmp(part, "all")) vae_speed(&s);
    return 0; /* the card takes its memory back by itself */
}
