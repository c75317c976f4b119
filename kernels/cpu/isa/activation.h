/* activation - activations and typed loads and stores of rows, for the files beside it. */
#ifndef KERNELS_CPU_ISA_ACTIVATION_H
#define KERNELS_CPU_ISA_ACTIVATION_H

#include "kernels/cpu/isa.h"
#include "kernels/cpu/isa/vec.h"

/* Element i .. i + n of a row; n < VW only at its end. */
INLINE vf get(const void *p, int64_t i, int n, int bf)
{
    const float *f = (const float *)p + i;

    if (bf) {
        const uint16_t *b = (const uint16_t *)p + i;

        return n == VW ? vload_bf(b) : vload_bf_n(b, n);
    }
    return n == VW ? vload(f) : vload_n(f, n);
}

INLINE void set(void *p, int64_t i, vf v, int n, int bf)
{
    float *f = (float *)p + i;

    if (bf) {
        uint16_t *b = (uint16_t *)p + i;

        if (n == VW)
            vstore_bf(b, v);
        else
            vstore_bf_n(b, v, n);
        return;
    }
    if (n == VW)
        vstore(f, v);
    else
        vstore_n(f, v, n);
}

/* Rounded to the activations' type. */
INLINE vf rnd(vf v, int bf)
{
    return bf ? vround_bf(v) : v;
}

/* How many of the VW elements at i exist. */
INLINE int lanes(int64_t i, int64_t n)
{
    return n - i < VW ? (int)(n - i) : VW;
}

/* 1 / (1 + e^-x); where e^-x would overflow, the cut of vexp gives 4e-39, which is 0 (pool.h). */
INLINE vf vsigmoid(vf x)
{
    return vset(1.0f) / (vset(1.0f) + vexp(-x));
}

/* erf, about 1 ulp: x + x p(x^2) inside |x| < 0.875, 1 - e^-q(|x|) outside. p and q: fits of least
 * largest error to erf(x) / x - 1 and to -ln(1 - erf(x)), which is done by 4. */
INLINE vf verf(vf x)
{
    const vf s = x * x, far = vabs(x), t = vmin(vset(4), far); /* NaN stays */
    vf p = vset(-0x1.463becp-11f), q = vset(0x1.571e5ep-16f);

    p = vfma(p, s, vset(0x1.4a07e8p-8f));
    p = vfma(p, s, vset(-0x1.b6fdfep-6f));
    p = vfma(p, s, vset(0x1.ce21d8p-4f));
    p = vfma(p, s, vset(-0x1.81271p-2f));
    p = vfma(p, s, vset(0x1.06eba6p-3f));
    q = vfma(q, t, vset(-0x1.bfd484p-12f));
    q = vfma(q, t, vset(0x1.0f08b2p-8f));
    q = vfma(q, t, vset(-0x1.9a0b7ep-6f));
    q = vfma(q, t, vset(0x1.baf002p-4f));
    q = vfma(q, t, vset(0x1.4456a2p-1f));
    q = vfma(q, t, vset(0x1.2123d8p+0f));
    q = vset(1) - vexp(-vfma(q, t, vset(-0x1.53cb08p-13f)));
    return vpick_lt(far, vset(0.875f), vfma(p, x, x), vpick_lt(x, vset(0), -q, q));
}

INLINE vf activate(vf x, enum activation act)
{
    switch (act) {
    case ACT_NONE: return x;
    case ACT_SILU: return x * vsigmoid(x);
    case ACT_GELU_TANH: {
        /* 0.5 x (1 + tanh u) = x sigmoid(2u) */
        vf u = x * vfma(x * x, vset(0x1.2444f2p-4f), vset(0x1.988454p+0f));

        return x * vsigmoid(u);
    }
    case ACT_GELU_ERF: return vset(0.5f) * x * (vset(1.0f) + verf(x * vset(0x1.6a09e6p-1f)));
    }
    return x;
}

#endif
