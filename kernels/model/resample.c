/* resample - taps of every output, then a horizontal and a vertical pass. */
#include "kernels/model/resample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHANNELS = 3, PRECISION = 32 - 8 - 2 };

/* What one pass needs of one output: inputs first .. first + n - 1 and their weights. */
struct taps {
    int most;   /* weights of one output, at most */
    int *first; /* [outputs] */
    int *n;     /* [outputs] */
    int32_t *k; /* [outputs, most] */
};

static double sinc(double x)
{
    const double pi = 3.14159265358979323846;

    return x == 0.0 ? 1.0 : sin(x * pi) / (x * pi);
}

static double weight_at(enum resample_filter filter, double x)
{
    if (filter == RESAMPLE_LANCZOS) return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0;
    if (x < 0.0) x = -x;
    if (x < 1.0) return ((-0.5 + 2.0) * x - (-0.5 + 3.0)) * x * x + 1;
    if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * -0.5;
    return 0.0;
}

static int32_t fixed(double w)
{
    const double unit = 1 << PRECISION;

    return (int32_t)(w < 0 ? -0.5 + w * unit : 0.5 + w * unit);
}

/* The weights of output i, normed in double before they are rounded. */
static void fill_taps(struct taps *t, int i, enum resample_filter filter, double scale, int inputs,
                      double *w)
{
    const double wide = scale < 1.0 ? 1.0 : scale, center = (i + 0.5) * scale;
    const double support = (filter == RESAMPLE_LANCZOS ? 3.0 : 2.0) * wide, inverse = 1.0 / wide;
    const int low = (int)(center - support + 0.5), high = (int)(center + support + 0.5);
    const int first = low < 0 ? 0 : low, end = high > inputs ? inputs : high;
    double sum = 0;

    t->first[i] = first;
    t->n[i] = end - first;
    for (int j = 0; j < t->n[i]; j++)
        sum += w[j] = weight_at(filter, (j + first - center + 0.5) * inverse);
    for (int j = 0; j < t->n[i]; j++)
        t->k[(size_t)i * (size_t)t->most + (size_t)j] = fixed(sum != 0.0 ? w[j] / sum : w[j]);
}

static void taps_free(struct taps *t)
{
    free(t->first);
    free(t->n);
    free(t->k);
}

static int taps_new(struct taps *t, enum resample_filter filter, int inputs, int outputs,
                    struct fail *f)
{
    const double scale = (double)inputs / outputs, wide = scale < 1.0 ? 1.0 : scale;
    const size_t n = (size_t)outputs;
    double *w;

    t->most = 2 * (int)ceil((filter == RESAMPLE_LANCZOS ? 3.0 : 2.0) * wide) + 1;
    t->first = calloc(n, sizeof *t->first);
    t->n = calloc(n, sizeof *t->n);
    t->k = calloc(n * (size_t)t->most, sizeof *t->k);
    w = calloc((size_t)t->most, sizeof *w);
    for (int i = 0; t->first && t->n && t->k && w && i < outputs; i++)
        fill_taps(t, i, filter, scale, inputs, w);
    free(w);
    if (t->first && t->n && t->k && w) return 0;
    taps_free(t);
    return fail_set(f, ERR_OUT_OF_MEMORY, "no host memory to resize a picture");
}

/* One value: `step` bytes from input to input. */
static uint8_t mix(const uint8_t *from, size_t step, const int32_t *k, int n)
{
    int32_t sum = 1 << (PRECISION - 1);

    for (int j = 0; j < n; j++)
        sum += from[(size_t)j * step] * k[j];
    sum >>= PRECISION;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

/* A picture of `lines` lines along the other direction: `line` bytes from one to the next, `step`
 * from input to input and `to_step` from output to output. */
struct pass {
    int lines, outputs;
    size_t line, to_line, step, to_step;
};

static void pass_run(const struct pass *p, const struct taps *t, uint8_t *to, const uint8_t *from)
{
    for (int y = 0; y < p->lines; y++)
        for (int i = 0; i < p->outputs; i++)
            for (int c = 0; c < CHANNELS; c++)
                to[(size_t)y * p->to_line + (size_t)i * p->to_step + (size_t)c] =
                    mix(from + (size_t)y * p->line + (size_t)t->first[i] * p->step + c, p->step,
                        t->k + (size_t)i * (size_t)t->most, t->n[i]);
}

/* to = from with the other width (`vertical`: height); the other side stays. */
static int one_pass(uint8_t *to, struct resample_size out, const uint8_t *from,
                    struct resample_size in, int vertical, enum resample_filter filter,
                    struct fail *f)
{
    const size_t row = CHANNELS * (size_t)in.w, to_row = CHANNELS * (size_t)out.w;
    const struct pass across = {.lines = in.h,
                                .outputs = out.w,
                                .line = row,
                                .to_line = to_row,
                                .step = CHANNELS,
                                .to_step = CHANNELS};
    const struct pass down = {.lines = in.w,
                              .outputs = out.h,
                              .line = CHANNELS,
                              .to_line = CHANNELS,
                              .step = row,
                              .to_step = to_row};
    struct taps t;
    int err = taps_new(&t, filter, vertical ? in.h : in.w, vertical ? out.h : out.w, f);

    if (err) return err;
    pass_run(vertical ? &down : &across, &t, to, from);
    taps_free(&t);
    return 0;
}

int resample(uint8_t *to, struct resample_size out, const uint8_t *from, struct resample_size in,
             enum resample_filter filter, struct fail *f)
{
    const int lost = in.h - out.h;
    const int vertical = lost > 0 && lost > 2 * (in.w - out.w);
    struct resample_size mid =
        vertical ? (struct resample_size){in.w, out.h} : (struct resample_size){out.w, in.h};
    uint8_t *between;
    int err;

    if (in.w == out.w && in.h == out.h) {
        memcpy(to, from, CHANNELS * (size_t)in.w * (size_t)in.h);
        return 0;
    }
    if (in.w == out.w || in.h == out.h)
        return one_pass(to, out, from, in, in.w == out.w, filter, f);
    between = malloc(CHANNELS * (size_t)mid.w * (size_t)mid.h);
    if (!between) return fail_set(f, ERR_OUT_OF_MEMORY, "no host memory to resize a picture");
    err = one_pass(between, mid, from, in, vertical, filter, f);
    if (!err) err = one_pass(to, out, between, mid, !vertical, filter, f);
    free(between);
    return err;
}
