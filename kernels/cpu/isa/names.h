/* names - the functions of one instruction set, told apart by a suffix: gemm_f32_avx2. */
#ifndef KERNELS_CPU_ISA_NAMES_H
#define KERNELS_CPU_ISA_NAMES_H

#include "kernels/cpu/isa.h"
#include "kernels/cpu/isa/tile.h"

/* Blocks of C: what is read again while one is computed stays in the second-level cache. The matrix
 * unit is so fast that panels of B, read once for all rows of a block, and the packing of A, once
 * for all its columns, must be spread wider. */
#if HAS_TILES
enum { GEMM_NR = TILE_SIDE, GEMM_UNIT = TILE_SIDE, GEMM_ROWS = 192, GEMM_COLS = 1024 };
#elif VW == 16
enum { GEMM_NR = 2 * VW, GEMM_UNIT = 14, GEMM_ROWS = 84, GEMM_COLS = 512 };
#else
enum { GEMM_NR = 2 * VW, GEMM_UNIT = 6, GEMM_ROWS = 84, GEMM_COLS = 512 };
#endif
enum { GEMM_LDC = GEMM_COLS + 16 };

#define ISA_CAT2(a, b) a##_##b
#define ISA_CAT(a, b)  ISA_CAT2(a, b)
#define NAME(f)        ISA_CAT(f, ISA)
#define ISA_STR2(a)    #a
#define ISA_STR(a)     ISA_STR2(a)

void NAME(gemm_f32)(const struct gemm_block *);
void NAME(gemm_bf)(const struct gemm_block *);
void NAME(gemm_dp)(const struct gemm_block *);
void NAME(conv_f32)(const struct gemm_block *);
void NAME(conv_bf)(const struct gemm_block *);
void NAME(lines)(const struct im2col *, float *a, int64_t row, int64_t n, enum pack);

void NAME(im2col)(const struct im2col *, void *a, int64_t row, int64_t rows, int64_t k0, int64_t k,
                  enum pack);

void NAME(rms)(void *y, const void *x, const float *w, int64_t n, float eps, int add, int bf);
void NAME(ln)(void *y, const void *x, const float *w, const float *b, int64_t n, float eps, int bf);
void NAME(ln_mod)(void *y, const void *x, const void *scale, const void *shift, int64_t n,
                  float eps, int bf);
void NAME(gate_add)(void *x, const void *a, const void *gate, int64_t n, int bf);
void NAME(qk)(void *x, const float *cs, int64_t heads, int64_t n, float eps, int bf);
void NAME(rope)(void *x, const float *cs, int64_t rot, int bf);
void NAME(glu)(void *y, const void *gate, const void *up, int64_t n, enum activation act, int bf);
void NAME(add_act)(void *y, const void *a, const void *b, int64_t n, enum activation act, int bf);
void NAME(gn_sums)(double *s, const void *x, int64_t ld, int64_t n, int64_t channels, int bf);
void NAME(gn_apply)(const struct gn_block *, enum activation act, int bf);

size_t NAME(attn_work)(int d);
void NAME(attn)(const struct attn_block *, int bf);

#endif
