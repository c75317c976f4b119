/* gpu_stage - every stage on a GPU against the CPU device: `gpu_stage [small] [f32|bf16]`.
 *
 * Two layers of each at the released model's width (or small ones), the same random weights on
 * both. The prior takes a prompt and then given tokens; the DiT a step of both branches; the
 * decoder a whole small picture; the vision tower and the encoder an image. A line a stage: cosine
 * and largest difference as a share of the largest value; bf16 passes from a cosine of 0.999 on,
 * f32 below 1e-5 (the VAE, with 23 convolutions one after another, below 3e-5). */
#include "bench/gpu_net.h"

#include "kernels/model/condition.h"
#include "weights/safetensors/dtype.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PROMPT = 37, TOKENS = 5, TEXT = 21 };

struct both {
    struct maker m[2]; /* the CPU device, the GPU */
    int passed, failed;
};

static void *host(size_t n)
{
    void *p = calloc(n ? n : 1, 1);

    if (!p) exit(1);
    return p;
}

/* The tensor's values as floats. */
static float *values(struct maker *m, tensor t)
{
    struct fail f = {0};
    const int64_t n = t.rows * t.cols;
    float *v = host((size_t)n * sizeof *v);
    uint16_t *h = host((size_t)n * 4);

    m->d->ops->get(m->d, t.type == DT_F32 ? (void *)v : h, t);
    maker_check(m, m->d->ops->sync(m->d, &f), &f, "a stage");
    for (int64_t i = 0; i < n && t.type == DT_BF16; i++)
        v[i] = bf16_to_f32(h[i]);
    for (int64_t i = 0; i < n && t.type == DT_U8; i++)
        v[i] = ((uint8_t *)h)[i];
    free(h);
    return v;
}

static void judge(struct both *b, const char *what, tensor cpu, tensor gpu, double tol)
{
    float *x = values(&b->m[0], cpu), *y = values(&b->m[1], gpu);
    double xy = 0, xx = 0, yy = 0, top = 0, off = 0;
    double cosine, share;
    int bf, well;

    for (int64_t i = 0; i < cpu.rows * cpu.cols; i++) {
        const double u = (double)x[i], v = (double)y[i], e = fabs(u - v);

        xy += u * v;
        xx += u * u;
        yy += v * v;
        if (fabs(u) > top) top = fabs(u);
        if (!(e <= off)) off = e;
    }
    cosine = xy / sqrt(xx * yy);
    share = off / top;
    bf = b->m[0].d->type == DT_BF16;
    well = bf ? cosine >= 0.999 : share <= tol;
    printf("%-28s %-4s cosine %.7f, largest difference %.2e %s\n", what, bf ? "bf16" : "f32",
           cosine, share, well ? "ok" : "FAILED");
    fflush(stdout);
    well ? b->passed++ : b->failed++;
    free(x);
    free(y);
}

/* A tap that keeps a copy of the last tensor of one name. */
struct keep {
    struct maker *m;
    tensor to;
};

static void see(void *ctx, const char *name, tensor t, enum tap_shape shape, int h, int w)
{
    struct keep *k = ctx;

    (void)shape, (void)h, (void)w;
    if (!strcmp(name, "ar.logits")) k->m->d->ops->copy(k->m->d, k->to, t);
}

static void prior_stage(struct both *b, const struct net_config *c)
{
    tensor logits[2], last[2];

    for (int i = 0; i < 2; i++) {
        struct maker *m = &b->m[i];
        const int32_t given[TOKENS] = {3, 99, 7, 7, 120};
        struct prior *p = host(sizeof *p);
        struct prior_seq s = {.prompt = PROMPT, .chunks = 1, .samples = TOKENS, .seed = 1},
                         *at[1] = {&s};
        struct keep k = {.m = m, .to = maker_tensor(m, DT_F32, 1, c->ar.rows)};
        const struct tap tap = {.see = see, .ctx = &k};
        const struct graph g = {.dev = m->d, .tap = &tap};

        make_prior(m, p, c);
        prior_place_tokens(&s, &m->mem, 1);
        prior_place(&s, &m->mem, &c->ar, m->d->type);
        m->d->ops->put(m->d, s.teacher_forced, given);
        maker_fill(m, s.text);
        maker_fill(m, s.rope);
        prior_step(&g, p, at, 1);
        logits[i] = maker_tensor(m, DT_F32, 1, c->ar.rows);
        m->d->ops->copy(m->d, logits[i], k.to);
        while (s.sampled < TOKENS)
            prior_step(&g, p, at, 1);
        last[i] = k.to;
        free(p);
    }
    judge(b, "prior, prompt's logits", logits[0], logits[1], 1e-5);
    judge(b, "prior, fifth token's logits", last[0], last[1], 1e-5);
}

static void dit_stage(struct both *b, const struct net_config *c, int side)
{
    static float timestep[1] = {700}, sigma[2] = {0.7f, 0.6f};
    tensor latents[2], clean[2];

    for (int i = 0; i < 2; i++) {
        struct maker *m = &b->m[i];
        const struct graph g = {.dev = m->d};
        struct dit *w = host(sizeof *w);
        struct dit_state t = {.h = side / 8,
                              .w = side / 8,
                              .width = side,
                              .height = side,
                              .steps = 1,
                              .guidance = 1.5f,
                              .timestep = timestep,
                              .sigma = sigma},
                         *at[1] = {&t};

        make_dit(m, w, c);
        dit_place(&t, &m->mem, &c->dit, m->d->type, TEXT);
        dit_place_prior(&t, &m->mem, &c->dit, m->d->type);
        maker_fill(m, t.text);
        maker_fill(m, t.prior);
        maker_fill(m, t.rope);
        maker_fill(m, t.times);
        maker_fill(m, t.size);
        maker_fill(m, t.latents);
        dit_step(&g, w, at, 1);
        latents[i] = t.latents;
        clean[i] = t.clean;
        free(w);
    }
    judge(b, "DiT, latents", latents[0], latents[1], 1e-5);
    judge(b, "DiT, predicted picture", clean[0], clean[1], 1e-5);
}

static void vae_stage(struct both *b, const struct net_config *c, int side, size_t whole)
{
    tensor rgb[2], room[2];

    for (int i = 0; i < 2; i++) {
        struct maker *m = &b->m[i];
        const struct graph g = {.dev = m->d};
        struct vae v;
        struct vae_state s = {.h = side / 8, .w = side / 8};
        int64_t at[VAE_PIECES];
        tensor latents;

        make_vae(m, &v, c);
        if (!whole) v.whole = v.band = 0;
        vae_place(&s, &m->mem, &c->vae, m->d->type);
        vae_layout(&c->vae, s.h, s.w, at);
        latents = maker_tensor(m, DT_F32, c->vae.latent, (int64_t)s.h * s.w);
        maker_fill(m, latents);
        while (s.piece < VAE_PIECES)
            vae_step(&g, &v, &s, latents);
        rgb[i] = s.rgb;
        room[i] =
            tensor_cols(s.room, at[VAE_PIECES - 1], (int64_t)side * side * c->vae.channels[0]);
        free(v.blocks);
    }
    judge(b, whole ? "decoder, last picture" : "decoder in bands of one row", room[0], room[1],
          3e-5);
    judge(b, "decoder, 8 bits", rgb[0], rgb[1], 1.01 / 255);
}

/* Keeps what the tower gives its quantiser. */
static void see_vector(void *ctx, const char *name, tensor t, enum tap_shape shape, int h, int w)
{
    struct keep *k = ctx;

    (void)shape, (void)h, (void)w;
    if (!strcmp(name, "vit.z")) k->m->d->ops->copy(k->m->d, k->to, t);
}

static int equal_codes(struct both *b, tensor cpu, tensor gpu)
{
    int32_t *x = host((size_t)cpu.rows * sizeof *x), *y = host((size_t)cpu.rows * sizeof *y);
    struct fail f = {0};
    int equal = 0;

    b->m[0].d->ops->get(b->m[0].d, x, cpu);
    b->m[1].d->ops->get(b->m[1].d, y, gpu);
    maker_check(&b->m[0], b->m[0].d->ops->sync(b->m[0].d, &f), &f, "codes");
    maker_check(&b->m[1], b->m[1].d->ops->sync(b->m[1].d, &f), &f, "codes");
    for (int64_t i = 0; i < cpu.rows; i++)
        equal += x[i] == y[i];
    free(x);
    free(y);
    return equal;
}

static void vision_stage(struct both *b, const struct net_config *c, int cells)
{
    tensor z[2], codes[2];

    for (int i = 0; i < 2; i++) {
        struct maker *m = &b->m[i];
        struct vision *w = host(sizeof *w);
        struct keep k = {.m = m, .to = maker_tensor(m, m->d->type, cells, c->code_dim)};
        const struct tap tap = {.see = see_vector, .ctx = &k};
        const struct graph g = {.dev = m->d, .tap = &tap};
        tensor patches = maker_tensor(m, m->d->type, cells, CONDITION_PATCH);
        tensor positions = maker_tensor(m, m->d->type, cells, c->vit.width);

        make_vision(m, w, c);
        maker_fill(m, patches);
        maker_fill(m, positions);
        codes[i] = maker_tensor(m, DT_I32, cells, 1);
        vision_encode(&g, w, codes[i], patches, positions);
        z[i] = k.to;
        free(w);
    }
    judge(b, "vision, before the codebook", z[0], z[1], 1e-5);
    printf("%-28s      %d of %d are the same\n", "vision, codes",
           equal_codes(b, codes[0], codes[1]), cells);
}

static void encoder_stage(struct both *b, const struct net_config *c, int side)
{
    tensor latents[2];

    for (int i = 0; i < 2; i++) {
        struct maker *m = &b->m[i];
        const struct graph g = {.dev = m->d};
        struct vae_encoder w;
        tensor pixels = maker_tensor(m, m->d->type, (int64_t)side * side, 3);

        make_encoder(m, &w, c);
        maker_fill(m, pixels);
        latents[i] = maker_tensor(m, DT_F32, c->vae.latent, (int64_t)side * side / 64);
        vae_encode(&g, &w, latents[i], pixels, side, side, "image");
        vae_encoder_unbind(&w);
    }
    judge(b, "encoder, latents", latents[0], latents[1], 3e-5);
}

static int given(int argc, char **argv, const char *word)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], word)) return 1;
    return 0;
}

int main(int argc, char **argv)
{
    const enum dtype type = given(argc, argv, "f32") ? DT_F32 : DT_BF16;
    const int small = given(argc, argv, "small");
    const struct net_config c = small ? net_small() : net_released(2);
    const size_t room = small ? (size_t)64 << 20 : (size_t)2 << 30;
    static struct both b;
    struct dev *cpu, *gpu;
    struct fail f = {0};
    char line[600];

    if (cuda_open(&gpu, type, &(struct cuda_opts){.index = 0}, &f) || cpu_open(&cpu, type, 0, &f)) {
        printf("%s; %s\n", f.message, f.hint);
        return 2;
    }
    printf("%s against %s\n", cuda_describe(gpu), cpu->label);
    maker_open(&b.m[0], cpu, room, room);
    maker_open(&b.m[1], gpu, room, room);
    prior_stage(&b, &c);
    dit_stage(&b, &c, small ? 64 : 256);
    vae_stage(&b, &c, small ? 32 : 64, 1);
    vae_stage(&b, &c, 32, 0);
    vision_stage(&b, &c, small ? 24 : 256);
    encoder_stage(&b, &c, small ? 32 : 64);
    cuda_libraries(gpu, line, sizeof line);
    printf("libraries: %s\n%d passed, %d failed\n", line, b.passed, b.failed);
    return b.failed || !b.passed;
}
