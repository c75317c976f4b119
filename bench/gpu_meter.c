/* gpu_meter - one wrapper an operation. */
#include "bench/gpu_meter.h"

#include "kernels/cuda/device.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CALLS = 6000, NAMES = 96 };

struct call {
    cudaEvent_t from, to;
    int name;
};

struct name {
    char text[64];
    int calls, product; /* product: a matrix product, a convolution or attention */
    double ms, flops, bytes;
};

struct meter {
    struct ops timed; /* first: the device's table leads back here */
    const struct ops *real;
    struct dev *d;
    struct call call[CALLS];
    struct name name[NAMES];
    int calls, names, on;
    cudaEvent_t from, to; /* of everything */
};

static struct meter *of(struct dev *d)
{
    return (struct meter *)(uintptr_t)d->ops;
}

static cudaStream_t stream(struct dev *d)
{
    return cuda_of(d)->stream;
}

static struct name *name_of(struct meter *m, const char *text)
{
    struct name *n;

    for (int i = 0; i < m->names; i++)
        if (!strcmp(m->name[i].text, text)) return &m->name[i];
    if (m->names == NAMES) return &m->name[NAMES - 1];
    n = &m->name[m->names++];
    *n = (struct name){0};
    snprintf(n->text, sizeof n->text, "%s", text);
    return n;
}

/* Before a call: what it is called, what it has to do. */
__attribute__((format(printf, 5, 6))) static void before(struct dev *d, int product, double flops,
                                                         double bytes, const char *format, ...)
{
    struct meter *m = of(d);
    char text[64];
    va_list ap;
    struct name *n;

    if (!m->on || m->calls == CALLS) return;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    n = name_of(m, text);
    n->calls++;
    n->product = product;
    n->flops += flops;
    n->bytes += bytes;
    m->call[m->calls].name = (int)(n - m->name);
    cudaEventRecord(m->call[m->calls].from, stream(d));
}

static void after(struct dev *d)
{
    struct meter *m = of(d);

    if (!m->on || m->calls == CALLS) return;
    cudaEventRecord(m->call[m->calls++].to, stream(d));
}

static double bytes_of(tensor t)
{
    return tensor_given(t) ? (double)(t.rows * t.cols) * (double)dtype_size(t.type) : 0;
}

#define TIMED(op, ...)                \
    do {                              \
        of(d)->real->op(__VA_ARGS__); \
        after(d);                     \
    } while (0)
#define L(x) (long long)(x)

static void copy(struct dev *d, tensor y, tensor x)
{
    before(d, 0, 0, 2 * bytes_of(x), "copy");
    TIMED(copy, d, y, x);
}

static void zero(struct dev *d, tensor y)
{
    before(d, 0, 0, bytes_of(y), "zero");
    TIMED(zero, d, y);
}

static void linear(struct dev *d, tensor y, tensor x, const struct weight *w, enum activation act,
                   int add)
{
    const struct cuda_weight *k = cuda_weight_of(w);

    before(d, 1, 2.0 * (double)y.rows * (double)k->in * (double)k->out,
           bytes_of(x) + (1 + add) * bytes_of(y) + (double)k->bytes, "linear %lld x %lld x %lld",
           L(y.rows), L(k->in), L(k->out));
    TIMED(linear, d, y, x, w, act, add);
}

static void embed(struct dev *d, tensor y, const struct weight *t, tensor ids)
{
    before(d, 0, 0, 2 * bytes_of(y), "embed");
    TIMED(embed, d, y, t, ids);
}

static void rms(struct dev *d, tensor y, tensor x, const struct weight *w, float eps)
{
    before(d, 0, 0, 2 * bytes_of(x), "rms %lld", L(x.rows));
    TIMED(rms, d, y, x, w, eps);
}

static void rms_add_rms(struct dev *d, tensor x, tensor a, const struct weight *w, tensor y,
                        const struct weight *w2, float eps)
{
    before(d, 0, 0, 4 * bytes_of(x), "rms_add_rms %lld", L(x.rows));
    TIMED(rms_add_rms, d, x, a, w, y, w2, eps);
}

static void linear_glu(struct dev *d, tensor y, tensor gu, tensor x, const struct weight *w,
                       enum activation act)
{
    const struct cuda_weight *k = cuda_weight_of(w);

    before(d, 1, 2.0 * (double)y.rows * (double)k->in * (double)k->out,
           bytes_of(x) + bytes_of(y) + (double)k->bytes, "linear_glu %lld x %lld x %lld", L(y.rows),
           L(k->in), L(k->out));
    TIMED(linear_glu, d, y, gu, x, w, act);
}

static void ln_mod(struct dev *d, tensor y, tensor x, tensor mod, const struct seg *s, int n,
                   float eps)
{
    before(d, 0, 0, 2 * bytes_of(x), "ln_mod %lld", L(x.rows));
    TIMED(ln_mod, d, y, x, mod, s, n, eps);
}

static void gate_add(struct dev *d, tensor x, tensor a, tensor mod, const struct seg *s, int n)
{
    before(d, 0, 0, 3 * bytes_of(x), "gate_add %lld", L(x.rows));
    TIMED(gate_add, d, x, a, mod, s, n);
}

static void qk_norm_rope(struct dev *d, tensor x, int heads, tensor table, const struct seg *s,
                         int n, float eps)
{
    before(d, 0, 0, 2 * bytes_of(x), "qk_norm_rope %lld", L(x.rows));
    TIMED(qk_norm_rope, d, x, heads, table, s, n, eps);
}

static void glu(struct dev *d, tensor y, tensor gu, enum activation act)
{
    before(d, 0, 0, 3 * bytes_of(y), "glu %lld", L(y.rows));
    TIMED(glu, d, y, gu, act);
}

static void add_act(struct dev *d, tensor y, tensor a, tensor b, enum activation act)
{
    before(d, 0, 0, 3 * bytes_of(y), "add_act");
    TIMED(add_act, d, y, a, b, act);
}

static void attention(struct dev *d, const struct attn *a, const struct attn_seq *s, int n)
{
    double flops = 0, bytes = 0;

    for (int i = 0; i < n; i++) {
        flops += 4.0 * (double)s[i].q.rows * (double)s[i].k.rows * a->heads * a->head_dim;
        bytes += 2 * bytes_of(s[i].q) + 2 * bytes_of(s[i].k);
    }
    before(d, 1, flops, bytes, "attention %d x %lld x %lld", n, L(s->q.rows), L(s->k.rows));
    TIMED(attention, d, a, s, n);
}

static void ar_attention(struct dev *d, tensor o, tensor qkv, const struct attn *a, int rot,
                         const struct ar_seq *s, int n)
{
    double bytes = 0;

    for (int i = 0; i < n; i++)
        bytes += 2 * bytes_of(s[i].k);
    before(d, 1, 0, bytes, "ar_attention %d x %lld", n, L(s->n));
    TIMED(ar_attention, d, o, qkv, a, rot, s, n);
}

static void sample(struct dev *d, tensor logits, const struct sample *w, int n)
{
    before(d, 0, 0, bytes_of(logits), "sample %d", n);
    TIMED(sample, d, logits, w, n);
}

static void conv(struct dev *d, tensor y, tensor x, const struct weight *w, int h, int width,
                 int up, int first, tensor add)
{
    const struct cuda_weight *k = cuda_weight_of(w);
    const double taps = k->k * k->k;

    before(d, 1, 2.0 * (double)y.rows * taps * (double)k->in * (double)k->out,
           bytes_of(x) + bytes_of(y) + bytes_of(add) + (double)k->bytes,
           "conv %d, %lld to %lld%s, %lld pixels", k->k, L(k->in), L(k->out),
           up ? ", enlarged" : "", L(y.rows));
    TIMED(conv, d, y, x, w, h, width, up, first, add);
}

static void norm_sums(struct dev *d, tensor sums, tensor x, int width, int row, int groups)
{
    before(d, 0, 0, bytes_of(x), "norm_sums %lld", L(x.cols));
    TIMED(norm_sums, d, sums, x, width, row, groups);
}

static void norm_fold(struct dev *d, tensor norm, tensor sums, int h, int width, int groups,
                      const struct weight *w, const struct weight *b, float eps)
{
    before(d, 0, 0, bytes_of(sums), "norm_fold");
    TIMED(norm_fold, d, norm, sums, h, width, groups, w, b, eps);
}

static void norm_act(struct dev *d, tensor y, tensor x, tensor norm, enum activation act)
{
    before(d, 0, 0, 2 * bytes_of(x), "norm_act %lld", L(x.cols));
    TIMED(norm_act, d, y, x, norm, act);
}

static void patchify(struct dev *d, tensor t, tensor x, int h, int w)
{
    before(d, 0, 0, bytes_of(t) + bytes_of(x), "patchify");
    TIMED(patchify, d, t, x, h, w);
}

static void unpatchify(struct dev *d, tensor x, tensor t, int h, int w)
{
    before(d, 0, 0, bytes_of(t) + bytes_of(x), "unpatchify");
    TIMED(unpatchify, d, x, t, h, w);
}

static void euler(struct dev *d, tensor x, tensor vc, tensor vu, float guidance, float sigma,
                  float dsigma, tensor clean)
{
    before(d, 0, 0, 5 * bytes_of(x), "euler");
    TIMED(euler, d, x, vc, vu, guidance, sigma, dsigma, clean);
}

static void denorm(struct dev *d, tensor z, tensor x, const struct weight *mean,
                   const struct weight *std)
{
    before(d, 0, 0, bytes_of(x) + bytes_of(z), "denorm");
    TIMED(denorm, d, z, x, mean, std);
}

static void to_rgb8(struct dev *d, tensor rgb, tensor x)
{
    before(d, 0, 0, bytes_of(x) + bytes_of(rgb), "to_rgb8");
    TIMED(to_rgb8, d, rgb, x);
}

struct meter *meter_new(struct dev *d)
{
    struct meter *m = calloc(1, sizeof *m);

    if (!m) exit(1);
    m->real = d->ops;
    m->d = d;
    m->timed = *d->ops;
    m->timed.begin = NULL;
    m->timed.copy = copy;
    m->timed.zero = zero;
    m->timed.linear = linear;
    m->timed.embed = embed;
    m->timed.rms = rms;
    m->timed.rms_add_rms = rms_add_rms;
    m->timed.linear_glu = linear_glu;
    m->timed.ln_mod = ln_mod;
    m->timed.gate_add = gate_add;
    m->timed.qk_norm_rope = qk_norm_rope;
    m->timed.glu = glu;
    m->timed.add_act = add_act;
    m->timed.attention = attention;
    m->timed.ar_attention = ar_attention;
    m->timed.sample = sample;
    m->timed.patchify = patchify;
    m->timed.unpatchify = unpatchify;
    m->timed.euler = euler;
    m->timed.denorm = denorm;
    m->timed.conv = conv;
    m->timed.norm_sums = norm_sums;
    m->timed.norm_fold = norm_fold;
    m->timed.norm_act = norm_act;
    m->timed.to_rgb8 = to_rgb8;
    for (int i = 0; i < CALLS; i++)
        if (cudaEventCreate(&m->call[i].from) || cudaEventCreate(&m->call[i].to)) exit(1);
    if (cudaEventCreate(&m->from) || cudaEventCreate(&m->to)) exit(1);
    d->ops = &m->timed;
    return m;
}

void meter_begin(struct meter *m)
{
    cudaStreamSynchronize(stream(m->d));
    m->calls = m->names = 0;
    m->on = 1;
    cudaEventRecord(m->from, stream(m->d));
}

static int slower(const void *a, const void *b)
{
    const struct name *x = a, *y = b;

    return (x->ms < y->ms) - (x->ms > y->ms);
}

void meter_print(struct meter *m, const char *what, double copy_rate, double product_rate)
{
    float ms = 0;
    double sum = 0, rest = 0;

    m->on = 0;
    cudaEventRecord(m->to, stream(m->d));
    cudaEventSynchronize(m->to);
    for (int i = 0; i < m->calls; i++) {
        cudaEventElapsedTime(&ms, m->call[i].from, m->call[i].to);
        m->name[m->call[i].name].ms += (double)ms;
        sum += (double)ms;
        if (!m->name[m->call[i].name].product) rest += (double)ms;
    }
    cudaEventElapsedTime(&ms, m->from, m->to);
    qsort(m->name, (size_t)m->names, sizeof *m->name, slower);
    printf("%s: %d operations, %.3f ms in them, %.3f ms from first to last; neither product nor "
           "attention: %.1f %%\n",
           what, m->calls, sum, (double)ms, 100 * rest / sum);
    printf("  %-44s %6s %10s %7s %9s\n", "operation", "calls", "ms", "share", "roofline");
    for (int i = 0; i < m->names; i++) {
        const struct name *n = &m->name[i];
        const double by_bytes = n->bytes / copy_rate, by_flops = n->flops / product_rate;
        const double least = 1e3 * (by_bytes > by_flops ? by_bytes : by_flops);

        printf("  %-44s %6d %10.3f %6.1f%% %8.1f%%\n", n->text, n->calls, n->ms, 100 * n->ms / sum,
               100 * least / n->ms);
    }
    fflush(stdout);
}

void meter_free(struct meter *m)
{
    for (int i = 0; i < CALLS; i++) {
        cudaEventDestroy(m->call[i].from);
        cudaEventDestroy(m->call[i].to);
    }
    cudaEventDestroy(m->from);
    cudaEventDestroy(m->to);
    m->d->ops = m->real;
    free(m);
}
