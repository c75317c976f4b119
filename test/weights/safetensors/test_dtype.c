/* test_dtype - element types and their conversion, value by value. */
#include "weights/safetensors/dtype.h"

#include "proto/fail.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* What a half means, by the definition of the format. */
static double half(unsigned h)
{
    double m = h & 0x3ff, sign = h & 0x8000 ? -1 : 1;
    int e = (int)(h >> 10 & 31);

    if (e == 31) return m > 0 ? NAN : sign * INFINITY;
    return sign * (e ? ldexp(1024 + m, e - 25) : ldexp(m, -24));
}

/* catches: a wrong exponent, a lost sign of zero, subnormals flushed: all 65,536 values */
static void every_half(void **state)
{
    (void)state;
    for (unsigned h = 0; h < 65536; h++) {
        float f = f16_to_f32((uint16_t)h);
        double want = half(h);

        if (isnan(want)) {
            assert_true(isnan(f));
            continue;
        }
        assert_true((double)f == want);
        assert_int_equal(signbit(f) != 0, h >> 15);
    }
}

/* catches: rounding that is not to nearest even, a NaN that becomes infinity, a value that does not
 * come back */
static void bf16_rounds_to_nearest_even(void **state)
{
    uint32_t low = 0x7f800001; /* a NaN whose mark is in the cut bits */
    float nan;

    (void)state;
    for (unsigned h = 0; h < 65536; h++) {
        float f = bf16_to_f32((uint16_t)h);

        if (isnan(f))
            assert_true(isnan(bf16_to_f32(f32_to_bf16(f))));
        else
            assert_int_equal(f32_to_bf16(f), h);
    }
    assert_int_equal(f32_to_bf16(0x1.01p0f), 0x3f80);     /* tie: down to even */
    assert_int_equal(f32_to_bf16(0x1.03p0f), 0x3f82);     /* tie: up to even */
    assert_int_equal(f32_to_bf16(0x1.010002p0f), 0x3f81); /* just above a tie */
    assert_int_equal(f32_to_bf16(0x1.fffffep127f), 0x7f80);
    memcpy(&nan, &low, sizeof nan);
    assert_true(isnan(bf16_to_f32(f32_to_bf16(nan))));
}

/* A tensor over the bytes, one off alignment. */
static struct stored_tensor tensor(enum stored_dtype t, const void *values, int64_t n,
                                   unsigned char *room)
{
    memcpy(room + 1, values, (size_t)n * dtype_bytes(t));
    return (struct stored_tensor){.name = "t",
                                  .dtype = t,
                                  .nd = 1,
                                  .dim = {n, 1, 1, 1},
                                  .count = n,
                                  .data = room + 1,
                                  .bytes = (size_t)n * dtype_bytes(t)};
}

/* catches: aligned loads of unaligned files, a span past the end, a type that does not convert */
static void converts_unaligned_spans(void **state)
{
    unsigned char room[64];
    float f[3], three[3] = {1, -2.5f, 3};
    double wide[3] = {1, -2.5, 3};
    uint16_t b[3], bf[3] = {0x3f80, 0xc020, 0x4040}, hf[3] = {0x3c00, 0xc100, 0x4200};
    const struct stored_tensor t[] = {tensor(DTYPE_F32, three, 3, room)};
    const void *same[] = {bf, hf, wide};
    static const enum stored_dtype kind[] = {DTYPE_BF16, DTYPE_F16, DTYPE_F64};

    (void)state;
    assert_int_equal(dtype_to_f32(&t[0], 1, 2, f), 0);
    assert_true(f[0] == -2.5f && f[1] == 3);
    assert_int_equal(dtype_to_bf16(&t[0], 0, 3, b), 0);
    assert_memory_equal(b, bf, sizeof b);
    for (int i = 0; i < 3; i++) {
        struct stored_tensor u = tensor(kind[i], same[i], 3, room);

        assert_int_equal(dtype_to_f32(&u, 0, 3, f), 0);
        assert_memory_equal(f, three, sizeof f);
        assert_int_equal(dtype_to_bf16(&u, 0, 3, b), 0);
        assert_memory_equal(b, bf, sizeof b);
        assert_int_equal(dtype_to_f32(&u, 1, 3, f), ERR_INTERNAL);
        assert_int_equal(dtype_to_f32(&u, -1, 1, f), ERR_INTERNAL);
        assert_int_equal(dtype_to_f32(&u, 4, 0, f), ERR_INTERNAL);
    }
}

/* catches: a sign lost in a narrow integer, floats read as integers */
static void reads_integers(void **state)
{
    unsigned char room[64];
    int64_t out[2], v64[2] = {-1, INT64_MAX};
    int32_t v32[2] = {-7, 70000};
    int16_t v16[2] = {-7, 300};
    int8_t v8[2] = {-7, 100};
    uint8_t u8[2] = {0, 255};
    const void *values[] = {v64, v32, v16, v8, u8, u8};
    static const enum stored_dtype kind[] = {DTYPE_I64, DTYPE_I32, DTYPE_I16,
                                             DTYPE_I8,  DTYPE_U8,  DTYPE_BOOL};
    static const int64_t want[][2] = {{-1, INT64_MAX}, {-7, 70000}, {-7, 300},
                                      {-7, 100},       {0, 255},    {0, 255}};
    float one = 1;
    struct stored_tensor t;

    (void)state;
    for (int i = 0; i < 6; i++) {
        t = tensor(kind[i], values[i], 2, room);
        assert_int_equal(dtype_to_i64(&t, 0, 2, out), 0);
        assert_memory_equal(out, want[i], sizeof out);
        assert_int_equal(dtype_to_f32(&t, 0, 1, (float[1]){0}), ERR_INTERNAL);
    }
    t = tensor(DTYPE_F32, &one, 1, room);
    assert_int_equal(dtype_to_i64(&t, 0, 1, out), ERR_INTERNAL);
}

/* catches: a description that runs past its buffer or says the wrong thing */
static void describes(void **state)
{
    char buf[64], tiny[8];
    const struct stored_tensor t = {.dtype = DTYPE_BF16, .nd = 2, .dim = {4096, 64, 1, 1}};
    const struct stored_tensor scalar = {.dtype = DTYPE_I64};

    (void)state;
    assert_string_equal(dtype_describe(&t, buf, sizeof buf), "[4096,64] BF16");
    assert_string_equal(dtype_describe(&scalar, buf, sizeof buf), "[] I64");
    assert_int_equal(strlen(dtype_describe(&t, tiny, sizeof tiny)), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half),
        cmocka_unit_test(bf16_rounds_to_nearest_even),
        cmocka_unit_test(converts_unaligned_spans),
        cmocka_unit_test(reads_integers),
        cmocka_unit_test(describes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
