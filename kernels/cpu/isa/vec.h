/* vec - one vector of floats under one set of names, for every instruction set.
 *
 * The files in kernels/cpu/isa are built once per instruction set (-DISA=base|avx2|avx512) and are
 * written against these names alone: VW floats a vector, arithmetic with the plain operators, and
 * the few functions below. `base` is portable C (vector extensions of 16 bytes), so it also builds
 * where there is no x86. Only AVX2 and AVX-512 have a fused vfma; a file's results therefore differ
 * between instruction sets in the last bits, never between machines of one instruction set. */
#ifndef KERNELS_CPU_ISA_VEC_H
#define KERNELS_CPU_ISA_VEC_H

#include <math.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX2__)
#    include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))

/* bfloat16 <-> float, round to nearest even; NaN stays NaN. */
INLINE float bf_to_f(uint16_t b)
{
    uint32_t u = (uint32_t)b << 16;
    float f;

    memcpy(&f, &u, sizeof f);
    return f;
}

INLINE uint16_t f_to_bf(float f)
{
    uint32_t u;

    memcpy(&u, &f, sizeof u);
    if ((u & 0x7fffffffu) > 0x7f800000u) return (uint16_t)((u >> 16) | 0x40u);
    return (uint16_t)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

#if defined(__AVX512F__)
#    define VW 16
typedef __m512 vf;

INLINE vf vset(float x)
{
    return _mm512_set1_ps(x);
}
INLINE vf vload(const float *p)
{
    return _mm512_loadu_ps(p);
}
INLINE void vstore(float *p, vf v)
{
    _mm512_storeu_ps(p, v);
}
INLINE __mmask16 vmask(int n)
{
    return (__mmask16)((1u << n) - 1u);
}
INLINE vf vload_n(const float *p, int n)
{
    return _mm512_maskz_loadu_ps(vmask(n), p);
}
INLINE void vstore_n(float *p, vf v, int n)
{
    _mm512_mask_storeu_ps(p, vmask(n), v);
}
INLINE vf vfma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}
INLINE vf vmax(vf a, vf b)
{
    return _mm512_max_ps(a, b);
}
INLINE vf vmin(vf a, vf b)
{
    return _mm512_min_ps(a, b);
}
INLINE vf vround(vf a)
{
    return _mm512_roundscale_ps(a, 8);
}
INLINE vf vabs(vf a)
{
    return _mm512_abs_ps(a);
}
/* a where x < y, else b */
INLINE vf vpick_lt(vf x, vf y, vf a, vf b)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, y, _CMP_LT_OQ), b, a);
}
/* x 2^n for whole n <= 127; 0 below -150 */
INLINE vf vscale2(vf x, vf n)
{
    return _mm512_scalef_ps(x, n);
}
INLINE vf vload_bf(const uint16_t *p)
{
    __m512i w = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)p));

    return _mm512_castsi512_ps(_mm512_slli_epi32(w, 16));
}
INLINE vf vload_bf_n(const uint16_t *p, int n)
{
    __m512i w = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(vmask(n), p));

    return _mm512_castsi512_ps(_mm512_slli_epi32(w, 16));
}
INLINE __m256i vto_bf(vf v)
{
#    ifdef __AVX512BF16__
    return (__m256i)_mm512_cvtneps_pbh(v); /* as pool.h: subnormal numbers become zero */
#    else
    __m512i u = _mm512_castps_si512(v), one = _mm512_set1_epi32(1);
    __m512i odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), one);
    __m512i r = _mm512_add_epi32(u, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);

    r = _mm512_mask_or_epi32(r, nan, u, _mm512_set1_epi32(0x400000));
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(r, 16));
#    endif
}
INLINE void vstore_bf(uint16_t *p, vf v)
{
    _mm256_storeu_si256((__m256i *)(void *)p, vto_bf(v));
}
INLINE void vstore_bf_n(uint16_t *p, vf v, int n)
{
    _mm256_mask_storeu_epi16(p, vmask(n), vto_bf(v));
}
/* the nearest bfloat16 of every lane, as floats */
INLINE vf vround_bf(vf v)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(vto_bf(v)), 16));
}
INLINE vf vsqrt(vf a)
{
    return _mm512_sqrt_ps(a);
}

#elif defined(__AVX2__)
#    define VW 8
typedef __m256 vf;

INLINE vf vset(float x)
{
    return _mm256_set1_ps(x);
}
INLINE vf vload(const float *p)
{
    return _mm256_loadu_ps(p);
}
INLINE void vstore(float *p, vf v)
{
    _mm256_storeu_ps(p, v);
}
INLINE __m256i vmask(int n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE vf vload_n(const float *p, int n)
{
    return _mm256_maskload_ps(p, vmask(n));
}
INLINE void vstore_n(float *p, vf v, int n)
{
    _mm256_maskstore_ps(p, vmask(n), v);
}
INLINE vf vfma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}
INLINE vf vmax(vf a, vf b)
{
    return _mm256_max_ps(a, b);
}
INLINE vf vmin(vf a, vf b)
{
    return _mm256_min_ps(a, b);
}
INLINE vf vround(vf a)
{
    return _mm256_round_ps(a, 8);
}
INLINE vf vabs(vf a)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}
INLINE vf vpick_lt(vf x, vf y, vf a, vf b)
{
    return _mm256_blendv_ps(b, a, _mm256_cmp_ps(x, y, _CMP_LT_OQ));
}
INLINE vf vscale2(vf x, vf n)
{
    __m256i e =
        _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);

    return x * _mm256_castsi256_ps(e);
}
INLINE vf vload_bf(const uint16_t *p)
{
    __m256i w = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));

    return _mm256_castsi256_ps(_mm256_slli_epi32(w, 16));
}
INLINE vf vload_bf_n(const uint16_t *p, int n)
{
    uint16_t t[VW] = {0};

    memcpy(t, p, (size_t)n * sizeof *p);
    return vload_bf(t);
}
INLINE __m256i vbits_bf(vf v) /* rounded, still in the high halves */
{
    __m256i u = _mm256_castps_si256(v), one = _mm256_set1_epi32(1);
    __m256i odd = _mm256_and_si256(_mm256_srli_epi32(u, 16), one);
    __m256i r = _mm256_add_epi32(u, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    __m256i q = _mm256_or_si256(u, _mm256_set1_epi32(0x400000));
    __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    return _mm256_blendv_epi8(r, q, nan);
}
INLINE void vstore_bf(uint16_t *p, vf v)
{
    __m256i h = _mm256_srli_epi32(vbits_bf(v), 16);
    __m256i w = _mm256_permute4x64_epi64(_mm256_packus_epi32(h, h), 0x08);

    _mm_storeu_si128((__m128i *)(void *)p, _mm256_castsi256_si128(w));
}
INLINE void vstore_bf_n(uint16_t *p, vf v, int n)
{
    uint16_t t[VW];

    vstore_bf(t, v);
    memcpy(p, t, (size_t)n * sizeof *p);
}
INLINE vf vround_bf(vf v)
{
    return _mm256_castsi256_ps(_mm256_and_si256(vbits_bf(v), _mm256_set1_epi32((int)0xffff0000u)));
}
INLINE vf vsqrt(vf a)
{
    return _mm256_sqrt_ps(a);
}

#else
#    define VW 4
typedef float vf __attribute__((vector_size(16)));
typedef int32_t vi __attribute__((vector_size(16)));

INLINE vf vset(float x)
{
    return (vf){x, x, x, x};
}
INLINE vf vload(const float *p)
{
    vf v;

    memcpy(&v, p, sizeof v);
    return v;
}
INLINE void vstore(float *p, vf v)
{
    memcpy(p, &v, sizeof v);
}
INLINE vf vload_n(const float *p, int n)
{
    vf v = vset(0);

    memcpy(&v, p, (size_t)n * sizeof *p);
    return v;
}
INLINE void vstore_n(float *p, vf v, int n)
{
    memcpy(p, &v, (size_t)n * sizeof *p);
}
INLINE vf vfma(vf a, vf b, vf c)
{
    return a * b + c;
}
INLINE vf vpick(vi m, vf a, vf b)
{
    return (vf)((m & (vi)a) | (~m & (vi)b));
}
INLINE vf vmax(vf a, vf b)
{
    return vpick(a > b, a, b);
}
INLINE vf vmin(vf a, vf b)
{
    return vpick(a < b, a, b);
}
INLINE vf vround(vf a)
{
    const vf magic = vset(0x1.8p23f); /* enough for |a| < 2^22; callers stay below 2^9 */

    return (a + magic) - magic;
}
INLINE vf vabs(vf a)
{
    return (vf)((vi)a & 0x7fffffff);
}
INLINE vf vpick_lt(vf x, vf y, vf a, vf b)
{
    return vpick(x < y, a, b);
}
INLINE vf vscale2(vf x, vf n)
{
    vi e = (__builtin_convertvector(n, vi) + 127) << 23;
    return x * (vf)e;
}
INLINE vf vload_bf(const uint16_t *p)
{
    return (vf){bf_to_f(p[0]), bf_to_f(p[1]), bf_to_f(p[2]), bf_to_f(p[3])};
}
INLINE vf vload_bf_n(const uint16_t *p, int n)
{
    uint16_t t[VW] = {0};

    memcpy(t, p, (size_t)n * sizeof *p);
    return vload_bf(t);
}
INLINE void vstore_bf(uint16_t *p, vf v)
{
    for (int i = 0; i < VW; i++)
        p[i] = f_to_bf(v[i]);
}
INLINE void vstore_bf_n(uint16_t *p, vf v, int n)
{
    for (int i = 0; i < n; i++)
        p[i] = f_to_bf(v[i]);
}
INLINE vf vround_bf(vf v)
{
    uint16_t t[VW];

    vstore_bf(t, v);
    return vload_bf(t);
}
INLINE vf vsqrt(vf a)
{
    for (int i = 0; i < VW; i++)
        a[i] = sqrtf(a[i]);
    return a;
}
#endif

/* The lower and upper halves of two vectors, lanes alternating: a0 b0 a1 b1 ... */
#if VW == 16
#    define VLO 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#    define VHI 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif VW == 8
#    define VLO 0, 8, 1, 9, 2, 10, 3, 11
#    define VHI 4, 12, 5, 13, 6, 14, 7, 15
#else
#    define VLO 0, 4, 1, 5
#    define VHI 2, 6, 3, 7
#endif
typedef int32_t vlanes __attribute__((vector_size(4 * VW)));
INLINE vf vlow(vf a, vf b)
{
    return (vf)__builtin_shuffle(a, b, (vlanes){VLO});
}
INLINE vf vhigh(vf a, vf b)
{
    return (vf)__builtin_shuffle(a, b, (vlanes){VHI});
}

/* VW x VW floats, rows to columns: the same perfect shuffle log2(VW) times. */
INLINE void vtranspose(vf r[VW])
{
    for (int round = VW; round > 1; round /= 2) {
        vf t[VW];
#pragma GCC unroll 16
        for (int i = 0; i < VW / 2; i++) {
            t[2 * i] = vlow(r[i], r[i + VW / 2]);
            t[2 * i + 1] = vhigh(r[i], r[i + VW / 2]);
        }
#pragma GCC unroll 16
        for (int i = 0; i < VW; i++)
            r[i] = t[i];
    }
}

/* Lane i: the sum of the lanes of r[i]. */
INLINE vf vsums(vf r[VW])
{
#pragma GCC unroll 4
    for (int n = VW / 2; n; n /= 2)
#pragma GCC unroll 8
        for (int i = 0; i < n; i++)
            r[i] = vlow(r[i], r[i + n]) + vhigh(r[i], r[i + n]);
    return r[0];
}

/* Sum and maximum of the lanes, always in the same order: halves onto each other. */
#if VW >= 8
INLINE __m256 vhalf_sum(vf v)
{
#    if VW == 16
    return _mm512_castps512_ps256(v) + _mm512_extractf32x8_ps(v, 1);
#    else
    return v;
#    endif
}
INLINE __m256 vhalf_max(vf v)
{
#    if VW == 16
    return _mm256_max_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
#    else
    return v;
#    endif
}
INLINE float vsum(vf v)
{
    __m256 h = vhalf_sum(v);
    __m128 q = _mm256_castps256_ps128(h) + _mm256_extractf128_ps(h, 1);

    q = q + _mm_movehl_ps(q, q);
    return _mm_cvtss_f32(q + _mm_movehdup_ps(q));
}
INLINE float vtop(vf v)
{
    __m256 h = vhalf_max(v);
    __m128 q = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));

    q = _mm_max_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_max_ps(q, _mm_movehdup_ps(q)));
}
#else
INLINE float vsum(vf v)
{
    return (v[0] + v[2]) + (v[1] + v[3]);
}
INLINE float vtop(vf v)
{
    float a = v[0] > v[1] ? v[0] : v[1], b = v[2] > v[3] ? v[2] : v[3];

    return a > b ? a : b;
}
#endif

/* Pairs of bfloat16 in the lanes: c + the sum of a pair's products; two vectors of bfloat16 as
 * floats to pairs. */
#ifdef __AVX512BF16__
INLINE vf vdot2(vf a, vf b, vf c)
{
    return _mm512_dpbf16_ps(c, (__m512bh)a, (__m512bh)b);
}
INLINE vf vpair(vf even, vf odd)
{
    __m512i e = _mm512_srli_epi32(_mm512_castps_si512(even), 16);

    return _mm512_castsi512_ps(_mm512_or_si512(e, _mm512_castps_si512(odd)));
}
/* any floats to pairs, rounded */
INLINE vf vround_pair(vf even, vf odd)
{
    const __m512i halves = (__m512i)_mm512_cvtne2ps_pbh(odd, even);
    const __m512i both =
        _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);

    return _mm512_castsi512_ps(_mm512_permutexvar_epi16(both, halves));
}
#else
typedef uint32_t vbits __attribute__((vector_size(4 * VW)));
INLINE vf vdot2(vf a, vf b, vf c)
{
    const vf even = vfma((vf)((vbits)a << 16), (vf)((vbits)b << 16), c);

    return vfma((vf)((vbits)a >> 16 << 16), (vf)((vbits)b >> 16 << 16), even);
}
INLINE vf vpair(vf even, vf odd)
{
    return (vf)((vbits)even >> 16 | (vbits)odd);
}
INLINE vf vround_pair(vf even, vf odd)
{
    return vpair(vround_bf(even), vround_bf(odd));
}
#endif

/* e^x, 1 ulp; 0 below -87.3, where it would be subnormal (pool.h); inf is not reached: x is cut at
 * 88.3. NaN stays. */
INLINE vf vexp(vf x)
{
    /* This order keeps NaN: min and max return the second operand. */
    vf c = vmin(vset(88.3f), x), p = vset(0x1.a01a02p-13f), n, r;

#if VW == 16
    c = vmax(vset(-150), c);
#endif
    n = vround(c * vset(0x1.715476p+0f));
    /* ln 2 in two parts, the first one short: n times it is exact. */
    r = vfma(n, vset(-0x1.63p-1f), c);
    r = vfma(n, vset(0x1.bd0106p-13f), r);
    p = vfma(p, r, vset(0x1.6c16c2p-10f));
    p = vfma(p, r, vset(0x1.111112p-7f));
    p = vfma(p, r, vset(0x1.555556p-5f));
    p = vfma(p, r, vset(0x1.555556p-3f));
    p = vfma(p, r, vset(0.5f));
    p = vfma(p * r, r, r) + vset(1.0f);
#if VW == 16
    return vscale2(p, n);
#else
    return vpick_lt(x, vset(-87.3f), vset(0), vscale2(p, vmax(vset(-126), n)));
#endif
}

#endif
