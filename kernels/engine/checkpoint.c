/* checkpoint - a run copied out of the device and back.
 *
 * All sizes follow from the request and the head's two counters, so nothing in the bytes is used as
 * a size or an address. What becomes an index (tokens, the prior's counters) is checked; the rest
 * are numbers, of which any are safe. */
#include "kernels/engine/checkpoint_pieces.h"

#include <string.h>

static const char MAGIC[8] = "drkckpt3"; /* the last one: the format */

size_t glm_run_save_bytes(const struct glm_run *r)
{
    if (r->phase == GLM_GLYPH || r->phase == GLM_DONE || r->fail.code || r->injected) return 0;
    return sizeof(struct checkpoint_head) + checkpoint_pieces(r, NULL, NULL);
}

/* --- the head --------------------------------------------------------------------------------- */

static void set_text(char *to, size_t size, const char *text)
{
    memset(to, 0, size);
    memccpy(to, text, '\0', size - 1);
}

static struct checkpoint_head head_of(const struct glm *g, const uint8_t *request)
{
    struct checkpoint_head h;

    memset(&h, 0, sizeof h); /* its gaps are written to disk, too */
    memcpy(h.magic, MAGIC, sizeof h.magic);
    set_text(h.version, sizeof h.version, g->version);
    set_text(h.model, sizeof h.model, g->digest);
    set_text(h.device, sizeof h.device, g->dev->bits);
    memcpy(h.request, request, sizeof h.request);
    return h;
}

static int refuse(struct fail *f, const char *why)
{
    return fail_set(f, ERR_CONFLICT, "the checkpoint %s", why);
}

/* Whether it may belong to this engine. */
static int check_head(const struct glm *g, const struct checkpoint_head *have, struct fail *f)
{
    const struct checkpoint_head want = head_of(g, have->request);

    if (memcmp(have->magic, want.magic, sizeof want.magic)) return refuse(f, "is none");
    if (memcmp(have->version, want.version, sizeof want.version))
        return refuse(f, "is of another version");
    if (memcmp(have->model, want.model, sizeof want.model)) return refuse(f, "is of another model");
    if (memcmp(have->device, want.device, sizeof want.device))
        return refuse(f, "is of another kind of device");
    return 0;
}

/* What these phases have half made is not saved. */
static int begins_again(enum glm_phase phase)
{
    return phase == GLM_DECODE || phase == GLM_VISION || phase == GLM_ENCODE;
}

/* Whether a run of this request can be there: the decoder begins again. */
static int check_place(const struct glm_run *r, const struct checkpoint_head *h, struct fail *f)
{
    const int decodes = h->phase == GLM_DECODE, again = begins_again((enum glm_phase)h->phase);

    if (memcmp(h->request, r->request, sizeof h->request))
        return refuse(f, "is of another request");
    if (h->phase <= GLM_GLYPH || h->phase > GLM_DECODE || h->done < 0
        || !run_quanta(r, (enum glm_phase)h->phase)
        || h->done >= (again ? 1 : run_quanta(r, (enum glm_phase)h->phase))
        || (decodes && (h->steps < 1 || h->steps > r->dit.steps)))
        return refuse(f, "is damaged: no run can be there");
    return 0;
}

/* --- saving ----------------------------------------------------------------------------------- */

static void from_device(struct dev *d, void *host, tensor t)
{
    d->ops->get(d, host, t);
}

int glm_run_save(struct glm_run *r, void *out, struct fail *f)
{
    struct dev *d = r->g->dev;
    struct checkpoint_head h = head_of(r->g, r->request);
    int err;

    assert(glm_run_save_bytes(r));
    h.phase = run_phase(r);
    h.done = begins_again(run_phase(r)) ? 0 : run_done(r);
    h.steps = r->dit.step;
    memcpy(out, &h, sizeof h);
    checkpoint_pieces(r, from_device, (char *)out + sizeof h);
    err = d->ops->sync(d, f);
    if (err) d->ops->reset(d);
    if (err) r->g->aheads = 0;
    return err;
}

/* --- loading ---------------------------------------------------------------------------------- */

static void to_device(struct dev *d, void *host, tensor t)
{
    d->ops->put(d, t, host);
}

static void place(struct glm_run *r, const struct checkpoint_head *h)
{
    r->phase = (enum glm_phase)h->phase;
    r->done = h->done;
    if (r->phase >= GLM_PRIOR)
        prior_seek(&r->prior, r->phase == GLM_PRIOR ? h->done : prior_calls(&r->prior));
    if (r->phase == GLM_DENOISE) r->dit.step = r->first_step = h->done;
    if (r->phase == GLM_DECODE) r->dit.step = h->steps;
}

/* Codes and tokens are indices of tables. */
static int check_codes(const struct glm_run *r, const int32_t *v, int64_t n, struct fail *f)
{
    for (int64_t i = 0; i < n; i++)
        if (v[i] < 0 || v[i] >= r->g->stages.prior.codes)
            return refuse(f, "is damaged: a token is no image code");
    return 0;
}

/* The counters that the device goes by must be those that follow from the place. */
static int check_state(const struct glm_run *r, const int32_t state[AR_STATE], struct fail *f)
{
    const struct prior_seq *s = &r->prior;
    const int32_t next = s->sampled ? r->tokens[s->sampled - 1] : 0;

    if (state[AR_LEN] == prior_cached(s) && state[AR_SAMPLED] == s->sampled
        && state[AR_NEXT] == next && state[AR_BAD] >= 0 && state[AR_BAD] <= s->sampled)
        return 0;
    return refuse(f, "is damaged: its counters do not match");
}

/* The body as checkpoint_pieces() wrote it. */
static int check_body(struct glm_run *r, const char *body, size_t len, struct fail *f)
{
    const size_t text = tensor_bytes(r->dit.text);
    int32_t state[AR_STATE];
    int err;

    if (len != checkpoint_pieces(r, NULL, NULL))
        return refuse(f, "is damaged: it has another length");
    body += text;
    if (r->phase > GLM_VISION && r->images) {
        memcpy(r->codes, body, (size_t)r->cells * sizeof *r->codes);
        body += (size_t)r->cells * sizeof *r->codes;
        err = check_codes(r, r->codes, r->cells, f);
        if (err) return err;
    }
    if (r->phase < GLM_PRIOR) return 0;
    if (r->phase == GLM_PRIOR) {
        memcpy(state, body, sizeof state);
        body += sizeof state;
    }
    memcpy(r->tokens, body, (size_t)r->prior.sampled * sizeof *r->tokens);
    err = check_codes(r, r->tokens, r->prior.sampled, f);
    return err || r->phase != GLM_PRIOR ? err : check_state(r, state, f);
}

/* The keys and values of its images are made anew: they take many times the bytes of the rest. */
static int encode_again(struct glm_run *r, struct fail *f)
{
    const enum glm_phase stood = r->phase;

    if (!r->images) return 0;
    if (stood == GLM_PRIOR || stood == GLM_DENOISE) {
        r->resume = r->phase;
        r->resume_done = r->done;
        r->phase = GLM_ENCODE;
        r->done = 0;
    }
    if (r->skip_prior || (stood != GLM_PRIOR && stood != GLM_ENCODE)) return 0;
    return run_fill_text(r, r->g->dev, f);
}

static int restore(struct glm_run *r, const struct checkpoint_head *h, const char *body, size_t len,
                   struct fail *f)
{
    struct dev *d = r->g->dev;
    int err = check_place(r, h, f);

    if (err) return err;
    place(r, h);
    err = check_body(r, body, len, f);
    if (err) return err;
    checkpoint_pieces(r, to_device, (char *)(uintptr_t)body);
    if (r->phase == GLM_DECODE) d->ops->copy(d, r->dit.clean, r->dit.latents); /* for previews */
    err = d->ops->sync(d, f);
    if (err) d->ops->reset(d);
    return err ? err : encode_again(r, f);
}

int glm_run_load(struct glm_run **out, struct glm *g, const struct glm_req *q, const void *bytes,
                 size_t len, struct fail *f)
{
    struct checkpoint_head h;
    int err;

    *out = NULL;
    if (len < sizeof h) return refuse(f, "is damaged: it is too short");
    memcpy(&h, bytes, sizeof h);
    err = check_head(g, &h, f);
    if (!err) err = glm_run_new(out, g, q, f);
    if (!err) err = restore(*out, &h, (const char *)bytes + sizeof h, len - sizeof h, f);
    if (!err) return 0;
    glm_run_free(*out);
    *out = NULL;
    return err;
}
