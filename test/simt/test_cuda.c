/* The CUDA device on an emulated GPU, operation by operation against the CPU device,
 * in float and bf16.
 *
 * The kernels are the ones that nvcc compiles; blocks and fibers run in both directions, so a
 * barrier that is missing shows as a difference; shared memory starts as NaN. Catches wrong
 * indices, strides and roundings, a grid that is too small, a sticky error that does not stick,
 * memory that leaks, a recording that does not repeat. */
#include "kernels/cuda/cublaslt.h"
#include "kernels/cuda/cuda.h"
#include "kernels/cuda/cudnn.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/dlopen.h"
#include "kernels/cuda/plan_cache.h"
#include "kernels/cuda/tuning.h"
#include "test/simt/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

void simt_order(int order);

static struct dev *open_cuda(enum dtype type)
{
    struct dev *d;
    struct fail f = {0};
    const struct cuda_opts o = {.index = 0};

    if (cuda_open(&d, type, &o, &f)) fail_msg("%s", f.message);
    return d;
}

static void compare(enum dtype type, int order)
{
    struct pair p;
    struct dev *ref;
    struct fail f;
    int before;
    struct dev *dev;

#ifdef __SANITIZE_ADDRESS__
    if (order) return; /* addresses do not depend on it, and fibers cost the sanitizer minutes */
#endif
    before = simt_blocks();
    dev = open_cuda(type);
    simt_order(order);
    assert_int_equal(cpu_open(&ref, type, 1, &f), 0);
    assert_int_equal(pair_open(&p, ref, dev, 32 << 20, 4 << 20, &f), 0);
    p.exact = 1;
    pair_cases(&p, PAIR_ODD);
    pair_close(&p);
    assert_true(p.passed > 40);
    assert_int_equal(p.failed, 0);
    dev->ops->free(dev);
    ref->ops->free(ref);
    assert_int_equal(simt_blocks(), before);
}

static void f32_upwards(void **s)
{
    (void)s;
    compare(DT_F32, 0);
}

static void f32_downwards(void **s)
{
    (void)s;
    compare(DT_F32, 1);
}

static void bf16_upwards(void **s)
{
    (void)s;
    compare(DT_BF16, 0);
}

static void bf16_downwards(void **s)
{
    (void)s;
    compare(DT_BF16, 1);
}

/* -- the device around the operations ---------------------------------------------------------- */

static void failure_sticks_until_reset(void **s)
{
    struct dev *d = open_cuda(DT_F32);
    struct fail f = {0};
    void *mem;
    float one[4] = {1, 2, 3, 4}, back[4] = {0};
    tensor t;

    (void)s;
    assert_int_equal(d->ops->mem_new(d, &mem, 256, &f), 0);
    t = tensor_at(mem, DT_F32, 2, 2);
    d->ops->put(d, t, one);
    simt_fail_after(0, cudaErrorIllegalAddress);
    d->ops->zero(d, t); /* fails, and the next one must not happen */
    d->ops->zero(d, t);
    assert_int_equal(d->ops->sync(d, &f), ERR_DEVICE);
    assert_non_null(strstr(f.message, "zero"));
    assert_int_equal(d->ops->sync(d, &f), ERR_DEVICE);
    d->ops->reset(d);
    d->ops->get(d, back, t);
    assert_int_equal(d->ops->sync(d, &f), 0);
    assert_memory_equal(back, one, sizeof one);
    d->ops->mem_free(d, mem, 256);
    d->ops->free(d);
}

static void no_memory_is_refused_and_not_sticky(void **s)
{
    struct dev *d;
    struct fail f = {0};
    void *mem;
    const struct cuda_opts o = {.vram = 1 << 20};
    void *more;

    (void)s;
    assert_int_equal(cuda_open(&d, DT_BF16, &o, &f), 0);
    assert_int_equal(d->ops->mem_new(d, &mem, 2 << 20, &f), ERR_OUT_OF_MEMORY);
    assert_null(mem);
    assert_true(f.hint[0]);
    assert_int_equal(d->ops->mem_new(d, &mem, 1 << 19, &f), 0);
    assert_int_equal(d->ops->mem_new(d, &more, 1 << 20, &f), ERR_OUT_OF_MEMORY);
    d->ops->mem_free(d, mem, 1 << 19);
    assert_int_equal(d->ops->mem_new(d, &mem, 1 << 20, &f), 0);
    d->ops->mem_free(d, mem, 1 << 20);
    assert_int_equal(d->ops->sync(d, &f), 0);
    d->ops->free(d);
}

/* Every allocation and creation of opening fails once: an error comes back, and nothing is left. */
static void opening_fails_cleanly(void **s)
{
    const int before = simt_blocks();
    int opened = 0;
    struct dev *d;
    struct fail f = {0};

    (void)s;
    for (int n = 0; n < 200 && !opened; n++) {
        const struct cuda_opts o = {.index = 0};
        int err;

        d = NULL;
        f = (struct fail){0};
        simt_fail_after(n, cudaErrorMemoryAllocation);
        err = cuda_open(&d, DT_F32, &o, &f);
        simt_fail_after(-1, cudaSuccess);
        opened = !err;
        if (opened)
            d->ops->free(d);
        else
            assert_true(f.message[0] && !d);
        assert_int_equal(simt_blocks(), before);
    }
    assert_true(opened);
    assert_int_equal(cuda_open(&d, DT_F32, &(struct cuda_opts){.index = 3}, &f), ERR_USAGE);
}

/* Rows without gaps are one piece; rows with gaps leave the gaps alone. */
static void rows_are_copied_whole(void **s)
{
    enum { ROWS = 5, COLS = 3 };
    struct dev *d = open_cuda(DT_F32);
    struct fail f = {0};
    float x[2 * ROWS * COLS], back[ROWS * COLS];
    void *mem;
    tensor wide, left, whole;
    int before;

    (void)s;
    for (int i = 0; i < 2 * ROWS * COLS; i++)
        x[i] = (float)i;
    assert_int_equal(d->ops->mem_new(d, &mem, 4096, &f), 0);
    wide = tensor_at(mem, DT_F32, ROWS, 2 * COLS);
    left = tensor_cols(wide, 0, COLS);
    whole = tensor_at((char *)mem + 1024, DT_F32, ROWS, COLS);
    before = simt_torn_rows();
    d->ops->put(d, wide, x);
    d->ops->copy(d, whole, left);
    d->ops->zero(d, left);
    d->ops->get(d, back, tensor_cols(wide, COLS, COLS));
    assert_int_equal(d->ops->sync(d, &f), 0);
    for (int i = 0; i < ROWS * COLS; i++)
        assert_true((int)back[i] == i / COLS * 2 * COLS + COLS + i % COLS);
    d->ops->get(d, back, whole);
    assert_int_equal(d->ops->sync(d, &f), 0);
    for (int i = 0; i < ROWS * COLS; i++)
        assert_true((int)back[i] == i / COLS * 2 * COLS + i % COLS);
    d->ops->zero(d, whole);
    assert_int_equal(d->ops->peek(d, back, whole, &f), 0);
    assert_true((int)back[ROWS * COLS - 1] == 0);
    assert_int_equal(simt_torn_rows(), before);
    d->ops->mem_free(d, mem, 4096);
    d->ops->free(d);
}

/* One step: y += x, three times; the third and later ones come from the recording. */
static void a_captured_step_repeats(void **s)
{
    struct dev *d = open_cuda(DT_F32);
    struct fail f = {0};
    void *mem;
    const float x[3] = {1, 2, 3};
    float y[3] = {0};
    tensor a, b;
    int repeated = 0;

    (void)s;
    assert_int_equal(d->ops->mem_new(d, &mem, 512, &f), 0);
    a = tensor_at(mem, DT_F32, 1, 3);
    b = tensor_at((char *)mem + 256, DT_F32, 1, 3);
    d->ops->put(d, a, x);
    for (int i = 0; i < 5; i++) {
        if (cuda_capture_begin(d, 77)) {
            repeated++;
            continue;
        }
        d->ops->add_act(d, b, b, a, ACT_NONE);
        cuda_capture_end(d);
    }
    d->ops->get(d, y, b);
    assert_int_equal(d->ops->sync(d, &f), 0);
    assert_int_equal(repeated, 3);
    assert_true(y[0] >= 5 && y[0] <= 5 && y[2] >= 15 && y[2] <= 15);
    d->ops->mem_free(d, mem, 512); /* drops the recording: its address is gone */
    assert_int_equal(cuda_capture_begin(d, 77), 0);
    cuda_capture_end(d);
    d->ops->free(d);
}

/* A reset in the middle of a capture: what was captured so far never runs. */
static void a_reset_forgets_half_a_capture(void **s)
{
    struct dev *d = open_cuda(DT_F32);
    const float x[2] = {1, 2};
    float y[2] = {0};
    struct fail f = {0};
    void *mem;
    tensor a, b;

    (void)s;
    assert_int_equal(d->ops->mem_new(d, &mem, 512, &f), 0);
    a = tensor_at(mem, DT_F32, 1, 2);
    b = tensor_at((char *)mem + 256, DT_F32, 1, 2);
    d->ops->put(d, a, x);
    assert_int_equal(cuda_capture_begin(d, 5), 0);
    cuda_capture_end(d);
    assert_int_equal(cuda_capture_begin(d, 5), 0);
    d->ops->add_act(d, b, b, a, ACT_NONE);
    d->ops->reset(d);
    assert_int_equal(cuda_capture_begin(d, 5), 0);
    d->ops->add_act(d, b, b, a, ACT_NONE);
    cuda_capture_end(d);
    d->ops->get(d, y, b);
    assert_int_equal(d->ops->sync(d, &f), 0);
    assert_true((int)y[0] == 1 && (int)y[1] == 2);
    d->ops->mem_free(d, mem, 512);
    d->ops->free(d);
}

/* More than both halves of the staging memory, from a buffer that changes at once. */
static void uploads_survive_their_source(void **s)
{
    enum { N = 40 << 20 };
    struct dev *d = open_cuda(DT_F32);
    struct fail f = {0};
    void *mem;
    uint8_t *host = malloc(N), *back = malloc(N);

    (void)s;
    assert_true(host && back);
    assert_int_equal(d->ops->mem_new(d, &mem, N, &f), 0);
    for (int i = 0; i < N; i++)
        host[i] = (uint8_t)(i * 31 + i / 4096);
    d->ops->put(d, tensor_at(mem, DT_U8, N / 4096, 4096), host);
    memset(host, 0, N);
    d->ops->get(d, back, tensor_at(mem, DT_U8, N / 4096, 4096));
    assert_int_equal(d->ops->sync(d, &f), 0);
    for (int i = 0; i < N; i++)
        if (back[i] != (uint8_t)(i * 31 + i / 4096)) fail_msg("byte %d", i);
    d->ops->mem_free(d, mem, N);
    d->ops->free(d);
    free(host);
    free(back);
}

/* -- what the libraries are asked, as data ----------------------------------------------------- */

static void products_are_described(void **s)
{
    static char mem[64] __attribute__((aligned(64)));
    struct cublaslt_shape a, b;
    struct cu_product p = {.y = mem,
                           .x = mem,
                           .w = mem,
                           .bias = mem,
                           .ldy = 4096,
                           .ldx = 16384,
                           .m = 4352,
                           .n = 4096,
                           .k = 16384,
                           .add = 0};

    (void)s;
    assert_true(cublaslt_plan(&a, &p, 1));
    assert_true(a.bias && !a.gelu && !a.beta && !a.after && !a.y_f32);
    p.m = 17;
    assert_true(cublaslt_plan(&b, &p, 1));
    assert_true(cublaslt_key(&a) == cublaslt_key(&b)); /* one algorithm for every number of rows */
    p.act = CU_ACT_GELU_TANH;
    assert_true(cublaslt_plan(&b, &p, 1) && b.gelu && cublaslt_key(&a) != cublaslt_key(&b));
    p.act = CU_ACT_SILU;
    assert_true(cublaslt_plan(&b, &p, 1) && b.after == CU_ACT_SILU
                && cublaslt_key(&a) == cublaslt_key(&b));
    p.add = 1;
    assert_false(cublaslt_plan(&b, &p, 1)); /* y + silu(.) is not the library's order */
    p.act = CU_ACT_NONE;
    assert_true(cublaslt_plan(&b, &p, 1) && b.beta && cublaslt_key(&a) != cublaslt_key(&b));
    p.k = 16380;
    assert_false(cublaslt_plan(&b, &p, 1)); /* rows of w that do not start on 16 bytes */
    p.k = 16384;
    p.x = mem + 2;
    assert_false(cublaslt_plan(&b, &p, 1));
    p.x = mem;
    p.n = 3;
    assert_false(cublaslt_plan(&b, &p, 1));
    p.n = 64;
    assert_true(cublaslt_plan(&b, &p, 0) && !b.bf && cublaslt_key(&a) != cublaslt_key(&b));
}

/* Catches: an autotuning result that is not found again, a file cut short or foreign that is
 * used. */
static void tuning_is_kept(void **s)
{
    char dir[] = "/tmp/tuning-XXXXXX", file[600], junk[72] = {0};
    struct tuning a, b;
    FILE *f;

    (void)s;
    assert_non_null(mkdtemp(dir));
    tuning_open(&a, dir, "lib", 130100, "sm90-132");
    assert_null(tuning_find(&a, 7));
    assert_memory_equal(tuning_keep(&a, 7, "seven", 6), "seven", 6);
    assert_non_null(tuning_keep(&a, 9, "nine", 5));
    tuning_open(&b, dir, "lib", 130100, "sm90-132");
    assert_memory_equal(tuning_find(&b, 9), "nine", 5);
    tuning_open(&a, dir, "lib", 130200, "sm90-132"); /* another version, another file */
    assert_null(tuning_find(&a, 7));
    f = fopen(b.file, "ab"); /* half a record, as a full disk leaves it */
    assert_int_equal(fwrite(junk, 1, 40, f), 40);
    fclose(f);
    tuning_open(&a, dir, "lib", 130100, "sm90-132");
    assert_int_equal(a.n, 2);
    assert_non_null(tuning_keep(&a, 11, "eleven", 7));
    tuning_open(&b, dir, "lib", 130100, "sm90-132");
    assert_memory_equal(tuning_find(&b, 11), "eleven", 7);
    tuning_open(&a, NULL, "lib", 1, "x"); /* nowhere to keep them: for this run */
    for (uint64_t k = 1; k <= TUNING_RECORDS; k++)
        assert_non_null(tuning_keep(&a, k, "", 1));
    assert_null(tuning_keep(&a, 999, "", 1));
    snprintf(file, sizeof file, "rm -r %s", dir);
    assert_int_equal(system(file), 0);
}

/* Catches: a plan of another key, version or model that is used, or one cut short or altered. */
static void plans_are_kept(void **s)
{
    static const char text[] = "{\"a\": \"plan\"}";
    char dir[] = "/tmp/plans-XXXXXX", file[600], *got;
    struct plan_cache a, b;
    size_t size = 0;
    FILE *f;

    (void)s;
    assert_non_null(mkdtemp(dir));
    plan_cache_open(&a, dir, 91900, "sm90-132");
    assert_null(plan_cache_read(&a, 0x701, &size));
    plan_cache_write(&a, 0x701, text, sizeof text);
    plan_cache_open(&b, dir, 91900, "sm90-132");
    got = plan_cache_read(&b, 0x701, &size);
    assert_int_equal(size, sizeof text);
    assert_memory_equal(got, text, sizeof text);
    free(got);
    plan_cache_open(&b, dir, 92000, "sm90-132");
    assert_null(plan_cache_read(&b, 0x701, &size));
    /* the same place, another key */
    assert_null(plan_cache_read(&a, 0x701 + 256 * PLAN_CACHE_FILES, &size));
    plan_cache_write(&a, 0x701 + 256 * PLAN_CACHE_FILES, "b", 1);
    assert_null(plan_cache_read(&a, 0x701, &size));
    plan_cache_write(&a, 0x701, text, sizeof text);
    snprintf(file, sizeof file, "%s/cudnn-91900-sm90-132-07.plan", dir);
    f = fopen(file, "r+b");
    assert_non_null(f);
    fseek(f, -3, SEEK_END);
    fputc('x', f);
    fclose(f);
    assert_null(plan_cache_read(&a, 0x701, &size));
    plan_cache_write(&a, 0x701, text, sizeof text);
    assert_int_equal(truncate(file, 30), 0);
    assert_null(plan_cache_read(&a, 0x701, &size));
    plan_cache_open(&a, NULL, 91900, "sm90-132");
    plan_cache_write(&a, 0x701, text, sizeof text);
    assert_null(plan_cache_read(&a, 0x701, &size));
    snprintf(file, sizeof file, "rm -r %s", dir);
    assert_int_equal(system(file), 0);
}

/* Catches: a library that is opened by path, and what it opens by name is not found. */
static void a_library_beside_another_is_opened(void **s)
{
    static const char *const names[] = {"no-such-library.so", "libm.so.6", NULL};
    struct dlopen_lib of, beside;

    (void)s;
    assert_int_equal(dlopen_any(&of, names), 1);
    assert_non_null(dlopen_symbol(&of, "cos"));
    assert_int_equal(of.missing, 0);
    assert_int_equal(dlopen_beside(&beside, &of, "libdl.so.*"), 1);
    dlopen_close(&beside);
    assert_int_equal(dlopen_beside(&beside, &of, "no-such-library.*"), 0);
    assert_null(beside.handle);
    dlopen_close(&of);
}

static void convolutions_are_described(void **s)
{
    static char mem[64] __attribute__((aligned(64)));
    struct cudnn_graph g;
    struct cudnn_conv c = {.y = mem,
                           .x = mem,
                           .w = mem,
                           .bias = mem,
                           .h = 66,
                           .w_in = 128,
                           .c = 512,
                           .n = 512,
                           .side = 3,
                           .left = 1,
                           .right = 1,
                           .stride = 1,
                           .ldy = 512,
                           .ldx = 512};
    const int64_t xd[] = {1, 512, 66, 128}, xs[] = {66 * 128 * 512, 1, 128 * 512, 512};
    const int64_t ws[] = {9 * 512, 1, 3 * 512, 512}, yd[] = {1, 512, 64, 128};
    const struct cudnn_tensor *x, *w, *sum, *y;

    (void)s;
    assert_true(cudnn_graph_conv(&g, &c)); /* a band: two rows of halo, none of padding */
    assert_int_equal(g.ops, 2);
    x = &g.tensor[g.op[0].in[0]];
    w = &g.tensor[g.op[0].in[1]];
    sum = &g.tensor[g.op[0].out];
    y = &g.tensor[g.op[1].out];
    assert_memory_equal(x->dim, xd, sizeof xd);
    assert_memory_equal(x->stride, xs, sizeof xs);
    assert_memory_equal(w->stride, ws, sizeof ws);
    assert_memory_equal(y->dim, yd, sizeof yd);
    assert_true(sum->inner && sum->type == CUDNN_F32 && !y->inner && y->type == CUDNN_BF16);
    assert_true(g.op[0].pad_h == 0 && g.op[0].pad_w == 1 && g.op[1].in[0] == g.op[0].out);
    assert_ptr_equal(y->data, mem);
    c.add = mem + 16;
    c.lda = 1024;
    c.above = c.below = 1;
    assert_true(cudnn_graph_conv(&g, &c));
    assert_int_equal(g.ops, 3);
    assert_true(g.tensor[g.op[1].out].inner && g.op[2].in[0] == g.op[1].out);
    /* the residual first, the bias last: this order alone has Hopper kernels */
    assert_ptr_equal(g.tensor[g.op[1].in[1]].data, mem + 16);
    assert_true(g.tensor[g.op[1].in[1]].stride[3] == 1024 && g.tensor[g.op[1].out].dim[2] == 66);
    assert_true(g.tensor[g.op[2].in[1]].dim[2] == 1 && g.tensor[g.op[2].out].type == CUDNN_BF16);
    c.n = 3;
    assert_false(cudnn_graph_conv(&g, &c)); /* three channels: left to our own kernel */
    c.n = 512;
    c.add = mem + 2;
    assert_false(cudnn_graph_conv(&g, &c));
}

/* catches: padding above and on the left, a result of the whole size, one plan for both kinds */
static void halving_is_described(void **s)
{
    static char mem[64] __attribute__((aligned(64)));
    struct cudnn_graph g, whole;
    struct cudnn_conv c = {.y = mem,
                           .x = mem,
                           .w = mem,
                           .bias = mem,
                           .h = 64,
                           .w_in = 96,
                           .c = 128,
                           .n = 128,
                           .side = 3,
                           .below = 1,
                           .right = 1,
                           .stride = 2,
                           .ldy = 128,
                           .ldx = 128};
    const int64_t xd[] = {1, 128, 64, 96}, yd[] = {1, 128, 32, 48};
    const struct cudnn_op *op = &g.op[0];

    (void)s;
    assert_true(cudnn_graph_conv(&g, &c));
    assert_true(op->pad_h == 0 && op->pad_w == 0 && op->post_h == 1 && op->post_w == 1);
    assert_int_equal(op->stride, 2);
    assert_memory_equal(g.tensor[op->in[0]].dim, xd, sizeof xd);
    assert_memory_equal(g.tensor[op->out].dim, yd, sizeof yd);
    assert_memory_equal(g.tensor[g.op[1].out].dim, yd, sizeof yd);
    c.stride = c.above = c.left = 1;
    assert_true(cudnn_graph_conv(&whole, &c));
    op = &whole.op[0];
    assert_true(op->stride == 1 && op->post_h == 1 && op->post_w == 1 && op->pad_w == 1);
    assert_true(cudnn_graph_key(&whole) != cudnn_graph_key(&g));
}

static void attention_is_described(void **s)
{
    static char mem[64] __attribute__((aligned(64)));
    struct cudnn_graph g;
    struct cu_attn a = {.q = mem,
                        .k = mem,
                        .v = mem,
                        .o = mem,
                        .ldq = 12288,
                        .ldk = 12288,
                        .ldv = 12288,
                        .ldo = 4096,
                        .nq = 4128,
                        .nk = 8256,
                        .heads = 32,
                        .group = 1,
                        .head_dim = 128,
                        .scale = 0.25f};
    static const float bias[1] = {0};
    const int64_t qd[] = {1, 32, 4128, 128}, qs[] = {(int64_t)4128 * 12288, 128, 12288, 1};
    const int64_t kd[] = {1, 32, 8256, 128};
    const struct cudnn_tensor *q, *k, *scale;

    (void)s;
    assert_true(cudnn_graph_attention(&g, &a));
    assert_int_equal(g.ops, 1);
    q = &g.tensor[g.op[0].in[0]];
    k = &g.tensor[g.op[0].in[1]];
    assert_memory_equal(q->dim, qd, sizeof qd);
    assert_memory_equal(q->stride, qs, sizeof qs);
    /* keys of an image that was cached come with them */
    assert_memory_equal(k->dim, kd, sizeof kd);
    scale = &g.tensor[g.op[0].in[3]];
    assert_true(scale->by_value && scale->value >= 0.25f && scale->value <= 0.25f);
    a.group = 16;
    assert_true(cudnn_graph_attention(&g, &a) && g.tensor[g.op[0].in[1]].dim[1] == 2);
    a.bias = bias;
    assert_false(cudnn_graph_attention(&g, &a)); /* the glyph encoder's bias: our own kernel */
    a.bias = NULL;
    a.head_dim = 36;
    assert_false(cudnn_graph_attention(&g, &a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f32_upwards),
        cmocka_unit_test(bf16_upwards),
        cmocka_unit_test(f32_downwards),
        cmocka_unit_test(bf16_downwards),
        cmocka_unit_test(failure_sticks_until_reset),
        cmocka_unit_test(no_memory_is_refused_and_not_sticky),
        cmocka_unit_test(opening_fails_cleanly),
        cmocka_unit_test(rows_are_copied_whole),
        cmocka_unit_test(a_captured_step_repeats),
        cmocka_unit_test(a_reset_forgets_half_a_capture),
        cmocka_unit_test(uploads_survive_their_source),
        cmocka_unit_test(products_are_described),
        cmocka_unit_test(tuning_is_kept),
        cmocka_unit_test(plans_are_kept),
        cmocka_unit_test(a_library_beside_another_is_opened),
        cmocka_unit_test(convolutions_are_described),
        cmocka_unit_test(halving_is_described),
        cmocka_unit_test(attention_is_described),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
