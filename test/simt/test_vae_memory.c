/* What the released VAE takes on a GPU at large sizes, from the dry device.
 *
 * Catches a picture too many that is held whole: at 2048 x 2048 each is 1.07 GB. */
#include "kernels/cuda/cuda.h"
#include "kernels/model/vae.h"
#include "kernels/model/vae_encoder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct vae_config released = {
    .channels = {128, 512, 1024, 1024}, .blocks = 3, .latent = 16, .groups = 32};

static struct dev *open_cuda(enum dtype type)
{
    struct dev *d;
    struct fail f = {0};
    const struct cuda_opts o = {.index = 0};

    if (cuda_open(&d, type, &o, &f)) fail_msg("%s", f.message);
    return d;
}

static struct weight *shapes[64];
static int n_shapes;

static const struct weight *shape_of(struct dev *d, struct weight_spec s, int out, int in)
{
    const int k = s.k;
    struct fail f;

    s.n = 1;
    s.name = "a shape";
    s.part[0] = (struct source){.rows = out, .cols = (int64_t)in * (k ? k * k : 1)};
    assert_true(n_shapes < 64);
    assert_int_equal(d->ops->weight_new(d, &shapes[n_shapes], &s, &f), 0);
    return shapes[n_shapes++];
}

static const struct weight *shape(struct dev *d, enum weight_use use, int out, int in, int k)
{
    return shape_of(d, (struct weight_spec){.use = use, .k = k}, out, in);
}

static void shape_block(struct dev *d, struct vae_block *k, int in, int out)
{
    k->conv1 = shape(d, USE_CONV, out, in, 3);
    k->conv2 = shape(d, USE_CONV, out, out, 3);
    k->shortcut = in == out ? NULL : shape(d, USE_CONV, out, in, 1);
}

/* The released decoder at 2048 x 2048: what the run keeps for it and the largest scratch of a
 * piece. Catches a picture too many that is held whole (each is 1.07 GB). Its small pictures are
 * kept whole, so nothing is computed twice at 1024 x 1024. */
static void the_decoder_fits_2_2_gb(void **state)
{
    const struct vae_config c = released;
    struct dev *like = open_cuda(DT_BF16), *d;
    struct fail f;
    struct vae_block blocks[CONFIG_VAE_LEVELS * 4];
    struct vae v = {.cfg = &c, .blocks = blocks, .band = VAE_BAND, .whole = VAE_WHOLE};

    (void)state;
    assert_int_equal(dry_open(&d, DT_BF16, like, &f), 0);
    v.conv_in = shape(d, USE_CONV, 1024, 16, 3);
    v.conv_out = shape(d, USE_CONV, 3, 128, 3);
    for (int i = 0; i < 2; i++)
        shape_block(d, &v.mid[i], 1024, 1024);
    for (int i = 0; i < CONFIG_VAE_LEVELS; i++) {
        struct vae_level *l = &v.level[i];

        l->out = c.channels[3 - i];
        l->in = c.channels[3 - (i ? i - 1 : 0)];
        l->block = blocks + 4 * i;
        for (int k = 0; k < 4; k++)
            shape_block(d, &l->block[k], k ? l->out : l->in, l->out);
        if (i)
            l->enlarge =
                shape_of(d, (struct weight_spec){.use = USE_CONV, .k = 3, .up = 1}, l->in, l->in);
    }
    for (int side = 1024; side <= 2048; side += 1024) {
        const struct graph g = {.dev = d};
        struct vae_state s = {.h = side / 8, .w = side / 8};
        struct arena a;
        tensor latents;
        double gb, tflop;

        arena_init(&a, (void *)ARENA_ALIGN, SIZE_MAX / 2);
        arena_init(&d->scratch, (void *)ARENA_ALIGN, (size_t)1 << 40);
        vae_place(&s, &a, &c, DT_BF16);
        latents = arena_tensor(&a, DT_F32, 16, (int64_t)s.h * s.w);
        d->cost = (struct cost){0};
        while (s.piece < VAE_PIECES)
            vae_step(&g, &v, &s, latents);
        gb = (double)(a.used + d->scratch.peak) / 1e9;
        tflop = d->cost.flops / 1e12;
        print_message("%d x %d: %.3f GB, %.1f TFLOP\n", side, side, gb, tflop);
        assert_true(gb <= (side > 1024 ? 2.2 : 1.7) && !d->scratch.failed);
        assert_true(tflop < (side > 1024 ? 200 : 39.8));
    }
    while (n_shapes)
        d->ops->weight_free(d, shapes[--n_shapes]);
    d->ops->free(d);
    like->ops->free(like);
}

static void shape_encoder(struct dev *d, struct vae_encoder *w, struct vae_block *blocks)
{
    *w = (struct vae_encoder){.cfg = &released,
                              .common = {.groups = released.groups, .band = VAE_BAND}};
    w->conv_in = shape(d, USE_CONV, 128, 3, 3);
    w->conv_out = shape(d, USE_CONV, 32, 1024, 3);
    for (int i = 0; i < 2; i++)
        shape_block(d, &w->mid[i], 1024, 1024);
    for (int i = 0; i < CONFIG_VAE_LEVELS; i++) {
        struct vae_encoder_level *l = &w->level[i];

        l->in = released.channels[i ? i - 1 : 0];
        l->out = released.channels[i];
        l->block = blocks + 3 * i;
        for (int k = 0; k < 3; k++)
            shape_block(d, &l->block[k], k ? l->out : l->in, l->out);
        if (i < CONFIG_VAE_LEVELS - 1) l->down = shape(d, USE_CONV, l->out, l->out, 3);
    }
}

/* The released encoder, its pixels and latents in scratch, too. Two pictures are held whole, that
 * of a level and its half-made successor, and what stands between two levels. */
static void the_encoder_fits_3_gb(void **state)
{
    struct dev *like = open_cuda(DT_BF16), *d;
    struct fail f;
    struct vae_block blocks[CONFIG_VAE_LEVELS * 3];
    struct vae_encoder w;

    (void)state;
    assert_int_equal(dry_open(&d, DT_BF16, like, &f), 0);
    shape_encoder(d, &w, blocks);
    for (int side = 512; side <= 2048; side *= 2) {
        const struct graph g = {.dev = d};
        const int64_t pixels = (int64_t)side * side;
        const double megapixels = (double)pixels / (1024 * 1024);
        tensor latents, rgb;
        double gb, tflop;

        arena_init(&d->scratch, (void *)ARENA_ALIGN, (size_t)1 << 40);
        latents = arena_tensor(&d->scratch, DT_F32, 16, pixels / 64);
        rgb = arena_tensor(&d->scratch, DT_BF16, pixels, 3);
        d->cost = (struct cost){0};
        vae_encode(&g, &w, latents, rgb, side, side, "image");
        gb = (double)d->scratch.peak / 1e9;
        tflop = d->cost.flops / 1e12;
        print_message("%d x %d: %.3f GB, %.1f TFLOP\n", side, side, gb, tflop);
        assert_false(d->scratch.failed);
        assert_true(gb < 0.1 + 0.75 * megapixels && tflop < 19.2 * megapixels);
    }
    while (n_shapes)
        d->ops->weight_free(d, shapes[--n_shapes]);
    d->ops->free(d);
    like->ops->free(like);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_decoder_fits_2_2_gb),
        cmocka_unit_test(the_encoder_fits_3_gb),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
