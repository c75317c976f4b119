/* tile - the matrix unit (AMX): eight tiles of 16 rows of 64 bytes, and the one product that the
 * files beside it build on.
 *
 * Tiles 0 .. 3 are the sums of 32 rows by 32 columns (two row tiles by two column tiles), 4 and 5
 * rows of A, 6 and 7 columns of B: 16 pairs of bfloat16 along k in each row of A, B as rows of
 * pairs. A loaded tile serves two products. HAS_TILES says whether the unit exists here; a test
 * defines it and the instructions below itself, in plain C, so that what is written with them is
 * tested on every machine. Thread: any; configured from tile_start() to tile_end(). */
#ifndef KERNELS_CPU_ISA_TILE_H
#define KERNELS_CPU_ISA_TILE_H

#include "kernels/cpu/isa/vec.h"

#ifndef HAS_TILES
#    ifdef __AMX_BF16__
#        define HAS_TILES                1
#        define TILE_CONFIGURE(p)        _tile_loadconfig(p)
#        define TILE_RELEASE()           _tile_release()
#        define TILE_ZERO(t)             _tile_zero(t)
#        define TILE_LOAD(t, p, stride)  _tile_loadd(t, p, stride)
#        define TILE_STORE(t, p, stride) _tile_stored(t, p, stride)
#        define TILE_DOT(c, a, b)        _tile_dpbf16ps(c, a, b)
#    else /* nothing calls these two */
#        define HAS_TILES         0
#        define TILE_CONFIGURE(p) ((void)(p))
#        define TILE_RELEASE()    ((void)0)
#    endif
#endif

/* Whether pairs of bfloat16 are multiplied as they are. */
#if defined(__AVX512BF16__) || HAS_TILES
#    define HAS_DP 1
#else
#    define HAS_DP 0
#endif

enum {
    TILE_ROWS = 16,
    TILE_PAIRS = 16,          /* of k in a tile */
    TILE_BYTES = 64,          /* of a row */
    TILE_SIDE = 2 * TILE_ROWS /* rows and columns of the four sums */
};

INLINE void tile_start(void)
{
    static const struct {
        uint8_t palette, start, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } config = {.palette = 1,
                .bytes = {64, 64, 64, 64, 64, 64, 64, 64},
                .rows = {16, 16, 16, 16, 16, 16, 16, 16}};

    TILE_CONFIGURE(&config);
}

INLINE void tile_end(void)
{
    TILE_RELEASE();
}

#if HAS_TILES
INLINE void tile_clear(void)
{
    TILE_ZERO(0);
    TILE_ZERO(1);
    TILE_ZERO(2);
    TILE_ZERO(3);
}

/* The sums from and to c; without `two` the lower row tiles are left alone. ld*: bytes. */
INLINE void tile_read(const float *c, int64_t ldc, int two)
{
    TILE_LOAD(0, c, ldc);
    TILE_LOAD(1, c + TILE_ROWS, ldc);
    if (!two) return;
    TILE_LOAD(2, (const char *)c + TILE_ROWS * ldc, ldc);
    TILE_LOAD(3, (const char *)(c + TILE_ROWS) + TILE_ROWS * ldc, ldc);
}

INLINE void tile_write(float *c, int64_t ldc, int two)
{
    TILE_STORE(0, c, ldc);
    TILE_STORE(1, c + TILE_ROWS, ldc);
    if (!two) return;
    TILE_STORE(2, (char *)c + TILE_ROWS * ldc, ldc);
    TILE_STORE(3, (char *)(c + TILE_ROWS) + TILE_ROWS * ldc, ldc);
}

/* Sums += A B over so many pairs of k, whole tiles of them. */
INLINE void tile_product(const char *a, int64_t lda, const char *b, int64_t ldb, int pairs, int two)
{
    for (int p = 0; p < pairs; p += TILE_PAIRS, a += TILE_BYTES, b += TILE_PAIRS * ldb) {
        TILE_LOAD(6, b, ldb);
        TILE_LOAD(7, b + TILE_BYTES, ldb);
        TILE_LOAD(4, a, lda);
        TILE_DOT(0, 4, 6);
        TILE_DOT(1, 4, 7);
        if (!two) continue;
        TILE_LOAD(5, a + TILE_ROWS * lda, lda);
        TILE_DOT(2, 5, 6);
        TILE_DOT(3, 5, 7);
    }
}
#endif

#endif
