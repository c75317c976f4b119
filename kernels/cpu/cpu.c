/* cpu - opening and closing the CPU device, its memory, and its table. */
#include "kernels/cpu/cpu.h"

#include "kernels/cpu/ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20) /* large weights walk through fewer page tables */

static int mem_new(struct dev *d, void **base, size_t bytes, struct fail *fail)
{
    const size_t align = bytes < HUGE_PAGE ? ARENA_ALIGN : HUGE_PAGE;
    const size_t size = (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;

    (void)d;
    /* not aligned_alloc: it wants sizes that are multiples of the alignment */
    if (size < bytes || posix_memalign(base, align, size ? size : ARENA_ALIGN)) *base = NULL;
    if (!*base) return fail_set(fail, ERR_OUT_OF_MEMORY, "no host memory for %zu MB", bytes >> 20);
    if (align == HUGE_PAGE)
        madvise(*base, size / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE); /* may be refused */
    memset(*base, 0, size);
    return 0;
}

static void mem_free(struct dev *d, void *base, size_t bytes)
{
    (void)d, (void)bytes;
    free(base);
}

static char *row_of(tensor t, int64_t row)
{
    return (char *)t.data + (size_t)(row * t.ld) * dtype_size(t.type);
}

static void put(struct dev *d, tensor dst, const void *host)
{
    const size_t n = (size_t)dst.cols * dtype_size(dst.type);

    if (!cpu_ready(d)) return;
    for (int64_t i = 0; i < dst.rows; i++)
        memcpy(row_of(dst, i), (const char *)host + (size_t)i * n, n);
}

static void get(struct dev *d, void *host, tensor src)
{
    const size_t n = (size_t)src.cols * dtype_size(src.type);

    if (!cpu_ready(d)) return;
    for (int64_t i = 0; i < src.rows; i++)
        memcpy((char *)host + (size_t)i * n, row_of(src, i), n);
}

static void copy(struct dev *d, tensor dst, tensor src)
{
    if (!cpu_ready(d)) return;
    assert(dst.type == src.type && dst.rows == src.rows && dst.cols == src.cols);
    for (int64_t i = 0; i < dst.rows; i++)
        memmove(row_of(dst, i), row_of(src, i), (size_t)dst.cols * dtype_size(dst.type));
}

static void zero(struct dev *d, tensor dst)
{
    if (!cpu_ready(d)) return;
    for (int64_t i = 0; i < dst.rows; i++)
        memset(row_of(dst, i), 0, (size_t)dst.cols * dtype_size(dst.type));
}

static int dev_sync(struct dev *d, struct fail *fail)
{
    struct cpu *c = cpu_of(d);

    pool_chain_end(c->pool);
    cpu_ready(d); /* notices a scratch that overflowed */
    if (!c->failed) return 0;
    if (fail) *fail = c->fail;
    return c->fail.code;
}

static void reset(struct dev *d)
{
    cpu_of(d)->failed = 0;
    d->scratch.failed = 0;
}

static void dev_free(struct dev *d)
{
    struct cpu *c = cpu_of(d);

    if (!d) return;
    pool_free(c->pool);
    free(c->buffers);
    free(c);
}

static size_t work_size(const struct dev *d, enum workspace work, int64_t a, int64_t b, int64_t n)
{
    (void)d, (void)n;
    switch (work) {
    case WORK_SAMPLE: return cpu_sample_work(a, b);
    case WORK_NORM: return cpu_norm_work(a, b);
    case WORK_LINEAR:
    case WORK_ATTENTION:
    case WORK_AR:
    case WORK_CONV:
    case WORK_LATENT_RGB: break; /* thread buffers are enough */
    }
    return 0;
}

static const struct ops cpu_ops = {
    .name = "cpu",
    .mem_new = mem_new,
    .mem_free = mem_free,
    .put = put,
    .get = get,
    .copy = copy,
    .zero = zero,
    .sync = dev_sync,
    .reset = reset,
    .free = dev_free,
    .weight_new = cpu_weight_new,
    .weight_free = cpu_weight_free,
    .weight_bytes = cpu_weight_bytes,
    .weight_size = cpu_weight_size,
    .work_size = work_size,
    .linear = cpu_linear,
    .embed = cpu_embed,
    .rms = cpu_rms,
    .rms_add_rms = cpu_rms_add_rms,
    .linear_glu = cpu_linear_glu,
    .ln_mod = cpu_ln_mod,
    .gate_add = cpu_gate_add,
    .qk_norm_rope = cpu_qk_norm_rope,
    .glu = cpu_glu,
    .add_act = cpu_add_act,
    .attention = cpu_attention,
    .ar_attention = cpu_ar_attention,
    .sample = cpu_sample,
    .patchify = cpu_patchify,
    .unpatchify = cpu_unpatchify,
    .euler = cpu_euler,
    .denorm = cpu_denorm,
    .conv = cpu_conv,
    .norm_sums = cpu_norm_sums,
    .norm_fold = cpu_norm_fold,
    .norm_act = cpu_norm_act,
    .to_rgb8 = cpu_to_rgb8,
    .latent_rgb = cpu_latent_rgb,
    .layer_norm = cpu_layer_norm,
    .argmax = cpu_argmax,
    .conv_half = cpu_conv_half,
    .renorm = cpu_renorm,
};

/* Shared weights gain all that they can by four pictures at a time. */
static const struct dev_traits CPU_TRAITS = {
    .batch_useful = 4, .flops_per_byte = 6, .preview_flops = 2e12, .conditions = 1};

static size_t buffer_size(const struct isa *isa)
{
    size_t gemm = sizeof(float) * (size_t)isa->rows * (size_t)(GEMM_STRIDE + isa->ldc);
    size_t attn = sizeof(float) * isa->attn_work(CPU_HEAD_DIM_MAX);
    size_t n = gemm > attn ? gemm : attn;

    return (n + 4095) / 4096 * 4096 + 256; /* they do not start at the same cache set */
}

int cpu_open_isa(struct dev **out, enum dtype type, int threads, const struct isa *isa,
                 struct fail *fail)
{
    struct cpu *c;
    int err;

    *out = NULL;
    assert(type == DT_F32 || type == DT_BF16);
    if (threads <= 0) threads = pool_available();
    c = calloc(1, sizeof *c);
    if (!c) return fail_set(fail, ERR_OUT_OF_MEMORY, "no memory for the CPU device");
    c->dev = (struct dev){.ops = &cpu_ops, .traits = CPU_TRAITS, .type = type};
    c->isa = isa;
    c->bf = type == DT_BF16;
    snprintf(c->dev.label, sizeof c->dev.label, "cpu (%d thread%s, %s, %s)", threads,
             threads == 1 ? "" : "s", isa->name, c->bf ? "bf16" : "f32");
    snprintf(c->dev.bits, sizeof c->dev.bits, "cpu %s %s", isa->name, c->bf ? "bf16" : "f32");
    c->pack = !c->bf ? PACK_F32 : isa->has_dp ? PACK_DP : PACK_BF;
    c->buffer_size = buffer_size(isa);
    c->buffers = aligned_alloc(ARENA_ALIGN, c->buffer_size * (size_t)threads);
    err = c->buffers ? pool_new(&c->pool, threads, fail)
                     : fail_set(fail, ERR_OUT_OF_MEMORY, "no memory for %d threads", threads);
    if (err) {
        dev_free(&c->dev);
        return err;
    }
    cpu_measure(c);
    c->dev.rate = 0.5 * c->flops_us * 1e6 * threads; /* half of what products alone reach */
    *out = &c->dev;
    return 0;
}

int cpu_open(struct dev **out, enum dtype type, int threads, struct fail *fail)
{
    const struct isa *list[ISA_MOST];

    isa_list(list);
    return cpu_open_isa(out, type, threads, list[0], fail);
}

enum dtype cpu_best_type(void)
{
    const struct isa *list[ISA_MOST];

    isa_list(list);
    return list[0]->has_dp ? DT_BF16 : DT_F32;
}
