/* sampling - temperature, top-k, top-p and one draw. */
#include "kernels/sampling.h"

#include "kernels/rng.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { DIGIT = 11, DIGITS = 3, BUCKETS = 1 << DIGIT };

/* A logit as an unsigned key of the same order. */
static uint32_t key_of(float f)
{
    uint32_t u;

    f += 0.0f; /* -0 and 0 are equal */
    memcpy(&u, &f, sizeof u);
    return u & 0x80000000u ? ~u : u | 0x80000000u;
}

struct entry {
    uint32_t key;
    int32_t id;
};

size_t sampling_work(int n)
{
    return sizeof(struct entry) * 2 * (size_t)n + sizeof(float) * 2 * (size_t)n
           + sizeof(uint32_t) * DIGITS * BUCKETS;
}

/* Stable, by key descending: least significant digit first. Returns the one that has the result. */
static struct entry *sort(struct entry *a, struct entry *b, int n, uint32_t *count)
{
    memset(count, 0, sizeof *count * DIGITS * BUCKETS);
    for (int i = 0; i < n; i++)
        for (int d = 0; d < DIGITS; d++)
            count[(uint32_t)d * BUCKETS + (~a[i].key >> (d * DIGIT) & (BUCKETS - 1))]++;
    for (int d = 0; d < DIGITS; d++) {
        uint32_t *c = count + d * BUCKETS, at = 0;
        struct entry *t = a;

        for (int i = 0; i < BUCKETS; i++) {
            uint32_t k = c[i];

            c[i] = at;
            at += k;
        }
        for (int i = 0; i < n; i++)
            b[c[~a[i].key >> (d * DIGIT) & (BUCKETS - 1)]++] = a[i];
        a = b;
        b = t;
    }
    return a;
}

/* Of n entries in descending order with weights e, how many survive top-p. */
static int nucleus(const float *e, int n, double top_p)
{
    double sum = 0, below = 0;
    const float cut = (float)(1 - top_p);

    if (!(top_p < 1)) return n;
    for (int i = 0; i < n; i++)
        sum += (double)e[i];
    while (n > 1) {
        below += (double)(float)((double)e[n - 1] / sum);
        if (!((float)below <= cut)) break;
        n--;
    }
    return n;
}

int sampling_keep(int32_t *ids, float *probs, const float *logits, int n,
                  const struct sampling *sampling, void *work)
{
    struct entry *a = work, *b = a + n;
    float *scaled = (float *)(void *)(b + n), *e = scaled + n;
    uint32_t *count = (uint32_t *)(void *)(e + n);
    const float t = (float)sampling->temperature;
    int m = 0;
    double sum = 0;
    struct entry *s;

    for (int i = 0; i < n && (sampling->limit <= 0 || i < sampling->limit); i++) {
        scaled[i] = logits[i] / t;
        if (isnan(scaled[i])) return 0;
        if (scaled[i] > -INFINITY) a[m++] = (struct entry){key_of(scaled[i]), i};
    }
    if (m == 0) return 0;
    s = sort(a, b, m, count);
    if (isinf(scaled[s[0].id])) return 0;
    if (sampling->top_k > 0 && sampling->top_k < m) {
        int k = sampling->top_k;

        while (k < m && s[k].key == s[sampling->top_k - 1].key)
            k++;
        m = k;
    }
    for (int i = 0; i < m; i++)
        e[i] = expf(scaled[s[i].id] - scaled[s[0].id]);
    m = nucleus(e, m, sampling->top_p);
    for (int i = m; i-- > 0;)
        sum += (double)e[i];
    for (int i = 0; i < m; i++) {
        ids[i] = s[i].id;
        probs[i] = (float)((double)e[i] / sum);
    }
    while (m > 1 && !(probs[m - 1] > 0)) /* underflowed: the reference can never draw it either */
        m--;
    return m;
}

int32_t sampling_draw(const int32_t *ids, const float *probs, int count, uint64_t seed,
                      uint32_t picture, uint32_t position)
{
    double most = -1;
    int32_t best;

    assert(count > 0);
    best = ids[0];
    for (int i = 0; i < count; i++) {
        double v = (double)probs[i] / rng_exponential(seed, picture, position, (uint32_t)ids[i]);

        if (v > most) most = v, best = ids[i];
    }
    return best;
}
