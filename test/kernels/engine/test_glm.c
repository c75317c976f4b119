/* test_glm - pictures as state machines: planned, batched, failing alone. */
#include "test/kernels/engine/engine_harness.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SIDE_MOST = 96, BYTES_MOST = SIDE_MOST * SIDE_MOST * 3 };

static void image_of(struct glm_run *r, uint8_t *rgb)
{
    struct fail f = {0};
    struct glm_picture p = {.rgb = rgb, .capacity = BYTES_MOST};

    memset(rgb, 0, BYTES_MOST);
    if (glm_run_image(r, &p, &f)) fail_msg("%s", f.message);
}

static void draw_alone(struct glm *g, const struct glm_req *q, uint8_t *rgb)
{
    struct glm_run *r = start(g, q);

    finish(g, &r, 1);
    image_of(r, rgb);
    glm_run_free(r);
}

/* The picture, its partners of other sizes, prompts, steps and guidance, some of them a few quanta
 * ahead. */
static void draw_in_company(struct glm *g, const struct glm_req *q, int ahead, uint8_t *rgb)
{
    struct glm_req other[3] = {request("b \"longer text\" and \"more\"", 96, 64, 8),
                               request("c", 64, 64, q->seed), request("", 32, 96, 10)};
    struct glm_run *all[4];

    other[0].steps = 5;
    other[1].guidance = 1.0;
    if (ahead) other[2].prompt = long_prompt(), other[2].prompt_len = strlen(long_prompt());
    for (int i = 0; i < 3; i++)
        all[i] = start(g, &other[i]);
    for (int i = 0; i < ahead; i++)
        step_some(g, all, 3);
    all[3] = start(g, q);
    finish(g, all, 4);
    image_of(all[3], rgb);
    for (int i = 0; i < 4; i++)
        glm_run_free(all[i]);
}

/* catches: a result that depends on the other pictures of the batch, or on the number of threads */
static void company_changes_nothing(void **state)
{
    static uint8_t alone[BYTES_MOST], other[BYTES_MOST];
    const struct glm_req q = request("a \"sign\" 「你好」", 64, 96, 7);

    (void)state;
    for (enum glm_type type = GLM_F32; type <= GLM_BF16; type++) {
        struct glm *one = open_engine("test/golden/odd/model", type, 1, NULL);
        struct glm *two = open_engine("test/golden/odd/model", type, 2, NULL);
        struct glm_req slow;

        draw_alone(one, &q, alone);
        draw_alone(two, &q, other);
        assert_memory_equal(alone, other, sizeof alone);
        draw_in_company(two, &q, 0, other);
        assert_memory_equal(alone, other, sizeof alone);
        draw_in_company(one, &q, 7, other);
        assert_memory_equal(alone, other, sizeof alone);
        slow = request(long_prompt(), 64, 64, 7);
        draw_alone(two, &slow, alone);
        draw_in_company(one, &slow, 3, other);
        assert_memory_equal(alone, other, sizeof alone);
        glm_close(one);
        glm_close(two);
    }
}

/* catches: a seed or a picture's index that changes nothing, or a leftover of an earlier picture */
static void seed_and_index_decide(void **state)
{
    static uint8_t a[BYTES_MOST], b[BYTES_MOST];
    struct glm *g = open_engine("test/golden/plain/model", GLM_F32, 1, NULL);
    struct glm_req q = request("x", 64, 64, 1);

    (void)state;
    draw_alone(g, &q, a);
    q.seed = 2;
    draw_alone(g, &q, b);
    assert_memory_not_equal(a, b, 64 * 64 * 3);
    q.seed = 1;
    q.picture = 1;
    draw_alone(g, &q, b);
    assert_memory_not_equal(a, b, 64 * 64 * 3);
    q.picture = 0;
    draw_alone(g, &q, b);
    assert_memory_equal(a, b, 64 * 64 * 3);
    glm_close(g);
}

/* catches: bands of the decoder that show: a neighbour that is missing, statistics that depend on
 * where a band ends, a picture written over rows that are still to be read */
static void bands_do_not_show(void **state)
{
    static uint8_t whole[BYTES_MOST], bands[BYTES_MOST];
    const char *const model[] = {"test/golden/plain/model", "test/golden/odd/model",
                                 "test/golden/chan/model"};
    const struct glm_req q = request("bands", 96, 64, 5);

    (void)state;
    for (int k = 0; k < 6; k++) {
        struct glm *g = open_engine(model[k % 3], k < 3 ? GLM_F32 : GLM_BF16, 2, NULL);

        draw_alone(g, &q, whole);
        for (size_t bytes = 1; bytes < 40000; bytes = bytes * 13 + 1500) {
            g->stages.vae.whole = g->dry_stages.vae.whole = 0;
            g->stages.vae.band = g->dry_stages.vae.band = bytes;
            draw_alone(g, &q, bands);
            if (memcmp(whole, bands, sizeof whole))
                fail_msg("%s: bands of %zu bytes show", model[k % 3], bytes);
        }
        glm_close(g);
    }
}

enum { TALL_H = 11, TALL_W = 4, TALL_BYTES = 64 * TALL_H * TALL_W * 3 };

/* A picture of 11 x 4 latents, straight through the decoder. */
static void decode_tall(struct glm *g, uint8_t rgb[TALL_BYTES])
{
    enum { ROOM = 8 << 20 };
    struct dev *d = g->dev;
    const struct arena scratch = d->scratch;
    const struct graph graph = {.dev = d};
    const struct vae_config *c = g->stages.vae.cfg;
    struct vae_state s = {.h = TALL_H, .w = TALL_W};
    float noise[64 * TALL_H * TALL_W];
    struct fail f = {0};
    struct arena a;
    tensor latents;
    void *mem;

    assert_int_equal(d->ops->mem_new(d, &mem, 2 * ROOM, &f), 0);
    arena_init(&a, mem, ROOM);
    arena_init(&d->scratch, (char *)mem + ROOM, ROOM);
    vae_place(&s, &a, c, d->type);
    latents = arena_tensor(&a, DT_F32, c->latent, TALL_H * TALL_W);
    for (int i = 0; i < c->latent * TALL_H * TALL_W; i++)
        noise[i] = (float)(i * 7919 % 1009) / 500 - 1;
    d->ops->put(d, latents, noise);
    while (s.piece < VAE_PIECES)
        vae_step(&graph, &g->stages.vae, &s, latents);
    d->ops->get(d, rgb, s.rgb);
    assert_int_equal(d->ops->sync(d, &f), 0);
    assert_false(a.failed || d->scratch.failed);
    d->scratch = scratch;
    d->ops->mem_free(d, mem, 2 * ROOM);
}

/* catches: a last band that is shorter than the others and reads or writes as if it were not */
static void a_shorter_last_band_does_not_show(void **state)
{
    static uint8_t whole[TALL_BYTES], bands[TALL_BYTES];
    struct glm *g = open_engine("test/golden/plain/model", GLM_F32, 2, NULL);

    (void)state;
    decode_tall(g, whole);
    g->stages.vae.whole = 0;
    for (size_t bytes = 3000; bytes < 30000; bytes = bytes * 3 / 2) {
        g->stages.vae.band = bytes;
        decode_tall(g, bands);
        if (memcmp(whole, bands, sizeof whole)) fail_msg("bands of %zu bytes show", bytes);
    }
    glm_close(g);
}

/* catches: bands that are too large, too many, or of one row for a large prime number of rows */
static void bands_are_few(void **state)
{
    (void)state;
    for (int rows = 1; rows <= 300; rows++)
        for (int most = 1; most <= 40; most++) {
            const int n = tensor_band(rows, most), least = (rows + most - 1) / most;

            assert_in_range(n, 1, most);
            assert_in_range((rows + n - 1) / n, least, 2 * least);
        }
    assert_int_equal(tensor_band(256, 37), 32);
    assert_int_equal(tensor_band(236, 39), 34);
}

/* catches: a plan that drifts from what the device takes, in memory or in the number of quanta */
static void the_plan_is_what_happens(void **state)
{
    const char *const model[] = {"test/golden/plain/model", "test/golden/chan/model"};

    (void)state;
    for (int k = 0; k < 2; k++) {
        struct glm *g = open_engine(model[k], k ? GLM_BF16 : GLM_F32, 2, NULL);
        struct glm_req q = request(k ? long_prompt() : "some \"text\"", k ? 96 : 64, 64, 3);
        struct glm_cost c;
        struct fail f = {0};
        int quanta[GLM_PHASES] = {0};
        double before = 0;
        struct glm_run *r;

        assert_int_equal(glm_plan(g, &q, &c, &f), 0);
        g->dev->scratch.peak = 0;
        r = start(g, &q);
        while (glm_run_progress(r).phase != GLM_DONE) {
            struct glm_progress v = glm_run_progress(r);

            assert_true(v.overall >= before && v.overall <= 1 && v.done < v.total);
            before = v.overall;
            quanta[v.phase]++;
            step_some(g, &r, 1);
        }
        assert_true(glm_run_progress(r).overall >= 1);
        assert_memory_equal(quanta, c.quanta, sizeof quanta);
        assert_int_equal(r->bytes, c.run_bytes);
        assert_int_equal(g->dev->scratch.peak, c.scratch_bytes);
        assert_int_equal(stages_bytes(&g->stages), stages_bytes(&g->dry_stages));
        for (int p = 0; p < GLM_PHASES; p++)
            assert_int_equal(c.flops[p] > 0, c.quanta[p] > 0);
        glm_run_free(r);
        glm_close(g);
    }
}

struct first {
    float *row; /* of logits */
    int calls;
};

static void keep_first(void *ctx, const char *name, tensor t, enum tap_shape shape, int h, int w)
{
    struct first *f = ctx;

    (void)shape, (void)h, (void)w;
    if (strcmp(name, "ar.logits") || f->row) return;
    f->row = calloc((size_t)t.cols, sizeof *f->row);
    memcpy(f->row, t.data, (size_t)t.cols * sizeof *f->row);
}

static struct first first_logits(struct glm *g, const struct glm_req *q)
{
    struct first f = {0};
    const struct tap tap = {.see = keep_first, .ctx = &f};
    struct glm_run *r = start(g, q);

    while (!f.row) {
        f.calls += glm_run_progress(r).phase == GLM_PRIOR;
        assert_int_equal(glm_run_progress(r).prefill, glm_run_progress(r).phase == GLM_PRIOR);
        assert_int_equal(glm_step_tapped(g, &r, 1, &tap, NULL), 0);
    }
    assert_false(glm_run_progress(r).prefill);
    glm_run_free(r);
    return f;
}

/* catches: a chunk of a prompt that does not see the chunks before it, or that is as long as the
 * whole */
static void a_prompt_in_chunks_gives_the_same(void **state)
{
    struct glm *g = open_engine("test/golden/odd/model", GLM_F32, 2, NULL);
    struct glm_req q = request(long_prompt(), 64, 64, 3);
    const struct glm_inject nothing = {0};
    struct first chunked = first_logits(g, &q), whole;
    float most = 0;

    (void)state;
    q.inject = &nothing; /* a trace shows a prompt in one piece */
    whole = first_logits(g, &q);
    assert_int_equal(whole.calls, 1);
    assert_true(chunked.calls >= 3);
    for (int i = 0; i < g->model.cfg.ar.rows; i++)
        most = fmaxf(most, fabsf(whole.row[i]));
    for (int i = 0; i < g->model.cfg.ar.rows; i++)
        assert_true(fabsf(chunked.row[i] - whole.row[i]) <= 1e-5f * most);
    free(chunked.row);
    free(whole.row);
    glm_close(g);
}

/* catches: a plan that counts the room for given tokens where none are given, or forgets it */
static void a_trace_takes_what_was_planned(void **state)
{
    static const int32_t tokens[1024];
    struct glm *g = open_engine("test/golden/odd/model", GLM_F32, 2, NULL);
    struct glm_req q = request("a shape", 64, 64, 3);
    struct glm_inject given = {0};
    struct glm_run *r;

    (void)state;
    q.inject = &given;
    for (int with = 0; with < 2; with++) {
        struct glm_cost c;

        assert_int_equal(glm_plan(g, &q, &c, NULL), 0);
        assert_int_equal(glm_run_new(&r, g, &q, NULL), 0);
        assert_int_equal(r->bytes, c.run_bytes);
        assert_int_equal(r->bytes, r->cost.run_bytes);
        given.tokens = tokens;
        given.token_count = (size_t)r->prior.samples;
        assert_true(given.token_count <= sizeof tokens / sizeof *tokens);
        glm_run_free(r);
    }
    glm_close(g);
}

/* catches: a batch whose scratch was planned for one, or a plan for a batch that is larger than
 * it */
static void a_batch_fits_its_plan(void **state)
{
    struct glm *g = open_engine("test/golden/plain/model", GLM_F32, 1, NULL);
    struct glm_req q = request("x", 64, 64, 1);
    struct glm_run *r[4];
    struct fail f = {0};
    uint64_t one, four;

    (void)state;
    assert_int_equal(glm_plan_batch(g, &q, 1, &one, &f), 0);
    assert_int_equal(glm_plan_batch(g, &q, 4, &four, &f), 0);
    assert_true(four >= one && four <= 4 * one);
    assert_int_equal(glm_reserve(g, four, &f), 0);
    g->dev->scratch.peak = 0;
    for (int i = 0; i < 4; i++)
        r[i] = start(g, &q);
    finish(g, r, 4);
    assert_int_equal(g->dev->scratch.peak, four);
    assert_int_equal(g->dev->scratch.size, four);
    for (int i = 0; i < 4; i++)
        glm_run_free(r[i]);
    glm_close(g);
}

/* catches: the FLOPs of a phase that forget a part: more steps cost more denoising and nothing
 * else */
static void steps_cost_denoising(void **state)
{
    struct glm *g = open_engine("test/golden/plain/model", GLM_F32, 1, NULL);
    struct glm_req q = request("x", 64, 64, 1);
    struct glm_cost two, four;

    (void)state;
    assert_int_equal(glm_plan(g, &q, &two, NULL), 0);
    q.steps = 4;
    assert_int_equal(glm_plan(g, &q, &four, NULL), 0);
    assert_true(four.flops[GLM_PRIOR] >= two.flops[GLM_PRIOR]);
    assert_true(four.flops[GLM_PRIOR] <= two.flops[GLM_PRIOR]);
    assert_true(four.flops[GLM_DENOISE] > 1.9 * two.flops[GLM_DENOISE]);
    assert_true(four.flops[GLM_DENOISE] < 2.0 * two.flops[GLM_DENOISE]);
    glm_close(g);
}

/* catches: bad requests that get as far as the device, errors without the field's name */
static void bad_requests_are_named(void **state)
{
    struct glm *g = open_engine("test/golden/plain/model", GLM_F32, 1, NULL);
    const struct {
        struct glm_req q;
        const char *field;
    } bad[] = {
        {{.prompt = "x", .prompt_len = 1, .width = 65, .height = 64, .steps = 1}, "width"},
        {{.prompt = "x", .prompt_len = 1, .width = 64, .height = 0, .steps = 1}, "height"},
        {{.prompt = "x", .prompt_len = 1, .width = 64, .height = 4096, .steps = 1}, "height"},
        {{.prompt = "x", .prompt_len = 1, .width = 64, .height = 64, .steps = 0}, "steps"},
        {{.prompt = "x", .prompt_len = 1, .width = 64, .height = 64, .steps = 1, .guidance = -1},
         "guidance"},
        {{.prompt = "<|image|>", .prompt_len = 9, .width = 64, .height = 64, .steps = 1}, "prompt"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fail f = {0};
        struct glm_cost c;
        struct glm_run *r;

        assert_true(glm_plan(g, &bad[i].q, &c, &f) < 0);
        assert_string_equal(f.field, bad[i].field);
        assert_true(glm_run_new(&r, g, &bad[i].q, &f) < 0);
        assert_null(r);
    }
    glm_close(g);
}

/* catches: strict sampling that passes a token which is no code, or fails the other runs of the
 * batch; robust sampling that lets one through */
static void strict_fails_alone(void **state)
{
    struct glm *g = open_engine("test/golden/plain/model", GLM_F32, 1, NULL);
    struct glm_req q[2] = {request("x", 64, 64, 1), request("x", 64, 64, 1)};
    struct glm_run *r[2];
    struct fail f = {0};

    (void)state;
    q[0].strict = 1;
    r[0] = start(g, &q[0]);
    r[1] = start(g, &q[1]);
    while (glm_run_progress(r[1]).phase <= GLM_PRIOR)
        step_some(g, r, 2);
    assert_int_equal(glm_run_failed(r[0], &f), ERR_MODEL);
    assert_non_null(strstr(f.message, "strict"));
    assert_int_equal(glm_run_failed(r[1], &f), 0);
    finish(g, &r[1], 1);
    for (int i = 0; i < r[1]->prompt.tokens; i++)
        assert_in_range(r[1]->tokens[i], 0, g->model.cfg.vq.codes - 1);
    glm_run_free(r[0]);
    glm_run_free(r[1]);
    glm_close(g);
}

/* catches: a black picture in place of an error, and an error that says strict where strict was not
 * asked for */
static void numbers_that_run_over_fail_alone(void **state)
{
    struct glm *g = open_engine("test/golden/plain/model", GLM_F32, 1, NULL);
    struct glm_req q[2] = {request("x", 64, 64, 1), request("x", 64, 64, 1)};
    struct fail f = {0};
    struct glm_run *r[2] = {start(g, &q[0]), start(g, &q[1])};
    float nan = NAN;
    tensor one;

    (void)state;
    while (glm_run_progress(r[1]).phase <= GLM_PRIOR)
        step_some(g, r, 2);
    one = r[0]->dit.latents;
    one.rows = one.cols = 1;
    g->dev->ops->put(g->dev, one, &nan);
    while (glm_run_progress(r[1]).phase <= GLM_DENOISE)
        step_some(g, r, 2);
    assert_int_equal(glm_run_failed(r[0], &f), ERR_MODEL);
    assert_non_null(strstr(f.message, "not finite after phase denoise"));
    assert_int_equal(glm_run_failed(r[1], &f), 0);
    finish(g, &r[1], 1);
    glm_run_free(r[0]);
    glm_run_free(r[1]);
    glm_close(g);
}

/* catches: suggestions that are not the model's, or none */
static void suggestions_are_handed_on(void **state)
{
    const struct glm_opts tiny = {.model = "weights/tiny"},
                          plain = {.model = "test/weights/released"};
    struct glm_info info;
    struct glm *g;

    (void)state;
    assert_int_equal(engine_open(&g, &tiny, ENGINE_PLAN_CPU, NULL), 0);
    glm_info(g, &info);
    assert_int_equal(info.n_sizes, 4);
    assert_int_equal(info.sizes[2][0], 256);
    assert_int_equal(info.sizes[2][1], 384);
    assert_in_range(info.n_examples, 1, LIMIT_EXAMPLES);
    assert_true(strlen(info.examples[0]) > 0);
    glm_close(g);
    assert_int_equal(engine_open(&g, &plain, ENGINE_PLAN_CPU, NULL), 0);
    glm_info(g, &info);
    assert_int_equal(info.n_sizes + info.n_examples, 0);
    glm_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(company_changes_nothing),
        cmocka_unit_test(seed_and_index_decide),
        cmocka_unit_test(bands_do_not_show),
        cmocka_unit_test(a_shorter_last_band_does_not_show),
        cmocka_unit_test(bands_are_few),
        cmocka_unit_test(the_plan_is_what_happens),
        cmocka_unit_test(a_prompt_in_chunks_gives_the_same),
        cmocka_unit_test(a_batch_fits_its_plan),
        cmocka_unit_test(steps_cost_denoising),
        cmocka_unit_test(bad_requests_are_named),
        cmocka_unit_test(strict_fails_alone),
        cmocka_unit_test(numbers_that_run_over_fail_alone),
        cmocka_unit_test(a_trace_takes_what_was_planned),
        cmocka_unit_test(suggestions_are_handed_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
