/* test_golden - the whole chain against traces of the reference pipeline, tensor by tensor.
 *
 * The traces and checkpoints under test/golden are made by make.py there;
 * nothing but them is needed here. */
#include "kernels/glm_report.h"
#include "weights/safetensors/safetensors.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const CASES[] = {"plain", "odd", "rope", "chan", "edit", "edits"};
enum { CASES_N = sizeof CASES / sizeof *CASES };

/* A trace of ours in a scratch file, and the reference's. */
struct pair {
    struct safetensors *mine, *ref;
    char path[64];
};

static void open_pair(struct pair *p, const char *name, enum glm_type type)
{
    struct fail f = {0};
    char model[128], like[128];
    const struct glm_opts o = {.model = model, .device = "cpu", .type = type, .threads = 2};
    int fd;

    snprintf(model, sizeof model, "test/golden/%s/model", name);
    snprintf(like, sizeof like, "test/golden/%s/trace.safetensors", name);
    snprintf(p->path, sizeof p->path, "/tmp/darkroom-golden-XXXXXX");
    fd = mkstemp(p->path);
    assert_true(fd >= 0);
    close(fd);
    if (glm_report_trace(&o, like, p->path, &f)) fail_msg("%s: %s", name, f.message);
    assert_int_equal(safetensors_open(&p->mine, p->path, &f), 0);
    assert_int_equal(safetensors_open(&p->ref, like, &f), 0);
}

static void close_pair(struct pair *p)
{
    safetensors_close(p->mine);
    safetensors_close(p->ref);
    unlink(p->path);
}

static float *floats(const struct stored_tensor *t)
{
    float *v = calloc((size_t)t->count + 1, sizeof *v);

    assert_non_null(v);
    assert_int_equal(dtype_to_f32(t, 0, t->count, v), 0);
    return v;
}

/* max |a - b| / max |b|, or for similar directions 1 - cosine. */
static double difference(const struct stored_tensor *a, const struct stored_tensor *b,
                         int direction)
{
    float *x = floats(a), *y = floats(b);
    double most = 0, top = 1e-30, xx = 0, yy = 0, xy = 0;

    for (int64_t i = 0; i < b->count; i++) {
        double d = fabs((double)x[i] - (double)y[i]);

        if (!(d <= most)) most = d; /* a NaN wins and stays */
        if (fabs((double)y[i]) > top) top = fabs((double)y[i]);
        xx += (double)x[i] * (double)x[i];
        yy += (double)y[i] * (double)y[i];
        xy += (double)x[i] * (double)y[i];
    }
    free(x);
    free(y);
    return direction ? 1 - xy / sqrt(xx * yy + 1e-300) : most / top;
}

/* How many integers differ by more than `slack`, and how many at all. */
static int64_t integers_off(const struct stored_tensor *a, const struct stored_tensor *b,
                            int64_t slack, int64_t *any)
{
    int64_t *x = calloc((size_t)b->count + 1, sizeof *x),
            *y = calloc((size_t)b->count + 1, sizeof *y);
    int64_t off = 0;

    assert_true(x && y);
    assert_int_equal(dtype_to_i64(a, 0, a->count, x), 0);
    assert_int_equal(dtype_to_i64(b, 0, b->count, y), 0);
    *any = 0;
    for (int64_t i = 0; i < b->count; i++) {
        *any += x[i] != y[i];
        off += llabs(x[i] - y[i]) > slack;
    }
    free(x);
    free(y);
    return off;
}

static int is_float(const struct stored_tensor *t)
{
    return t->dtype <= DTYPE_BF16 || t->dtype == DTYPE_F64;
}

static void check_exact(const char *name, const struct stored_tensor *a,
                        const struct stored_tensor *b)
{
    int image = !strcmp(b->name, "image");
    int64_t any;

    if (is_float(b)) {
        double e = difference(a, b, 0);

        if (!(e <= 1e-5)) fail_msg("%s: %s is off by %.2e", name, b->name, e);
    } else if (integers_off(a, b, image, &any) || any > (image ? b->count / 1000 + 1 : 0)) {
        fail_msg("%s: %s has %lld values that differ", name, b->name, (long long)any);
    }
}

static const struct stored_tensor *twin(const char *name, const struct safetensors *mine,
                                        const struct stored_tensor *b)
{
    const struct stored_tensor *a = safetensors_find(mine, b->name);

    if (!a) fail_msg("%s: the trace lacks %s", name, b->name);
    if (a->nd != b->nd || memcmp(a->dim, b->dim, sizeof a->dim)) {
        char x[96], y[96];

        fail_msg("%s: %s is %s, not %s", name, b->name, dtype_describe(a, x, sizeof x),
                 dtype_describe(b, y, sizeof y));
    }
    return a;
}

/* catches: any deviation of any stage from the reference, in ids, shapes, positions or numbers */
static void every_tensor_is_the_references(void **state)
{
    (void)state;
    for (int k = 0; k < CASES_N; k++) {
        struct pair p;

        open_pair(&p, CASES[k], GLM_F32);
        assert_true(safetensors_count(p.ref) > 30);
        for (size_t i = 0; i < safetensors_count(p.ref); i++) {
            const struct stored_tensor *b = safetensors_at(p.ref, i);

            check_exact(CASES[k], twin(CASES[k], p.mine, b), b);
        }
        close_pair(&p);
    }
}

static double psnr(const struct stored_tensor *a, const struct stored_tensor *b)
{
    const uint8_t *x = a->data, *y = b->data;
    double sum = 0;

    for (int64_t i = 0; i < b->count; i++)
        sum += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
    return 10 * log10(255.0 * 255.0 * (double)b->count / (sum + 1e-9));
}

/* catches: a rounding point that loses more than the format does, in the fast type */
static void bf16_keeps_its_direction(void **state)
{
    (void)state;
    for (int k = 0; k < CASES_N; k++) {
        struct pair p;
        double db;

        open_pair(&p, CASES[k], GLM_BF16);
        for (size_t i = 0; i < safetensors_count(p.ref); i++) {
            const struct stored_tensor *b = safetensors_at(p.ref, i);
            const struct stored_tensor *a = twin(CASES[k], p.mine, b);
            double e;

            /* what a nucleus keeps at its border is no matter of direction */
            if (!is_float(b) || !strcmp(b->name, "ar.sample.probs")) continue;
            e = difference(a, b, 1);
            if (!(e <= 1e-3)) fail_msg("%s: %s turns by %.2e", CASES[k], b->name, e);
        }
        db = psnr(twin(CASES[k], p.mine, safetensors_find(p.ref, "image")),
                  safetensors_find(p.ref, "image"));
        if (!(db >= 35)) fail_msg("%s: the picture is only %.1f dB near", CASES[k], db);
        close_pair(&p);
    }
}

/* catches: a trace command that dies on what is no trace, or says nothing useful */
static void what_is_no_trace_is_refused(void **state)
{
    struct fail f = {0};
    const struct glm_opts o = {.model = "test/golden/plain/model", .device = "cpu"};
    const char *weights = "test/golden/plain/model/vae/diffusion_pytorch_model.safetensors";

    (void)state;
    assert_int_equal(glm_report_trace(&o, weights, "/tmp/darkroom-never", &f), ERR_USAGE);
    assert_non_null(strstr(f.message, "metadata"));
    assert_int_not_equal(glm_report_trace(&o, "test/golden/none", "/tmp/darkroom-never", &f), 0);
    assert_int_not_equal(access("/tmp/darkroom-never", F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tensor_is_the_references),
        cmocka_unit_test(bf16_keeps_its_direction),
        cmocka_unit_test(what_is_no_trace_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
