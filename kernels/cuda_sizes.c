/* cuda_sizes - bytes of memory, weights and workspace on a CUDA GPU; the device that answers with
 * them. */
#include "kernels/cuda_sizes.h"

#include <stdlib.h>

uint64_t cuda_sizes_usable(uint64_t total)
{
    const uint64_t small = total / 16; /* of a GPU that is emulated for a test */

    return total - (CUDA_SIZES_RESERVE < small ? CUDA_SIZES_RESERVE : small) - total / 64;
}

uint64_t cuda_sizes_total(uint64_t usable)
{
    uint64_t total = usable;

    while (cuda_sizes_usable(total) < usable)
        total += usable - cuda_sizes_usable(total);
    return total;
}

static size_t rows_of(const struct weight_spec *s)
{
    size_t n = 0;

    for (int i = 0; i < s->n; i++)
        n += (size_t)s->part[i].rows;
    return n;
}

/* Bytes of one stored value. */
static size_t unit(enum dtype type, const struct weight_spec *s)
{
    return s->use == USE_VECTOR ? 4 : dtype_size(type);
}

int64_t cuda_sizes_weight_rows(enum dtype type, const struct weight_spec *s)
{
    const int64_t n = (int64_t)rows_of(s);

    return s->use == USE_CONV && type == DT_BF16 ? (n + 7) / 8 * 8 : n;
}

static size_t align(size_t n)
{
    return (n + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
}

size_t cuda_sizes_weight_data(enum dtype type, const struct weight_spec *s)
{
    const size_t rows = (size_t)cuda_sizes_weight_rows(type, s);

    return align(rows * (size_t)s->part[0].cols * unit(type, s));
}

/* Values and bias. */
static size_t plain_size(enum dtype type, const struct weight_spec *s)
{
    const int biased = s->bias[0].data && (s->use == USE_LINEAR || s->use == USE_CONV);
    const size_t rows = (size_t)cuda_sizes_weight_rows(type, s);

    return cuda_sizes_weight_data(type, s) + (biased ? rows * unit(type, s) : 0);
}

int cuda_sizes_has_phases(enum dtype type, const struct weight_spec *s)
{
    return s->use == USE_CONV && s->up && s->k == 3 && type == DT_BF16 && s->bias[0].data;
}

size_t cuda_sizes_phases(enum dtype type, const struct weight_spec *s)
{
    return align(plain_size(type, s));
}

/* 4 of 9 taps, four times. */
size_t cuda_sizes_phases_bias(enum dtype type, const struct weight_spec *s)
{
    const size_t taps = (size_t)s->part[0].cols / 9 * 4;

    return cuda_sizes_phases(type, s) + align(4 * rows_of(s) * taps * unit(type, s));
}

size_t cuda_sizes_weight_size(enum dtype type, const struct weight_spec *s)
{
    if (!cuda_sizes_has_phases(type, s)) return plain_size(type, s);
    return cuda_sizes_phases_bias(type, s) + 4 * rows_of(s) * unit(type, s);
}

/* The device has a workspace of its own (CUDA_SIZES_RESERVE); only the sums of a norm are kept
 * between two calls: two doubles for every row and group. */
size_t cuda_sizes_work_size(enum workspace work, int64_t a, int64_t b, int64_t n)
{
    (void)b;
    return work == WORK_NORM ? sizeof(double) * 2 * (size_t)(a * n) : 0;
}

static size_t weight_size(const struct dev *d, const struct weight_spec *s)
{
    return cuda_sizes_weight_size(d->type, s);
}

static size_t work_size(const struct dev *d, enum workspace work, int64_t a, int64_t b, int64_t n)
{
    (void)d;
    return cuda_sizes_work_size(work, a, b, n);
}

static void cuda_sizes_free(struct dev *d)
{
    free(d);
}

static const struct ops cuda_sizes_ops = {
    .name = "card", .weight_size = weight_size, .work_size = work_size, .free = cuda_sizes_free};

int cuda_sizes_open(struct dev **out, enum dtype type, struct fail *f)
{
    *out = calloc(1, sizeof **out);
    if (!*out) return fail_set(f, ERR_OUT_OF_MEMORY, "no memory to plan for a card");
    **out = (struct dev){.ops = &cuda_sizes_ops, .traits = CUDA_SIZES_TRAITS, .type = type};
    return 0;
}
