/* pair - the same operations on two devices, and how far apart their results are.
 *
 * One device is the reference (the CPU), the other is on trial: the CUDA device, emulated
 * (test/simt) or real (bench/gpu.sh). Tensors come in pairs with the same contents, moved by put()
 * and get() alone, so both kinds of memory will do. Thread: one. */
#ifndef TEST_SIMT_PAIR_H
#define TEST_SIMT_PAIR_H

#include "kernels/ops.h"

#include <stdio.h>

struct pair {
    struct dev *ref, *dev;
    struct arena mem[2]; /* tensors of the case that runs */
    void *base[2], *scratch[2];
    size_t bytes, scratch_bytes;
    struct weight *weight[2][32];
    int weights;
    uint64_t seed;
    int exact;               /* dev computes a band of a picture to the bits of the whole */
    int passed, failed, bad; /* cases; bad: this one has failed */
    double worst;            /* largest error of this case, in units of what is allowed */
    FILE *table;             /* a line a case: name, type, worst; NULL: none */
    char what[160];
};

typedef struct both {
    tensor t[2]; /* on ref, on dev */
} both;

/* Memory for tensors and scratch on both. 0 or an error. Both devices have the same type. */
int pair_open(struct pair *, struct dev *ref, struct dev *dev, size_t bytes, size_t scratch,
              struct fail *);
void pair_close(struct pair *); /* not the devices */

/* Between two cases: gives tensors and weights back, and judges the last one. */
void pair_case(struct pair *, const char *format, ...) __attribute__((format(printf, 2, 3)));
void pair_end(struct pair *);

/* Uniform in [-scale, scale), by type; I32: whole numbers below scale.
 * `gap` columns behind each row. */
both pair_tensor(struct pair *, enum dtype, int64_t rows, int64_t cols, int gap, double scale);
both pair_same_value(struct pair *, enum dtype, int64_t rows, int64_t cols, double value);
both pair_ints(struct pair *, int64_t rows, int64_t cols, const int32_t *values);
both pair_floats(struct pair *, int64_t rows, int64_t cols, const float *values);
static inline both both_none(void)
{
    return (both){{tensor_none(), tensor_none()}};
}
static inline both both_cols(both x, int64_t col, int64_t n)
{
    return (both){{tensor_cols(x.t[0], col, n), tensor_cols(x.t[1], col, n)}};
}
static inline both both_rows(both x, int64_t row, int64_t n)
{
    return (both){{tensor_rows(x.t[0], row, n), tensor_rows(x.t[1], row, n)}};
}

/* Index of the pair of weights, made of random values. */
int pair_weight(struct pair *, enum weight_use, int64_t rows, int64_t cols, int k, int bias,
                double scale);
/* The same of a convolution [out, in, 3, 3] with a bias that enlarges. */
int pair_weight_up(struct pair *, int64_t out, int64_t in, double scale);

/* max |dev - ref| <= tol max |ref|; tol 0: equal in every bit. NaN fails. */
void pair_near(struct pair *, both, double tol);
/* Two tensors of the device on trial have the same bits. */
void pair_same(struct pair *, tensor, tensor);
/* Tolerance of one operation in this type: 1e-5, or about two roundings to bf16. */
double pair_tol(const struct pair *);

/* Runs f for both devices: f(dev, which). */
#define PAIR_EACH(p, i, d)      \
    for (int i = 0; i < 2; i++) \
        for (struct dev *d = i ? (p)->dev : (p)->ref; d; d = NULL)

/* All cases of cases.c: odd shapes, or the released model's widths (minutes on a CPU). */
enum pair_size { PAIR_ODD, PAIR_WIDE };
void pair_cases(struct pair *, enum pair_size);
/* Those of condition_cases.c, which are among them. */
void pair_condition_cases(struct pair *, enum pair_size);

#endif
