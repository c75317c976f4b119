/* test_hello - presets that a model can draw, examples that are there,
 * and one message that holds them. */
#include "server/net/hello.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

/* catches: a preset that the model, the limits or the step refuse, or that is smaller than what the
 * model was made for; a model without its own size */
static void sizes(void **state)
{
    const int cases[][3] = {
        {256, 256, 512}, {1024, 1024, 2048}, {96, 96, 96}, {64, 256, 512}, {64, 64, 64}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct answer_size out[HELLO_SIZES];
        int n = hello_sizes(cases[i][0], cases[i][1], cases[i][2], out), own = 0;

        assert_true(n >= 1);
        for (int k = 0; k < n; k++) {
            int longest = out[k].width > out[k].height ? out[k].width : out[k].height;
            int shortest = out[k].width + out[k].height - longest;

            assert_true(longest * shortest >= cases[i][0] * cases[i][1]);
            assert_true(longest <= cases[i][2] && shortest >= LIMIT_SIDE_MIN);
            assert_true(longest <= shortest * LIMIT_ASPECT_MAX);
            assert_int_equal(longest % LIMIT_SIDE_STEP + shortest % LIMIT_SIDE_STEP, 0);
            own += out[k].width == cases[i][0] && out[k].height == cases[i][1];
        }
        assert_int_equal(own, 1);
    }
}

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[128];
    FILE *out;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

/* catches: a preset that the model does not draw well, or cannot;
 * no preset at all after a bad file */
static void sizes_of_the_model(void **state)
{
    char folder[] = "/tmp/darkroom-hello-XXXXXX", command[64];
    struct glm_info info = {.side_max = 512, .default_width = 256, .default_height = 256};
    const char *bad[] = {"{", "[]", "[1, [], [256], [\"a\", \"b\"]]",
                         "[[1024, 256], [0, 0], [250, 256]]"};
    struct answer_size usual[HELLO_SIZES];
    struct hello h;
    int n;

    (void)state;
    assert_non_null(mkdtemp(folder));
    hello_init(&h);
    n = hello_sizes(256, 256, 512, usual);
    for (size_t i = 0; i < 4; i++) {
        write_file(folder, "sizes.json", bad[i]);
        hello_model(&h, &info, folder);
        assert_int_equal(h.n_sizes, n);
    }
    write_file(folder, "sizes.json", "[[256, 256], [4294967552, 256], [-256, 256], [384, 256]]");
    hello_model(&h, &info, folder);
    assert_int_equal(h.n_sizes, 2);
    assert_int_equal(h.sizes[1].width, 384);
    assert_int_equal(h.sizes[1].height, 256);
    hello_free(&h);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
}

/* catches: defaults and ranges that are not the model's, examples of another model,
 * a crash on a bad file */
static void message(void **state)
{
    const char *bad[] = {"{", "{\"a\":1}", "[1, null, []]", ""};
    char folder[] = "/tmp/darkroom-hello-XXXXXX", command[64];
    struct glm_info info = {.model = "m",
                            .side_max = 512,
                            .default_width = 256,
                            .default_height = 256,
                            .default_steps = 20,
                            .default_guidance = 1.25};
    struct answer_hello say = {
        .version = "1", .model = "m", .device = "d", .dtype = "f32", .why_cap = "w"};
    struct hello h;
    struct blob *b;
    json_t *all, *defaults;

    (void)state;
    assert_non_null(mkdtemp(folder));
    hello_init(&h);
    for (size_t i = 0; i < 4; i++) {
        write_file(folder, "examples.json", bad[i]);
        hello_model(&h, &info, folder);
        assert_int_equal(h.n_examples, 0);
    }
    write_file(folder, "examples.json", "[\"one\", 2, \"\xe4\xb8\x89\"]");
    hello_model(&h, &info, folder);
    b = hello_blob(&h, &say);
    assert_non_null(b);
    all = json_loadb((const char *)b->data, b->len, JSON_REJECT_DUPLICATES, NULL);
    assert_int_equal(json_array_size(json_object_get(all, "examples")), 2);
    defaults = json_object_get(all, "defaults");
    assert_int_equal(json_integer_value(json_object_get(defaults, "width")), 256);
    assert_int_equal(json_integer_value(json_object_get(defaults, "steps")), 20);
    assert_true(json_number_value(json_object_get(defaults, "guidance")) == 1.25);
    assert_true(h.limits.range[SPEC_WIDTH].max <= 512);
    json_decref(all);
    blob_unref(b);
    hello_free(&h);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
}

static void expect_time_and_cap(struct hello *h, struct answer_hello *say)
{
    struct blob *b = hello_blob(h, say), *fresh;
    struct hello other;

    assert_non_null(b);
    hello_init(&other);
    fresh = hello_blob(&other, say);
    assert_int_equal(b->len, fresh->len);
    assert_memory_equal(b->data, fresh->data, b->len);
    blob_unref(b);
    blob_unref(fresh);
    hello_free(&other);
}

/* catches: the time, cap or reason of another connection; a hello that is changed while it is
 * sent */
static void again(void **state)
{
    struct answer_hello say = {.version = "1",
                               .model = "m",
                               .device = "d",
                               .dtype = "f32",
                               .why_cap = "w",
                               .cap = 2,
                               .time_ms = 1767225600000};
    struct hello h;
    struct blob *first;
    char *kept;

    (void)state;
    hello_init(&h);
    first = hello_blob(&h, &say);
    kept = strndup((const char *)first->data, first->len);
    expect_time_and_cap(&h, &say);
    say.time_ms += 12345;
    expect_time_and_cap(&h, &say);
    say.cap = 3;
    expect_time_and_cap(&h, &say);
    say.why_cap = "another reason";
    expect_time_and_cap(&h, &say);
    say.time_ms = 999; /* fewer digits */
    expect_time_and_cap(&h, &say);
    assert_memory_equal(first->data, kept, first->len);
    free(kept);
    blob_unref(first);
    hello_free(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sizes),
                                       cmocka_unit_test(sizes_of_the_model),
                                       cmocka_unit_test(message), cmocka_unit_test(again)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
