/* test_conditions - pictures that begin with condition images: the same bytes however they are
 * made, memory as planned, and requests that are refused. */
#include "test/kernels/engine/engine_harness.h"

#include <stdlib.h>
#include <unistd.h>

enum { WIDTH = 64, HEIGHT = 32, BYTES = 3 * WIDTH * HEIGHT, QUANTA_MOST = 64 };

static const char MODEL[] = "test/golden/edit/model";

/* Two images, the second of which is brought to another size. */
struct images {
    struct glm_image image[2];
    uint8_t rgb[2][3 * 96 * 100];
};

static struct glm_req edit(struct images *s, uint64_t seed)
{
    struct glm_req q = request("make the \"A\" green", WIDTH, HEIGHT, seed);

    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < sizeof s->rgb[k]; i++)
            s->rgb[k][i] = (uint8_t)(i * i % 251 + 3 * seed + (size_t)k);
    s->image[0] = (struct glm_image){s->rgb[0], 64, 96};
    s->image[1] = (struct glm_image){s->rgb[1], 90, 100};
    q.image = s->image;
    q.images = 2;
    return q;
}

static void picture(struct glm_run *r, uint8_t *rgb)
{
    struct glm_picture p = {.rgb = rgb, .capacity = BYTES};
    struct fail f = {0};

    if (glm_run_image(r, &p, &f)) fail_msg("%s", f.message);
}

static void draw(struct glm *g, const struct glm_req *q, uint8_t *rgb)
{
    struct glm_run *r = start(g, q);

    finish(g, &r, 1);
    picture(r, rgb);
    glm_run_free(r);
}

/* catches: a branch that attends to another picture's images, temporaries shared by two, a row
 * whose bits depend on the batch or on the threads, an image that changes nothing */
static void alone_or_batched_it_is_the_same_picture(void **state)
{
    static uint8_t alone[2][BYTES], batched[BYTES], words[BYTES];
    struct images a, b;
    const struct glm_req q[2] = {edit(&a, 1), edit(&b, 2)};
    const struct glm_req plain = request("make the \"A\" green", WIDTH, HEIGHT, 1);

    (void)state;
    for (int type = GLM_F32; type <= GLM_BF16; type++) {
        struct glm *g = open_engine(MODEL, (enum glm_type)type, 1, NULL);
        struct glm_run *r[3];

        draw(g, &q[0], alone[0]);
        draw(g, &q[1], alone[1]);
        draw(g, &plain, words);
        assert_memory_not_equal(alone[0], words, BYTES);
        glm_close(g);
        g = open_engine(MODEL, (enum glm_type)type, 2, NULL);
        r[0] = start(g, &q[0]);
        r[1] = start(g, &plain);
        r[2] = start(g, &q[1]);
        finish(g, r, 3);
        picture(r[0], batched);
        assert_memory_equal(batched, alone[0], BYTES);
        picture(r[1], batched);
        assert_memory_equal(batched, words, BYTES);
        picture(r[2], batched);
        assert_memory_equal(batched, alone[1], BYTES);
        for (int i = 0; i < 3; i++)
            glm_run_free(r[i]);
        glm_close(g);
    }
}

/* catches: a phase that the plan does not know, scratch that is not what is taken, progress that
 * goes back */
static void it_takes_what_was_planned(void **state)
{
    struct images a;
    struct glm_req q = edit(&a, 1), sizes;
    struct glm *g = open_engine(MODEL, GLM_F32, 2, NULL);
    struct glm_cost c, without;
    struct glm_run *r;
    int quanta[GLM_PHASES] = {0};
    double overall = 0;
    struct fail f = {0};

    (void)state;
    assert_int_equal(glm_plan(g, &q, &c, &f), 0);
    sizes = q;
    a.image[0].rgb = a.image[1].rgb = NULL;
    assert_int_equal(glm_plan(g, &sizes, &without, &f), 0); /* sizes are enough for a plan */
    assert_memory_equal(&c, &without, sizeof c);
    q = edit(&a, 1);
    g->dev->scratch.peak = 0;
    r = start(g, &q);
    assert_int_equal(r->bytes, c.run_bytes);
    while (glm_run_progress(r).phase != GLM_DONE) {
        quanta[glm_run_progress(r).phase]++;
        assert_true(glm_run_progress(r).overall >= overall);
        overall = glm_run_progress(r).overall;
        assert_int_equal(glm_step(g, &r, 1, &f), 0);
    }
    assert_int_equal(g->dev->scratch.peak, c.scratch_bytes);
    for (int p = 0; p < GLM_PHASES; p++) {
        assert_int_equal(quanta[p], c.quanta[p]);
        assert_true(c.flops[p] > 0 && c.work[p] > 0);
    }
    assert_int_equal(c.quanta[GLM_VISION], 2);
    assert_int_equal(c.quanta[GLM_ENCODE], 2);
    glm_run_free(r);
    glm_close(g);
}

/* Draws to the end of its images, as far as memory is concerned: of sizes that the model was not
 * made for. */
static void encode_large(struct glm *g, int width, int height)
{
    uint8_t *rgb = malloc(3 * (size_t)width * (size_t)height);
    const struct glm_image image = {rgb, width, height};
    struct glm_req q = request("a lamp", WIDTH, HEIGHT, 1);
    struct glm_cost c;
    struct glm_run *r;
    int w, h;
    struct fail f = {0};

    assert_non_null(rgb);
    for (size_t i = 0; i < 3 * (size_t)width * (size_t)height; i++)
        rgb[i] = (uint8_t)(i % 251);
    q.image = &image;
    q.images = 1;
    assert_int_equal(glm_image_size(g, width, height, &w, &h), 0);
    assert_int_equal(glm_plan(g, &q, &c, &f), 0);
    r = start(g, &q);
    assert_int_equal(r->bytes, c.run_bytes);
    g->dev->scratch.peak = 0;
    while (glm_run_progress(r).phase < GLM_PRIOR)
        if (glm_step(g, &r, 1, &f)) fail_msg("%s", f.message);
    print_message("%d x %d: %.1f MB of scratch, %.1f of the run\n", width, height,
                  (double)c.scratch_bytes / 1e6, (double)c.run_bytes / 1e6);
    /* the images' phases are what takes most */
    assert_int_equal(g->dev->scratch.peak, c.scratch_bytes);
    assert_true(c.scratch_bytes <= g->dev->scratch.size);
    assert_true((double)g->dev->scratch.size <= 1.02 * (double)c.scratch_bytes);
    glm_run_free(r);
    free(rgb);
}

/* catches: scratch that grows otherwise than planned with the size of an image, sums that run over
 * at 2048 x 2048 */
static void large_images_take_what_was_planned(void **state)
{
    struct glm *g = open_engine(MODEL, GLM_F32, 2, NULL);

    (void)state;
    g->model.cfg.image.max_pixels = 2048 * 2048;
    encode_large(g, 512, 512);
    encode_large(g, 1024, 768);
    encode_large(g, 2048, 2048);
    glm_close(g);
}

/* catches: keys and values that are lost with a checkpoint, a prompt without its codes, a counter
 * that a loaded run has wrong; saves of a run that is still encoding again */
static void it_goes_on_from_wherever_it_was_saved(void **state)
{
    static uint8_t want[BYTES], have[BYTES];
    struct images a;
    const struct glm_req q = edit(&a, 3);
    struct glm *g = open_engine(MODEL, GLM_F32, 2, NULL);
    struct glm_run *r = start(g, &q), *on;
    int n = 0;
    struct fail f = {0};

    (void)state;
    draw(g, &q, want);
    for (; glm_run_progress(r).phase != GLM_DONE; n++) {
        const size_t len = glm_run_save_bytes(r);
        void *bytes = malloc(len + 1), *again;

        assert_in_range(n, 0, QUANTA_MOST - 1);
        assert_int_equal(len == 0, n == 0);
        if (len) {
            assert_int_equal(glm_run_save(r, bytes, &f), 0);
            if (glm_run_load(&on, g, &q, bytes, len, &f)) fail_msg("%s", f.message);
            assert_int_equal(glm_run_save_bytes(on), len);
            again = malloc(len);
            assert_int_equal(glm_run_save(on, again, &f), 0);
            assert_memory_equal(bytes, again, len);
            free(again);
            finish(g, &on, 1);
            picture(on, have);
            if (memcmp(want, have, BYTES)) fail_msg("saved before quantum %d: other bytes", n);
            glm_run_free(on);
        }
        free(bytes);
        assert_int_equal(glm_step(g, &r, 1, &f), 0);
    }
    glm_run_free(r);
    glm_close(g);
}

/* catches: a run that encodes its images again for nothing, or ends in the wrong phase */
static void a_loaded_run_can_be_ended_early(void **state)
{
    static uint8_t want[BYTES], have[BYTES];
    struct images a;
    const struct glm_req q = edit(&a, 4);
    struct glm *g = open_engine(MODEL, GLM_F32, 1, NULL);
    struct glm_run *r = start(g, &q), *on;
    struct fail f = {0};
    void *bytes;
    size_t len;

    (void)state;
    while (glm_run_steps(r) < 1)
        assert_int_equal(glm_step(g, &r, 1, &f), 0);
    len = glm_run_save_bytes(r);
    bytes = malloc(len);
    assert_int_equal(glm_run_save(r, bytes, &f), 0);
    assert_int_equal(glm_run_load(&on, g, &q, bytes, len, &f), 0);
    assert_int_equal(glm_run_finish(r, 1, &f), 0);
    assert_int_equal(glm_run_finish(on, 1, &f), 0);
    assert_int_equal(glm_run_progress(on).phase, GLM_DECODE);
    finish(g, &r, 1);
    finish(g, &on, 1);
    picture(r, want);
    picture(on, have);
    assert_memory_equal(want, have, BYTES);
    free(bytes);
    glm_run_free(r);
    glm_run_free(on);
    glm_close(g);
}

/* catches: one image too many, an image without pixels; another image that passes for the same
 * request */
static void requests_are_refused(void **state)
{
    struct images a;
    struct glm_req q = edit(&a, 1);
    struct glm *g = open_engine(MODEL, GLM_F32, 1, NULL);
    struct glm_image many[5];
    struct glm_info info;
    struct glm_cost c;
    struct fail f = {0};
    int w, h;

    (void)state;
    glm_info(g, &info);
    assert_int_equal(info.images, LIMIT_IMAGES);
    for (int i = 0; i < 5; i++)
        many[i] = a.image[0];
    q.image = many;
    q.images = 5;
    assert_int_equal(glm_plan(g, &q, &c, &f), ERR_BAD_FIELD);
    assert_string_equal(f.field, "images");
    q.images = 4;
    assert_int_equal(glm_plan(g, &q, &c, &f), 0);
    many[3].height = 0;
    assert_int_equal(glm_plan(g, &q, &c, &f), ERR_BAD_FIELD);
    assert_int_equal(glm_image_size(g, 64, 96, &w, &h), 0);
    assert_int_equal(glm_image_size(g, 90, 20, &w, &h), 1);
    assert_true(w % 32 == 0 && h % 32 == 0);
    glm_close(g);
}

/* A folder that names the golden model's, and says that it takes no images. */
static void words_alone_folder(char *dir)
{
    static const char *const part[] = {
        "model_index.json", "processor",   "scheduler", "text_encoder",
        "tokenizer",        "transformer", "vae",       "vision_language_encoder"};
    char from[512], to[512];
    FILE *file;

    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        char *whole;

        snprintf(from, sizeof from, "%s/%s", MODEL, part[i]);
        snprintf(to, sizeof to, "%s/%s", dir, part[i]);
        whole = realpath(from, NULL);
        if (!whole) continue;
        assert_int_equal(symlink(whole, to), 0);
        free(whole);
    }
    snprintf(to, sizeof to, "%s/no_images.json", dir);
    file = fopen(to, "w");
    assert_non_null(file);
    fputs("[\"It draws from words alone.\"]", file);
    fclose(file);
}

static void words_alone_remove(const char *dir)
{
    char command[600];

    snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

/* catches: a model that was not trained for images and takes them */
static void a_model_may_refuse_images(void **state)
{
    char dir[] = "/tmp/darkroom-words-XXXXXX";
    struct images a;
    struct glm_req q = edit(&a, 1);
    struct glm *g;
    struct glm_info info;
    struct glm_cost c;
    struct fail f = {0};

    (void)state;
    words_alone_folder(dir);
    g = open_engine(dir, GLM_F32, 1, NULL);
    glm_info(g, &info);
    assert_int_equal(info.images, 0);
    assert_int_equal(glm_plan(g, &q, &c, &f), ERR_BAD_FIELD);
    assert_string_equal(f.message, "It draws from words alone.");
    glm_close(g);
    words_alone_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alone_or_batched_it_is_the_same_picture),
        cmocka_unit_test(it_takes_what_was_planned),
        cmocka_unit_test(large_images_take_what_was_planned),
        cmocka_unit_test(it_goes_on_from_wherever_it_was_saved),
        cmocka_unit_test(a_loaded_run_can_be_ended_early),
        cmocka_unit_test(requests_are_refused),
        cmocka_unit_test(a_model_may_refuse_images),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
