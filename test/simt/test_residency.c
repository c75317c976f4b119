/* The engine on an emulated GPU that is too small: the bytes of a picture are the same in all
 * modes.
 *
 * Copies of weights happen only when they are waited for, so a layer that is used before it has
 * come, or that was overwritten, shows in the picture. Catches a group that is not fetched, a
 * captured step that is repeated over other weights, a plan that is not what the GPU then holds. */
#include "kernels/cuda/device.h"
#include "kernels/cuda_sizes.h"
#include "kernels/engine/capacity.h"
#include "kernels/engine/engine.h"
#include "test/simt/cuda_runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SIDE = 32, PIXELS = SIDE * SIDE * 3, TOKENS = 6, BYTES = PIXELS + 4 * TOKENS };

static const char MODEL[] = "test/golden/plain/model";

static struct glm *open_gpu(uint64_t vram, struct fail *f)
{
    struct glm *g = NULL;
    const struct glm_opts o = {.model = MODEL, .device = "cuda", .type = GLM_BF16, .vram = vram};

    *f = (struct fail){0};
    glm_open(&g, &o, f);
    return g;
}

/* Two pictures from words, and one from an image besides. */
enum { WORDS, SIGN, EDIT };

static struct glm_req request(int i)
{
    static uint8_t rgb[3 * 64 * 64];
    static struct glm_image image = {rgb, 64, 64};

    for (size_t k = 0; k < sizeof rgb; k++)
        rgb[k] = (uint8_t)(k / 5 * (1 + k % 3));
    return (struct glm_req){.prompt = i ? "a \"sign\"" : "a boat",
                            .prompt_len = i ? 8 : 6,
                            .width = SIDE,
                            .height = SIDE,
                            .steps = 2,
                            .guidance = i ? 1.0 : 1.5,
                            .seed = 3,
                            .image = &image,
                            .images = i == EDIT};
}

static struct glm_run *start(struct glm *g, int i)
{
    const struct glm_req q = request(i);
    struct glm_run *r;
    struct fail f = {0};

    if (glm_run_new(&r, g, &q, &f)) fail_msg("%s", f.message);
    return r;
}

static void step(struct glm *g, struct glm_run *r)
{
    struct fail f = {0};

    if (r->phase == GLM_DONE) return;
    if (r->phase == GLM_DECODE) glm_decode_last(g);
    if (glm_step(g, &r, 1, &f)) fail_msg("%s", f.message);
    if (r->phase == GLM_PRIOR && r->done == TOKENS) {
        r->phase = GLM_DENOISE; /* further steps run the same code */
        r->done = 0;
    }
}

/* The picture, then the tokens. */
static void end(struct glm_run *r, uint8_t rgb[BYTES])
{
    struct fail f = {0};
    struct glm_picture p = {.rgb = rgb, .capacity = PIXELS};
    struct dev *d = r->g->dev;
    const int64_t n = r->prior.samples < TOKENS ? r->prior.samples : TOKENS;

    memset(rgb, 0, BYTES);
    if (glm_run_image(r, &p, &f)) fail_msg("%s", f.message);
    d->ops->get(d, rgb + PIXELS, tensor_cols(r->prior.tokens, 0, n));
    assert_int_equal(d->ops->sync(d, &f), 0);
    glm_run_free(r);
}

/* Two pictures, one after the other where there is no room for both; else the second one is some
 * quanta behind and asks for its layers in between. */
static void draw(struct glm *g, uint8_t rgb[2][BYTES])
{
    struct glm_run *r[2] = {start(g, 0), NULL};
    const int both = g->info.memory_room >= 2 * r[0]->bytes + r[0]->cost.scratch_bytes;

    if (g->stages.offload && g->stages.offload->plan.mode == RESIDENCY_SWAP) assert_true(both);
    if (both) r[1] = start(g, 1);
    for (int turn = 0; r[0]->phase != GLM_DONE || (both && r[1]->phase != GLM_DONE); turn++)
        step(g, r[both && (turn % 3 == 2 || r[0]->phase == GLM_DONE)]);
    end(r[0], rgb[0]);
    if (!both) r[1] = start(g, 1);
    while (r[1]->phase != GLM_DONE)
        step(g, r[1]);
    end(r[1], rgb[1]);
}

static void draw_edit(struct glm *g, uint8_t rgb[BYTES])
{
    struct glm_run *r = start(g, EDIT);

    while (r->phase != GLM_DONE)
        step(g, r);
    end(r, rgb);
}

/* What is copied, and what can go on without. */
static void check_copies(const struct glm *g, enum residency_mode mode, unsigned last)
{
    const struct offload *h = g->stages.offload;

    if (h) assert_int_equal(h->fetched > 0, mode > RESIDENCY_IMAGES || last == EDIT);
    assert_int_equal(glm_at_hand(g), mode > RESIDENCY_IMAGES
                                         ? 1U << GLM_ENCODE | 1U << GLM_DENOISE | 1U << GLM_DECODE
                                         : ~0U);
}

/* On a GPU of so many usable bytes, in a mode that was not yet seen. This model's weights are so
 * small that no plan leaves room for an image: it gets memory that the GPU does not have. */
static void try_size(uint64_t usable, int seen[], uint8_t all[EDIT + 1][BYTES])
{
    static uint8_t other[2][BYTES];
    struct fail f;
    struct glm *g = open_gpu(cuda_sizes_total(usable), &f);
    enum residency_mode mode;

    if (!g) fail_msg("%d %llu: %s", f.code, (unsigned long long)usable, f.message);
    mode = g->stages.offload ? g->stages.offload->plan.mode : RESIDENCY_ALL;
    assert_true(g->info.weight_bytes + g->info.memory_room <= usable + 4096);
    if (!seen[mode]++ && mode != RESIDENCY_ALL) {
        draw(g, other);
        check_copies(g, mode, SIGN);
        assert_memory_equal(all, other, sizeof other);
        cuda_of(g->dev)->vram = UINT64_MAX;
        draw_edit(g, other[0]);
        check_copies(g, mode, EDIT);
        assert_memory_equal(all[EDIT], other[0], BYTES);
    }
    glm_close(g);
}

static void modes_change_nothing(void **state)
{
    static uint8_t all[EDIT + 1][BYTES];
    struct fail f;
    int seen[RESIDENCY_NONE + 1] = {0};
    const int before = simt_blocks();
    struct glm *g = open_gpu(0, &f);
    struct capacity t;
    uint64_t least, whole;

    (void)state;
    if (!g) fail_msg("%s", f.message);
    assert_null(g->stages.offload);
    draw(g, all);
    draw_edit(g, all[EDIT]);
    assert_memory_not_equal(all[SIGN], all[EDIT], BYTES);
    capacity_of(g, 0, 1, &t, &f);
    least = t.least;
    whole = stages_bytes(&g->stages) + least;
    glm_close(g);
    for (uint64_t usable = least; usable < whole; usable += (whole - least) / 24)
        try_size(usable, seen, all);
    for (int m = RESIDENCY_ALL; m < RESIDENCY_NONE; m++)
        assert_true(seen[m] > 0);
    g = open_gpu(cuda_sizes_total(least) - 4096, &f);
    assert_null(g);
    assert_int_equal(f.code, ERR_TOO_BIG_FOR_DEVICE);
    assert_non_null(strstr(f.hint, "a card with at least"));
    assert_int_equal(simt_blocks(), before);
}

/* catches: a GPU that comes back with other weights, or draws what was lost with other bytes */
static void what_was_lost_is_drawn_again(void **state)
{
    static uint8_t rgb[2][BYTES], again[2][BYTES];
    struct fail f;
    const int before = simt_blocks();
    struct glm *g = open_gpu(0, &f);
    struct glm_run *r;
    int err = 0;

    (void)state;
    if (!g) fail_msg("%s", f.message);
    draw(g, rgb);
    r = start(g, 0);
    simt_break_after(200, cudaErrorIllegalAddress, 0);
    while (!err)
        err = glm_step(g, &r, 1, &f);
    assert_int_equal(err, ERR_DEVICE);
    glm_run_free(r);
    glm_close(g);
    assert_int_equal(simt_blocks(), before);
    g = open_gpu(0, &f);
    if (!g) fail_msg("%s", f.message);
    draw(g, again);
    assert_memory_equal(rgb, again, sizeof rgb);
    glm_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modes_change_nothing),
        cmocka_unit_test(what_was_lost_is_drawn_again),
    };

    simt_set(1, 0, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
