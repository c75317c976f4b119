/* attention - (sequence, head, block of queries) over threads, for the DiT, the glyph encoder, the
 * prior. */
#include "kernels/cpu/device.h"
#include "kernels/cpu/ops.h"

#include <string.h>

struct heads {
    const struct cpu *cpu;
    const struct attn *a;
    const struct attn_seq *seq;
    const int64_t *causal; /* of every sequence's first query; NULL: no mask */
    int nseq;
    int queries; /* of a task: whole blocks */
};

static void *at(tensor t, int64_t row, int64_t col)
{
    return (char *)t.data + (size_t)(row * t.ld + col) * dtype_size(t.type);
}

/* Tasks of one head. */
static int parts(const struct heads *j, int i)
{
    return (int)((j->seq[i].q.rows + j->queries - 1) / j->queries);
}

/* Some queries of sequence i: task counts heads, then parts. */
static struct attn_block block_of(const struct heads *j, int i, int task, int thread)
{
    const struct attn *a = j->a;
    const struct attn_seq *s = &j->seq[i];
    const int dim = a->head_dim, head = task % a->heads, kv = head / (a->heads / a->kv_heads);
    const int64_t q0 = (int64_t)(task / a->heads) * j->queries, left = s->q.rows - q0;
    struct attn_block b = {.q = at(s->q, q0, head * dim),
                           .k = at(s->k, 0, kv * dim),
                           .v = at(s->v, 0, kv * dim),
                           .o = at(s->o, q0, head * dim),
                           .ldq = s->q.ld,
                           .ldk = s->k.ld,
                           .ldv = s->v.ld,
                           .ldo = s->o.ld,
                           .nq = left < j->queries ? (int)left : j->queries,
                           .d = dim,
                           .nk = s->k.rows,
                           .scale = a->scale,
                           .causal = j->causal ? j->causal[i] + q0 : -1,
                           .work = cpu_buffer(j->cpu, thread)};

    if (tensor_given(a->bias)) b.bias = (float *)at(a->bias, head, (a->bias.cols - 1) / 2 - q0);
    return b;
}

static void head_task(void *ctx, int task, int thread)
{
    const struct heads *j = ctx;
    const int heads = j->a->heads;
    struct attn_block b;
    int i = 0;

    for (; task >= heads * parts(j, i); i++)
        task -= heads * parts(j, i);
    b = block_of(j, i, task, thread);
    j->cpu->isa->attn(&b, j->cpu->bf);
}

static int tasks_of(const struct heads *j)
{
    int n = 0;

    for (int i = 0; i < j->nseq; i++)
        n += j->a->heads * parts(j, i);
    return n;
}

/* Copies of keys and values serve as many queries as leave every thread its tasks. */
static void run(struct heads *j)
{
    const double width = (double)j->a->heads * j->a->head_dim;
    double flops = 0;
    int want;

    for (int i = 0; i < j->nseq; i++)
        flops += 4 * (double)j->seq[i].q.rows * (double)j->seq[i].k.rows * width;
    want = cpu_tasks(j->cpu, flops);
    j->queries = ATTN_MOST;
    while (j->queries > ATTN_Q && tasks_of(j) < want)
        j->queries -= ATTN_Q;
    cpu_run(j->cpu, tasks_of(j), flops, head_task, j);
}

static int fits(struct cpu *c, const struct attn *a)
{
    assert(a->heads % a->kv_heads == 0);
    if (a->head_dim <= CPU_HEAD_DIM_MAX) return 1;
    cpu_fail(c, ERR_MODEL, "attention heads wider than 512 are not supported on the CPU");
    return 0;
}

void cpu_attention(struct dev *d, const struct attn *a, const struct attn_seq *seq, int nseq)
{
    if (!cpu_ready(d) || !fits(cpu_of(d), a)) return;
    run(&(struct heads){.cpu = cpu_of(d), .a = a, .seq = seq, .nseq = nseq});
}

struct steps {
    const struct cpu *cpu;
    const struct attn *a;
    const struct ar_seq *seq;
    tensor o, qkv;
    int rot;
};

static int64_t length(const struct ar_seq *s)
{
    return ((const int32_t *)s->state.data)[AR_LEN];
}

/* Rotate the queries of one head of keys and this head in all rows of a sequence, and move the
 * rows' keys and values to the cache. */
static void append(const struct steps *j, const struct ar_seq *s, int kv)
{
    const struct attn *a = j->a;
    const int64_t dim = a->head_dim, len = length(s);
    const int64_t group = a->heads / a->kv_heads, key = a->heads + kv, value = key + a->kv_heads;
    const size_t bytes = (size_t)dim * dtype_size(j->qkv.type);

    for (int64_t i = 0; i < s->n; i++) {
        const int64_t row = s->row + i;
        const float *cs = at(s->rope, len + i, 0);

        for (int64_t h = kv * group; h < (kv + 1) * group; h++)
            j->cpu->isa->rope(at(j->qkv, row, h * dim), cs, j->rot, j->cpu->bf);
        j->cpu->isa->rope(at(j->qkv, row, key * dim), cs, j->rot, j->cpu->bf);
        memcpy(at(s->k, len + i, kv * dim), at(j->qkv, row, key * dim), bytes);
        memcpy(at(s->v, len + i, kv * dim), at(j->qkv, row, value * dim), bytes);
    }
}

/* A sequence of one row: the heads that share keys are the queries of one block. */
static void group_task(void *ctx, int task, int thread)
{
    const struct steps *j = ctx;
    const struct attn *a = j->a;
    const struct ar_seq *s = &j->seq[task / a->kv_heads];
    const int kv = task % a->kv_heads, group = a->heads / a->kv_heads, dim = a->head_dim;

    append(j, s, kv);
    for (int h = 0; h < group; h += ATTN_Q) {
        const struct attn_block b = {.q = at(j->qkv, s->row, (kv * group + h) * dim),
                                     .k = at(s->k, 0, kv * dim),
                                     .v = at(s->v, 0, kv * dim),
                                     .o = at(j->o, s->row, (kv * group + h) * dim),
                                     .ldq = dim,
                                     .ldk = s->k.ld,
                                     .ldv = s->v.ld,
                                     .ldo = dim,
                                     .nq = group - h < ATTN_Q ? group - h : ATTN_Q,
                                     .d = dim,
                                     .nk = length(s) + 1,
                                     .scale = a->scale,
                                     .causal = -1,
                                     .decoded = 1,
                                     .work = cpu_buffer(j->cpu, thread)};

        j->cpu->isa->attn(&b, j->cpu->bf);
    }
}

static void append_task(void *ctx, int task, int thread)
{
    const struct steps *j = ctx;

    (void)thread;
    append(j, j->seq, task);
}

/* The one sequence at seq[0], of many rows. */
static void many_rows(const struct steps *j)
{
    enum { FLOPS_VALUE = 20 };
    const struct ar_seq *s = j->seq;
    const int64_t len = length(s);
    const tensor q = tensor_cols(j->qkv, 0, j->o.cols);
    const struct attn_seq one = {.q = tensor_rows(q, s->row, s->n),
                                 .o = tensor_rows(j->o, s->row, s->n),
                                 .k = tensor_rows(s->k, 0, len + s->n),
                                 .v = tensor_rows(s->v, 0, len + s->n)};

    cpu_run(j->cpu, j->a->kv_heads, (double)s->n * (double)j->qkv.cols * FLOPS_VALUE, append_task,
            (void *)j);
    run(&(struct heads){.cpu = j->cpu, .a = j->a, .seq = &one, .causal = &len, .nseq = 1});
}

/* n sequences of one row from seq[0] on. */
static void single_rows(const struct steps *j, int n)
{
    enum { TIMES = 3 }; /* a product with one row that is read once is so much slower */
    double keys = 0;

    for (int i = 0; i < n; i++)
        keys += (double)length(&j->seq[i]) + 1;
    cpu_run(j->cpu, n * j->a->kv_heads, TIMES * 4 * keys * (double)j->o.cols, group_task,
            (void *)j);
}

void cpu_ar_attention(struct dev *d, tensor o, tensor qkv, const struct attn *a, int rot,
                      const struct ar_seq *seq, int nseq)
{
    struct cpu *c = cpu_of(d);
    struct steps j = {.cpu = c, .a = a, .seq = seq, .o = o, .qkv = qkv, .rot = rot};
    int64_t q;

    if (!cpu_ready(d) || !fits(c, a)) return;
    q = (int64_t)a->heads * a->head_dim;
    assert(qkv.cols == q + 2 * a->kv_heads * a->head_dim && o.cols == q && o.rows == qkv.rows);
    for (int i = 0; i < nseq; i++)
        if (length(&seq[i]) + seq[i].n > seq[i].k.rows) {
            cpu_fail(c, ERR_DEVICE, "a sequence outgrew its cache");
            return;
        }
    for (int i = 0, n = 0; i < nseq; i += n) { /* runs of sequences of one row share their tasks */
        j.seq = seq + i;
        for (n = 1; seq[i].n == 1 && i + n < nseq && seq[i + n].n == 1;)
            n++;
        if (seq[i].n == 1)
            single_rows(&j, n);
        else
            many_rows(&j);
    }
}
