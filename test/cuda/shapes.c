/* shapes - a device that records. */
#include "test/cuda/shapes.h"
#include "kernels/cuda/cudnn.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda_sizes.h"
#include "kernels/model/vae.h"
#include "kernels/model/vae_encoder.h"

#include <stdio.h>
#include <stdlib.h>

/* addresses that are never read: of a tensor, of arenas */
#define SOMEWHERE ((void *)((uintptr_t)1 << 32))
#define SCRATCH   ((void *)((uintptr_t)1 << 40))
#define TENSORS   ((void *)((uintptr_t)1 << 42))

struct recorder {
    struct cuda cuda;
    struct shapes *to;
};

static struct shape *find(struct shapes *s, const struct cudnn_graph *g)
{
    const uint64_t key = cudnn_graph_key(g);
    struct shape *new;

    for (int i = 0; i < s->n; i++)
        if (s->shape[i].key == key) return &s->shape[i];
    if (s->n == SHAPES) {
        printf("more than %d shapes\n", SHAPES);
        exit(1);
    }
    new = &s->shape[s->n++];
    *new = (struct shape){.graph = *g, .key = key};
    return new;
}

/* -- in place of kernels/cuda/cudnn.c, of our kernels and of CUDA ------------------------------ */

int cudnn_conv(struct cudnn *recorder, const struct cudnn_conv *c)
{
    struct shapes *to = ((struct recorder *)(void *)recorder)->to;
    const int rows = cudnn_conv_rows(c), width = cudnn_conv_columns(c);
    const char *what = c->stride == 2             ? " (half)"
                       : c->side == 2             ? " (phases)"
                       : c->above || c->side == 1 ? ""
                                                  : " (band)";
    struct cudnn_graph g;
    struct shape *s;

    if (!cudnn_graph_conv(&g, c)) return 0;
    s = find(to, &g);
    s->calls++;
    s->flops += 2.0 * rows * width * c->side * c->side * c->c * c->n;
    snprintf(s->what, sizeof s->what, "conv %d, %4d x %-4d %4d to %-4d%s%s", c->side, rows, width,
             c->c, c->n, c->add ? " + residual" : "", what);
    return 1;
}

const char *cudnn_why(const struct cudnn *recorder)
{
    (void)recorder;
    return "";
}

void cu_conv(const struct cu_queue *q, int bf, const struct cu_conv *c)
{
    struct shapes *to = ((const struct recorder *)q->stream)->to;
    const int width = c->up ? 2 * c->w_in : c->half ? c->w_in / 2 : c->w_in;

    (void)bf;
    to->by_hand++;
    to->flops_by_hand += 2.0 * c->rows * width * c->side * c->side * c->c * c->n;
}

void cu_interleave(const struct cu_queue *q, const struct cu_interleave *v)
{
    (void)q, (void)v;
}

cudaError_t cudaGetLastError(void)
{
    return cudaSuccess;
}

const char *cudaGetErrorString(cudaError_t e)
{
    (void)e;
    return "";
}

/* -- operations that do nothing ---------------------------------------------------------------- */

static void zero(struct dev *d, tensor y)
{
    (void)d, (void)y;
}

static void copy(struct dev *d, tensor y, tensor x)
{
    (void)d, (void)y, (void)x;
}

static void denorm(struct dev *d, tensor z, tensor x, const struct weight *mean,
                   const struct weight *std)
{
    (void)d, (void)z, (void)x, (void)mean, (void)std;
}

static void norm_sums(struct dev *d, tensor sums, tensor x, int width, int row, int groups)
{
    (void)d, (void)sums, (void)x, (void)width, (void)row, (void)groups;
}

static void norm_fold(struct dev *d, tensor norm, tensor sums, int h, int width, int groups,
                      const struct weight *w, const struct weight *b, float eps)
{
    (void)d, (void)norm, (void)sums, (void)h, (void)width, (void)groups, (void)w, (void)b;
    (void)eps;
}

static void norm_act(struct dev *d, tensor y, tensor x, tensor norm, enum activation act)
{
    (void)d, (void)y, (void)x, (void)norm, (void)act;
}

static void to_rgb8(struct dev *d, tensor rgb, tensor x)
{
    (void)d, (void)rgb, (void)x;
}

static void renorm(struct dev *d, tensor x, tensor z, const struct weight *mean,
                   const struct weight *std)
{
    (void)d, (void)x, (void)z, (void)mean, (void)std;
}

static size_t work_size(const struct dev *d, enum workspace work, int64_t a, int64_t b, int64_t n)
{
    (void)d;
    return cuda_sizes_work_size(work, a, b, n);
}

static const struct ops recording = {.name = "recorder",
                                     .zero = zero,
                                     .copy = copy,
                                     .denorm = denorm,
                                     .conv = cuda_conv,
                                     .norm_sums = norm_sums,
                                     .norm_fold = norm_fold,
                                     .norm_act = norm_act,
                                     .to_rgb8 = to_rgb8,
                                     .conv_half = cuda_conv_half,
                                     .renorm = renorm,
                                     .work_size = work_size};

/* -- the released VAE -------------------------------------------------------------------------- */

static const struct vae_config config = {
    .channels = {128, 512, 1024, 1024}, .blocks = 3, .latent = 16, .groups = 32};

/* Weights that are nowhere. */
struct made {
    struct cuda_weight weight[64];
    int weights;
};

struct decoder {
    struct vae vae;
    struct vae_block block[CONFIG_VAE_LEVELS * 4];
    struct made made;
};

struct encoder {
    struct vae_encoder encoder;
    struct vae_block block[CONFIG_VAE_LEVELS * 3];
    struct made made;
};

static const struct weight *conv_weight(struct made *t, int out, int in, int k)
{
    struct cuda_weight *w = &t->weight[t->weights++];

    *w = (struct cuda_weight){.use = USE_CONV,
                              .out = out,
                              .rows = (out + 7) / 8 * 8,
                              .in = in,
                              .k = k,
                              .data = SOMEWHERE,
                              .bias = SOMEWHERE};
    return (const struct weight *)w;
}

static const struct weight *enlarging(struct made *t, int n)
{
    const struct weight *w = conv_weight(t, n, n, 3);
    struct cuda_weight *last = &t->weight[t->weights - 1];

    last->phases = last->phases_bias = SOMEWHERE;
    return w;
}

static void make_block(struct made *t, struct vae_block *b, int in, int out)
{
    b->conv1 = conv_weight(t, out, in, 3);
    b->conv2 = conv_weight(t, out, out, 3);
    b->shortcut = in == out ? NULL : conv_weight(t, out, in, 1);
}

static void make_decoder(struct decoder *t)
{
    struct vae *v = &t->vae;
    struct vae_level *l;

    *t = (struct decoder){
        .vae = {.cfg = &config, .blocks = t->block, .band = VAE_BAND, .whole = VAE_WHOLE}};
    v->conv_in = conv_weight(&t->made, 1024, 16, 3);
    v->conv_out = conv_weight(&t->made, 3, 128, 3);
    for (int i = 0; i < 2; i++)
        make_block(&t->made, &v->mid[i], 1024, 1024);
    for (int i = 0; i < CONFIG_VAE_LEVELS; i++) {
        l = &v->level[i];
        l->out = config.channels[3 - i];
        l->in = config.channels[3 - (i ? i - 1 : 0)];
        l->block = t->block + 4 * i;
        for (int k = 0; k < 4; k++)
            make_block(&t->made, &l->block[k], k ? l->out : l->in, l->out);
        if (i) l->enlarge = enlarging(&t->made, l->in);
    }
}

static void make_encoder(struct encoder *t)
{
    struct vae_encoder *e = &t->encoder;
    struct vae_encoder_level *l;

    *t = (struct encoder){.encoder = {.cfg = &config,
                                      .common = {.groups = config.groups, .band = VAE_BAND},
                                      .blocks = t->block}};
    e->conv_in = conv_weight(&t->made, config.channels[0], 3, 3);
    e->conv_out = conv_weight(&t->made, 2 * config.latent, 1024, 3);
    for (int i = 0; i < 2; i++)
        make_block(&t->made, &e->mid[i], 1024, 1024);
    for (int i = 0; i < CONFIG_VAE_LEVELS; i++) {
        l = &e->level[i];
        l->in = config.channels[i ? i - 1 : 0];
        l->out = config.channels[i];
        l->block = t->block + 3 * i;
        for (int k = 0; k < 3; k++)
            make_block(&t->made, &l->block[k], k ? l->out : l->in, l->out);
        if (i < CONFIG_VAE_LEVELS - 1) l->down = conv_weight(&t->made, l->out, l->out, 3);
    }
}

static void recorder_open(struct recorder *r, struct shapes *to, struct arena *mem)
{
    *r = (struct recorder){.to = to};
    r->cuda.bf = 1;
    r->cuda.work = SOMEWHERE;
    r->cuda.band = CUDA_BAND;
    r->cuda.cudnn = (struct cudnn *)(void *)r;
    r->cuda.q.stream = r;
    r->cuda.dev = (struct dev){.ops = &recording, .type = DT_BF16};
    arena_init(&r->cuda.dev.scratch, SCRATCH, (size_t)1 << 40);
    arena_init(mem, TENSORS, (size_t)1 << 40);
}

void shapes_decoder(struct shapes *to, int width, int height)
{
    static struct decoder t;
    struct recorder r;
    const struct graph g = {.dev = &r.cuda.dev};
    struct vae_state s = {.h = height / 8, .w = width / 8};
    struct arena mem;
    tensor latents;

    make_decoder(&t);
    recorder_open(&r, to, &mem);
    vae_place(&s, &mem, &config, DT_BF16);
    latents = arena_tensor(&mem, DT_F32, config.latent, (int64_t)s.h * s.w);
    while (s.piece < VAE_PIECES)
        vae_step(&g, &t.vae, &s, latents);
}

void shapes_encoder(struct shapes *to, int width, int height)
{
    static struct encoder t;
    struct recorder r;
    const struct graph g = {.dev = &r.cuda.dev};
    const int64_t pixels = (int64_t)width * height;
    struct arena mem;
    tensor latents, rgb;

    make_encoder(&t);
    recorder_open(&r, to, &mem);
    latents = arena_tensor(&mem, DT_F32, config.latent, pixels / 64);
    rgb = arena_tensor(&mem, DT_BF16, pixels, 3);
    vae_encode(&g, &t.encoder, latents, rgb, height, width, "image");
}

static void attention(struct shapes *to, struct cu_attn a)
{
    struct cudnn_graph g;
    struct shape *s;

    a.q = a.k = a.v = SOMEWHERE;
    a.o = SOMEWHERE;
    a.ldo = (int64_t)a.heads * a.head_dim;
    a.group = 1;
    a.scale = 0.0883883476f;
    if (!cudnn_graph_attention(&g, &a)) {
        to->by_hand++;
        return;
    }
    s = find(to, &g);
    s->calls++;
    s->flops += 4.0 * a.nq * a.nk * a.heads * a.head_dim;
    snprintf(s->what, sizeof s->what, "attention, %d rows, %d keys, %d heads of %d", a.nq, a.nk,
             a.heads, a.head_dim);
}

void shapes_attention(struct shapes *to, int rows, int keys)
{
    enum { HEADS = 32, DIM = 128 };
    const int ld = keys > rows ? HEADS * DIM : 3 * HEADS * DIM; /* joined with those of images */
    const struct cu_attn a = {.ldq = 3 * HEADS * DIM,
                              .ldk = ld,
                              .ldv = ld,
                              .nq = rows,
                              .nk = keys,
                              .heads = HEADS,
                              .head_dim = DIM};

    attention(to, a);
}

void shapes_vision(struct shapes *to, int cells)
{
    enum { HEADS = 16, DIM = 96, LD = 3 * HEADS * DIM };

    attention(to, (struct cu_attn){.ldq = LD,
                                   .ldk = LD,
                                   .ldv = LD,
                                   .nq = cells,
                                   .nk = cells,
                                   .heads = HEADS,
                                   .head_dim = DIM});
}
