/* stages - binding the stages, preparing constants, scratch. */
#include "kernels/engine/stages.h"

#include <string.h>

int stages_bind(struct stages *n, struct dev *d, const struct model *m, struct offload *offload,
                int conditions, struct fail *f)
{
    struct bind b = {.list = &n->list, .model = m, .fail = f};

    memset(n, 0, sizeof *n);
    n->dev = n->list.dev = d;
    n->offload = n->list.offload = offload;
    prior_bind(&n->prior, &b, &m->cfg);
    glyph_bind(&n->glyph, &b, &m->cfg.glyph);
    dit_bind(&n->dit, &b, &m->cfg.dit);
    vae_bind(&n->vae, &b, &m->cfg.vae, d->type);
    n->conditions = conditions && d->traits.conditions;
    if (n->conditions) {
        vision_bind(&n->vision, &b, &m->cfg);
        vae_encoder_bind(&n->encoder, &b, &m->cfg.vae, d->type);
    }
    return b.err;
}

/* The rows of the text "", through the encoder and the DiT's projector. */
static int prepare_empty(struct stages *n, const struct model *m, struct fail *f)
{
    struct graph g = {.dev = n->dev, .offload = n->offload};
    struct bind b = {.list = &n->list, .model = m, .fail = f};
    struct byt5 ids;
    int err = byt5_prompt(&ids, "", 0, m->cfg.glyph.vocab, f);
    size_t mark;
    tensor rows;

    if (err) return err;
    mark = arena_mark(&n->dev->scratch);
    rows = graph_temp(&g, 1, m->cfg.glyph.width);
    if (n->dev->scratch.failed) {
        err = fail_set(f, ERR_INTERNAL, "no scratch to prepare the model in");
    } else {
        glyph_encode(&g, &n->glyph, &ids, rows, "empty");
        err = dit_bind_empty(&n->dit, &b, &g, rows);
    }
    arena_release(&n->dev->scratch, mark);
    byt5_free(&ids);
    return err;
}

int stages_prepare(struct stages *n, const struct model *m, struct fail *f)
{
    struct arena a;
    int err;

    arena_init(&a, (void *)ARENA_ALIGN, SIZE_MAX / 2);
    glyph_place(&n->glyph, &a);
    n->mem_bytes = a.used;
    err = n->dev->ops->mem_new(n->dev, &n->mem, n->mem_bytes, f);
    if (err) return err;
    arena_init(&a, n->mem, n->mem_bytes);
    glyph_place(&n->glyph, &a);
    err = glyph_fill(&n->glyph, n->dev, f);
    return err ? err : prepare_empty(n, m, f);
}

void stages_close(struct stages *n)
{
    if (!n->dev) return;
    if (n->mem) n->dev->ops->mem_free(n->dev, n->mem, n->mem_bytes);
    vae_unbind(&n->vae);
    vae_encoder_unbind(&n->encoder);
    weight_list_free(&n->list);
    offload_close(n->offload);
    memset(n, 0, sizeof *n);
}

size_t stages_bytes(const struct stages *n)
{
    const size_t held =
        n->offload ? (size_t)n->offload->plan.area + n->list.loose : weight_list_bytes(&n->list);

    return held + n->mem_bytes;
}

void scratch_free(struct dev *d)
{
    if (d->scratch.base) d->ops->mem_free(d, d->scratch.base, d->scratch.size);
    d->scratch = (struct arena){0};
}

int scratch_reserve(struct dev *d, size_t bytes, struct fail *f)
{
    void *base;
    size_t before;
    int err;

    if (bytes <= d->scratch.size) return 0;
    assert(!d->scratch.used);
    before = d->scratch.size;
    scratch_free(d); /* first: both at once may be too much */
    err = d->ops->mem_new(d, &base, bytes, f);
    if (!err) {
        arena_init(&d->scratch, base, bytes);
        return 0;
    }
    /* the others still need what there was */
    if (before && !d->ops->mem_new(d, &base, before, NULL)) arena_init(&d->scratch, base, before);
    return err;
}
