/* test_capacity - `darkroom plan` for the released model on GPUs of the usual sizes, from its
 * configuration alone. */
#include "kernels/cuda_sizes.h"
#include "kernels/engine/capacity.h"
#include "kernels/glm_report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char RELEASED[] = "test/weights/released";

/* From `images` images of the picture's size. */
static const char *plan_images(const struct glm_opts *o, int width, int height, int images)
{
    static char output[16384];
    const struct glm_image same = {.width = width, .height = height};
    const struct glm_image image[LIMIT_IMAGES] = {same, same, same, same};
    const struct glm_req q = {.prompt = "a picture",
                              .prompt_len = 9,
                              .width = width,
                              .height = height,
                              .steps = 50,
                              .guidance = 1.5,
                              .image = image,
                              .images = images};
    struct fail f = {0};
    FILE *out;

    memset(output, 0, sizeof output);
    out = fmemopen(output, sizeof output, "w");
    assert_non_null(out);
    if (glm_report_plan(o, &q, out, &f)) fprintf(out, "%s; %s", f.message, f.hint);
    fclose(out);
    return output;
}

static const char *plan_size(const struct glm_opts *o, int width, int height)
{
    return plan_images(o, width, height, 0);
}

static const char *plan(const struct glm_opts *o, int side)
{
    return plan_size(o, side, side);
}

/* One line of the table has all of these. */
static void line_has(const char *output, const char *gpu, const char *mode, const char *more)
{
    const char *line = strstr(output, gpu);
    char copy[512] = "";

    if (!line) fail_msg("no %s in\n%s", gpu, output);
    snprintf(copy, sizeof copy, "%.*s", (int)strcspn(line, "\n"), line);
    if (!strstr(copy, mode) || !strstr(copy, more))
        fail_msg("%s lacks '%s' or '%s'", copy, mode, more);
}

/* catches: a GPU without a mode, a cap or a reason; a plan that wants weights */
static void every_gpu_has_a_mode(void **state)
{
    const char *output = plan(&(struct glm_opts){.model = RELEASED}, 1024);

    (void)state;
    line_has(output, " 16 GB", "layers streamed", "a token copies");
    line_has(output, " 24 GB", "stage swap", "a change copies");
    line_has(output, " 40 GB", "everything resident", "16 at a time");
    line_has(output, " 80 GB", "everything resident", "16 share one batch at most");
    line_has(output, " 141 GB", "everything resident", "all weights, 34.");
    assert_non_null(strstr(output, "weights are not here"));
    assert_non_null(strstr(output, "of the embedding, stay in the model's files"));
}

/* catches: a card that takes condition images and has no room for one of the ordinary size; weights
 * for them that push others off a card where they could stay; copies that are not told */
static void an_image_has_room_on_every_gpu(void **state)
{
    const char *output =
        plan_images(&(struct glm_opts){.model = RELEASED, .device = "cuda"}, 1024, 1024, 1);

    (void)state;
    assert_non_null(strstr(output, "from an image of 1024x1024"));
    assert_non_null(strstr(output, "\n  vision "));
    assert_non_null(strstr(output, "\n  encode "));
    assert_null(strstr(output, " 0 at a time"));
    line_has(output, " 16 GB", "layers streamed", "; an image copies 2.");
    line_has(output, " 24 GB", "stage swap", "; an image copies 2.");
    line_has(output, " 40 GB", "everything resident", "at a time");
    for (int gb = 35; gb <= 36; gb++) {
        const struct glm_opts o = {.model = RELEASED, .vram = (uint64_t)gb << 30};
        char gpu[16];

        snprintf(gpu, sizeof gpu, " %d GB", gb);
        line_has(plan_images(&o, 1024, 1024, 1), gpu, "image stages swap", " 1 at a time");
    }
    output = plan_images(&(struct glm_opts){.model = RELEASED}, 2048, 2048, LIMIT_IMAGES);
    line_has(output, " 141 GB", "everything resident", "at a time");
    line_has(output, " 24 GB", "stage swap", " 0 at a time");
}

/* catches: a refusal that does not say what would do, or says what would not */
static void what_does_not_fit_is_told_what_would(void **state)
{
    const struct glm_opts tiny = {.model = RELEASED, .vram = (uint64_t)1 << 30};

    (void)state;
    line_has(plan(&tiny, 1024), "1 GB", "too small", " 0 at a time");
    line_has(plan(&tiny, 1024), "1 GB", "take a card of ", " GB");
    /* room for an ordinary picture and not for the largest: both ways out are named */
    for (uint64_t gb = 2; gb < 40; gb++) {
        const struct glm_opts o = {.model = RELEASED, .vram = gb << 30};
        const char *refused = strstr(plan(&o, 2048), " 0 at a time");
        const char *ask, *gpu;
        int side;
        uint64_t more;

        if (!refused || strstr(refused - 30, "too small")) continue;
        ask = strstr(refused, "ask for ");
        gpu = strstr(refused, "take a card of ");
        side = ask ? (int)strtol(ask + 8, NULL, 10) : 0;
        assert_true(gpu && side > 0);
        more = strtoull(gpu + 15, NULL, 10) << 30;
        assert_null(strstr(plan(&o, side), " 0 at a time"));
        assert_null(strstr(plan(&(struct glm_opts){.model = RELEASED, .vram = more}, 2048),
                           " 0 at a time"));
        return;
    }
}

/* catches: an emulated GPU that is the whole one, for the processor too */
static void a_processor_may_have_less_memory(void **state)
{
    struct glm *g;
    struct fail f = {0};
    struct glm_opts o = {.model = "weights/tiny", .device = "cpu", .vram = 20 << 20};

    (void)state;
    assert_int_equal(glm_open(&g, &o, &f), ERR_TOO_BIG_FOR_DEVICE);
    assert_non_null(strstr(f.hint, "a machine with at least"));
    o.vram = (uint64_t)300 << 20;
    if (glm_open(&g, &o, &f)) fail_msg("%s", f.message);
    assert_true(g->info.memory_room + g->info.weight_bytes == o.vram);
    glm_close(g);
}

/* catches: a GPU for so many usable bytes that has fewer, or one more than it needs */
static void gpus_are_what_is_usable_and_back(void **state)
{
    (void)state;
    for (uint64_t usable = 1000; usable < (uint64_t)200 << 30; usable = usable * 3 / 2 + 7) {
        const uint64_t total = cuda_sizes_total(usable);

        assert_true(cuda_sizes_usable(total) >= usable);
        assert_true(cuda_sizes_usable(total - 1) <= usable);
    }
}

/* catches: a plan of a size that the server refuses; a refusal without the sides next to it */
static void sizes_that_are_refused_name_their_neighbours(void **state)
{
    static const struct {
        int width, height;
        const char *output;
    } cases[] = {
        {1000, 1024, "width is 1000, which is not a multiple of 32; Use 992 or 1024; 64 to 2048"},
        {1024, 1, "height is 1; the least is 64; Use 64; "},
        {32, 64, "width is 32; the least is 64; Use 64; "},
        {4096, 1024, "width is 4096; the most is 2048; Use 2048; "},
        {2048, 480,
         "2048x480 is longer than 4:1; Use a height of 512 or more, or a width of 1920 or "},
        {480, 2048,
         "480x2048 is longer than 4:1; Use a width of 512 or more, or a height of 1920 or "},
    };
    const struct glm_opts o = {.model = RELEASED};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_non_null(strstr(plan_size(&o, cases[i].width, cases[i].height), cases[i].output));
    assert_non_null(strstr(plan_size(&o, 2048, 512), " at a time"));
    assert_non_null(strstr(plan_size(&o, 1920, 480), " at a time"));
}

/* catches: a size at which the released model ignores its prompt, without a warning; a warning for
 * the sizes that a model was made for */
static void sizes_that_are_too_small_are_warned_of(void **state)
{
    static const char warning[] = "is smaller than 1024x1024, which the model was made for";
    const struct glm_opts o = {.model = RELEASED}, tiny = {.model = "weights/tiny"};

    (void)state;
    assert_non_null(strstr(plan(&o, 512), warning));
    assert_non_null(strstr(plan_size(&o, 1024, 992), warning));
    assert_null(strstr(plan(&o, 1024), "warning"));
    assert_null(strstr(plan_size(&o, 2048, 512), "warning"));
    assert_null(strstr(plan(&tiny, 256), "warning"));
    assert_non_null(strstr(plan(&tiny, 64), "is smaller than 256x256"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_gpu_has_a_mode),
        cmocka_unit_test(an_image_has_room_on_every_gpu),
        cmocka_unit_test(what_does_not_fit_is_told_what_would),
        cmocka_unit_test(sizes_that_are_refused_name_their_neighbours),
        cmocka_unit_test(sizes_that_are_too_small_are_warned_of),
        cmocka_unit_test(a_processor_may_have_less_memory),
        cmocka_unit_test(gpus_are_what_is_usable_and_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
