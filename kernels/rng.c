/* rng - Philox4x32-10, and the few functions that turn its words into samples. */
#include "kernels/rng.h"

#include <math.h>
#include <string.h>

void rng_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];

    for (int i = 0; i < 10; i++) {
        uint64_t a = (uint64_t)0xd2511f53u * c0, b = (uint64_t)0xcd9e8d57u * c2;

        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)a;
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

void rng_block(uint32_t out[4], uint64_t seed, uint32_t picture, enum rng_stream stream,
               uint64_t index)
{
    const uint32_t c[4] = {(uint32_t)index, (uint32_t)(index >> 32), picture, (uint32_t)stream};
    const uint32_t k[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};

    rng_philox(out, c, k);
}

double rng_unit(uint32_t x)
{
    return ((double)x + 0.5) * 0x1p-32;
}

/* x = 2^e m with m in [sqrt(1/2), sqrt(2)); ln m = 2 atanh s, s = (m - 1)/(m + 1), |s| < 0.172. */
double rng_log(double x)
{
    uint64_t u;
    int e;
    double m, s, z, p;

    memcpy(&u, &x, sizeof u);
    e = (int)(u >> 52) - 1023;
    u = (u & 0xfffffffffffffu) | ((uint64_t)1023 << 52);
    memcpy(&m, &u, sizeof m);
    if (m > 0x1.6a09e667f3bcdp+0) m *= 0.5, e++;
    s = (m - 1) / (m + 1);
    z = s * s;
    p = 1.0 / 19;
    for (int k = 17; k >= 1; k -= 2)
        p = p * z + 1.0 / k;
    return 2 * s * p + e * 0x1.62e42fefa39efp-1;
}

/* cos and sin of 2 pi t, t in [0, 1): the eighth of the circle by Taylor, the rest by symmetry. */
static void turn(double t, double *cosine, double *sine)
{
    int eighth = (int)(t * 8);
    double r = t * 8 - eighth;
    double c = 1, s = 1;
    int swap = ((eighth + 1) >> 1) & 1;
    double a, z, x, y;

    if (eighth & 1) r = 1 - r;
    a = r * 0x1.921fb54442d18p-1;
    z = a * a;
    for (int k = 16; k >= 2; k -= 2) {
        c = 1 - c * z / (k * (k - 1));
        s = 1 - s * z / (k * (k + 1));
    }
    s *= a;
    x = swap ? s : c;
    y = swap ? c : s;
    *cosine = eighth >= 2 && eighth <= 5 ? -x : x;
    *sine = eighth >= 4 ? -y : y;
}

static void four_normals(float out[4], const uint32_t w[4])
{
    for (int i = 0; i < 4; i += 2) {
        double r = sqrt(-2 * rng_log(rng_unit(w[i]))), c, s;

        turn((double)w[i + 1] * 0x1p-32, &c, &s);
        out[i] = (float)(r * c);
        out[i + 1] = (float)(r * s);
    }
}

void rng_normals(float *out, size_t n, uint64_t seed, uint32_t picture, enum rng_stream stream)
{
    for (size_t i = 0; i < n; i += 4) {
        uint32_t w[4];
        float v[4];

        rng_block(w, seed, picture, stream, i / 4);
        four_normals(v, w);
        memcpy(out + i, v, sizeof *v * (n - i < 4 ? n - i : 4));
    }
}

double rng_exponential(uint64_t seed, uint32_t picture, uint32_t position, uint32_t token)
{
    uint32_t w[4];

    rng_block(w, seed, picture, RNG_TOKEN, (uint64_t)position << 32 | token >> 2);
    return -rng_log(rng_unit(w[token & 3]));
}
