/* ops - every operation of ops.h: tensors become arguments, and the fastest exact way is chosen.
 *
 * The choice depends on shapes alone. Products of at most 16 rows read their weights once in a
 * kernel of ours, larger ones go to cuBLASLt, convolutions and attention in bf16 to cuDNN. What
 * those cannot do, and everything in float, which is for checks, goes to kernels of ours. */
#include "kernels/cuda/cublaslt.h"
#include "kernels/cuda/cudnn.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda_sizes.h"

/* -- matrices ---------------------------------------------------------------------------------- */

/* 1: cuBLASLt does it, up to an activation that it does not have. */
static int product_cublaslt(struct cuda *c, struct cublaslt_shape *s, const struct cu_product *p)
{
    int taken;

    if (!c->cublaslt || !cublaslt_plan(s, p, c->bf)) return 0;
    taken = cublaslt_run(c->cublaslt, s, p);
    return cuda_took(c, CUDA_PRODUCTS, taken, cublaslt_why(c->cublaslt));
}

static void product(struct cuda *c, const struct cu_product *p)
{
    struct cublaslt_shape s;

    if (cu_gemv_can(p, c->bf))
        cu_gemv(&c->q, c->bf, p);
    else if (!product_cublaslt(c, &s, p))
        cu_gemm(&c->q, c->bf, p);
    else if (s.after)
        cu_add_act(&c->q, c->bf, p->y, p->ldy, p->y, p->ldy, NULL, 0, p->m, p->n, s.after);
    cuda_launched(c, "a product");
}

static struct cu_product product_of(tensor y, tensor x, const struct weight *weight,
                                    enum activation act)
{
    const struct cuda_weight *w = cuda_weight_of(weight);

    return (struct cu_product){.y = y.data,
                               .x = x.data,
                               .w = w->data,
                               .bias = w->bias,
                               .ldy = y.ld,
                               .ldx = x.ld,
                               .m = (int)x.rows,
                               .n = (int)w->out,
                               .k = (int)w->in,
                               .act = (int)act};
}

static void linear(struct dev *d, tensor y, tensor x, const struct weight *w, enum activation act,
                   int add)
{
    struct cuda *c = cuda_of(d);
    struct cu_product p = product_of(y, x, w, act);

    if (!cuda_ready(c) || !y.rows) return;
    assert(x.cols == p.k && y.cols == p.n && x.rows == y.rows && x.type == d->type);
    p.add = add;
    p.y_f32 = y.type == DT_F32 && c->bf;
    product(c, &p);
}

static void embed(struct dev *d, tensor y, const struct weight *table, tensor ids)
{
    struct cuda *c = cuda_of(d);
    const struct cuda_weight *t = cuda_weight_of(table);

    if (!cuda_ready(c)) return;
    assert(y.cols == t->in && ids.type == DT_I32);
    cu_embed(&c->q, c->bf, y.data, y.ld, t->data, ids.data, ids.ld, (int)y.rows, (int)y.cols);
    cuda_launched(c, "embed");
}

static const float *vector_of(const struct weight *w)
{
    return cuda_weight_of(w)->data;
}

/* -- rows -------------------------------------------------------------------------------------- */

static void rms(struct dev *d, tensor y, tensor x, const struct weight *w, float eps)
{
    struct cuda *c = cuda_of(d);

    if (!cuda_ready(c)) return;
    cu_rms(&c->q, c->bf, y.data, y.ld, x.data, x.ld, vector_of(w), (int)x.rows, (int)x.cols, eps);
    cuda_launched(c, "rms");
}

static void rms_add_rms(struct dev *d, tensor x, tensor a, const struct weight *w, tensor y,
                        const struct weight *w2, float eps)
{
    struct cuda *c = cuda_of(d);

    if (!cuda_ready(c)) return;
    cu_rms_add_rms(&c->q, c->bf, x.data, x.ld, a.data, a.ld, vector_of(w), y.data, y.ld,
                   vector_of(w2), (int)x.rows, (int)x.cols, eps);
    cuda_launched(c, "rms_add_rms");
}

/* The next segments of a call, as many as one launch takes; returns how many. */
static int take_segs(struct cu_segs *out, const struct seg *seg, int n, int64_t ld)
{
    out->n = n < CU_SEGS ? n : CU_SEGS;
    for (int i = 0; i < out->n; i++) {
        const struct seg *s = &seg[i];

        out->seg[i] = (struct cu_seg){.row = (int)s->row,
                                      .n = (int)s->n,
                                      .shift = (int)(s->vec * ld + s->shift),
                                      .scale = (int)(s->vec * ld + s->scale),
                                      .gate = (int)(s->vec * ld + s->gate),
                                      .rope = (int)s->rope};
    }
    return out->n;
}

static void ln_mod(struct dev *d, tensor y, tensor x, tensor mod, const struct seg *seg, int nseg,
                   float eps)
{
    struct cuda *c = cuda_of(d);
    struct cu_segs s;

    if (!cuda_ready(c)) return;
    for (int i = 0; i < nseg; i += s.n) {
        take_segs(&s, seg + i, nseg - i, mod.ld);
        cu_ln_mod(&c->q, c->bf, y.data, y.ld, x.data, x.ld, mod.data, &s, (int)x.rows, (int)x.cols,
                  eps);
    }
    cuda_launched(c, "ln_mod");
}

static void gate_add(struct dev *d, tensor x, tensor a, tensor mod, const struct seg *seg, int nseg)
{
    struct cuda *c = cuda_of(d);
    struct cu_segs s;

    if (!cuda_ready(c)) return;
    for (int i = 0; i < nseg; i += s.n) {
        take_segs(&s, seg + i, nseg - i, mod.ld);
        cu_gate_add(&c->q, c->bf, x.data, x.ld, a.data, a.ld, mod.data, &s, (int)x.rows,
                    (int)x.cols);
    }
    cuda_launched(c, "gate_add");
}

/* 1 when attention's shapes are ones that the kernels have room for. */
static int heads_fit(struct cuda *c, int heads, int kv_heads, int head_dim)
{
    if (head_dim <= CU_HEAD_DIM && head_dim % 2 == 0 && heads <= kv_heads * CU_GROUP) return 1;
    cuda_fail(c, ERR_MODEL, "attention",
              "heads of more than 128 values, or 16 queries on one key head");
    return 0;
}

static void qk_norm_rope(struct dev *d, tensor x, int heads, tensor table, const struct seg *seg,
                         int nseg, float eps)
{
    struct cuda *c = cuda_of(d);
    const int dim = (int)x.cols / heads;
    struct cu_segs s;

    if (!cuda_ready(c) || !heads_fit(c, heads, heads, dim)) return;
    for (int i = 0; i < nseg; i += s.n) {
        take_segs(&s, seg + i, nseg - i, 0);
        cu_qk_norm_rope(&c->q, c->bf, x.data, x.ld, heads, dim, table.data, table.ld, &s,
                        (int)x.rows, eps);
    }
    cuda_launched(c, "qk_norm_rope");
}

static void glu(struct dev *d, tensor y, tensor gu, enum activation act)
{
    struct cuda *c = cuda_of(d);

    if (!cuda_ready(c)) return;
    cu_glu(&c->q, c->bf, y.data, y.ld, gu.data, gu.ld, (int)y.rows, (int)y.cols, (int)act);
    cuda_launched(c, "glu");
}

static void add_act(struct dev *d, tensor y, tensor a, tensor b, enum activation act)
{
    struct cuda *c = cuda_of(d);

    if (!cuda_ready(c)) return;
    cu_add_act(&c->q, c->bf, y.data, y.ld, a.data, a.ld, b.data, b.ld, (int)y.rows, (int)y.cols,
               (int)act);
    cuda_launched(c, "add_act");
}

static void linear_glu(struct dev *d, tensor y, tensor gu, tensor x, const struct weight *w,
                       enum activation act)
{
    struct cuda *c = cuda_of(d);
    struct cu_product p = product_of(y, x, w, act);

    p.glu = 1;
    assert(2 * y.cols == p.n && gu.cols == p.n && x.cols == p.k && y.rows == x.rows);
    if (!cu_gemv_can(&p, c->bf)) {
        linear(d, gu, x, w, ACT_NONE, 0);
        glu(d, y, gu, act);
    } else if (cuda_ready(c)) {
        cu_gemv(&c->q, c->bf, &p);
        cuda_launched(c, "a gated product of few rows");
    }
}

/* -- attention --------------------------------------------------------------------------------- */

static void attend(struct cuda *c, const struct cu_attn *a)
{
    int taken = 0;

    if (c->bf && c->cudnn) taken = cudnn_attention(c->cudnn, a);
    if (cuda_took(c, CUDA_ATTENTIONS, taken, taken < 0 ? cudnn_why(c->cudnn) : "")) return;
    cu_attention(&c->q, c->bf, a);
    cuda_launched(c, "attention");
}

static void attention(struct dev *d, const struct attn *a, const struct attn_seq *seq, int nseq)
{
    struct cuda *c = cuda_of(d);

    if (!cuda_ready(c) || !heads_fit(c, a->heads, a->kv_heads, a->head_dim)) return;
    for (int i = 0; i < nseq; i++) {
        const struct attn_seq *s = &seq[i];
        const struct cu_attn one = {.q = s->q.data,
                                    .k = s->k.data,
                                    .v = s->v.data,
                                    .o = s->o.data,
                                    .ldq = s->q.ld,
                                    .ldk = s->k.ld,
                                    .ldv = s->v.ld,
                                    .ldo = s->o.ld,
                                    .nq = (int)s->q.rows,
                                    .nk = (int)s->k.rows,
                                    .heads = a->heads,
                                    .group = a->heads / a->kv_heads,
                                    .head_dim = a->head_dim,
                                    .scale = a->scale,
                                    .bias = a->bias.data,
                                    .ldb = a->bias.ld,
                                    .span = (int)(a->bias.cols + 1) / 2};
        attend(c, &one);
    }
}

static struct cu_decode decode_of(tensor o, tensor qkv, const struct attn *a, int rot)
{
    return (struct cu_decode){.qkv = qkv.data,
                              .o = o.data,
                              .ldqkv = qkv.ld,
                              .ldo = o.ld,
                              .heads = a->heads,
                              .kv_heads = a->kv_heads,
                              .head_dim = a->head_dim,
                              .rot = rot,
                              .scale = a->scale};
}

static struct cu_decode_seq decode_seq(const struct ar_seq *s)
{
    return (struct cu_decode_seq){.k = s->k.data,
                                  .v = s->v.data,
                                  .rope = s->rope.data,
                                  .len = (const int32_t *)s->state.data + AR_LEN,
                                  .ldk = s->k.ld,
                                  .ldv = s->v.ld,
                                  .ldr = s->rope.ld,
                                  .row = (int)s->row};
}

/* A part of a prompt: append its rows, then attend causally to what the cache holds. */
static void prompt(struct cuda *c, tensor o, tensor qkv, const struct attn *a, int rot,
                   const struct ar_seq *s)
{
    struct cu_decode rows = decode_of(o, qkv, a, rot);
    const tensor q = tensor_rows(qkv, s->row, s->n), out = tensor_rows(o, s->row, s->n);
    const struct cu_attn one = {.q = q.data,
                                .k = s->k.data,
                                .v = s->v.data,
                                .o = out.data,
                                .ldq = q.ld,
                                .ldk = s->k.ld,
                                .ldv = s->v.ld,
                                .ldo = out.ld,
                                .nq = (int)s->n,
                                .nk = (int)s->k.rows,
                                .heads = a->heads,
                                .group = a->heads / a->kv_heads,
                                .head_dim = a->head_dim,
                                .scale = a->scale,
                                .start = decode_seq(s).len};

    rows.n = 1;
    rows.seq[0] = decode_seq(s);
    cu_append(&c->q, c->bf, &rows, (int)s->n);
    cuda_launched(c, "append");
    cu_attention(&c->q, c->bf, &one);
    cuda_launched(c, "attention of a prompt");
}

static void ar_attention(struct dev *d, tensor o, tensor qkv, const struct attn *a, int rot,
                         const struct ar_seq *seq, int nseq)
{
    struct cuda *c = cuda_of(d);
    struct cu_decode one = decode_of(o, qkv, a, rot);

    if (!cuda_ready(c) || !heads_fit(c, a->heads, a->kv_heads, a->head_dim)) return;
    one.part = (float *)(void *)c->work;
    assert(cu_decode_work(a->heads, a->head_dim, CU_SEQS) <= CUDA_WORK);
    for (int i = 0; i < nseq; i++) {
        if (seq[i].n > 1)
            prompt(c, o, qkv, a, rot, &seq[i]);
        else if (seq[i].n == 1)
            one.seq[one.n++] = decode_seq(&seq[i]);
        if (one.n == CU_SEQS || i == nseq - 1) {
            cu_decode(&c->q, c->bf, &one);
            one.n = 0;
        }
    }
    cuda_launched(c, "ar_attention");
}

/* -- sampling ---------------------------------------------------------------------------------- */

static int vocabulary_fits(struct cuda *c, int64_t n)
{
    if (n <= CU_VOCAB) return 1;
    cuda_fail(c, ERR_MODEL, "sampling", "more than 131,072 tokens to choose from");
    return 0;
}

static void sample(struct dev *d, tensor logits, const struct sample *one, int n)
{
    struct cuda *c = cuda_of(d);
    struct cu_samples s = {.n = n};

    if (!cuda_ready(c) || !vocabulary_fits(c, logits.cols)) return;
    assert(n <= CU_SEQS && logits.type == DT_F32 && logits.rows == n);
    assert((size_t)n * (size_t)logits.cols * 8 <= CUDA_WORK);
    for (int i = 0; i < n; i++)
        s.d[i] = (struct cu_sample_row){.state = one[i].state.data,
                                        .tokens = one[i].tokens.data,
                                        .teacher_forced = one[i].teacher_forced.data,
                                        .seed = one[i].seed,
                                        .picture = one[i].picture,
                                        .temperature = (float)one[i].temperature,
                                        .cut = (float)(1 - (double)one[i].top_p),
                                        .top_k = one[i].top_k,
                                        .codes = one[i].codes,
                                        .strict = one[i].strict,
                                        .advance = (int)one[i].advance};
    cu_sample(&c->q, logits.data, logits.ld, (int)logits.cols, (float *)(void *)c->work, &s);
    cuda_launched(c, "sample");
}

/* -- flow -------------------------------------------------------------------------------------- */

static void patchify(struct dev *d, tensor tokens, tensor latents, int h, int w)
{
    struct cuda *c = cuda_of(d);

    if (!cuda_ready(c)) return;
    cu_patchify(&c->q, c->bf, tokens.data, tokens.ld, latents.data, latents.ld, (int)latents.rows,
                h, w);
    cuda_launched(c, "patchify");
}

static void unpatchify(struct dev *d, tensor latents, tensor tokens, int h, int w)
{
    struct cuda *c = cuda_of(d);

    if (!cuda_ready(c)) return;
    cu_unpatchify(&c->q, c->bf, latents.data, latents.ld, tokens.data, tokens.ld, (int)latents.rows,
                  h, w);
    cuda_launched(c, "unpatchify");
}

static void euler(struct dev *d, tensor x, tensor vc, tensor vu, float guidance, float sigma,
                  float dsigma, tensor clean)
{
    struct cuda *c = cuda_of(d);
    const struct cu_euler e = {.x = x.data,
                               .clean = clean.data,
                               .vc = vc.data,
                               .vu = vu.data,
                               .ldx = x.ld,
                               .ldclean = clean.ld,
                               .ldvc = vc.ld,
                               .ldvu = vu.ld,
                               .rows = (int)x.rows,
                               .cols = (int)x.cols,
                               .guidance = guidance,
                               .sigma = sigma,
                               .dsigma = dsigma};

    if (!cuda_ready(c)) return;
    cu_euler(&c->q, &e);
    cuda_launched(c, "euler");
}

/* -- pictures ---------------------------------------------------------------------------------- */

static void denorm(struct dev *d, tensor z, tensor x, const struct weight *mean,
                   const struct weight *std)
{
    struct cuda *c = cuda_of(d);

    if (!cuda_ready(c)) return;
    cu_denorm(&c->q, c->bf, z.data, z.ld, x.data, x.ld, vector_of(mean), vector_of(std),
              (int)z.rows, (int)z.cols);
    cuda_launched(c, "denorm");
}

/* Two doubles for every row and group. */
static size_t norm_bytes(int64_t rows, int64_t groups)
{
    return cuda_sizes_work_size(WORK_NORM, rows, 0, groups);
}

static void norm_sums(struct dev *d, tensor sums, tensor x, int width, int row, int groups)
{
    struct cuda *c = cuda_of(d);
    const int rows = (int)(x.rows / width);

    if (!cuda_ready(c)) return;
    assert(x.cols <= 2048 && x.cols % groups == 0 && x.rows % width == 0);
    assert(tensor_bytes(sums) >= norm_bytes(row + rows, groups));
    cu_norm_sums(&c->q, c->bf, (double *)sums.data + 2 * (int64_t)row * groups, x.data, x.ld, rows,
                 width, (int)x.cols, groups);
    cuda_launched(c, "norm_sums");
}

static void norm_fold(struct dev *d, tensor norm, tensor sums, int h, int width, int groups,
                      const struct weight *w, const struct weight *b, float eps)
{
    struct cuda *c = cuda_of(d);

    if (!cuda_ready(c)) return;
    assert(norm.type == DT_F32 && norm.rows == 2 && tensor_bytes(sums) >= norm_bytes(h, groups));
    cu_norm_fold(&c->q, norm.data, (float *)norm.data + norm.ld, sums.data, vector_of(w),
                 vector_of(b), h, width, (int)norm.cols, groups, eps);
    cuda_launched(c, "norm_fold");
}

static void norm_act(struct dev *d, tensor y, tensor x, tensor norm, enum activation act)
{
    struct cuda *c = cuda_of(d);

    if (!cuda_ready(c)) return;
    assert(norm.rows == 2 && norm.cols == x.cols && y.rows == x.rows && y.cols == x.cols);
    cu_norm_act(&c->q, c->bf, y.data, y.ld, x.data, x.ld, norm.data,
                (const float *)norm.data + norm.ld, x.rows, (int)x.cols, (int)act);
    cuda_launched(c, "norm_act");
}

static void to_rgb8(struct dev *d, tensor rgb, tensor x)
{
    struct cuda *c = cuda_of(d);

    if (!cuda_ready(c)) return;
    assert(rgb.type == DT_U8 && rgb.ld == 3 && x.cols == 3);
    cu_to_rgb8(&c->q, c->bf, rgb.data, x.data, x.ld, (int)x.rows);
    cuda_launched(c, "to_rgb8");
}

static void latent_rgb(struct dev *d, tensor rgb, tensor latents, tensor map)
{
    struct cuda *c = cuda_of(d);

    if (!cuda_ready(c)) return;
    assert(rgb.type == DT_U8 && rgb.ld == 3 && map.rows == 3 && map.cols == latents.rows + 1);
    cu_latent_rgb(&c->q, rgb.data, latents.data, latents.ld, map.data, map.ld, (int)rgb.rows,
                  (int)latents.rows);
    cuda_launched(c, "latent_rgb");
}

/* -- condition images -------------------------------------------------------------------------- */

static void layer_norm(struct dev *d, tensor y, tensor x, const struct weight *w,
                       const struct weight *b, float eps)
{
    struct cuda *c = cuda_of(d);

    if (!cuda_ready(c)) return;
    assert(y.rows == x.rows && y.cols == x.cols);
    cu_layer_norm(&c->q, c->bf, y.data, y.ld, x.data, x.ld, vector_of(w), vector_of(b), (int)x.rows,
                  (int)x.cols, eps);
    cuda_launched(c, "layer_norm");
}

static void argmax(struct dev *d, tensor ids, tensor scores, const struct weight *factor)
{
    struct cuda *c = cuda_of(d);

    if (!cuda_ready(c)) return;
    assert(ids.type == DT_I32 && scores.type == DT_F32 && ids.rows == scores.rows);
    cu_argmax(&c->q, ids.data, ids.ld, scores.data, scores.ld, vector_of(factor), (int)scores.rows,
              (int)scores.cols);
    cuda_launched(c, "argmax");
}

static void renorm(struct dev *d, tensor x, tensor z, const struct weight *mean,
                   const struct weight *std)
{
    struct cuda *c = cuda_of(d);

    if (!cuda_ready(c)) return;
    assert(x.type == DT_F32 && z.rows == x.cols && z.cols == x.rows);
    cu_renorm(&c->q, c->bf, x.data, x.ld, z.data, z.ld, vector_of(mean), vector_of(std),
              (int)z.rows, (int)z.cols);
    cuda_launched(c, "renorm");
}

/* Workspace belongs to the device: nothing is taken from scratch but the sums of a norm. */
static size_t work_size(const struct dev *d, enum workspace work, int64_t a, int64_t b, int64_t n)
{
    (void)d;
    return cuda_sizes_work_size(work, a, b, n);
}

const struct ops cuda_ops = {
    .name = "cuda",
    .mem_new = cuda_mem_new,
    .mem_free = cuda_mem_free,
    .put = cuda_put,
    .get = cuda_get,
    .copy = cuda_copy,
    .zero = cuda_zero,
    .sync = cuda_sync,
    .reset = cuda_reset,
    .free = cuda_close,
    .begin = cuda_capture_begin,
    .end = cuda_capture_end,
    .home_new = cuda_home_new,
    .home_free = cuda_home_free,
    .fetch = cuda_fetch,
    .arrive = cuda_arrive,
    .mark = cuda_mark,
    .wait = cuda_wait,
    .peek = cuda_peek,
    .weight_new = cuda_weight_new,
    .weight_free = cuda_weight_free,
    .weight_bytes = cuda_weight_bytes,
    .weight_size = cuda_weight_size,
    .work_size = work_size,
    .linear = linear,
    .embed = embed,
    .rms = rms,
    .rms_add_rms = rms_add_rms,
    .linear_glu = linear_glu,
    .ln_mod = ln_mod,
    .gate_add = gate_add,
    .qk_norm_rope = qk_norm_rope,
    .glu = glu,
    .add_act = add_act,
    .attention = attention,
    .ar_attention = ar_attention,
    .sample = sample,
    .patchify = patchify,
    .unpatchify = unpatchify,
    .euler = euler,
    .denorm = denorm,
    .conv = cuda_conv,
    .norm_sums = norm_sums,
    .norm_fold = norm_fold,
    .norm_act = norm_act,
    .to_rgb8 = to_rgb8,
    .latent_rgb = latent_rgb,
    .layer_norm = layer_norm,
    .argmax = argmax,
    .conv_half = cuda_conv_half,
    .renorm = renorm,
};
