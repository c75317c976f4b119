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
};

static void *at(tensor t, int64_t row, int64_t col)
{
    return (char *)t.data + (size_t)(row * t.ld + col) * dtype_size(t.type);
}

static int blocks(const struct attn_seq *s)
{
    return (int)((s->q.rows + ATTN_Q - 1) / ATTN_Q);
}

/* One block of queries of sequence i: task counts blocks, then heads. */
static struct attn_block block_of(const struct heads *j, int i, int task, int thread)
{
    const struct attn *a = j->a;
    const struct attn_seq *s = &j->seq[i];
    const int dim = a->head_dim, head = task % a->heads, kv = head / (a->heads / a->kv_heads);
    const int64_t q0 = (int64_t)(task / a->heads) * ATTN_Q, left = s->q.rows - q0;
    struct attn_block b = {.q = at(s->q, q0, head * dim),
                           .k = at(s->k, 0, kv * dim),
                           .v = at(s->v, 0, kv * dim),
                           .o = at(s->o, q0, head * dim),
                           .ldq = s->q.ld,
                           .ldk = s->k.ld,
                           .ldv = s->v.ld,
                           .ldo = s->o.ld,
                           .nq = left < ATTN_Q ? (int)left : ATTN_Q,
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

    for (; task >= heads * blocks(&j->seq[i]); i++)
        task -= heads * blocks(&j->seq[i]);
    b = block_of(j, i, task, thread);
    j->cpu->isa->attn(&b, j->cpu->bf);
}

static void run(const struct heads *j)
{
    int tasks = 0;

    for (int i = 0; i < j->nseq; i++)
        tasks += j->a->heads * blocks(&j->seq[i]);
    pool_run(j->cpu->pool, tasks, head_task, (void *)j);
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

/* Rotate q and k of rows [row, row + n) of one sequence, and move k and v to the cache. */
static void append(const struct steps *j, const struct ar_seq *s)
{
    const struct attn *a = j->a;
    const int64_t dim = a->head_dim, kv = a->kv_heads * dim, len = length(s);
    const size_t bytes = (size_t)kv * dtype_size(j->qkv.type);

    for (int64_t i = 0; i < s->n; i++) {
        const float *cs = at(s->rope, len + i, 0);

        for (int h = 0; h < a->heads + a->kv_heads; h++)
            j->cpu->isa->rope(at(j->qkv, s->row + i, h * dim), cs, j->rot, j->cpu->bf);
        memcpy(at(s->k, len + i, 0), at(j->qkv, s->row + i, a->heads * dim), bytes);
        memcpy(at(s->v, len + i, 0), at(j->qkv, s->row + i, a->heads * dim + kv), bytes);
    }
}

/* A sequence of one row: the heads that share keys are the queries of one block. */
static void group_task(void *ctx, int task, int thread)
{
    const struct steps *j = ctx;
    const struct attn *a = j->a;
    const struct ar_seq *s = &j->seq[task / a->kv_heads];
    const int kv = task % a->kv_heads, group = a->heads / a->kv_heads, dim = a->head_dim;

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
                                     .work = cpu_buffer(j->cpu, thread)};

        j->cpu->isa->attn(&b, j->cpu->bf);
    }
}

static void many_rows(const struct steps *j, const struct ar_seq *s)
{
    const int64_t len = length(s);
    const tensor q = tensor_cols(j->qkv, 0, j->o.cols);
    const struct attn_seq one = {.q = tensor_rows(q, s->row, s->n),
                                 .o = tensor_rows(j->o, s->row, s->n),
                                 .k = tensor_rows(s->k, 0, len + s->n),
                                 .v = tensor_rows(s->v, 0, len + s->n)};

    run(&(struct heads){.cpu = j->cpu, .a = j->a, .seq = &one, .causal = &len, .nseq = 1});
}

void cpu_ar_attention(struct dev *d, tensor o, tensor qkv, const struct attn *a, int rot,
                      const struct ar_seq *seq, int nseq)
{
    struct cpu *c = cpu_of(d);
    const struct steps j = {.cpu = c, .a = a, .seq = seq, .o = o, .qkv = qkv, .rot = rot};
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
        append(&j, &seq[i]);
        for (n = 1; seq[i].n == 1 && i + n < nseq && seq[i + n].n == 1; n++)
            append(&j, &seq[i + n]);
        if (seq[i].n == 1)
            pool_run(c->pool, n * a->kv_heads, group_task,
                     &(struct steps){.cpu = c, .a = a, .seq = seq + i, .o = o, .qkv = qkv});
        else
            many_rows(&j, &seq[i]);
    }
}
