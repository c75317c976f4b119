/* dry - the device without arithmetic: it takes the memory that another device would take and adds
 * up what the work costs, so that a plan cannot drift from the graph. */
#include "kernels/ops.h"

#include <stdlib.h>
#include <string.h>

struct dry {
    struct dev dev;
    const struct dev *like;
    struct dev *own; /* opened when no device is given */
    uintptr_t next;  /* the next address to hand out; there is no memory behind it */
};

struct dry_weight {
    enum weight_use use;
    int64_t out, in;
    size_t bytes;
};

static const struct dry_weight *weight_of(const struct weight *w)
{
    return (const struct dry_weight *)w;
}

static int mem_new(struct dev *d, void **base, size_t bytes, struct fail *fail)
{
    struct dry *y = (struct dry *)d;

    (void)fail;
    *base = (void *)y->next;
    y->next += (bytes + ARENA_ALIGN) / ARENA_ALIGN * ARENA_ALIGN;
    return 0;
}

static void mem_free(struct dev *d, void *base, size_t bytes)
{
    (void)d, (void)base, (void)bytes;
}

static void put(struct dev *d, tensor dst, const void *host)
{
    (void)d, (void)dst, (void)host;
}

static void get(struct dev *d, void *host, tensor src)
{
    (void)d;
    memset(host, 0, (size_t)(src.rows * src.cols) * dtype_size(src.type));
}

static void copy(struct dev *d, tensor dst, tensor src)
{
    (void)d, (void)dst, (void)src;
}

static void zero(struct dev *d, tensor dst)
{
    (void)d, (void)dst;
}

static int dry_sync(struct dev *d, struct fail *fail)
{
    if (!d->scratch.failed) return 0;
    return fail_set(fail, ERR_OUT_OF_MEMORY, "the scratch of this plan is too small");
}

static void reset(struct dev *d)
{
    d->scratch.failed = 0;
}

static void dry_free(struct dev *d)
{
    struct dry *y = (struct dry *)d;

    if (!y) return;
    if (y->own) y->own->ops->free(y->own);
    free(y);
}

static int weight_new(struct dev *d, struct weight **out, const struct weight_spec *s,
                      struct fail *fail)
{
    const struct dev *like = ((struct dry *)d)->like;
    struct dry_weight *w = calloc(1, sizeof *w);

    *out = (struct weight *)w;
    if (!w) return fail_set(fail, ERR_OUT_OF_MEMORY, "no memory to plan %s", s->name);
    *w = (struct dry_weight){.use = s->use, .in = s->part[0].cols};
    for (int i = 0; i < s->n; i++)
        w->out += s->part[i].rows;
    w->bytes = like->ops->weight_size(like, s);
    return 0;
}

static void weight_free(struct dev *d, struct weight *w)
{
    (void)d;
    free(w);
}

static size_t weight_bytes(const struct weight *w)
{
    return weight_of(w)->bytes;
}

static size_t weight_size(const struct dev *d, const struct weight_spec *s)
{
    const struct dev *like = ((const struct dry *)d)->like;

    return like->ops->weight_size(like, s);
}

static size_t work_size(const struct dev *d, enum workspace work, int64_t a, int64_t b, int64_t c)
{
    const struct dev *like = ((const struct dry *)d)->like;

    return like->ops->work_size(like, work, a, b, c);
}

/* Take and give back an operation's workspace: the scratch's peak remembers it. */
static void take(struct dev *d, enum workspace work, int64_t a, int64_t b, int64_t c)
{
    size_t mark = arena_mark(&d->scratch), n = work_size(d, work, a, b, c);

    if (n) arena_alloc(&d->scratch, n);
    arena_release(&d->scratch, mark);
}

static void linear(struct dev *d, tensor y, tensor x, const struct weight *weight,
                   enum activation act, int add)
{
    const struct dry_weight *w = weight_of(weight);

    (void)act, (void)add;
    assert(x.cols == w->in && y.cols == w->out && x.rows == y.rows);
    take(d, WORK_LINEAR, x.rows, w->in, w->out);
    d->cost.flops += 2.0 * (double)x.rows * (double)w->in * (double)w->out;
    d->cost.weight_bytes += (double)w->bytes;
}

static void embed(struct dev *d, tensor y, const struct weight *table, tensor ids)
{
    (void)ids;
    assert(y.cols == weight_of(table)->in);
    d->cost.weight_bytes += (double)(y.rows * y.cols) * (double)dtype_size(y.type);
}

static void rms(struct dev *d, tensor y, tensor x, const struct weight *w, float eps)
{
    (void)d, (void)y, (void)x, (void)w, (void)eps;
}

static void rms_add_rms(struct dev *d, tensor x, tensor a, const struct weight *w, tensor y,
                        const struct weight *w2, float eps)
{
    (void)d, (void)x, (void)a, (void)w, (void)y, (void)w2, (void)eps;
}

static void linear_glu(struct dev *d, tensor y, tensor gu, tensor x, const struct weight *w,
                       enum activation act)
{
    assert(2 * y.cols == gu.cols);
    linear(d, gu, x, w, act, 0);
}

static void ln_mod(struct dev *d, tensor y, tensor x, tensor mod, const struct seg *seg, int nseg,
                   float eps)
{
    (void)d, (void)y, (void)x, (void)mod, (void)seg, (void)nseg, (void)eps;
}

static void gate_add(struct dev *d, tensor x, tensor a, tensor mod, const struct seg *seg, int nseg)
{
    (void)d, (void)x, (void)a, (void)mod, (void)seg, (void)nseg;
}

static void qk_norm_rope(struct dev *d, tensor x, int heads, tensor table, const struct seg *seg,
                         int nseg, float eps)
{
    (void)d, (void)x, (void)heads, (void)table, (void)seg, (void)nseg, (void)eps;
}

static void glu(struct dev *d, tensor y, tensor gu, enum activation act)
{
    (void)d, (void)y, (void)gu, (void)act;
}

static void add_act(struct dev *d, tensor y, tensor a, tensor b, enum activation act)
{
    (void)d, (void)y, (void)a, (void)b, (void)act;
}

static void attention(struct dev *d, const struct attn *a, const struct attn_seq *seq, int nseq)
{
    int64_t q = 0, k = 0;

    for (int i = 0; i < nseq; i++) {
        const double pairs = (double)seq[i].q.rows * (double)seq[i].k.rows;

        d->cost.flops += 4.0 * pairs * a->heads * a->head_dim;
        if (seq[i].q.rows > q) q = seq[i].q.rows;
        if (seq[i].k.rows > k) k = seq[i].k.rows;
    }
    take(d, WORK_ATTENTION, q, k, a->head_dim);
}

/* The graph gives views of the caches that end with this call's rows: what the last row sees. */
static void ar_attention(struct dev *d, tensor o, tensor qkv, const struct attn *a, int rot,
                         const struct ar_seq *seq, int nseq)
{
    int64_t rows = 0, k = 0;

    (void)o, (void)qkv, (void)rot;
    for (int i = 0; i < nseq; i++) {
        const double seen = (double)seq[i].k.rows - (double)(seq[i].n - 1) / 2;

        d->cost.flops += 4.0 * (double)seq[i].n * seen * a->heads * a->head_dim;
        d->cost.weight_bytes +=
            2.0 * (double)(seq[i].k.rows * seq[i].k.cols) * (double)dtype_size(seq[i].k.type);
        rows += seq[i].n;
        if (seq[i].k.rows > k) k = seq[i].k.rows;
    }
    take(d, WORK_AR, rows, k, a->head_dim);
}

static void sample(struct dev *d, tensor logits, const struct sample *sample, int n)
{
    (void)sample;
    take(d, WORK_SAMPLE, n, logits.cols, 0);
}

static void patchify(struct dev *d, tensor tokens, tensor latents, int h, int w)
{
    (void)d, (void)tokens, (void)latents, (void)h, (void)w;
}

static void euler(struct dev *d, tensor x, tensor vc, tensor vu, float guidance, float sigma,
                  float dsigma, tensor clean)
{
    (void)d, (void)x, (void)vc, (void)vu, (void)guidance, (void)sigma, (void)dsigma, (void)clean;
}

static void denorm(struct dev *d, tensor z, tensor x, const struct weight *mean,
                   const struct weight *std)
{
    (void)d, (void)z, (void)x, (void)mean, (void)std;
}

static void conv(struct dev *d, tensor y, tensor x, const struct weight *weight, int h, int width,
                 int up, int first, tensor add)
{
    const struct dry_weight *w = weight_of(weight);

    (void)add;
    assert(x.rows == (int64_t)h * width && y.cols == w->out);
    assert(y.rows + (int64_t)first * width * (up ? 2 : 1) <= x.rows * (up ? 4 : 1));
    take(d, WORK_CONV, y.rows, x.cols, y.cols);
    d->cost.flops += 2.0 * (double)y.rows * (double)w->in * (double)w->out;
    d->cost.weight_bytes += (double)w->bytes;
}

static void norm_sums(struct dev *d, tensor sums, tensor x, int width, int row, int groups)
{
    (void)d, (void)sums, (void)x, (void)width, (void)row, (void)groups;
}

static void norm_fold(struct dev *d, tensor norm, tensor sums, int h, int width, int groups,
                      const struct weight *w, const struct weight *b, float eps)
{
    (void)width, (void)w, (void)b, (void)eps;
    assert(tensor_bytes(sums) == work_size(d, WORK_NORM, h, norm.cols, groups));
}

static void norm_act(struct dev *d, tensor y, tensor x, tensor norm, enum activation act)
{
    (void)d, (void)act;
    assert(y.rows == x.rows && y.cols == x.cols && norm.rows == 2 && norm.cols == x.cols);
}

static void to_rgb8(struct dev *d, tensor rgb, tensor x)
{
    (void)d, (void)rgb, (void)x;
}

static void latent_rgb(struct dev *d, tensor rgb, tensor latents, tensor map)
{
    (void)map;
    take(d, WORK_LATENT_RGB, rgb.rows, latents.rows, 0);
}

static void layer_norm(struct dev *d, tensor y, tensor x, const struct weight *w,
                       const struct weight *b, float eps)
{
    (void)d, (void)y, (void)x, (void)w, (void)b, (void)eps;
}

static void argmax(struct dev *d, tensor ids, tensor scores, const struct weight *factor)
{
    (void)d, (void)factor;
    assert(ids.rows == scores.rows);
}

static void conv_half(struct dev *d, tensor y, tensor x, const struct weight *weight, int h,
                      int width)
{
    const struct dry_weight *w = weight_of(weight);

    assert(x.rows == (int64_t)h * width && 4 * y.rows == x.rows && y.cols == w->out);
    take(d, WORK_CONV, y.rows, x.cols, y.cols);
    d->cost.flops += 2.0 * (double)y.rows * (double)w->in * (double)w->out;
    d->cost.weight_bytes += (double)w->bytes;
}

static void renorm(struct dev *d, tensor x, tensor z, const struct weight *mean,
                   const struct weight *std)
{
    (void)d, (void)mean, (void)std;
    assert(x.rows == z.cols && x.cols == z.rows);
}

static const struct ops dry_ops = {
    .name = "dry",
    .mem_new = mem_new,
    .mem_free = mem_free,
    .put = put,
    .get = get,
    .copy = copy,
    .zero = zero,
    .sync = dry_sync,
    .reset = reset,
    .free = dry_free,
    .weight_new = weight_new,
    .weight_free = weight_free,
    .weight_bytes = weight_bytes,
    .weight_size = weight_size,
    .work_size = work_size,
    .linear = linear,
    .embed = embed,
    .rms = rms,
    .rms_add_rms = rms_add_rms,
    .linear_glu = linear_glu,
    .ln_mod = ln_mod,
    .gate_add = gate_add,
    .qk_norm_rope = qk_norm_rope,
    .glu = glu,
    .add_act = add_act,
    .attention = attention,
    .ar_attention = ar_attention,
    .sample = sample,
    .patchify = patchify,
    .unpatchify = patchify,
    .euler = euler,
    .denorm = denorm,
    .conv = conv,
    .norm_sums = norm_sums,
    .norm_fold = norm_fold,
    .norm_act = norm_act,
    .to_rgb8 = to_rgb8,
    .latent_rgb = latent_rgb,
    .layer_norm = layer_norm,
    .argmax = argmax,
    .conv_half = conv_half,
    .renorm = renorm,
};

int dry_open(struct dev **out, enum dtype type, const struct dev *like, struct fail *fail)
{
    struct dry *y = calloc(1, sizeof *y);

    *out = NULL;
    if (!y) return fail_set(fail, ERR_OUT_OF_MEMORY, "no memory for the dry device");
    y->dev = (struct dev){.ops = &dry_ops, .type = type};
    y->next = (uintptr_t)1 << 44;
    if (!like) {
        int err = cpu_open(&y->own, type, 1, fail);

        if (err) {
            free(y);
            return err;
        }
        like = y->own;
    }
    y->like = like;
    y->dev.traits = like->traits;
    *out = &y->dev;
    return 0;
}
