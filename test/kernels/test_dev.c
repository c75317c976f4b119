/* test_dev - the promises of ops.h that hold for all operations together: a row's bits depend on
 * that row alone, the dry device takes the bytes that the CPU takes, nothing is allocated inside a
 * step, failures stick. */
#include "test/kernels/ops_harness.h"

#include <malloc.h>

/* -- batches and threads ----------------------------------------------------------------------- */

static const struct isa *tables[ISA_MOST];
static int ntables;

/* Rows 0 .. m-1 alone must equal the first rows of the whole, for every m. */
static void rows_alone(struct harness *l, int k, int n, int top, enum activation act)
{
    float *w, *b;
    struct weight *p;
    tensor x, all, y;

    harness_reset(l, "linear %d to %d, rows 1 .. %d", k, n, top);
    w = harness_source(l, (int64_t)n * k, 0.1);
    b = harness_source(l, n, 1);
    p = harness_weight(l, USE_LINEAR, w, b, n, k, 0);
    x = harness_tensor(l, harness_type(l), top, k);
    all = harness_empty(l, harness_type(l), top, n);
    l->op->linear(l->d, all, x, p, act, 0);
    y = harness_empty(l, harness_type(l), top, n);
    for (int m = 1; m < top; m += m < 40 ? 1 : 37) {
        const int first = m % 3 ? 0 : top - m; /* at the front or at the back */
        tensor rows = tensor_rows(y, 0, m);

        l->op->linear(l->d, rows, tensor_rows(x, first, m), p, act, 0);
        harness_bytes_equal(l, rows, tensor_rows(all, first, m));
    }
    l->op->weight_free(l->d, p);
}

static void linear_rows_alone(struct harness *l)
{
    rows_alone(l, 192, 33, 700, ACT_NONE);
    rows_alone(l, 97, 576, 300, ACT_GELU_TANH);
    rows_alone(l, 1601, 70, 130, ACT_NONE);
}

/* The same product on 1, 2 and 3 threads. */
static void threads_agree(void **state)
{
    enum { M = 150, K = 333, N = 210 };

    (void)state;
    for (int i = 0; i < ntables; i++)
        for (int bf = 0; bf < 2; bf++) {
            struct harness l[3];
            tensor y[3], o[3], g[3];

            for (int t = 0; t < 3; t++) {
                struct attn a = {.heads = 7, .kv_heads = 7, .head_dim = 30, .scale = 1};
                float *w, *v;
                struct weight *p, *q;
                tensor x;
                struct attn_seq s;

                harness_open(&l[t], tables[i], bf ? DT_BF16 : DT_F32, t + 1);
                harness_reset(&l[t], "threads");
                w = harness_source(&l[t], N * K, 0.1);
                v = harness_source(&l[t], N, 1);
                p = harness_weight(&l[t], USE_LINEAR, w, NULL, N, K, 0);
                q = harness_weight(&l[t], USE_VECTOR, v, NULL, N, 1, 0);
                x = harness_tensor(&l[t], harness_type(&l[t]), M, K);
                y[t] = harness_empty(&l[t], x.type, M, N);
                o[t] = harness_empty(&l[t], x.type, M, N);
                g[t] = harness_empty(&l[t], x.type, M, N);
                l[t].op->linear(l[t].d, y[t], x, p, ACT_SILU, 0);
                s = (struct attn_seq){.q = y[t], .k = y[t], .v = y[t], .o = o[t]};
                l[t].op->attention(l[t].d, &a, &s, 1);
                harness_group_norm(l[t].d, &l[t].mem, g[t], y[t], q, 3);
                l[t].op->weight_free(l[t].d, p);
                l[t].op->weight_free(l[t].d, q);
                harness_bytes_equal(&l[t], y[t], y[0]);
                harness_bytes_equal(&l[t], o[t], o[0]);
                harness_bytes_equal(&l[t], g[t], g[0]);
            }
            for (int t = 0; t < 3; t++)
                harness_close(&l[t]);
        }
}

/* Sequences alone and together: attention of the DiT, and decoding. */
static void sequences_alone(struct harness *l)
{
    enum { HEADS = 4, DIM = 24, W = HEADS * DIM, CAP = 300, N = 3, KV = 2 };
    static const int rows[N] = {33, 140, 7}, len[N] = {5, 260, 128};
    const struct attn a = {.heads = HEADS, .kv_heads = HEADS, .head_dim = DIM, .scale = 0.3f};
    const struct attn g = {.heads = HEADS, .kv_heads = KV, .head_dim = DIM, .scale = 0.3f};
    struct attn_seq s[N];
    struct ar_seq ar[N];
    tensor together[N], qkv, o, one, again;

    harness_reset(l, "sequences alone");
    qkv = harness_tensor(l, harness_type(l), N, (HEADS + 2 * KV) * DIM);
    o = harness_empty(l, harness_type(l), N, W);
    one = harness_empty(l, harness_type(l), N, W);
    for (int i = 0; i < N; i++) {
        tensor x = harness_tensor(l, harness_type(l), rows[i], 3 * W);

        together[i] = harness_empty(l, harness_type(l), rows[i], W);
        s[i] = (struct attn_seq){.q = tensor_cols(x, 0, W),
                                 .k = tensor_cols(x, W, W),
                                 .v = tensor_cols(x, 2 * W, W),
                                 .o = together[i]};
        ar[i] = (struct ar_seq){.row = i,
                                .n = 1,
                                .k = harness_tensor(l, harness_type(l), CAP, KV * DIM),
                                .v = harness_tensor(l, harness_type(l), CAP, KV * DIM),
                                .rope = harness_tensor(l, DT_F32, CAP, 12),
                                .state = harness_empty(l, DT_I32, 1, AR_STATE)};
        memset(ar[i].state.data, 0, sizeof(int32_t) * AR_STATE);
        ((int32_t *)ar[i].state.data)[AR_LEN] = len[i];
    }
    l->op->attention(l->d, &a, s, N);
    for (int i = 0; i < N; i++) {
        s[i].o = harness_empty(l, harness_type(l), rows[i], W);
        l->op->attention(l->d, &a, &s[i], 1);
        harness_bytes_equal(l, s[i].o, together[i]);
    }
    again = harness_same(l, qkv);
    l->op->ar_attention(l->d, o, qkv, &g, 12, ar, N);
    for (int i = 0; i < N; i++) {
        struct ar_seq b = ar[i];

        b.row = 0;
        l->op->ar_attention(l->d, tensor_rows(one, i, 1), tensor_rows(again, i, 1), &g, 12, &b, 1);
    }
    harness_bytes_equal(l, one, o);
}

static void every_linear_rows_alone(void **state)
{
    (void)state;
    harness_each(linear_rows_alone);
}

static void every_sequence_alone(void **state)
{
    (void)state;
    harness_each(sequences_alone);
}

/* -- sampling ---------------------------------------------------------------------------------- */

/* Counters, teacher-forced tokens, the mask of robust mode and the mark of strict mode. */
static void sample(struct harness *l)
{
    enum { ROWS = 3, VOCAB = 70, CODES = 64, DRAWS = 40 };
    tensor logits, given, tokens;
    struct sample w[ROWS], again;

    harness_reset(l, "sample");
    logits = harness_tensor(l, DT_F32, ROWS, VOCAB);
    given = harness_empty(l, DT_I32, 1, DRAWS);
    for (int i = 0; i < ROWS; i++) {
        harness_set(logits, i, 66, 9); /* not a code, and nearly certain */
        w[i] = (struct sample){.state = harness_empty(l, DT_I32, 1, AR_STATE),
                               .tokens = harness_empty(l, DT_I32, 1, DRAWS),
                               .advance = i + 1,
                               .seed = 11,
                               .picture = (uint32_t)i,
                               .temperature = 0.9,
                               .top_p = 0.75,
                               .codes = CODES,
                               .strict = i == 1};
        memset(w[i].state.data, 0, sizeof(int32_t) * AR_STATE);
    }
    for (int d = 0; d < DRAWS; d++)
        harness_set(given, 0, d, d + 3);
    w[2].teacher_forced = given;
    for (int d = 0; d < DRAWS; d++)
        l->op->sample(l->d, logits, w, ROWS);
    for (int i = 0; i < ROWS; i++) {
        const int32_t *s = w[i].state.data, *t = w[i].tokens.data;

        assert_int_equal(s[AR_SAMPLED], DRAWS);
        assert_int_equal(s[AR_LEN], DRAWS * (i + 1));
        assert_int_equal(s[AR_NEXT], t[DRAWS - 1]);
        assert_int_equal(s[AR_BAD] != 0, i == 1);
        harness_gaps(l, w[i].tokens);
        for (int d = 0; d < DRAWS; d++) {
            if (i == 0) assert_in_range(t[d], 0, CODES - 1);
            if (i == 1) assert_int_equal(t[d], 66);
            if (i == 2) assert_int_equal(t[d], d + 3);
        }
    }
    assert_int_equal(((int32_t *)w[1].state.data)[AR_BAD], 1);
    /* the first row again, alone: same tokens */
    tokens = harness_empty(l, DT_I32, 1, DRAWS);
    memset(w[0].state.data, 0, sizeof(int32_t) * AR_STATE);
    again = w[0];
    again.tokens = tokens;
    for (int d = 0; d < DRAWS; d++)
        l->op->sample(l->d, tensor_rows(logits, 0, 1), &again, 1);
    harness_bytes_equal(l, tokens, w[0].tokens);
}

static void every_sample(void **state)
{
    (void)state;
    harness_each(sample);
}

/* -- memory ------------------------------------------------------------------------------------ */

struct step {
    struct weight *lin, *conv, *vec, *table;
    tensor x, y, y4, wide, ids, logits, state, tokens, cache_k, cache_v, rope, mod, lat;
};

enum { ROWS = 64, DIM = 48 };

static struct weight *any_weight(struct dev *d, enum weight_use use, const float *data, int rows,
                                 int cols, int k)
{
    struct weight *w;
    struct weight_spec s = {.use = use, .n = 1, .k = k, .name = "any"};

    s.part[0] = (struct source){data, DTYPE_F32, rows, cols};
    if (use == USE_LINEAR) s.bias[0] = (struct source){data, DTYPE_F32, rows, 1};
    assert_int_equal(d->ops->weight_new(d, &w, &s, NULL), 0);
    assert_int_equal(d->ops->weight_bytes(w), d->ops->weight_size(d, &s));
    return w;
}

/* Tensors from `mem` for one call of everything. */
static struct step step_new(struct dev *d, struct arena *mem, const float *data)
{
    struct step s = {.lin = any_weight(d, USE_LINEAR, data, DIM, DIM, 0),
                     .conv = any_weight(d, USE_CONV, data, DIM, DIM * 9, 3),
                     .vec = any_weight(d, USE_VECTOR, data, DIM, 1, 0),
                     .table = any_weight(d, USE_TABLE, data, 10, DIM, 0)};

    s.x = arena_tensor(mem, d->type, ROWS, DIM);
    s.y = arena_tensor(mem, d->type, ROWS, DIM);
    s.y4 = arena_tensor(mem, d->type, 1, 64);
    s.wide = arena_tensor(mem, d->type, ROWS, 2 * DIM);
    s.ids = arena_tensor(mem, DT_I32, ROWS, 1);
    s.logits = arena_tensor(mem, DT_F32, 2, 500);
    s.state = arena_tensor(mem, DT_I32, 2, AR_STATE);
    s.tokens = arena_tensor(mem, DT_I32, 2, 1000);
    s.cache_k = arena_tensor(mem, d->type, 100, 16);
    s.cache_v = arena_tensor(mem, d->type, 100, 16);
    s.rope = arena_tensor(mem, DT_F32, 100, 8);
    s.mod = arena_tensor(mem, d->type, 1, 3 * DIM);
    s.lat = arena_tensor(mem, DT_F32, DIM / 4, 4 * ROWS);
    return s;
}

static void step_run(struct dev *d, const struct step *s)
{
    const struct ops *op = d->ops;
    const struct seg seg = {.n = ROWS, .shift = 0, .scale = DIM, .gate = 2 * DIM, .rope = -1};
    const struct attn a = {.heads = 3, .kv_heads = 3, .head_dim = 16, .scale = 1};
    const struct attn g = {.heads = 4, .kv_heads = 1, .head_dim = 16, .scale = 1};
    const struct attn_seq q = {.q = s->x, .k = s->x, .v = s->x, .o = s->y};
    const struct ar_seq ar = {.n = 1,
                              .k = s->cache_k,
                              .v = s->cache_v,
                              .rope = s->rope,
                              .state = tensor_rows(s->state, 0, 1)};
    struct sample w[2];

    for (int i = 0; i < 2; i++)
        w[i] = (struct sample){.state = tensor_rows(s->state, i, 1),
                               .tokens = tensor_rows(s->tokens, i, 1),
                               .temperature = 1,
                               .top_p = 0.9,
                               .codes = 500};
    op->embed(d, s->x, s->table, s->ids);
    op->linear(d, s->y, s->x, s->lin, ACT_GELU_TANH, 0);
    op->rms(d, s->x, s->y, s->vec, 1e-5f);
    op->rms_add_rms(d, s->x, s->y, s->vec, s->y, s->vec, 1e-5f);
    op->ln_mod(d, s->y, s->x, s->mod, &seg, 1, 1e-5f);
    op->gate_add(d, s->x, s->y, s->mod, &seg, 1);
    op->qk_norm_rope(d, s->x, 3, tensor_none(), &seg, 1, 1e-5f);
    op->glu(d, s->y, s->wide, ACT_SILU);
    op->add_act(d, s->y, s->x, tensor_none(), ACT_GELU_ERF);
    op->attention(d, &a, &q, 1);
    op->ar_attention(d, tensor_rows(s->y4, 0, 1), tensor_rows(s->wide, 0, 1), &g, 8, &ar, 1);
    op->sample(d, s->logits, w, 2);
    op->patchify(d, s->y, s->lat, 16, 16);
    op->unpatchify(d, s->lat, s->y, 16, 16);
    op->conv(d, s->y, s->x, s->conv, 8, 8, 0, 0, tensor_none());
    harness_group_norm(d, &d->scratch, s->y, s->y, s->vec, 3);
    arena_release(&d->scratch, 0);
}

static void step_free(struct dev *d, struct step *s)
{
    d->ops->weight_free(d, s->lin);
    d->ops->weight_free(d, s->conv);
    d->ops->weight_free(d, s->vec);
    d->ops->weight_free(d, s->table);
}

/* Every arena's peak, and the sticky failure when the scratch is one unit too small. */
static void dry_takes_what_cpu_takes(void **state)
{
    float *data = calloc(DIM * DIM * 9, sizeof *data);

    (void)state;
    assert_non_null(data);
    for (int i = 0; i < ntables; i++)
        for (int bf = 0; bf < 2; bf++) {
            struct dev *cpu, *dry;
            struct fail f;
            size_t used[2], peak[2];

            assert_int_equal(cpu_open_isa(&cpu, bf ? DT_BF16 : DT_F32, 2, tables[i], NULL), 0);
            assert_int_equal(dry_open(&dry, cpu->type, cpu, NULL), 0);
            for (int k = 0; k < 2; k++) {
                struct dev *d = k ? cpu : dry;
                struct arena mem;
                void *base, *scratch;
                const size_t room = k ? peak[0] : (size_t)1 << 40,
                             all = k ? used[0] : (size_t)1 << 40;
                struct step s;

                assert_int_equal(d->ops->mem_new(d, &base, all, &f), 0);
                assert_int_equal(d->ops->mem_new(d, &scratch, room, &f), 0);
                arena_init(&mem, base, all);
                arena_init(&d->scratch, scratch, room);
                s = step_new(d, &mem, data);
                step_run(d, &s);
                assert_int_equal(d->ops->sync(d, &f), 0);
                used[k] = mem.peak, peak[k] = d->scratch.peak;
                if (k) { /* one byte less does not do, and says so until reset */
                    d->scratch.size -= ARENA_ALIGN;
                    step_run(d, &s);
                    assert_int_equal(d->ops->sync(d, &f), ERR_OUT_OF_MEMORY);
                    assert_int_equal(d->ops->sync(d, &f), ERR_OUT_OF_MEMORY);
                    d->ops->reset(d);
                    assert_int_equal(d->ops->sync(d, &f), 0);
                }
                step_free(d, &s);
                d->ops->mem_free(d, base, all);
                d->ops->mem_free(d, scratch, room);
            }
            assert_int_equal(used[0], used[1]);
            assert_int_equal(peak[0], peak[1]);
            assert_true(peak[0] > 0);
            assert_true(dry->cost.flops > 0 && dry->cost.weight_bytes > 0);
            dry->ops->free(dry);
            cpu->ops->free(cpu);
        }
    free(data);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/* Heap bytes in use and the number of free chunks stay as they were, to the byte. */
static void a_step_allocates_nothing(void **state)
{
    float *data = calloc(DIM * DIM * 9, sizeof *data);
    char *base = aligned_alloc(ARENA_ALIGN, 1 << 22),
         *scratch = aligned_alloc(ARENA_ALIGN, 1 << 22);
    struct dev *d;
    struct arena mem;
    struct step s;
    struct mallinfo2 was, is;

    (void)state;
    assert_true(data && base && scratch);
    memset(base, 0, 1 << 22);
    assert_int_equal(cpu_open(&d, DT_F32, 2, NULL), 0);
    arena_init(&mem, base, 1 << 22);
    arena_init(&d->scratch, scratch, 1 << 22);
    s = step_new(d, &mem, data);
    step_run(d, &s);
    was = mallinfo2();
    for (int i = 0; i < 20; i++)
        step_run(d, &s);
    is = mallinfo2();
    assert_int_equal(was.uordblks, is.uordblks);
    assert_int_equal(was.ordblks, is.ordblks);
    assert_int_equal(was.fordblks, is.fordblks);
    assert_int_equal(was.hblkhd, is.hblkhd);
    step_free(d, &s);
    d->ops->free(d);
    free(base);
    free(scratch);
    free(data);
}
#endif

/* An id outside its table is an error of the device, not a read of other memory. */
static void a_bad_id_is_an_error(void **state)
{
    struct harness l;
    struct fail f;
    float *data;
    struct weight *t;
    tensor ids, y;

    (void)state;
    harness_open(&l, tables[0], DT_F32, 1);
    data = harness_source(&l, 20, 1);
    t = harness_weight(&l, USE_TABLE, data, NULL, 4, 5, 0);
    ids = harness_empty(&l, DT_I32, 1, 1);
    y = harness_empty(&l, DT_F32, 1, 5);
    harness_set(ids, 0, 0, 4);
    l.op->embed(l.d, y, t, ids);
    assert_int_equal(l.op->sync(l.d, &f), ERR_DEVICE);
    harness_set(ids, 0, 0, 3);
    l.op->embed(l.d, y, t, ids); /* does nothing: the failure sticks */
    assert_true(isnan(harness_get(y, 0, 0)));
    l.op->reset(l.d);
    l.op->embed(l.d, y, t, ids);
    assert_true(harness_get(y, 0, 0) == (double)data[15]);
    l.op->weight_free(l.d, t);
    harness_close(&l);
}

/* F16 and F32 files, in T: rounded once to the nearest, ties to even. */
static void sources_of_every_type(void **state)
{
    static const uint16_t f16[] = {0x3c00, 0xc000, 0x0001, 0x7bff, 0x8000, 0x3555};
    static const double is[] = {1, -2, 0x1p-24, 65504, 0, 0.333251953125};
    static const float ties[] = {1 + 0x1p-8f, 1 + 3 * 0x1p-8f, -1 - 0x1.8p-8f, 0x1p-130f};
    static const double even[] = {1, 1 + 0x1p-6, -1 - 0x1p-7, 0x1p-130};

    (void)state;
    for (int bf = 0; bf < 2; bf++) {
        struct harness l;
        struct weight_spec s = {.use = USE_TABLE, .n = 1, .name = "f16"};
        struct weight *a, *b;
        tensor ids, y;

        harness_open(&l, tables[0], bf ? DT_BF16 : DT_F32, 1);
        s.part[0] = (struct source){f16, DTYPE_F16, 6, 1};
        assert_int_equal(l.op->weight_new(l.d, &a, &s, NULL), 0);
        s.part[0] = (struct source){ties, DTYPE_F32, 4, 1};
        assert_int_equal(l.op->weight_new(l.d, &b, &s, NULL), 0);
        ids = harness_empty(&l, DT_I32, 6, 1);
        y = harness_empty(&l, harness_type(&l), 6, 1);
        for (int i = 0; i < 6; i++)
            harness_set(ids, i, 0, i);
        l.op->embed(l.d, y, a, ids);
        for (int i = 0; i < 6; i++)
            assert_true(harness_get(y, i, 0) == (bf ? (double)half_round((float)is[i]) : is[i]));
        l.op->embed(l.d, tensor_rows(y, 0, 4), b, tensor_rows(ids, 0, 4));
        for (int i = 0; i < 4; i++)
            assert_true(harness_get(y, i, 0) == (bf ? even[i] : (double)ties[i]));
        l.op->weight_free(l.d, a);
        l.op->weight_free(l.d, b);
        harness_close(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_linear_rows_alone),
        cmocka_unit_test(threads_agree),
        cmocka_unit_test(every_sequence_alone),
        cmocka_unit_test(every_sample),
        cmocka_unit_test(dry_takes_what_cpu_takes),
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        cmocka_unit_test(a_step_allocates_nothing),
#endif
        cmocka_unit_test(a_bad_id_is_an_error),
        cmocka_unit_test(sources_of_every_type),
    };

    ntables = isa_list(tables);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
