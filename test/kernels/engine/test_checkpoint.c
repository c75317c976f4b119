/* test_checkpoint - a run that is saved anywhere and goes on elsewhere is the same picture; what is
 * not such a run is refused, whatever its bytes are. */
#include "test/kernels/engine/engine_harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SIDE_MOST = 96, BYTES_MOST = SIDE_MOST * SIDE_MOST * 3, QUANTA_MOST = 1024 };

static const char MODEL[] = "test/golden/odd/model";

struct saved {
    void *bytes;
    size_t len;
};

static struct glm *open_version(const char *model, enum glm_type type, int threads,
                                const char *version)
{
    struct glm *g;
    struct fail f = {0};
    const struct glm_opts o = {
        .model = model, .device = "cpu", .type = type, .threads = threads, .version = version};

    if (glm_open(&g, &o, &f)) fail_msg("%s", f.message);
    return g;
}

static struct glm_req small(const char *prompt, int width, int steps, uint64_t seed)
{
    return (struct glm_req){.prompt = prompt,
                            .prompt_len = strlen(prompt),
                            .width = width,
                            .height = 32,
                            .steps = steps,
                            .guidance = 1.5,
                            .seed = seed};
}

static struct saved save(struct glm_run *r)
{
    struct saved s = {.len = glm_run_save_bytes(r)};
    struct fail f = {0};

    if (!s.len) return s;
    s.bytes = malloc(s.len);
    assert_non_null(s.bytes);
    if (glm_run_save(r, s.bytes, &f)) fail_msg("%s", f.message);
    return s;
}

static struct glm_run *load(struct glm *g, const struct glm_req *q, const struct saved *s)
{
    struct glm_run *r;
    struct fail f = {0};

    if (glm_run_load(&r, g, q, s->bytes, s->len, &f)) fail_msg("%s", f.message);
    return r;
}

/* r, and with it the other one as long as they are in the same phase. */
static void step(struct glm *g, struct glm_run *r, struct glm_run *other)
{
    struct glm_run *both[2] = {r, other};
    struct fail f = {0};
    const enum glm_phase phase = glm_run_progress(r).phase;

    while (other && glm_run_progress(other).phase < phase)
        if (glm_step(g, &other, 1, &f)) fail_msg("%s", f.message);
    if (glm_step(g, both, other && glm_run_progress(other).phase == phase ? 2 : 1, &f))
        fail_msg("%s", f.message);
}

static void draw(struct glm *g, struct glm_run *r, struct glm_run *other, uint8_t *rgb)
{
    struct glm_picture p = {.rgb = rgb, .capacity = BYTES_MOST};
    struct fail f = {0};

    memset(rgb, 0, BYTES_MOST);
    while (glm_run_progress(r).phase != GLM_DONE)
        step(g, r, other);
    if (glm_run_image(r, &p, &f)) fail_msg("%s", f.message);
    glm_run_free(r);
    glm_run_free(other);
}

/* Draws, and saves before every quantum; how many. */
static int save_all(struct glm *g, const struct glm_req *q, struct glm_run *other,
                    struct saved all[QUANTA_MOST], uint8_t *rgb)
{
    struct glm_run *r = start(g, q);
    int n = 0;

    for (; glm_run_progress(r).phase != GLM_DONE; n++) {
        assert_in_range(n, 0, QUANTA_MOST - 1);
        all[n] = save(r);
        step(g, r, other);
    }
    assert_int_equal(glm_run_save_bytes(r), 0);
    draw(g, r, other, rgb);
    return n;
}

static void free_all(struct saved *all, int n)
{
    for (int i = 0; i < n; i++)
        free(all[i].bytes);
}

/* From every `stride`th place. */
static void goes_on(enum glm_type type, const struct glm_req *q, int company, int stride)
{
    static uint8_t alone[BYTES_MOST], other[BYTES_MOST];
    struct glm *one = open_version(MODEL, type, 1, "1"), *two = open_version(MODEL, type, 2, "1");
    const struct glm_req with = small("b", 64, 3, 8);
    struct saved all[QUANTA_MOST];
    int n, saved = 0;

    draw(one, start(one, q), NULL, alone);
    n = save_all(one, q, company ? start(one, &with) : NULL, all, other);
    assert_memory_equal(alone, other, sizeof alone); /* saving changes nothing */
    for (int i = 0; i < n; i++) {
        struct glm_run *r;

        if (!all[i].len) continue;
        saved++;
        if (i % stride && i > 6 && i < n - 6) continue;
        r = load(two, q, &all[i]);
        draw(two, r, company ? start(two, &with) : NULL, other);
        if (memcmp(alone, other, sizeof alone)) fail_msg("saved before quantum %d: other bytes", i);
    }
    assert_int_equal(saved, n - 1); /* all but the beginning */
    free_all(all, n);
    glm_close(one);
    glm_close(two);
}

/* catches: a part of a run that is not saved, saved too early or put elsewhere, a cache that was
 * made again with other bits, company or threads that show after a load */
static void a_run_goes_on_to_the_same_bytes(void **state)
{
    const struct glm_req few = small("a \"sign\" 「你好」", 32, 3, 7);
    const struct glm_req chunks = small(long_prompt(), 32, 2, 9);

    (void)state;
    for (enum glm_type type = GLM_F32; type <= GLM_BF16; type++)
        for (int company = 0; company < 2; company++) {
            goes_on(type, &few, company, company ? 5 : 1);
            goes_on(type, &chunks, company, 23);
        }
}

/* catches: a test that would not notice a part that is missing */
static void every_part_matters(void **state)
{
    static uint8_t right[BYTES_MOST], wrong[BYTES_MOST];
    struct glm *g = open_version(MODEL, GLM_F32, 1, "1");
    const struct glm_req q = small("a \"sign\"", 96, 3, 7);
    struct saved all[QUANTA_MOST];
    int n = save_all(g, &q, NULL, all, right), differ = 0, refused = 0;

    (void)state;
    for (int i = 1; i < n; i++) {
        struct glm_run *r;

        memset((char *)all[i].bytes + all[i].len - all[i].len / 8, 0, all[i].len / 8);
        if (glm_run_load(&r, g, &q, all[i].bytes, all[i].len, NULL)) {
            refused++;
            continue;
        }
        draw(g, r, NULL, wrong);
        differ += memcmp(right, wrong, sizeof right) != 0;
    }
    assert_int_equal(refused, 0); /* cache and latents are numbers */
    print_message("%d of %d differ\n", differ, n);
    assert_true(differ > n / 2);
    free_all(all, n);
    glm_close(g);
}

/* catches: a plan of the bytes that the host needs that is too small or too large */
static void the_size_is_planned(void **state)
{
    struct glm *g = open_version(MODEL, GLM_BF16, 1, "1");
    const char *const prompt[] = {"", "a \"sign\"", long_prompt()};

    (void)state;
    for (int i = 0; i < 3; i++) {
        const struct glm_req q = small(prompt[i], 96, 2, 1);
        struct glm_run *r = start(g, &q);
        struct glm_cost c;
        struct fail f = {0};
        size_t most = 0;

        assert_int_equal(glm_plan(g, &q, &c, &f), 0);
        while (glm_run_progress(r).phase != GLM_DONE) {
            if (glm_run_save_bytes(r) > most) most = glm_run_save_bytes(r);
            step(g, r, NULL);
        }
        assert_int_equal(most, c.checkpoint_bytes);
        glm_run_free(r);
    }
    glm_close(g);
}

static void refused(struct glm *g, const struct glm_req *q, const struct saved *s, size_t len,
                    const char *why)
{
    struct glm_run *r = (void *)g;
    struct fail f = {0};

    assert_int_equal(glm_run_load(&r, g, q, s->bytes, len, &f), ERR_CONFLICT);
    assert_null(r);
    if (!strstr(f.message, why)) fail_msg("%s", f.message);
}

/* catches: a checkpoint that goes on although its bytes would be others' */
static void what_does_not_belong_is_refused(void **state)
{
    struct glm *g = open_version(MODEL, GLM_F32, 1, "1");
    struct glm *const other[] = {open_version(MODEL, GLM_F32, 1, "2"),
                                 open_version(MODEL, GLM_BF16, 1, "1"),
                                 open_version("test/golden/plain/model", GLM_F32, 1, "1")};
    const char *const why[] = {"version", "device", "model"};
    const struct glm_req q = small("a", 64, 3, 7);
    struct glm_req not [7] = {q, q, q, q, q, q, q};
    struct saved all[QUANTA_MOST];
    static uint8_t rgb[BYTES_MOST];
    int n = save_all(g, &q, NULL, all, rgb);

    (void)state;
    for (int i = 0; i < 3; i++) {
        refused(other[i], &q, &all[n / 2], all[n / 2].len, why[i]);
        glm_close(other[i]);
    }
    not [0].prompt = "b";
    not [1].width = 96;
    not [2].height = 64;
    not [3].steps = 4;
    not [4].guidance = 1.6;
    not [5].seed = 8;
    not [6].picture = 1;
    for (int i = 0; i < 7; i++)
        refused(g, &not [i], &all[n / 2], all[n / 2].len, "request");
    for (size_t len = 0; len < all[1].len; len += 1 + len / 50)
        refused(g, &q, &all[1], len, "damaged");
    refused(g, &q, &(struct saved){all[2].bytes, 0}, all[1].len, "damaged");
    free_all(all, n);
    glm_close(g);
}

static uint64_t next_random(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    return *s ^= *s << 17;
}

/* Bytes that are hostile where it hurts: the head's counters and the integers behind it. */
static void damage(struct saved *s, uint64_t *random)
{
    unsigned char *b = s->bytes;

    for (uint64_t k = next_random(random) % 4 + 1; k; k--) {
        const uint64_t how = next_random(random);
        const size_t span = how % 3 == 0 ? s->len : s->len < 600 ? s->len : 600;

        b[(how % 3 == 1 ? 432 : 0) + next_random(random) % (how % 3 == 1 ? 12 : span)] =
            (unsigned char)next_random(random);
    }
}

/* catches: a checkpoint whose numbers are used as sizes, places or indices (with the sanitizers) */
static void any_bytes_are_safe(void **state)
{
    struct glm *g = open_version(MODEL, GLM_F32, 1, "1");
    const struct glm_req q = small("a \"b\"", 32, 2, 7);
    struct saved all[QUANTA_MOST];
    static uint8_t rgb[BYTES_MOST];
    int n = save_all(g, &q, NULL, all, rgb), taken = 0;
    uint64_t random = 88172645463325252u;

    (void)state;
    for (int i = 0; i < 1500; i++) {
        const struct saved *from = &all[1 + next_random(&random) % (uint64_t)(n - 1)];
        struct saved s = {malloc(from->len), from->len};
        struct glm_run *r;
        struct fail f = {0};
        int err;

        memcpy(s.bytes, from->bytes, s.len);
        damage(&s, &random);
        err = glm_run_load(&r, g, &q, s.bytes, s.len, &f);
        assert_true(!err || (err == ERR_CONFLICT && !r && *f.message));
        taken += !err;
        for (int k = 0; !err && k < 3 && glm_run_progress(r).phase != GLM_DONE; k++) {
            if (glm_run_failed(r, NULL)) break;
            step(g, r, NULL);
        }
        glm_run_free(r);
        free(s.bytes);
    }
    assert_in_range(taken, 10, 1400);
    free_all(all, n);
    glm_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_goes_on_to_the_same_bytes),
        cmocka_unit_test(every_part_matters),
        cmocka_unit_test(the_size_is_planned),
        cmocka_unit_test(what_does_not_belong_is_refused),
        cmocka_unit_test(any_bytes_are_safe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
