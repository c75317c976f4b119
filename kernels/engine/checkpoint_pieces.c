/* checkpoint_pieces - which tensors of a run are saved, and how many bytes they are. */
#include "kernels/engine/checkpoint_pieces.h"

#include "kernels/number.h"

struct pieces {
    struct dev *dev;
    checkpoint_fn *fn;
    char *at;
    size_t bytes;
};

static void piece(struct pieces *p, tensor t)
{
    const size_t n = (size_t)(t.rows * t.cols) * dtype_size(t.type);

    if (p->fn && n) p->fn(p->dev, p->at + p->bytes, t);
    p->bytes += n;
}

static void prior_pieces(struct pieces *p, const struct prior_seq *s)
{
    const int slices = (int)(s->kv.rows / prior_cache_rows(s));

    piece(p, s->state);
    piece(p, tensor_cols(s->tokens, 0, s->sampled));
    for (int i = 0; i < slices; i++)
        piece(p, prior_cache(s, i / 2, i % 2));
}

size_t checkpoint_pieces(const struct glm_run *r, checkpoint_fn *fn, char *at)
{
    struct pieces p = {.dev = r->g ? r->g->dev : NULL, .fn = fn, .at = at};
    const enum glm_phase phase = run_phase(r);

    piece(&p, r->dit.text);
    if (phase > GLM_VISION && r->images) piece(&p, r->code);
    if (phase == GLM_PRIOR) {
        prior_pieces(&p, &r->prior);
    } else if (phase > GLM_PRIOR) {
        piece(&p, r->prior.tokens);
        if (phase == GLM_DENOISE && r->dit.step) piece(&p, r->dit.clean);
        piece(&p, r->dit.latents);
    }
    return p.bytes;
}

size_t checkpoint_bytes_max(const struct glm_run *r)
{
    struct glm_run prior = *r, denoise = *r;

    denoise.phase = GLM_DENOISE;
    denoise.dit.step = r->dit.steps > 1;
    if (r->skip_prior)
        return sizeof(struct checkpoint_head) + checkpoint_pieces(&denoise, NULL, NULL);
    prior.phase = GLM_PRIOR;
    prior_seek(&prior.prior, prior_calls(&prior.prior) - 1);
    return sizeof(struct checkpoint_head)
           + number_max(checkpoint_pieces(&prior, NULL, NULL),
                        checkpoint_pieces(&denoise, NULL, NULL));
}
