/* sample - sample(): sampling.h applied to rows of logits, and the counters that follow a token. */
#include "kernels/cpu/device.h"
#include "kernels/cpu/ops.h"
#include "kernels/sampling.h"

static size_t row_work(int64_t vocab)
{
    return ((sampling_work((int)vocab) + 63) / 64 + ((size_t)vocab * 8 + 63) / 64) * 64;
}

size_t cpu_sample_work(int64_t rows, int64_t vocab)
{
    return (size_t)rows * row_work(vocab);
}

struct sample_job {
    tensor logits;
    const struct sample *sample;
    char *work;
};

static int32_t choose(const struct sample_job *j, int i, int32_t sampled, int32_t *bad)
{
    const struct sample *w = &j->sample[i];
    const int n = (int)j->logits.cols;
    const struct sampling sampling = {.temperature = w->temperature,
                                      .top_p = w->top_p,
                                      .top_k = w->top_k,
                                      .limit = w->strict ? 0 : w->codes};
    char *work = j->work + (size_t)i * row_work(n);
    int32_t *ids = (int32_t *)(void *)work;
    float *probs = (float *)(void *)(ids + n);
    void *rest = work + ((size_t)n * 8 + 63) / 64 * 64;
    const float *row = (const float *)j->logits.data + i * j->logits.ld;
    int kept = sampling_keep(ids, probs, row, n, &sampling, rest);
    int32_t id;

    if (!kept) return -1;
    id = sampling_draw(ids, probs, kept, w->seed, w->picture, (uint32_t)sampled);
    if (id >= w->codes) *bad = 1;
    return id;
}

static void sample_task(void *ctx, int i, int thread)
{
    struct sample_job *j = ctx;
    const struct sample *w = &j->sample[i];
    int32_t *state = w->state.data, *tokens = w->tokens.data, bad = 0, id;
    const int32_t sampled = state[AR_SAMPLED];

    (void)thread;
    assert(sampled >= 0 && sampled < w->tokens.cols);
    if (tensor_given(w->teacher_forced))
        id = ((const int32_t *)w->teacher_forced.data)[sampled];
    else
        id = choose(j, i, sampled, &bad);
    if (id < 0) {
        id = 0;
        bad = 1;
    }
    if (bad && !state[AR_BAD]) state[AR_BAD] = sampled + 1;
    tokens[sampled] = id;
    state[AR_NEXT] = id;
    state[AR_SAMPLED] = sampled + 1;
    state[AR_LEN] += (int32_t)w->advance;
}

void cpu_sample(struct dev *d, tensor logits, const struct sample *sample, int n)
{
    enum { FLOPS_LOGIT = 400 }; /* a sort, and e^x of most */
    const double flops = (double)n * (double)logits.cols * FLOPS_LOGIT;
    struct sample_job j = {.logits = logits, .sample = sample};
    size_t mark;

    if (!cpu_ready(d)) return;
    assert(logits.type == DT_F32 && logits.rows == n);
    mark = arena_mark(&d->scratch);
    j.work = arena_alloc(&d->scratch, cpu_sample_work(n, logits.cols));
    if (j.work) cpu_run(cpu_of(d), n, flops, sample_task, &j);
    arena_release(&d->scratch, mark);
}

struct argmax_job {
    tensor ids, scores;
    const float *factor;
};

/* Few of many scores are the greatest so far, so ARGMAX_AT_ONCE of them are first asked whether any
 * is: without a branch, which compilers make vectors of. */
enum { ARGMAX_AT_ONCE = 64 };

static int any_above(const float *s, const float *factor, float most)
{
    int above = 0;

    for (int k = 0; k < ARGMAX_AT_ONCE; k++)
        above |= s[k] * factor[k] > most;
    return above;
}

/* The first of the greatest. */
static int32_t argmax(const float *s, const float *factor, int32_t n)
{
    float most = s[0] * factor[0];
    int32_t best = 0, end;

    for (int32_t begin = 0; begin < n; begin = end) {
        end = n - begin > ARGMAX_AT_ONCE ? begin + ARGMAX_AT_ONCE : n;
        if (end - begin == ARGMAX_AT_ONCE && !any_above(s + begin, factor + begin, most)) continue;
        for (int32_t k = begin; k < end; k++) {
            const float v = s[k] * factor[k];

            if (v > most) best = k, most = v;
        }
    }
    return best;
}

static void argmax_rows(const struct cpu *c, const void *ctx, int64_t row, int64_t n)
{
    const struct argmax_job *j = ctx;

    (void)c;
    for (int64_t i = row; i < row + n; i++)
        ((int32_t *)j->ids.data)[i * j->ids.ld] = argmax(
            (const float *)j->scores.data + i * j->scores.ld, j->factor, (int32_t)j->scores.cols);
}

void cpu_argmax(struct dev *d, tensor ids, tensor scores, const struct weight *factor)
{
    const struct argmax_job j = {
        .ids = ids, .scores = scores, .factor = cpu_weight_of(factor)->data};

    if (!cpu_ready(d)) return;
    assert(ids.type == DT_I32 && scores.type == DT_F32 && ids.rows == scores.rows);
    assert(cpu_weight_of(factor)->use == USE_VECTOR);
    cpu_rows(cpu_of(d), scores.rows, scores.cols * 4, argmax_rows, &j);
}
