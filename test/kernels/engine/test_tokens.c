/* test_tokens - a picture that begins with the tokens of another one is the picture that it would
 * be with a prior of its own; and two seeds draw what they are for. */
#include "test/kernels/engine/engine_harness.h"

#include <stdlib.h>

enum { SIDE = 96, BYTES = SIDE * SIDE * 3 };

static const char MODEL[] = "test/golden/odd/model";
static const char PROMPT[] = "a \"sign\" 「你好」";

struct kept {
    void *bytes;
    size_t len;
};

static struct kept keep(const struct glm_run *r)
{
    struct kept k = {.len = glm_run_tokens_bytes(r)};

    assert_true(k.len > 0);
    k.bytes = malloc(k.len);
    assert_non_null(k.bytes);
    glm_run_tokens(r, k.bytes);
    return k;
}

/* Draws to the end, beside the others if there are any; the tokens on the way. */
static struct kept draw(struct glm *g, struct glm_run *r, struct glm_run *other, uint8_t *rgb)
{
    struct glm_run *all[2] = {r, other};
    struct glm_picture p = {.rgb = rgb, .capacity = BYTES};
    struct fail f = {0};
    struct kept k;

    memset(rgb, 0, BYTES);
    finish(g, all, other ? 2 : 1);
    if (glm_run_image(r, &p, &f)) fail_msg("%s", f.message);
    k = keep(r);
    glm_run_free(r);
    glm_run_free(other);
    return k;
}

static struct glm_req with_tokens(struct glm_req q, const struct kept *k)
{
    q.skip_prior = 1;
    q.tokens = k->bytes;
    q.tokens_len = k->len;
    return q;
}

static void same_tokens(const struct kept *a, const struct kept *b)
{
    assert_int_equal(a->len, b->len);
    assert_memory_equal(a->bytes, b->bytes, a->len);
}

/* catches: tokens that arrive otherwise than they were sampled, a skipped prior that shows, company
 * that shows */
static void a_kept_composition_is_the_same_picture(void **state)
{
    static uint8_t whole[BYTES], again[BYTES];

    (void)state;
    for (enum glm_type type = GLM_F32; type <= GLM_BF16; type++) {
        struct glm *one = open_engine(MODEL, type, 1, NULL),
                   *two = open_engine(MODEL, type, 2, NULL);
        const struct glm_req q = request(PROMPT, 64, 96, 7), company = request("b", 96, 64, 3);
        struct kept from = draw(one, start(one, &q), NULL, whole), to;

        for (int with = 0; with < 3; with++) {
            const struct glm_req skip = with_tokens(q, &from);

            to = draw(two, start(two, &skip), with ? start(two, with > 1 ? &skip : &company) : NULL,
                      again);
            assert_memory_equal(whole, again, sizeof whole);
            same_tokens(&from, &to);
            free(to.bytes);
        }
        free(from.bytes);
        glm_close(one);
        glm_close(two);
    }
}

/* catches: steps, guidance or noise of the earlier picture that stay, or that change its tokens */
static void all_else_may_be_another(void **state)
{
    static uint8_t first[BYTES], whole[BYTES], skipped[BYTES];
    struct glm *g = open_engine(MODEL, GLM_F32, 2, NULL);
    const struct glm_req q = request(PROMPT, 64, 64, 7);
    struct kept from = draw(g, start(g, &q), NULL, first), a, b;

    (void)state;
    for (int what = 0; what < 3; what++) {
        struct glm_req other = q, skip;

        if (what == 0) other.steps = 3;
        if (what == 1) other.guidance = 4;
        if (what == 2) other.two_seeds = 1, other.noise_seed = 8;
        skip = with_tokens(other, &from);
        a = draw(g, start(g, &other), NULL, whole);
        b = draw(g, start(g, &skip), NULL, skipped);
        assert_memory_equal(whole, skipped, sizeof whole);
        assert_true(memcmp(first, whole, sizeof whole) != 0);
        same_tokens(&from, &a);
        same_tokens(&from, &b);
        free(a.bytes);
        free(b.bytes);
    }
    free(from.bytes);
    glm_close(g);
}

/* catches: two equal seeds that are not one, a noise seed that draws tokens */
static void two_seeds_draw_two_things(void **state)
{
    static uint8_t one[BYTES], equal[BYTES], noise[BYTES], tokens[BYTES];
    struct glm *g = open_engine(MODEL, GLM_BF16, 1, NULL);
    const struct glm_req q = request(PROMPT, 64, 64, 7);
    struct glm_req e = q, n = q, t = q;
    struct kept k[4];

    (void)state;
    e.two_seeds = n.two_seeds = t.two_seeds = 1;
    e.noise_seed = t.noise_seed = 7;
    n.noise_seed = t.seed = 8;
    k[0] = draw(g, start(g, &q), NULL, one);
    k[1] = draw(g, start(g, &e), NULL, equal);
    k[2] = draw(g, start(g, &n), NULL, noise);
    k[3] = draw(g, start(g, &t), NULL, tokens);
    assert_memory_equal(one, equal, sizeof one);
    assert_true(memcmp(one, noise, sizeof one) != 0);
    assert_true(memcmp(one, tokens, sizeof one) != 0);
    same_tokens(&k[0], &k[2]);
    assert_true(memcmp(k[0].bytes, k[3].bytes, k[0].len) != 0);
    for (int i = 0; i < 4; i++)
        free(k[i].bytes);
    glm_close(g);
}

static void *save(struct glm_run *r, size_t *len)
{
    void *bytes;
    struct fail f = {0};

    *len = glm_run_save_bytes(r);
    bytes = *len ? malloc(*len) : NULL;
    if (bytes && glm_run_save(r, bytes, &f)) fail_msg("%s", f.message);
    return bytes;
}

/* catches: a checkpoint of a run without a prior that lacks its tokens, or whose size is planned
 * wrong */
static void it_goes_on_from_every_checkpoint(void **state)
{
    static uint8_t whole[BYTES], again[BYTES];
    struct glm *g = open_engine(MODEL, GLM_BF16, 2, NULL);
    struct glm_req q = request(PROMPT, 64, 64, 7), skip;
    struct kept from, to;
    struct glm_run *r, *second;
    struct glm_cost cost;
    struct fail f = {0};
    size_t len, most = 0;
    int saved = 0;

    (void)state;
    q.steps = 4;
    from = draw(g, start(g, &q), NULL, whole);
    skip = with_tokens(q, &from);
    assert_int_equal(glm_plan(g, &skip, &cost, &f), 0);
    for (r = start(g, &skip); glm_run_progress(r).phase != GLM_DONE; step_some(g, &r, 1)) {
        void *bytes = save(r, &len);

        if (!bytes) continue;
        saved++;
        if (len > most) most = len;
        if (glm_run_load(&second, g, &skip, bytes, len, &f)) fail_msg("%s", f.message);
        to = draw(g, second, NULL, again);
        assert_memory_equal(whole, again, sizeof whole);
        same_tokens(&from, &to);
        free(to.bytes);
        assert_int_equal(glm_run_load(&second, g, &q, bytes, len, &f), ERR_CONFLICT);
        free(bytes);
    }
    assert_int_equal(saved, 4 + VAE_PIECES);
    assert_int_equal(most, cost.checkpoint_bytes);
    glm_run_free(r);
    free(from.bytes);
    glm_close(g);
}

/* catches: a plan that counts a phase that is not there, or lacks one that is */
static void the_plan_has_no_prior(void **state)
{
    struct glm *g = open_engine(MODEL, GLM_F32, 1, NULL);
    struct glm_req q = request(PROMPT, 64, 64, 7);
    struct glm_cost whole, skip;
    uint64_t scratch, less;
    struct fail f = {0};

    (void)state;
    assert_int_equal(glm_plan(g, &q, &whole, &f), 0);
    assert_int_equal(glm_plan_batch(g, &q, 2, &scratch, &f), 0);
    q.skip_prior = 1;
    assert_int_equal(glm_plan(g, &q, &skip, &f), 0);
    assert_int_equal(glm_plan_batch(g, &q, 2, &less, &f), 0);
    assert_int_equal(skip.quanta[GLM_PRIOR], 0);
    assert_int_equal(skip.chunks, 0);
    assert_true(!(skip.work[GLM_PRIOR] > 0) && !(skip.flops[GLM_PRIOR] > 0));
    assert_true(skip.prefill >= 0 && skip.prefill <= 0);
    for (int p = 0; p < GLM_PHASES; p++)
        if (p != GLM_PRIOR) assert_true(!(skip.work[p] < whole.work[p]));
    assert_true(skip.run_bytes <= whole.run_bytes);
    assert_true(skip.checkpoint_bytes <= whole.checkpoint_bytes);
    assert_true(less <= scratch && less > 0);
    glm_close(g);
}

static void refused(struct glm *g, const struct glm_req *q, const char *why)
{
    struct glm_run *r = (void *)g;
    struct fail f = {0};

    assert_int_equal(glm_run_new(&r, g, q, &f), ERR_CONFLICT);
    assert_null(r);
    if (!strstr(f.message, why)) fail_msg("%s", f.message);
}

/* catches: tokens of something else, or damaged ones, that become a picture */
static void what_does_not_fit_is_refused(void **state)
{
    static uint8_t rgb[BYTES];
    struct glm *g = open_engine(MODEL, GLM_F32, 1, NULL);
    struct glm *other = open_engine("test/golden/plain/model", GLM_F32, 1, NULL);
    const struct glm_req q = request(PROMPT, 64, 96, 7);
    struct kept k = draw(g, start(g, &q), NULL, rgb);
    struct glm_req skip = with_tokens(q, &k), bad = skip;

    (void)state;
    refused(other, &skip, "model");
    bad.width = 96;
    bad.height = 64;
    refused(g, &bad, "size");
    bad = skip;
    bad.tokens = NULL;
    refused(g, &bad, "not there");
    for (size_t len = 0; len < k.len; len += 1 + len / 9) {
        bad = skip;
        bad.tokens_len = len;
        refused(g, &bad, "damaged");
    }
    for (size_t i = 0; i < k.len; i += 7) {
        ((unsigned char *)k.bytes)[i] ^= 1;
        refused(g, &skip, "the kept tokens");
        ((unsigned char *)k.bytes)[i] ^= 1;
    }
    free(k.bytes);
    glm_close(g);
    glm_close(other);
}

/* catches: tokens that are read before the host has them */
static void they_are_known_after_the_first_step(void **state)
{
    struct glm *g = open_engine(MODEL, GLM_F32, 1, NULL);
    const struct glm_req q = request(PROMPT, 64, 64, 7);
    struct glm_run *r = start(g, &q);
    struct kept k;

    (void)state;
    for (; !(glm_run_progress(r).phase == GLM_DENOISE && glm_run_progress(r).done);
         step_some(g, &r, 1))
        assert_int_equal(glm_run_tokens_bytes(r), 0);
    k = keep(r);
    assert_true(k.len < 4096);
    free(k.bytes);
    glm_run_free(r);
    glm_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kept_composition_is_the_same_picture),
        cmocka_unit_test(all_else_may_be_another),
        cmocka_unit_test(two_seeds_draw_two_things),
        cmocka_unit_test(it_goes_on_from_every_checkpoint),
        cmocka_unit_test(the_plan_has_no_prior),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(they_are_known_after_the_first_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
