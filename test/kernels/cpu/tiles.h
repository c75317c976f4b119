/* tiles - the matrix unit's instructions in plain C: included before the files of kernels/cpu/isa,
 * it makes an instruction set, isa_emulated, that runs on any machine. It knows bfloat16 alone.
 * Thread: any; every thread and file has a unit of its own, as long as it is configured. */
#ifndef TEST_KERNELS_CPU_TILES_H
#define TEST_KERNELS_CPU_TILES_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define HAS_TILES                1
#define TILE_CONFIGURE(p)        tiles_configure(p)
#define TILE_RELEASE()           (tiles_ready = 0)
#define TILE_ZERO(t)             memset(tiles_unit[t], 0, sizeof tiles_unit[t])
#define TILE_LOAD(t, p, stride)  tiles_load(t, p, stride)
#define TILE_STORE(t, p, stride) tiles_store(t, p, stride)
#define TILE_DOT(c, a, b)        tiles_dot(c, a, b)

static _Thread_local char tiles_unit[8][16][64];
static _Thread_local int tiles_ready;

/* Stands for the processor's exception. */
static inline void tiles_expect(int true)
{
    if (!true) abort();
}

/* palette 1, 64 bytes and 16 rows for each of the eight tiles, the rest zero */
static inline void tiles_configure(const void *p)
{
    const uint8_t *b = p;

    for (int i = 0; i < 64; i++) {
        const int want = i == 0                            ? 1
                         : i >= 16 && i < 32 && i % 2 == 0 ? 64
                         : i >= 48 && i < 56               ? 16
                                                           : 0;

        tiles_expect(b[i] == want);
    }
    tiles_ready = 1;
}

static inline void tiles_load(int t, const void *base, int64_t stride)
{
    tiles_expect(tiles_ready);
    for (int r = 0; r < 16; r++)
        memcpy(tiles_unit[t][r], (const char *)base + r * stride, 64);
}

static inline void tiles_store(int t, void *base, int64_t stride)
{
    tiles_expect(tiles_ready);
    for (int r = 0; r < 16; r++)
        memcpy((char *)base + r * stride, tiles_unit[t][r], 64);
}

/* 16 pairs of a row as floats, those at even and at odd places apart. */
static inline void tiles_split(const char *row, float *even, float *odd)
{
    for (int k = 0; k < 16; k++) {
        uint32_t pair, low, high;

        memcpy(&pair, row + 4 * k, 4);
        low = pair << 16, high = pair & 0xffff0000u;
        memcpy(even + k, &low, 4);
        memcpy(odd + k, &high, 4);
    }
}

/* As the manual has it: even and odd products are summed apart, then added to the tile; subnormal
 * numbers are zero. */
static inline void tiles_dot(int c, int a, int b)
{
    float be[16][16], bo[16][16];

    tiles_expect(tiles_ready);
    for (int k = 0; k < 16; k++)
        tiles_split(tiles_unit[b][k], be[k], bo[k]);
    for (int m = 0; m < 16; m++) {
        float ae[16], ao[16], even[16] = {0}, odd[16] = {0}, sum[16];

        tiles_split(tiles_unit[a][m], ae, ao);
        for (int k = 0; k < 16; k++)
            for (int n = 0; n < 16; n++) {
                even[n] += ae[k] * be[k][n]; /* exact products: as good as fused */
                odd[n] += ao[k] * bo[k][n];
            }
        memcpy(sum, tiles_unit[c][m], 64);
        for (int n = 0; n < 16; n++)
            sum[n] += even[n] + odd[n];
        memcpy(tiles_unit[c][m], sum, 64);
    }
}

#endif
