/* tokens - a picture's tokens as bytes to be kept, and as what another picture begins with.
 *
 * They say nothing of the prompt: whether two pictures may share them is the caller's to know. */
#include "kernels/engine/engine.h"

#include <sodium.h>
#include <string.h>

static const char MAGIC[8] = "drktokn1"; /* the last one: the format */

/* Texts are padded with zeros and compared whole. */
struct tokens_head {
    char magic[8];
    char model[72];
    int32_t width, height;
    uint8_t digest[32]; /* BLAKE2b-256 of what comes before it and of the tokens */
};

_Static_assert(offsetof(struct tokens_head, digest) == 88, "no gaps");

static void digest_of(const struct tokens_head *h, const void *codes, size_t len, uint8_t *out)
{
    crypto_generichash_state s;

    crypto_generichash_init(&s, NULL, 0, sizeof h->digest);
    crypto_generichash_update(&s, (const void *)h, offsetof(struct tokens_head, digest));
    crypto_generichash_update(&s, codes, len);
    crypto_generichash_final(&s, out, sizeof h->digest);
}

static struct tokens_head head_of(const struct glm *g, const struct glm_run *r)
{
    struct tokens_head h = {.width = r->dit.width, .height = r->dit.height};

    memcpy(h.magic, MAGIC, sizeof h.magic);
    memccpy(h.model, g->digest, '\0', sizeof h.model - 1);
    return h;
}

/* Read back for the first step; a run that skips the prior or was loaded behind it has them. */
static bool known(const struct glm_run *r)
{
    return r->phase > GLM_DENOISE || (r->phase == GLM_DENOISE && r->done > 0);
}

size_t glm_run_tokens_bytes(const struct glm_run *r)
{
    if (!known(r) || r->fail.code || r->injected || r->g->stages.prior.codes > UINT16_MAX + 1)
        return 0;
    return sizeof(struct tokens_head) + (size_t)r->prior.samples * sizeof(uint16_t);
}

void glm_run_tokens(const struct glm_run *r, void *out)
{
    struct tokens_head h = head_of(r->g, r);
    char *codes = (char *)out + sizeof h;

    assert(glm_run_tokens_bytes(r));
    for (int64_t i = 0; i < r->prior.samples; i++) {
        const uint16_t code = (uint16_t)r->tokens[i];

        memcpy(codes + (size_t)i * sizeof code, &code, sizeof code);
    }
    digest_of(&h, codes, (size_t)r->prior.samples * sizeof(uint16_t), h.digest);
    memcpy(out, &h, sizeof h);
}

static int refuse(struct fail *f, const char *why)
{
    return fail_set(f, ERR_CONFLICT, "the kept tokens %s", why);
}

static int check_head(const struct tokens_head *have, const struct tokens_head *want,
                      struct fail *f)
{
    if (memcmp(have->magic, want->magic, sizeof want->magic)) return refuse(f, "are none");
    if (memcmp(have->model, want->model, sizeof want->model))
        return refuse(f, "are of another model");
    if (have->width != want->width || have->height != want->height)
        return refuse(f, "are of another size");
    return 0;
}

/* Tokens are indices of tables. */
static int take(struct glm_run *r, const struct glm *g, const char *codes, struct fail *f)
{
    for (int64_t i = 0; i < r->prior.samples; i++) {
        uint16_t code;

        memcpy(&code, codes + (size_t)i * sizeof code, sizeof code);
        if (code >= g->stages.prior.codes) return refuse(f, "are damaged");
        r->tokens[i] = code;
    }
    return 0;
}

int tokens_read(struct glm_run *r, const struct glm *g, const struct glm_req *q, struct fail *f)
{
    const size_t len = (size_t)r->prior.samples * sizeof(uint16_t);
    struct tokens_head have, want = head_of(g, r);
    const char *codes;
    int err;

    if (!q->tokens) return refuse(f, "are not there");
    if (q->tokens_len < sizeof have) return refuse(f, "are damaged");
    memcpy(&have, q->tokens, sizeof have);
    err = check_head(&have, &want, f);
    if (err) return err;
    if (q->tokens_len != sizeof have + len) return refuse(f, "are damaged");
    codes = (const char *)q->tokens + sizeof have;
    digest_of(&have, codes, len, want.digest);
    if (memcmp(have.digest, want.digest, sizeof want.digest)) return refuse(f, "are damaged");
    return take(r, g, codes, f);
}
