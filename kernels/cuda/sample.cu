/* sample - the prior's sampling rule on the device: a block a row, the logits stay on the device.
 *
 * The rule is kernels/sampling.h's. There the tail of the sorted row is cut where its sum reaches
 * 1 - top_p. Here the same boundary is found without sorting, by three histograms over the bits of
 * a logit, each of the values in the bin that the one before found: masses are added as 60-bit
 * fixed point numbers, so their sum does not depend on the order, and it is far finer than the
 * rounding to float that the rule prescribes for the comparison. Of equal logits at the boundary
 * the highest ids are cut first. The token is the rule's: the largest
 * probability / exponential. */
#include "kernels/ar_state.h"
#include "kernels/cuda/kernel.cuh"

enum {
    THREADS = 1024,
    /* of a histogram, two a thread */
    BINS = 2 * THREADS,
    /* parts of a mass, each added in 32 bits: shared memory has no fast addition of 64. A bin takes
     * 2^17 masses, more than there are tokens (CU_VOCAB) */
    LIMBS = 4,
    LIMB_BITS = 15
};

#define FIXED 0x1p60f

static_assert(CU_VOCAB <= 1 << (32 - LIMB_BITS), "the sum of a limb overflows");

static __device__ __forceinline__ void philox(uint32_t c[4], uint32_t k0, uint32_t k1)
{
    for (int i = 0; i < 10; i++) {
        const uint64_t a = (uint64_t)0xd2511f53u * c[0], b = (uint64_t)0xcd9e8d57u * c[2];

        c[0] = (uint32_t)(b >> 32) ^ c[1] ^ k0;
        c[2] = (uint32_t)(a >> 32) ^ c[3] ^ k1;
        c[1] = (uint32_t)b;
        c[3] = (uint32_t)a;
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
}

/* Products and sums as the host has them: never one fused operation. */
static __device__ __forceinline__ double mul_add(double a, double b, double c)
{
#ifdef SIMT
    return a * b + c;
#else
    return __dadd_rn(__dmul_rn(a, b), c);
#endif
}

/* rng_log of kernels/rng.c, step by step. */
static __device__ double log_of(double x)
{
    uint64_t u = bits_as<uint64_t>(x);
    int e = (int)(u >> 52) - 1023;
    double m = bits_as<double>((u & 0xfffffffffffffu) | ((uint64_t)1023 << 52));

    if (m > 0x1.6a09e667f3bcdp+0) {
        m *= 0.5;
        e++;
    }
    const double s = (m - 1) / (m + 1), z = s * s;
    double p = 1.0 / 19;
    for (int k = 17; k >= 1; k -= 2)
        p = mul_add(p, z, 1.0 / k);
    const double head = 2 * s * p;
    return mul_add(e, 0x1.62e42fefa39efp-1, head);
}

static __device__ double exponential(const struct cu_sample_row &d, uint32_t position,
                                     uint32_t lane)
{
    uint32_t c[4] = {lane >> 2, position, d.picture, 2 /* RNG_TOKEN */};

    philox(c, (uint32_t)d.seed, (uint32_t)(d.seed >> 32));
    return -log_of(((double)c[lane & 3] + 0.5) * 0x1p-32);
}

/* A logit as an unsigned key of the same order. */
static __device__ __forceinline__ uint32_t key_of(float f)
{
    const uint32_t u = bits_as<uint32_t>(f + 0.0f);

    return u & 0x80000000u ? ~u : u | 0x80000000u;
}

/* What the threads of a block share. */
struct sample_mem {
    uint32_t limb[LIMBS][BINS];
    uint64_t sum[32];
    double real[32];
    float top[32];
    int bad[32];
    double best[32];
    uint32_t best_key[32];
    int best_id[32];
};

static __device__ float block_max(float v, float *part)
{
    v = warp_max(v);
    __syncthreads();
    if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = v;
    __syncthreads();
    float m = part[0];
    for (int i = 1; i < (int)blockDim.x / 32; i++)
        m = fmaxf(m, part[i]);
    return m;
}

/* Whether a tail of this mass is small enough to be cut. */
static __device__ bool goes(uint64_t below, float cut)
{
    return (float)((double)below / (double)FIXED) <= cut;
}

/* The tail of the keys from `low` on: how much of it may be cut. */
struct tail {
    /* masses of the keys; NULL: each counts 1 */
    const float *p;
    /* no key above the last is asked for */
    uint32_t low, last;
    /* of masses, see goes(); of counts */
    float cut;
    uint64_t most;
};

static __device__ __forceinline__ bool small_enough(const tail &t, uint64_t sum)
{
    return t.p ? goes(sum, t.cut) : sum <= t.most;
}

static __device__ __forceinline__ void bin_add(sample_mem *mem, int bin, uint64_t v)
{
#pragma unroll
    for (int i = 0; i < LIMBS; i++) {
        const uint32_t part = (uint32_t)(v >> (LIMB_BITS * i));
        const uint32_t add = i < LIMBS - 1 ? part & ((1u << LIMB_BITS) - 1) : part;

        if (add) atomicAdd(&mem->limb[i][bin], add);
    }
}

static __device__ __forceinline__ uint64_t bin_sum(const sample_mem *mem, int bin)
{
    uint64_t sum = 0;

#pragma unroll
    for (int i = 0; i < LIMBS; i++)
        sum += (uint64_t)mem->limb[i][bin] << (LIMB_BITS * i);
    return sum;
}

/* The sum over the threads before this one. */
static __device__ uint64_t sum_before(uint64_t v, uint64_t *part)
{
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    uint64_t sum = v;

    for (int m = 1; m < 32; m *= 2) {
        const uint64_t u = __shfl_sync(WARP_ALL, sum, (lane - m) & 31);

        if (lane >= m) sum += u;
    }
    __syncthreads();
    if (lane == 31) part[warp] = sum;
    __syncthreads();
    sum -= v;
    for (int i = 0; i < warp; i++)
        sum += part[i];
    return sum;
}

/* Masses by bits [shift, shift + bits) of the keys that agree with `key` above them. */
static __device__ void fill_bins(const float *s, int n, const tail &t, uint32_t key, int shift,
                                 int bits, sample_mem *mem)
{
    const int above = shift + bits;

    for (int i = threadIdx.x; i < LIMBS * BINS; i += THREADS)
        (&mem->limb[0][0])[i] = 0;
    __syncthreads();
    for (int i = threadIdx.x; i < n; i += THREADS) {
        const uint32_t k = key_of(s[i]);

        if (!(s[i] > -INFINITY) || k < t.low || (above < 32 && k >> above != key >> above))
            continue;
        bin_add(mem, (int)(k >> shift & ((1u << bits) - 1)), t.p ? (uint64_t)(t.p[i] * FIXED) : 1);
    }
    __syncthreads();
}

/* The largest key such that all smaller ones, together *below, can be cut. What is in the bins then
 * is the mass of single keys: bin_sum() of the key's last bits. */
static __device__ uint32_t tail_key(const float *s, int n, const tail &t, uint64_t *below,
                                    sample_mem *mem)
{
    uint32_t key = 0;

    *below = 0;
    for (int level = 0; level < 3; level++) {
        const int shift = level == 0 ? 21 : level == 1 ? 10 : 0, bits = level == 2 ? 10 : 11;
        const int first = 2 * (int)threadIdx.x;
        int best = -1;
        uint64_t found = 0;

        fill_bins(s, n, t, key, shift, bits, mem);
        uint64_t sum = *below + sum_before(bin_sum(mem, first) + bin_sum(mem, first + 1), mem->sum);
        for (int bin = first; bin < first + 2 && bin < 1 << bits; bin++) {
            if ((key | (uint32_t)bin << shift) <= t.last && small_enough(t, sum)) {
                best = bin;
                found = sum;
            }
            sum += bin_sum(mem, bin);
        }
        /* the largest of all: sums only grow */
        const int bin = (int)block_max((float)best, mem->top);
        if (best == bin) mem->sum[0] = found;
        __syncthreads();
        *below = mem->sum[0];
        key |= (uint32_t)bin << shift;
    }
    return key;
}

/* The k-th largest of the keys, 1 <= k <= n; of fewer, 0. */
static __device__ uint32_t kth_key(const float *s, int n, int k, sample_mem *mem)
{
    uint64_t count = 0, below;

    for (int i = threadIdx.x; i < n; i += THREADS)
        count += s[i] > -INFINITY;
    count = block_sum(count, mem->sum);
    if (count < (uint64_t)k) return 0;
    const tail t = {NULL, 0, 0xffffffffu, 0, count - (uint64_t)k};
    return tail_key(s, n, t, &below, mem);
}

/* How many logits have this key and an id below `end`. */
static __device__ int count_equal(const float *s, int n, uint32_t key, int end, sample_mem *mem)
{
    uint64_t count = 0;

    for (int i = threadIdx.x; i < n && i < end; i += THREADS)
        count += s[i] > -INFINITY && key_of(s[i]) == key;
    return (int)block_sum(count, mem->sum);
}

/* What is kept: all keys above `key`, and of the keys equal to it the ids below `end`. */
struct boundary {
    uint32_t key;
    int end;
};

static __device__ __forceinline__ bool kept(const float *s, int i, boundary b)
{
    const uint32_t k = key_of(s[i]);

    return s[i] > -INFINITY && (k > b.key || (k == b.key && i < b.end));
}

/* p[i] = probability among the keys from `low`, rounded to float; 0 for the others. */
static __device__ void probabilities(float *p, const float *s, int n, uint32_t low, float top,
                                     sample_mem *mem)
{
    double part = 0;

    for (int i = threadIdx.x; i < n; i += THREADS) {
        p[i] = s[i] > -INFINITY && key_of(s[i]) >= low ? expf(s[i] - top) : 0;
        part += (double)p[i];
    }
    const double total = block_sum(part, mem->real);
    for (int i = threadIdx.x; i < n; i += THREADS)
        p[i] = (float)((double)p[i] / total);
}

static __device__ boundary nucleus(const float *s, float *p, int n, uint32_t low, float top,
                                   float cut, sample_mem *mem)
{
    boundary b = {low, n};

    if (!(cut > 0.0f)) return b;
    probabilities(p, s, n, low, top, mem);
    const tail t = {p, low, key_of(top), cut, 0};
    uint64_t below;
    const uint32_t key = tail_key(s, n, t, &below, mem);
    const uint64_t mass = bin_sum(mem, (int)(key & 1023));
    const int equal = count_equal(s, n, key, n, mem);
    const uint64_t one = equal ? mass / (uint64_t)equal : 0;
    const int most = key == key_of(top) ? equal - 1 : equal; /* the largest of all never goes */
    int gone = 0;
    while (gone < most && goes(below + one * (uint64_t)(gone + 1), cut))
        gone++;
    b.key = key;
    if (!gone) return b;
    /* the largest end with fewer than equal - gone ids below it, plus one */
    int end = 0;
    for (int bit = 30; bit >= 0; bit--) {
        const int at = end | 1 << bit;

        if (at < n && count_equal(s, n, key, at, mem) < equal - gone) end = at;
    }
    b.end = equal == gone ? 0 : end + 1;
    return b;
}

static __device__ bool better(double v, uint32_t k, int id, double w, uint32_t kw, int idw)
{
    if (v != w) return v > w;
    return k != kw ? k > kw : id < idw;
}

static __device__ int race(const float *s, int n, boundary b, float top,
                           const struct cu_sample_row &d, uint32_t position, sample_mem *mem)
{
    double part = 0, best = -1;
    uint32_t best_key = 0;
    int best_id = 0x7fffffff;
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;

    for (int i = threadIdx.x; i < n; i += THREADS)
        if (kept(s, i, b)) part += (double)expf(s[i] - top);
    const double total = block_sum(part, mem->real);
    for (int i = threadIdx.x; i < n; i += THREADS) {
        if (!kept(s, i, b)) continue;
        const uint32_t k = key_of(s[i]);
        const double p = (double)(float)((double)expf(s[i] - top) / total);
        const double v = p / exponential(d, position, (uint32_t)i);
        if (better(v, k, i, best, best_key, best_id)) {
            best = v;
            best_key = k;
            best_id = i;
        }
    }
    for (int m = 16; m; m >>= 1) {
        const double v = __shfl_xor_sync(WARP_ALL, best, m);
        const uint32_t k = __shfl_xor_sync(WARP_ALL, best_key, m);
        const int id = __shfl_xor_sync(WARP_ALL, best_id, m);

        if (better(v, k, id, best, best_key, best_id)) {
            best = v;
            best_key = k;
            best_id = id;
        }
    }
    if (lane == 0) {
        mem->best[warp] = best;
        mem->best_key[warp] = best_key;
        mem->best_id[warp] = best_id;
    }
    __syncthreads();
    int w = 0;
    for (int i = 1; i < THREADS / 32; i++)
        if (better(mem->best[i], mem->best_key[i], mem->best_id[i], mem->best[w], mem->best_key[w],
                   mem->best_id[w]))
            w = i;
    return mem->best_id[w];
}

__global__ void __launch_bounds__(THREADS) sample_kernel(const float *logits, int64_t ld, int vocab,
                                                         float *work, const struct cu_samples rows)
{
    __shared__ sample_mem mem;
    const struct cu_sample_row &d = rows.d[blockIdx.x];
    const float *l = logits + blockIdx.x * ld;
    float *s = work + (int64_t)blockIdx.x * 2 * vocab, *p = s + vocab, most = -INFINITY;
    const int n = d.strict || d.codes > vocab ? vocab : d.codes;
    int bad = 0, id = 0;

    dep_launch();
    dep_wait();
    const int sampled = d.state[AR_SAMPLED];
    for (int i = threadIdx.x; i < n; i += THREADS) {
        s[i] = l[i] / d.temperature;
        bad |= s[i] != s[i];
        most = fmaxf(most, s[i]);
    }
    const float top = block_max(most, mem.top);
    const uint64_t faults = block_sum((uint64_t)bad, mem.sum); /* its barriers publish s, too */
    const bool well = !faults && top > -INFINITY && top < INFINITY;
    if (d.teacher_forced) {
        id = d.teacher_forced[sampled];
    } else if (well) {
        const uint32_t low = d.top_k > 0 && d.top_k < n ? kth_key(s, n, d.top_k, &mem) : 0;

        id = race(s, n, nucleus(s, p, n, low, top, d.cut, &mem), top, d, (uint32_t)sampled, &mem);
    }
    if (threadIdx.x) return;
    const bool wrong = id < 0 || (!d.teacher_forced && (!well || id >= d.codes));
    id = id < 0 ? 0 : id;
    if (wrong && !d.state[AR_BAD]) d.state[AR_BAD] = 1 + sampled;
    d.tokens[sampled] = id;
    d.state[AR_NEXT] = id;
    d.state[AR_SAMPLED] = sampled + 1;
    d.state[AR_LEN] += d.advance;
}

void cu_sample(const struct cu_queue *q, const float *logits, int64_t ld, int vocab, float *work,
               const struct cu_samples *d)
{
    if (d->n) launch(sample_kernel, dim3(d->n), dim3(THREADS), 0, q, logits, ld, vocab, work, *d);
}
