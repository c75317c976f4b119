/* tensor - a typed rectangle of device memory: a small value, never an owner.
 *
 * Two kinds of use, one struct. A matrix is `rows` x `cols` with `ld` elements from row to row, so
 * a slice of columns or rows is again a tensor. A picture is the matrix [height*width, channels]
 * (NHWC): every device convolves in that layout. The address may belong to a GPU: only a device's
 * operations look at what it points to. Thread: values, any. */
#ifndef KERNELS_TENSOR_H
#define KERNELS_TENSOR_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

enum dtype { DT_F32, DT_BF16, DT_I32, DT_U8 };

typedef struct tensor {
    void *data;   /* NULL: no tensor (optional arguments) */
    int64_t rows; /* >= 0 */
    int64_t cols; /* >= 0 */
    int64_t ld;   /* elements between rows, >= cols */
    enum dtype type;
} tensor;

static inline size_t dtype_size(enum dtype t)
{
    return t == DT_U8 ? 1 : t == DT_BF16 ? 2 : 4;
}

static inline tensor tensor_at(void *data, enum dtype type, int64_t rows, int64_t cols)
{
    return (tensor){.data = data, .rows = rows, .cols = cols, .ld = cols, .type = type};
}

/* No tensor: for optional arguments. */
static inline tensor tensor_none(void)
{
    return (tensor){0};
}
static inline int tensor_given(tensor t)
{
    return t.data != NULL;
}

/* Bytes that a packed tensor of this shape takes. */
static inline size_t tensor_bytes(tensor t)
{
    return (size_t)t.rows * (size_t)t.ld * dtype_size(t.type);
}

/* Rows [row, row + n) and columns [col, col + n) of t: views, nothing is copied. */
static inline tensor tensor_rows(tensor t, int64_t row, int64_t n)
{
    assert(row >= 0 && n >= 0 && row + n <= t.rows);
    t.data = (char *)t.data + (size_t)(row * t.ld) * dtype_size(t.type);
    t.rows = n;
    return t;
}

static inline tensor tensor_cols(tensor t, int64_t col, int64_t n)
{
    assert(col >= 0 && n >= 0 && col + n <= t.cols);
    t.data = (char *)t.data + (size_t)col * dtype_size(t.type);
    t.cols = n;
    return t;
}

/* Rows of a band of a picture of `rows`, of which at most `most` fit, both at least 1: the largest
 * divisor that is more than half of that, so that all bands have one shape; where there is none (a
 * large prime factor), equal bands of which the last is shorter. */
static inline int tensor_band(int rows, int most)
{
    const int n = most < rows ? most : rows, bands = (rows + n - 1) / n;

    for (int d = n; 2 * d > n; d--)
        if (rows % d == 0) return d;
    return (rows + bands - 1) / bands;
}

#endif
