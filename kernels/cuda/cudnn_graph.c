/* cudnn_graph - convolutions and attentions as graphs. */
#include "kernels/cuda/cudnn_graph.h"

#include <assert.h>

static int aligned(const void *p, int64_t ld)
{
    return (uintptr_t)p % 16 == 0 && ld % 8 == 0;
}

/* A picture [h*w, c] with ld values between pixels. */
static struct cudnn_tensor picture(const void *data, int64_t c, int64_t h, int64_t w, int64_t ld)
{
    return (struct cudnn_tensor){
        .dim = {1, c, h, w}, .stride = {h * w * ld, 1, w * ld, ld}, .data = data};
}

static int add_tensor(struct cudnn_graph *g, struct cudnn_tensor t)
{
    assert(g->tensors < CUDNN_TENSORS);
    g->tensor[g->tensors] = t;
    return g->tensors++;
}

static int add_op(struct cudnn_graph *g, enum cudnn_op_kind kind, const int *in, int n,
                  struct cudnn_tensor out)
{
    struct cudnn_op *op = &g->op[g->ops++];

    *op = (struct cudnn_op){.kind = kind};
    for (int i = 0; i < n; i++)
        op->in[i] = in[i];
    return op->out = add_tensor(g, out);
}

static int conv_fits(const struct cudnn_conv *c, int64_t rows)
{
    if (c->c % 8 || c->n % 8 || rows < 1 || !c->bias) return 0;
    if (!aligned(c->x, c->ldx) || !aligned(c->y, c->ldy) || !aligned(c->w, 0)) return 0;
    return !c->add || aligned(c->add, c->lda);
}

/* The filter [n, side, side, c]. */
static struct cudnn_tensor filter(const struct cudnn_conv *c)
{
    const int64_t side = c->side;

    return (struct cudnn_tensor){.dim = {c->n, c->c, side, side},
                                 .stride = {side * side * c->c, 1, side * c->c, c->c},
                                 .data = c->w};
}

int cudnn_conv_rows(const struct cudnn_conv *c)
{
    return (c->h + c->above + c->below - c->side) / c->stride + 1;
}

int cudnn_conv_columns(const struct cudnn_conv *c)
{
    return (c->w_in + c->left + c->right - c->side) / c->stride + 1;
}

int cudnn_graph_conv(struct cudnn_graph *g, const struct cudnn_conv *c)
{
    const int64_t oh = cudnn_conv_rows(c), ow = cudnn_conv_columns(c);
    struct cudnn_tensor y, sum;
    int in[2];

    *g = (struct cudnn_graph){0};
    if (!conv_fits(c, oh)) return 0;
    y = picture(c->y, c->n, oh, ow, c->ldy);
    sum = picture(NULL, c->n, oh, ow, c->n);
    sum.inner = 1;
    sum.type = CUDNN_F32;
    in[0] = add_tensor(g, picture(c->x, c->c, c->h, c->w_in, c->ldx));
    in[1] = add_tensor(g, filter(c));
    in[0] = add_op(g, CUDNN_OP_CONV, in, 2, sum);
    g->op[0].pad_h = c->above;
    g->op[0].pad_w = c->left;
    g->op[0].post_h = c->below;
    g->op[0].post_w = c->right;
    g->op[0].stride = c->stride;
    /* the residual before the bias: cuDNN has Hopper kernels for this order, and compiles an Ampere
     * one for the other */
    if (c->add) {
        in[1] = add_tensor(g, picture(c->add, c->n, oh, ow, c->lda));
        in[0] = add_op(g, CUDNN_OP_ADD, in, 2, sum);
    }
    in[1] = add_tensor(g, picture(c->bias, c->n, 1, 1, c->n));
    add_op(g, CUDNN_OP_ADD, in, 2, y);
    return 1;
}

/* Rows of heads side by side: [1, heads, rows, d]. */
static struct cudnn_tensor heads_of(const void *data, int64_t heads, int64_t rows, int64_t d,
                                    int64_t ld)
{
    return (struct cudnn_tensor){
        .dim = {1, heads, rows, d}, .stride = {rows * ld, d, ld, 1}, .data = data};
}

static int attention_fits(const struct cu_attn *a)
{
    if (a->bias || a->start || a->head_dim % 8 || a->head_dim > 128) return 0;
    return aligned(a->q, a->ldq) && aligned(a->k, a->ldk) && aligned(a->v, a->ldv)
           && aligned(a->o, a->ldo);
}

int cudnn_graph_attention(struct cudnn_graph *g, const struct cu_attn *a)
{
    const int64_t d = a->head_dim, kv_heads = a->heads / a->group;
    const struct cudnn_tensor scale = {.dim = {1, 1, 1, 1},
                                       .stride = {1, 1, 1, 1},
                                       .type = CUDNN_F32,
                                       .by_value = 1,
                                       .value = a->scale};
    int in[4];

    *g = (struct cudnn_graph){0};
    if (!attention_fits(a)) return 0;
    in[0] = add_tensor(g, heads_of(a->q, a->heads, a->nq, d, a->ldq));
    in[1] = add_tensor(g, heads_of(a->k, kv_heads, a->nk, d, a->ldk));
    in[2] = add_tensor(g, heads_of(a->v, kv_heads, a->nk, d, a->ldv));
    in[3] = add_tensor(g, scale);
    add_op(g, CUDNN_OP_SDPA, in, 4, heads_of(a->o, a->heads, a->nq, d, a->ldo));
    return 1;
}

static uint64_t mix(uint64_t h, int64_t v)
{
    return (h ^ (uint64_t)v) * 0x100000001b3u;
}

uint64_t cudnn_graph_key(const struct cudnn_graph *g)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (int i = 0; i < g->tensors; i++)
        for (int k = 0; k < CUDNN_DIMS; k++)
            h = mix(mix(h, g->tensor[i].dim[k]), g->tensor[i].stride[k]);
    for (int i = 0; i < g->ops; i++) {
        h = mix(mix(mix(h, g->op[i].kind), g->op[i].pad_h), g->op[i].out);
        h = mix(mix(mix(h, g->op[i].pad_w), g->op[i].post_h), g->op[i].post_w);
        h = mix(h, g->op[i].stride);
    }
    return h | 1;
}

int cudnn_graph_result(const struct cudnn_graph *g)
{
    return g->op[g->ops - 1].out;
}

size_t cudnn_graph_result_bytes(const struct cudnn_graph *g)
{
    const struct cudnn_tensor *t = &g->tensor[cudnn_graph_result(g)];
    int64_t last = 0;

    for (int i = 0; i < CUDNN_DIMS; i++)
        last += (t->dim[i] - 1) * t->stride[i];
    return (size_t)(last + 1) * 2;
}
