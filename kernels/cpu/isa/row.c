/* row - norms, gates, activations and rotations of one row. */
#include "kernels/cpu/isa/activation.h"
#include "kernels/cpu/isa/names.h"

/* Sums lane by lane. Two chains: one would wait for itself. */
INLINE vf squares(const void *x, int64_t n, vf minus, int bf)
{
    vf s[2] = {vset(0), vset(0)};
    int64_t i = 0;

    for (int c = 0; i + VW <= n; i += VW, c ^= 1) {
        vf v = get(x, i, VW, bf) - minus;

        s[c] = vfma(v, v, s[c]);
    }
    if (i < n) {
        float t[VW] = {0};
        vf v;

        vstore(t, get(x, i, lanes(i, n), bf) - minus);
        v = vload_n(t, lanes(i, n));
        s[0] = vfma(v, v, s[0]);
    }
    return s[0] + s[1];
}

INLINE vf values(const void *x, int64_t n, int bf)
{
    vf s[2] = {vset(0), vset(0)};
    int64_t i = 0;

    for (int c = 0; i + VW <= n; i += VW, c ^= 1)
        s[c] = s[c] + get(x, i, VW, bf);
    if (i < n) s[0] = s[0] + get(x, i, lanes(i, n), bf);
    return s[0] + s[1];
}

INLINE void rms(void *y, const void *x, const float *w, int64_t n, float eps, int add, int bf)
{
    vf r = vset(1.0f / sqrtf(vsum(squares(x, n, vset(0), bf)) / (float)n + eps));

    for (int64_t i = 0; i < n; i += VW) {
        int k = lanes(i, n);
        vf v = rnd(get(x, i, k, bf) * r, bf) * vload_n(w + i, k);

        if (add) v = get(y, i, k, bf) + rnd(v, bf);
        set(y, i, v, k, bf);
    }
}

void NAME(rms)(void *y, const void *x, const float *w, int64_t n, float eps, int add, int bf)
{
    if (bf)
        rms(y, x, w, n, eps, add, 1);
    else
        rms(y, x, w, n, eps, add, 0);
}

/* Mean and 1 / standard deviation; two passes, because one cancels. */
INLINE void moments(const void *x, int64_t n, float eps, vf *mean, vf *scale, int bf)
{
    *mean = vset(vsum(values(x, n, bf)) / (float)n);
    *scale = vset(1.0f / sqrtf(vsum(squares(x, n, *mean, bf)) / (float)n + eps));
}

INLINE void ln(void *y, const void *x, const float *w, const float *b, int64_t n, float eps, int bf)
{
    vf m, r;

    moments(x, n, eps, &m, &r, bf);
    for (int64_t i = 0; i < n; i += VW) {
        int k = lanes(i, n);
        vf v = (get(x, i, k, bf) - m) * r;

        set(y, i, vfma(v, vload_n(w + i, k), vload_n(b + i, k)), k, bf);
    }
}

void NAME(ln)(void *y, const void *x, const float *w, const float *b, int64_t n, float eps, int bf)
{
    if (bf)
        ln(y, x, w, b, n, eps, 1);
    else
        ln(y, x, w, b, n, eps, 0);
}

INLINE void ln_mod(void *y, const void *x, const void *scale, const void *shift, int64_t n,
                   float eps, int bf)
{
    vf m, r;

    moments(x, n, eps, &m, &r, bf);
    for (int64_t i = 0; i < n; i += VW) {
        int k = lanes(i, n);
        vf v = rnd((get(x, i, k, bf) - m) * r, bf);
        vf a = rnd(vset(1.0f) + get(scale, i, k, bf), bf);

        set(y, i, rnd(v * a, bf) + get(shift, i, k, bf), k, bf);
    }
}

void NAME(ln_mod)(void *y, const void *x, const void *scale, const void *shift, int64_t n,
                  float eps, int bf)
{
    if (bf)
        ln_mod(y, x, scale, shift, n, eps, 1);
    else
        ln_mod(y, x, scale, shift, n, eps, 0);
}

INLINE void gate_add(void *x, const void *a, const void *gate, int64_t n, int bf)
{
    for (int64_t i = 0; i < n; i += VW) {
        int k = lanes(i, n);
        vf v = rnd(get(gate, i, k, bf) * get(a, i, k, bf), bf);

        set(x, i, get(x, i, k, bf) + v, k, bf);
    }
}

void NAME(gate_add)(void *x, const void *a, const void *gate, int64_t n, int bf)
{
    if (bf)
        gate_add(x, a, gate, n, 1);
    else
        gate_add(x, a, gate, n, 0);
}

INLINE char *head_of(void *x, int64_t at, int bf)
{
    return (char *)x + at * (bf ? 2 : 4);
}

/* moments() of up to VW heads of n values side by side, in the same order of additions. */
INLINE void head_moments(void *x, int64_t heads, int64_t n, float eps, float *mean, float *scale,
                         int bf)
{
    const vf count = vset((float)n);
    vf t[VW];

    for (int64_t h = 0; h < VW; h++)
        t[h] = h < heads ? values(head_of(x, h * n, bf), n, bf) : vset(0);
    vstore(mean, vsums(t) / count);
    for (int64_t h = 0; h < VW; h++)
        t[h] = h < heads ? squares(head_of(x, h * n, bf), n, vset(mean[h]), bf) : vset(0);
    vstore(scale, vset(1.0f) / vsqrt(vsums(t) / count + vset(eps)));
}

INLINE void qk_head(void *x, const float *cs, int64_t n, vf m, vf r, int bf)
{
    const int64_t h = n / 2;

    if (!cs) {
        for (int64_t i = 0; i < n; i += VW)
            set(x, i, (get(x, i, lanes(i, n), bf) - m) * r, lanes(i, n), bf);
        return;
    }
    for (int64_t i = 0; i < h; i += VW) {
        int k = lanes(i, h);
        vf a = rnd((get(x, i, k, bf) - m) * r, bf), b = rnd((get(x, h + i, k, bf) - m) * r, bf);
        vf c = vload_n(cs + i, k), s = vload_n(cs + h + i, k);

        set(x, i, a * c - b * s, k, bf);
        set(x, h + i, b * c + a * s, k, bf);
    }
}

INLINE void qk(void *x, const float *cs, int64_t heads, int64_t n, float eps, int bf)
{
    for (int64_t from = 0; from < heads; from += VW) {
        char *at = head_of(x, from * n, bf);
        const int some = lanes(from, heads);
        float mean[VW], scale[VW];

        head_moments(at, some, n, eps, mean, scale, bf);
        for (int h = 0; h < some; h++)
            qk_head(head_of(at, h * n, bf), cs, n, vset(mean[h]), vset(scale[h]), bf);
    }
}

void NAME(qk)(void *x, const float *cs, int64_t heads, int64_t n, float eps, int bf)
{
    if (bf)
        qk(x, cs, heads, n, eps, 1);
    else
        qk(x, cs, heads, n, eps, 0);
}

INLINE void rope(void *x, const float *cs, int64_t rot, int bf)
{
    const int64_t h = rot / 2;

    for (int64_t i = 0; i < h; i += VW) {
        int k = lanes(i, h);
        vf a = get(x, i, k, bf), b = get(x, h + i, k, bf);
        vf c = vload_n(cs + i, k), s = vload_n(cs + h + i, k);

        set(x, i, rnd(a * c, bf) - rnd(b * s, bf), k, bf);
        set(x, h + i, rnd(b * c, bf) + rnd(a * s, bf), k, bf);
    }
}

void NAME(rope)(void *x, const float *cs, int64_t rot, int bf)
{
    if (bf)
        rope(x, cs, rot, 1);
    else
        rope(x, cs, rot, 0);
}

INLINE void glu(void *y, const void *gate, const void *up, int64_t n, enum activation act, int bf)
{
    for (int64_t i = 0; i < n; i += VW) {
        int k = lanes(i, n);
        vf g = rnd(activate(get(gate, i, k, bf), act), bf);

        set(y, i, get(up, i, k, bf) * g, k, bf);
    }
}

INLINE void add_act(void *y, const void *a, const void *b, int64_t n, enum activation act, int bf)
{
    for (int64_t i = 0; i < n; i += VW) {
        int k = lanes(i, n);
        vf v = get(a, i, k, bf);

        if (b) v = rnd(v + get(b, i, k, bf), bf);
        set(y, i, activate(v, act), k, bf);
    }
}

/* One copy of f's body for every activation and type: the choice leaves the loop. */
#define EACH_ACT(f, act, ...)                                     \
    switch (act) {                                                \
    case ACT_NONE: f(__VA_ARGS__, ACT_NONE, bf); break;           \
    case ACT_SILU: f(__VA_ARGS__, ACT_SILU, bf); break;           \
    case ACT_GELU_TANH: f(__VA_ARGS__, ACT_GELU_TANH, bf); break; \
    case ACT_GELU_ERF: f(__VA_ARGS__, ACT_GELU_ERF, bf); break;   \
    }

void NAME(glu)(void *y, const void *gate, const void *up, int64_t n, enum activation act, int bf)
{
    EACH_ACT(glu, act, y, gate, up, n)
}

void NAME(add_act)(void *y, const void *a, const void *b, int64_t n, enum activation act, int bf)
{
    EACH_ACT(add_act, act, y, a, b, n)
}

void NAME(gn_sums)(double *s, const void *x, int64_t ld, int64_t n, int64_t channels, int bf)
{
    const size_t size = bf ? 2 : 4;

    for (int64_t c = 0; c < channels; c += VW) {
        int k = lanes(c, channels);
        double sum[VW] = {0}, sq[VW] = {0};

        for (int64_t p = 0; p < n; p++) {
            float t[VW];

            vstore(t, get((const char *)x + (size_t)(p * ld) * size, c, k, bf));
            for (int i = 0; i < VW; i++) {
                sum[i] += (double)t[i];
                sq[i] += (double)t[i] * (double)t[i];
            }
        }
        for (int i = 0; i < k; i++) {
            s[c + i] += sum[i];
            s[channels + c + i] += sq[i];
        }
    }
}

INLINE void gn_apply(const struct gn_block *g, enum activation act, int bf)
{
    const size_t size = bf ? 2 : 4;

    for (int64_t p = 0; p < g->n; p++) {
        char *y = (char *)g->y + (size_t)(p * g->ldy) * size;
        const char *x = (const char *)g->x + (size_t)(p * g->ldx) * size;

        for (int64_t i = 0; i < g->channels; i += VW) {
            int k = lanes(i, g->channels);
            vf v = vfma(get(x, i, k, bf), vload_n(g->a + i, k), vload_n(g->b + i, k));

            set(y, i, activate(rnd(v, bf), act), k, bf);
        }
    }
}

void NAME(gn_apply)(const struct gn_block *g, enum activation act, int bf)
{
    EACH_ACT(gn_apply, act, g)
}
