/* eta - measured rates and measured errors. */
#include "server/core/eta.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* About so many pictures back matter: enough to average, few enough to follow a machine whose load
 * changes. */
static const double PICTURES = 3;
/* |ln| of a forecast that rests on a guess, and of one on rates but no finished job: factors of
 * four and of one and a half, either way. */
static const double OFF_GUESS = 1.4, OFF_RATES = 0.4;
/* Never narrower than this, either way. */
static const double OFF_LEAST = 0.12;
/* Jobs of a kind; with fewer, those of the other kinds count too. */
enum { FEW = 8 };

/* --- the range -------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int add_kind(const struct eta *e, int kind, double *off, int n)
{
    int judged = e->known.judged[kind] < ETA_JUDGED ? e->known.judged[kind] : ETA_JUDGED;

    memcpy(off + n, e->known.off[kind], (size_t)judged * sizeof *off);
    return n + judged;
}

/* Where the shortest window over all but one in 16 of the n values begins. */
static int shortest(const double *off, int n)
{
    int k = n - n / 16, best = 0;

    for (int i = 1; i + k <= n; i++)
        if (off[i + k - 1] - off[i] < off[best + k - 1] - off[best]) best = i;
    return best;
}

static double mean(const double *off, int n)
{
    double sum = 0;

    for (int i = 0; i < n; i++)
        sum += off[i];
    return sum / n;
}

/* Few jobs say little, so their range is widened and their mean counts less: of n jobs the next one
 * lies outside all of them twice in n + 1 times, and more often as neighbours are alike. */
static void set_span(struct eta *e, int kind)
{
    double off[ETA_KINDS * ETA_JUDGED], mid = 0, low = 0, high = 0, wider;
    double none = e->all.seconds > 0 ? OFF_RATES : OFF_GUESS;
    int n = add_kind(e, kind, off, 0);

    for (int k = 0, few = n < FEW; k < ETA_KINDS && few; k++)
        if (k != kind) n = add_kind(e, k, off, n);
    if (n > 0) {
        int at;

        qsort(off, (size_t)n, sizeof *off, by_value);
        at = shortest(off, n);
        mid = (mean(off + at, n - n / 16) + (off[(n - 1) / 2] + off[n / 2]) / 2) / 2;
        mid *= (double)n / (n + FEW);
        low = off[at];
        high = off[at + n - n / 16 - 1];
    }
    wider = (none + 3 * (high - low)) / (n + 1);
    e->span[kind].mid = exp(mid);
    e->span[kind].low = exp(fmin(low - wider, mid - OFF_LEAST));
    e->span[kind].high = exp(fmax(high + wider, mid + OFF_LEAST));
}

static void set_spans(struct eta *e)
{
    for (int kind = 0; kind < ETA_KINDS; kind++)
        set_span(e, kind);
}

/* --- what is measured ------------------------------------------------------------------------- */

void eta_init(struct eta *e, double guess)
{
    memset(e, 0, sizeof *e);
    e->guess = guess > 0 ? guess : 1e10;
    set_spans(e);
}

enum eta_stage eta_stage_of(enum glm_phase phase, bool prefill)
{
    static const enum eta_stage STAGE[GLM_PHASES] = {
        [GLM_GLYPH] = ETA_GLYPH,  [GLM_VISION] = ETA_VISION,   [GLM_ENCODE] = ETA_ENCODE,
        [GLM_PRIOR] = ETA_TOKENS, [GLM_DENOISE] = ETA_DENOISE, [GLM_DECODE] = ETA_DECODE};

    assert(phase < GLM_DONE);
    return phase == GLM_PRIOR && prefill ? ETA_PREFILL : STAGE[phase];
}

enum glm_phase eta_phase_of(enum eta_stage stage)
{
    static const enum glm_phase PHASE[ETA_STAGES] = {
        [ETA_GLYPH] = GLM_GLYPH,   [ETA_VISION] = GLM_VISION, [ETA_ENCODE] = GLM_ENCODE,
        [ETA_PREFILL] = GLM_PRIOR, [ETA_TOKENS] = GLM_PRIOR,  [ETA_DENOISE] = GLM_DENOISE,
        [ETA_DECODE] = GLM_DECODE};

    assert(stage < ETA_STAGES);
    return PHASE[stage];
}

/* How often `least` must be doubled to reach what there is. */
static int class_of(double is, double least)
{
    int c = 0;

    for (double at = least; at < is && c < ETA_SIZES - 1; at *= 2)
        c++;
    return c;
}

int eta_size(enum eta_stage stage, const struct glm_cost *c, int pixels)
{
    const struct glm_progress begin = {.total = 0};
    double token;

    if (stage == ETA_GLYPH || stage > ETA_TOKENS)
        return class_of(pixels, LIMIT_SIDE_MIN * LIMIT_SIDE_MIN);
    token = eta_quantum(c, ETA_TOKENS);
    if (!(token > 0)) return 0;
    if (stage < ETA_PREFILL) return class_of(eta_quantum(c, stage) / token, 1);
    return class_of(eta_work(c, &begin, ETA_PREFILL) / token, 1);
}

int eta_quanta(const struct glm_cost *c, enum eta_stage stage)
{
    int all = c->quanta[eta_phase_of(stage)], chunks = c->chunks;

    if (stage == ETA_PREFILL) return chunks < all ? chunks : all;
    return stage == ETA_TOKENS ? (chunks < all ? all - chunks : 0) : all;
}

double eta_quantum(const struct glm_cost *c, enum eta_stage stage)
{
    const struct glm_progress begin = {.total = 0};
    int quanta = eta_quanta(c, stage);

    return quanta > 0 ? eta_work(c, &begin, stage) / quanta : 0;
}

double eta_own(const struct glm_cost *c, enum eta_stage stage)
{
    enum glm_phase phase = eta_phase_of(stage);
    double quantum = eta_quantum(c, stage), once;

    if (!(quantum > 0)) return stage == ETA_TOKENS ? 0 : 1;
    once = (c->work[phase] - c->flops[phase]) / c->quanta[phase];
    return once < quantum ? 1 - fmax(once, 0) / quantum : 0;
}

static void rate_add(struct eta_rate *r, double work, double seconds, double fade)
{
    r->work = r->work * fade + work;
    r->seconds = r->seconds * fade + seconds;
}

static bool rate_known(const struct eta_rate *r)
{
    return r->seconds > 0 && r->work > 0;
}

/* How far a measured cell is from the wanted one: sizes count before batches, and of two as far the
 * smaller one comes first: smaller batches promise less. */
static int distance(int size, int batch, struct eta_source from)
{
    int sizes = abs(size - from.size), batches = abs(batch - from.batch);

    return (2 * sizes + (from.size > size)) * 4 * LIMIT_BATCH + 2 * batches + (from.batch > batch);
}

/* This cell is measured from now on. */
static void add_source(struct eta *e, int stage, int of_size, int of_batch)
{
    const struct eta_source is = {(uint8_t)of_size, (uint8_t)of_batch};

    for (int size = 0; size < ETA_SIZES; size++)
        for (int batch = 1; batch <= LIMIT_BATCH; batch++) {
            struct eta_source *s = &e->source[stage][size][batch - 1];

            if (!s->batch || distance(size, batch, is) < distance(size, batch, *s)) *s = is;
        }
}

void eta_learn(struct eta *e, enum eta_stage stage, int size, int batch, double work,
               int64_t elapsed_us, int quanta)
{
    double seconds = (double)elapsed_us / 1e6;
    double fade = 1 - 1 / (PICTURES * (quanta > 1 ? quanta : 1));
    bool first = !(e->all.seconds > 0);
    struct eta_rate *r;

    if (stage >= ETA_STAGES || batch < 1 || batch > LIMIT_BATCH) return;
    if (!(work > 0) || !(seconds > 0)) return;
    assert(size >= 0 && size < ETA_SIZES);
    r = &e->known.rate[stage][size][batch - 1];
    if (!rate_known(r)) add_source(e, (int)stage, size, batch);
    rate_add(r, work, seconds, fade);
    rate_add(&e->all, work, seconds, fade);
    if (first) set_spans(e);
}

/* The next place of a ring of ETA_JUDGED. */
static int ring_next(int *written)
{
    int at = *written % ETA_JUDGED;

    if (++*written >= 2 * ETA_JUDGED) *written -= ETA_JUDGED;
    return at;
}

void eta_comes(struct eta *e, double work)
{
    if (work > 0) e->known.came[ring_next(&e->known.n_came)] = work;
}

enum eta_kind eta_rank(const struct eta *e, double work)
{
    int n = e->known.n_came < ETA_JUDGED ? e->known.n_came : ETA_JUDGED, smaller = 0;

    for (int i = 0; i < n; i++)
        smaller += e->known.came[i] < work;
    return (enum eta_kind)(4 * smaller / (n + 1));
}

void eta_judge(struct eta *e, enum eta_kind kind, int64_t played_us, int64_t actual_us)
{
    double *off = e->known.off[kind];

    assert(kind < ETA_KINDS);
    if (played_us <= 0 || actual_us <= 0) return;
    off[ring_next(&e->known.judged[kind])] = log((double)actual_us / (double)played_us);
    set_spans(e);
}

void eta_tail(struct eta *e, int64_t us)
{
    double s = (double)us / 1e6;

    if (us < 0) return;
    e->known.tail_s = e->known.tail_s > 0 ? e->known.tail_s + (s - e->known.tail_s) / 8 : s;
}

static void recall_rate(struct eta *e, int stage, int size, int batch, const struct eta_rate *from)
{
    if (!isfinite(from->work) || !isfinite(from->seconds) || !rate_known(from)) return;
    e->known.rate[stage][size][batch - 1] = *from;
    add_source(e, stage, size, batch);
    rate_add(&e->all, from->work, from->seconds, 1);
}

static void recall_offs(struct eta *e, int kind, const struct eta_known *k)
{
    for (int i = 0; i < k->judged[kind] && i < ETA_JUDGED; i++)
        if (fabs(k->off[kind][i]) <= OFF_GUESS)
            e->known.off[kind][e->known.judged[kind]++ % ETA_JUDGED] = k->off[kind][i];
}

void eta_recall(struct eta *e, const struct eta_known *k)
{
    for (int s = 0; s < ETA_STAGES; s++)
        for (int size = 0; size < ETA_SIZES; size++)
            for (int b = 0; b < LIMIT_BATCH; b++)
                recall_rate(e, s, size, b + 1, &k->rate[s][size][b]);
    if (isfinite(k->tail_s) && k->tail_s > 0) e->known.tail_s = k->tail_s;
    for (int kind = 0; kind < ETA_KINDS; kind++)
        recall_offs(e, kind, k);
    for (int i = 0; i < k->n_came && i < ETA_JUDGED; i++)
        if (isfinite(k->came[i])) eta_comes(e, k->came[i]);
    set_spans(e);
}

static bool stage_known(const struct eta *e, enum eta_stage stage)
{
    return e->source[stage][0][0].batch > 0;
}

bool eta_measured(const struct eta *e)
{
    return stage_known(e, ETA_PREFILL) && stage_known(e, ETA_TOKENS) && stage_known(e, ETA_DENOISE)
           && stage_known(e, ETA_DECODE);
}

/* How many times the work of a quantum alone is done in the same time, as planned. */
static double gain(int batch, double own)
{
    return batch / (1 + (batch - 1) * own);
}

/* One short quantum, held up by other programs, would make quanta a hundred times as long look
 * impossible: what was measured for less than this has little to say about other sizes. */
static const double BORROWED_S = 0.05;

static double borrowed(const struct eta *e, const struct eta_rate *r)
{
    double all = e->all.work / e->all.seconds;

    return (r->work + all * BORROWED_S) / (r->seconds + BORROWED_S);
}

double eta_rate(const struct eta *e, enum eta_stage stage, int size, int batch, double own)
{
    const struct eta_rate *r;
    struct eta_source of;

    assert(size >= 0 && size < ETA_SIZES);
    assert(stage < ETA_STAGES && batch >= 1 && batch <= LIMIT_BATCH);
    of = e->source[stage][size][batch - 1];
    if (of.batch) {
        r = &e->known.rate[stage][of.size][of.batch - 1];
        return (of.size == size ? r->work / r->seconds : borrowed(e, r)) * gain(batch, own)
               / gain(of.batch, own);
    }
    return (rate_known(&e->all) ? e->all.work / e->all.seconds : e->guess) * gain(batch, own);
}

double eta_left(const struct glm_progress *v, int phase)
{
    if (phase < (int)v->phase) return 0;
    if (phase > (int)v->phase || v->total <= 0) return 1;
    if (v->done >= v->total) return 0;
    return v->done <= 0 ? 1 : v->left;
}

double eta_work(const struct glm_cost *c, const struct glm_progress *v, enum eta_stage stage)
{
    enum glm_phase phase = eta_phase_of(stage);
    double left = eta_left(v, (int)phase), tokens = 1 - c->prefill;

    if (stage == ETA_PREFILL) left = left > tokens ? left - tokens : 0;
    if (stage == ETA_TOKENS && left > tokens) left = tokens;
    return c->work[phase] * left;
}

double eta_all_work(const struct glm_cost *c, const struct glm_progress *v)
{
    double sum = 0;

    for (int p = 0; p < GLM_PHASES; p++)
        sum += c->work[p] * eta_left(v, p);
    return sum;
}

double eta_seconds(const struct eta *e, const struct glm_cost *c, const struct glm_progress *v,
                   int pixels)
{
    double sum = 0;

    for (int s = 0; s < ETA_STAGES; s++) {
        enum eta_stage stage = (enum eta_stage)s;
        double work = eta_work(c, v, stage);

        if (work > 0)
            sum += work / eta_rate(e, stage, eta_size(stage, c, pixels), 1, eta_own(c, stage));
    }
    return sum;
}
