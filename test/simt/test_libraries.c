/* Libraries that take work, refuse it or do not run: cuBLASLt and cuDNN replaced by ones of our
 * own.
 *
 * Catches: a refusal that ends in a failed device or in wrong values, work that is done twice,
 * a refusal that is not counted or whose reason is lost. */
#include "kernels/cuda/cublaslt.h"
#include "kernels/cuda/cuda.h"
#include "kernels/cuda/cudnn.h"
#include "kernels/cuda/device.h"
#include "test/simt/pair.h"
#include "weights/safetensors/dtype.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What the libraries return; convolutions do so from the n-th on, and take those before. */
static int result, taken;
/* calls so far */
static int products, convolutions, attentions;
/* fewest outputs of a convolution */
static int least_columns;

struct cublaslt *cublaslt_open(void *stream, void *work, size_t bytes, const char *cache,
                               const char *model)
{
    (void)stream, (void)work, (void)bytes, (void)cache, (void)model;
    return (struct cublaslt *)(void *)&products;
}

void cublaslt_close(struct cublaslt *l)
{
    (void)l;
}

void cublaslt_describe(const struct cublaslt *l, char *out, size_t size)
{
    (void)l, (void)size;
    *out = 0;
}

const char *cublaslt_why(const struct cublaslt *l)
{
    (void)l;
    return "no algorithm";
}

int cublaslt_plan(struct cublaslt_shape *s, const struct cu_product *p, int bf)
{
    (void)p, (void)bf;
    *s = (struct cublaslt_shape){0};
    return 1;
}

int cublaslt_run(struct cublaslt *l, const struct cublaslt_shape *s, const struct cu_product *p)
{
    (void)l, (void)s, (void)p;
    products++;
    return result;
}

struct cudnn *cudnn_open(void *stream, void *work, size_t bytes, void *try, size_t try_bytes,
                         const char *cache, const char *model)
{
    (void)stream, (void)work, (void)bytes, (void)try, (void)try_bytes, (void)cache, (void)model;
    return (struct cudnn *)(void *)&convolutions;
}

void cudnn_close(struct cudnn *d)
{
    (void)d;
}

void cudnn_describe(const struct cudnn *d, char *out, size_t size)
{
    (void)d, (void)size;
    *out = 0;
}

const char *cudnn_why(const struct cudnn *d)
{
    (void)d;
    return "no plan";
}

/* One result of a 2x2 window in float: the phases of an enlarged picture. */
static float window_sum(const struct cudnn_conv *c, int row, int column, int n)
{
    const uint16_t *x = c->x, *w = (const uint16_t *)c->w + (int64_t)n * 4 * c->c;
    float sum = bf16_to_f32(((const uint16_t *)c->bias)[n]);

    for (int t = 0; t < 4; t++) {
        const int i = row - c->above + t / 2, j = column - c->left + t % 2;

        if (i < 0 || j < 0 || i >= c->h || j >= c->w_in) continue;
        for (int k = 0; k < c->c; k++)
            sum += bf16_to_f32(x[((int64_t)i * c->w_in + j) * c->ldx + k])
                   * bf16_to_f32(w[t * c->c + k]);
    }
    return sum;
}

static void windows(const struct cudnn_conv *c)
{
    const int columns = cudnn_conv_columns(c);
    uint16_t *y = c->y;

    for (int i = 0; i < cudnn_conv_rows(c); i++)
        for (int j = 0; j < columns; j++)
            for (int n = 0; n < c->n; n++)
                y[((int64_t)i * columns + j) * c->ldy + n] = f32_to_bf16(window_sum(c, i, j, n));
}

/* Does the work where it takes it: with our own kernel, in the layout of ours. */
int cudnn_conv(struct cudnn *d, const struct cudnn_conv *c)
{
    const struct cu_queue q = {0};
    const struct cu_conv own = {.y = c->y,
                                .x = c->x,
                                .w = c->w,
                                .bias = c->bias,
                                .add = c->add,
                                .h = c->h,
                                .w_in = c->w_in,
                                .c = c->c,
                                .n = c->n,
                                .side = c->side,
                                .half = c->stride == 2,
                                .first = c->side / 2 - c->above,
                                .rows = cudnn_conv_rows(c),
                                .ldy = c->ldy,
                                .ldx = c->ldx,
                                .lda = c->lda};

    (void)d;
    if (c->n < least_columns) least_columns = c->n;
    if (convolutions++ >= taken) return result;
    if (c->side == 2)
        windows(c);
    else
        cu_conv(&q, 1, &own);
    return 1;
}

int cudnn_attention(struct cudnn *d, const struct cu_attn *a)
{
    (void)d, (void)a;
    attentions++;
    return result;
}

static struct pair p;

static void open_pair(void)
{
    struct dev *ref, *dev;
    struct fail f = {0};

    products = convolutions = attentions = taken = 0;
    assert_int_equal(cuda_open(&dev, DT_BF16, &(struct cuda_opts){.index = 0}, &f), 0);
    assert_int_equal(cpu_open(&ref, DT_BF16, 1, &f), 0);
    assert_int_equal(pair_open(&p, ref, dev, 32 << 20, 4 << 20, &f), 0);
}

static void close_pair(void)
{
    struct dev *ref = p.ref, *dev = p.dev;

    pair_close(&p);
    assert_int_equal(p.failed, 0);
    assert_true(p.passed > 0);
    dev->ops->free(dev);
    ref->ops->free(ref);
}

/* All operations are right when every request is refused; what was refused is counted by kind. */
static void refused_work_is_done_by_our_kernels(void **s)
{
    char line[400];

    (void)s;
#ifdef __SANITIZE_ADDRESS__
    skip(); /* fibers cost the sanitizer minutes */
#endif
    result = -1;
    open_pair();
    pair_cases(&p, PAIR_ODD);
    pair_end(&p);
    assert_true(products > 0 && convolutions > 0 && attentions > 0);
    assert_true(cuda_libraries(p.dev, line, sizeof line) > 2);
    assert_non_null(strstr(line, "products 0 of "));
    assert_non_null(strstr(line, "(no algorithm)"));
    assert_non_null(strstr(line, "convolutions 0 of "));
    assert_non_null(strstr(line, "(no plan)"));
    close_pair();
}

/* Work that has no description for a library is not counted as refused. */
static void what_is_not_for_a_library_is_not_counted(void **s)
{
    char line[400];
    both x, y;
    int w;

    (void)s;
    result = 0;
    open_pair();
    pair_case(&p, "a product");
    x = pair_tensor(&p, DT_BF16, 20, 64, 0, 1);
    y = pair_tensor(&p, DT_BF16, 20, 64, 0, 1);
    w = pair_weight(&p, USE_LINEAR, 64, 64, 0, 1, 0.1);
    PAIR_EACH(&p, i, d)
    d->ops->linear(d, y.t[i], x.t[i], p.weight[i][w], ACT_NONE, 0);
    pair_near(&p, y, pair_tol(&p));
    pair_end(&p);
    assert_int_equal(products, 1);
    assert_int_equal(cuda_libraries(p.dev, line, sizeof line), 0);
    assert_string_equal(line, "products 0 of 0, convolutions 0 of 0, attentions 0 of 0");
    close_pair();
}

/* Rows of an enlarged picture from row `first` on, of which the library takes so many bands of
 * `bytes`: our own kernel does the rest. Returns how often the library was asked. */
static int enlarge(int h, int w, int out, int first, int rows, size_t bytes, int bands)
{
    enum { CHANNELS = 16 };
    both x, y;
    int f;

    result = -1;
    open_pair();
    taken = bands;
    cuda_of(p.dev)->band = bytes;
    pair_case(&p, "%d x %d enlarged, %d bands of %zu bytes, rows %d to %d", h, w, bands, bytes,
              first, first + rows);
    x = pair_tensor(&p, DT_BF16, (int64_t)h * w, CHANNELS, 8, 1);
    y = pair_same_value(&p, DT_BF16, (int64_t)2 * w * rows, out, 7);
    f = pair_weight_up(&p, out, CHANNELS, 0.1);
    PAIR_EACH(&p, i, d)
    d->ops->conv(d, y.t[i], x.t[i], p.weight[i][f], h, w, 1, first, tensor_none());
    pair_near(&p, y, pair_tol(&p));
    pair_end(&p);
    close_pair();
    return convolutions;
}

/* catches: phases that are added or interleaved in a wrong way, at the edges of the picture, of a
 * band and of what is asked for; a refused band that ends the picture */
static void an_enlarged_picture_is_four_phases(void **s)
{
    const size_t line = (size_t)(12 + 1) * 4 * 8 * 2;

    (void)s;
#ifdef __SANITIZE_ADDRESS__
    skip();
#endif
    assert_int_equal(enlarge(9, 12, 8, 0, 18, CUDA_BAND, 1), 1);
    assert_int_equal(enlarge(9, 12, 6, 0, 18, CUDA_BAND, 1), 1); /* pixels of 12 bytes */
    assert_int_equal(enlarge(9, 12, 8, 0, 18, 3 * line, 9), 5);  /* ten windows, two a band */
    assert_int_equal(enlarge(9, 12, 8, 5, 8, 3 * line, 9), 2);
    assert_int_equal(enlarge(9, 12, 8, 6, 1, line, 9), 1);
    assert_int_equal(enlarge(9, 12, 8, 17, 1, line, 9), 1);
    assert_int_equal(enlarge(9, 12, 8, 0, 18, 3 * line, 2), 3); /* the third is refused */
    assert_int_equal(enlarge(9, 12, 8, 0, 18, line - 1, 9), 0); /* no room for one row */
}

/* Three channels are computed as eight where y has room for them: the others are zeros. */
static void three_channels_are_eight_for_the_library(void **s)
{
    enum { H = 9, W = 13 };

    (void)s;
    result = -1;
    for (int room = 0; room < 2; room++) {
        both x, y;
        int w;

        open_pair();
        taken = 1;
        least_columns = 1000;
        pair_case(&p, "three channels, room for %d", room ? 8 : 3);
        x = pair_tensor(&p, DT_BF16, H * W, 16, 0, 1);
        y = pair_tensor(&p, DT_BF16, H * W, 3, room ? 5 : 0, 1);
        w = pair_weight(&p, USE_CONV, 3, 16 * 9, 3, 1, 0.1);
        PAIR_EACH(&p, i, d)
        d->ops->conv(d, y.t[i], x.t[i], p.weight[i][w], H, W, 0, 0, tensor_none());
        pair_near(&p, y, pair_tol(&p));
        pair_end(&p);
        assert_int_equal(least_columns, room ? 8 : 3);
        close_pair();
    }
}

/* catches: a halved picture that the library takes and that is done again, or described with other
 * rows */
static void a_halved_picture_is_taken(void **s)
{
    enum { H = 10, W = 12 };
    both x, y;
    int w;

    (void)s;
    result = -1;
    open_pair();
    taken = 1;
    pair_case(&p, "a halved picture");
    x = pair_tensor(&p, DT_BF16, H * W, 16, 8, 1);
    y = pair_tensor(&p, DT_BF16, H * W / 4, 24, 0, 1);
    w = pair_weight(&p, USE_CONV, 24, 16 * 9, 3, 1, 0.1);
    PAIR_EACH(&p, i, d)
    d->ops->conv_half(d, y.t[i], x.t[i], p.weight[i][w], H, W);
    pair_near(&p, y, pair_tol(&p));
    pair_end(&p);
    assert_int_equal(convolutions, 1);
    close_pair();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_work_is_done_by_our_kernels),
        cmocka_unit_test(what_is_not_for_a_library_is_not_counted),
        cmocka_unit_test(an_enlarged_picture_is_four_phases),
        cmocka_unit_test(three_channels_are_eight_for_the_library),
        cmocka_unit_test(a_halved_picture_is_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
