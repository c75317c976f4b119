/* gpu_speed - the released model's stages at full size on a GPU.
 *   gpu_speed [prior|dit|vae|images] [CACHE] [no-pdl] [small]
 *
 * The product's own graph runs, on weights that are made on the GPU. First the GPU's ceilings in
 * the same process: a large copy, and a bf16 product of 8,192 rows. Then milliseconds a token, a
 * step, a picture, as they are and as a share of the ceiling. Lines are printed as they are
 * measured: a part that fails loses nothing of an earlier one. */
#include "bench/gpu_net.h"

#include "kernels/model/condition.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct speed {
    struct maker m;
    struct dev *d;
    struct graph g;
    struct fail f;
    struct net_config c;
    int small;    /* shapes for the emulated GPU: the program is tried, nothing is measured */
    double copy;  /* bytes a second, read and written */
    double flops; /* of a large product */
};

static void check(struct speed *s, int err, const char *what)
{
    maker_check(&s->m, err, &s->f, what);
}

/* Mean milliseconds of n calls after a few that are not counted. */
#define MEASURE(s, warm, n, ms, call)                               \
    do {                                                            \
        for (int i_ = 0; i_ < (warm); i_++)                         \
            call;                                                   \
        check(s, (s)->d->ops->sync((s)->d, &(s)->f), "warming up"); \
        cuda_timer_mark((s)->d, 0);                                 \
        for (int i_ = 0; i_ < (n); i_++)                            \
            call;                                                   \
        cuda_timer_mark((s)->d, 1);                                 \
        check(s, (s)->d->ops->sync((s)->d, &(s)->f), "measuring");  \
        ms = cuda_timer_between((s)->d, 0, 1) / (n);                \
    } while (0)

static tensor noisy(struct speed *s, int64_t rows, int64_t cols)
{
    tensor t = maker_tensor(&s->m, DT_BF16, rows, cols);

    maker_fill(&s->m, t);
    return t;
}

static void ceilings(struct speed *s)
{
    const size_t mark = arena_mark(&s->m.mem);
    const int64_t n = s->small ? 64 : 8192;
    double ms;
    tensor a = noisy(s, 8 * n, 2 * n), b = maker_tensor(&s->m, DT_BF16, 8 * n, 2 * n);
    tensor x, y;
    const struct weight *square;

    MEASURE(s, 2, 10, ms, s->d->ops->copy(s->d, b, a));
    s->copy = 2.0 * (double)tensor_bytes(a) / ms * 1e3;
    arena_release(&s->m.mem, mark);
    x = noisy(s, n, n);
    y = maker_tensor(&s->m, DT_BF16, n, n);
    square = make_square(&s->m, n);
    MEASURE(s, 3, 10, ms, s->d->ops->linear(s->d, y, x, square, ACT_NONE, 0));
    s->flops = 2.0 * pow((double)n, 3) / ms * 1e3;
    printf("copy %.0f GB/s, bf16 product %.0f TFLOP/s\n", s->copy / 1e9, s->flops / 1e12);
    arena_release(&s->m.mem, mark);
}

/* -- prior ------------------------------------------------------------------------------------- */

static void place_seq(struct speed *s, struct prior_seq *q, int position, int index)
{
    const int32_t state[AR_STATE] = {position, 1, 17 + index};

    *q = (struct prior_seq){.prompt = position,
                            .chunks = 1,
                            .prefilled = 1,
                            .samples = 400,
                            .sampled = 1,
                            .seed = 1 + (uint64_t)index};
    prior_place_tokens(q, &s->m.mem, 0);
    prior_place(q, &s->m.mem, &s->c.ar, DT_BF16);
    check(s, 0, "a cache");
    s->d->ops->put(s->d, q->state, state);
    maker_fill(&s->m, q->rope);
    maker_fill(&s->m, q->kv);
}

static void prior_speed(struct speed *s)
{
    static const int position[] = {300, 4353, 300, 4353, 300, 4353}, batch[] = {1, 1, 4, 4, 16, 16};
    static struct prior p;
    const struct ar_config *a = &s->c.ar;
    double inner, kv, layer, bytes, floor_ms;

    make_prior(&s->m, &p, &s->c);
    inner = (double)a->heads * a->head_dim;
    kv = (double)a->kv_heads * a->head_dim;
    layer = (2 * inner + 2 * kv + 3.0 * a->ffn) * a->width;
    bytes = 2 * (a->layers * layer + (double)a->rows * a->width);
    floor_ms = bytes / s->copy * 1e3;
    printf("%-44s %9.3f ms\n", "prior, floor of its weights", floor_ms);
    for (int c = 0; c < 6; c++) {
        const size_t mark = arena_mark(&s->m.mem);
        struct prior_seq seq[16], *at[16];
        double ms;

        for (int i = 0; i < batch[c]; i++) {
            place_seq(s, &seq[i], s->small ? position[c] / 50 : position[c], i);
            at[i] = &seq[i];
        }
        MEASURE(s, 8, s->small ? 4 : 200, ms, prior_step(&s->g, &p, at, batch[c]));
        printf("prior, position %4d, batch %2d %14s %9.3f ms a step, %7.0f tokens/s, %5.1f %% of "
               "copy\n",
               position[c], batch[c], "", ms, batch[c] * 1e3 / ms, 100 * floor_ms / ms);
        fflush(stdout);
        arena_release(&s->m.mem, mark);
    }
}

/* -- DiT --------------------------------------------------------------------------------------- */

static void place_picture(struct speed *s, struct dit_state *t, int text)
{
    dit_place(t, &s->m.mem, &s->c.dit, DT_BF16, text);
    dit_place_prior(t, &s->m.mem, &s->c.dit, DT_BF16);
    check(s, 0, "a picture");
    maker_fill(&s->m, t->text);
    maker_fill(&s->m, t->prior);
    maker_fill(&s->m, t->rope);
    maker_fill(&s->m, t->times);
    maker_fill(&s->m, t->size);
    maker_fill(&s->m, t->latents);
}

static void one_dit_step(struct speed *s, const struct dit *w, struct dit_state **at, int n)
{
    for (int i = 0; i < n; i++)
        at[i]->step = 0;
    dit_step(&s->g, w, at, n);
}

static void dit_speed(struct speed *s)
{
    static const int side[] = {512, 1024, 2048};
    static struct dit w;
    static float timestep[1] = {999}, sigma[2] = {1, 0.98f};
    const double width = s->c.dit.width, layers = s->c.dit.layers;

    make_dit(&s->m, &w, &s->c);
    for (int c = 0; c < 4; c++) {
        const size_t mark = arena_mark(&s->m.mem);
        const int px = c == 3 ? 512 : side[c], n_at = c == 3 ? 4 : 1, h = px / (s->small ? 64 : 8);
        struct dit_state t[4], *at[4];
        double ms, flop = 0;

        for (int i = 0; i < n_at; i++) {
            double n, cond, un;

            t[i] = (struct dit_state){.h = h,
                                      .w = h,
                                      .width = px,
                                      .height = px,
                                      .steps = 1,
                                      .guidance = 1.5f,
                                      .timestep = timestep,
                                      .sigma = sigma};
            at[i] = &t[i];
            place_picture(s, &t[i], 32 - 7 * i); /* prompts of several lengths */
            n = (double)dit_patches(&t[i]);
            cond = n + 32 - 7 * i;
            un = n + 1;
            flop +=
                layers
                * (2.0 * 12 * width * width * (cond + un) + 4.0 * width * (cond * cond + un * un));
        }
        MEASURE(s, 2, px > 1024 ? 3 : 8, ms, one_dit_step(s, &w, at, n_at));
        printf(
            "DiT, %4d x %-4d, batch %d, a step of both branches %9.2f ms, %5.0f TFLOP/s, %5.1f %% "
            "of the product\n",
            px, px, n_at, ms, flop / ms / 1e9, 100 * flop / ms * 1e3 / s->flops);
        fflush(stdout);
        arena_release(&s->m.mem, mark);
    }
}

/* -- VAE --------------------------------------------------------------------------------------- */

static void decode_all(struct speed *s, const struct vae *v, struct vae_state *t, tensor latents)
{
    t->piece = 0;
    for (int i = 0; i < VAE_PIECES; i++)
        vae_step(&s->g, v, t, latents);
}

static void vae_speed(struct speed *s)
{
    static const int side[] = {512, 1024, 2048};
    struct vae v;

    make_vae(&s->m, &v, &s->c);
    for (int i = 0; i < 3; i++) {
        const size_t mark = arena_mark(&s->m.mem);
        const int h = side[i] / (s->small ? 128 : 8);
        struct vae_state t = {.h = h, .w = h};
        double ms;
        tensor latents;

        vae_place(&t, &s->m.mem, &s->c.vae, DT_BF16);
        latents = maker_tensor(&s->m, DT_F32, s->c.vae.latent, (int64_t)t.h * t.w);
        maker_fill(&s->m, latents);
        s->d->scratch.peak = 0;
        MEASURE(s, 1, 3, ms, decode_all(s, &v, &t, latents));
        printf("VAE, %4d x %-4d %34s %9.1f ms, scratch %.3f GB, of the run %.3f GB\n", side[i],
               side[i], "", ms, (double)s->d->scratch.peak / 1e9,
               (double)(tensor_bytes(t.room) + tensor_bytes(t.rgb)) / 1e9);
        fflush(stdout);
        arena_release(&s->m.mem, mark);
    }
    free(v.blocks);
}

/* -- condition images -------------------------------------------------------------------------- */

static void encoder_speed(struct speed *s, int side)
{
    static struct vae_encoder w;
    const int px = s->small ? side / 16 : side;
    tensor pixels, latents;
    double ms;

    if (!w.cfg) make_encoder(&s->m, &w, &s->c);
    pixels = noisy(s, (int64_t)px * px, 3);
    latents = maker_tensor(&s->m, DT_F32, s->c.vae.latent, (int64_t)px * px / 64);
    s->d->scratch.peak = 0;
    MEASURE(s, 1, 3, ms, vae_encode(&s->g, &w, latents, pixels, px, px, "image"));
    printf("encoder, %4d x %-4d %30s %9.1f ms, scratch %.3f GB\n", side, side, "", ms,
           (double)s->d->scratch.peak / 1e9);
}

/* An image is seen at half its size. */
static void tower_speed(struct speed *s, int side)
{
    static struct vision w;
    const int64_t cells = (int64_t)(side / 32) * (side / 32) / (s->small ? 64 : 1);
    const double width = s->c.vit.width, ffn = s->c.vit.ffn, n = (double)cells;
    const double flop = s->c.vit.depth * n * (width * (8 * width + 4 * ffn) + 4 * n * width);
    tensor patches, positions, codes;
    double ms;

    if (!w.cfg) make_vision(&s->m, &w, &s->c);
    patches = noisy(s, cells, CONDITION_PATCH);
    positions = noisy(s, cells, s->c.vit.width);
    codes = maker_tensor(&s->m, DT_I32, cells, 1);
    MEASURE(s, 2, 8, ms, vision_encode(&s->g, &w, codes, patches, positions));
    printf("vision, %4d x %-4d %31s %9.2f ms, %5.0f TFLOP/s in the layers\n", side, side, "", ms,
           flop / ms / 1e9);
}

static void images_speed(struct speed *s)
{
    static const int side[] = {512, 1024, 2048};

    for (int i = 0; i < 3; i++) {
        tower_speed(s, side[i]);
        encoder_speed(s, side[i]);
        fflush(stdout);
    }
}

static int given(int argc, char **argv, const char *word)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], word)) return 1;
    return 0;
}

int main(int argc, char **argv)
{
    static struct speed s;
    char line[600];
    const char *part = argc > 1 ? argv[1] : "all";
    const struct cuda_opts o = {.cache = argc > 2 && argv[2][0] != '-' ? argv[2] : NULL,
                                .no_pdl = given(argc, argv, "no-pdl")};
    size_t room;

    s.small = given(argc, argv, "small");
    room = (size_t)(s.small ? 64 << 20 : 0) + (s.small ? 0 : (size_t)6 << 30);
    if (cuda_open(&s.d, DT_BF16, &o, &s.f)) {
        printf("%s; %s\n", s.f.message, s.f.hint);
        return 2;
    }
    s.g.dev = s.d;
    s.c = s.small ? net_small() : net_released(0);
    printf("%s\n", cuda_describe(s.d));
    maker_open(&s.m, s.d, room, s.small ? room : (size_t)4 << 30);
    s.m.made_there = 1;
    ceilings(&s);
    if (!strcmp(part, "prior") || !strcmp(part, "all")) prior_speed(&s);
    if (!strcmp(part, "dit") || !strcmp(part, "all")) dit_speed(&s);
    if (!strcmp(part, "vae") || !strcmp(part, "all")) vae_speed(&s);
    if (!strcmp(part, "images") || !strcmp(part, "all")) images_speed(&s);
    cuda_libraries(s.d, line, sizeof line);
    printf("libraries: %s\n", line);
    return 0; /* nothing is freed: the driver does it when the process ends */
}
