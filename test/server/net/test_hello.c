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

/* catches: a preset that the model does not draw well, or cannot;
 * no preset at all after a bad file */
static void sizes_of_the_model(void **state)
{
    static const int bad[][2] = {{1024, 256}, {0, 0}, {250, 256}, {-256, 256}, {512, 32}};
    static const int some[][2] = {{256, 256}, {513, 256}, {-256, 256}, {384, 256}};
    static const int many[HELLO_SIZES + 2][2] = {{0, 0},     {64, 64},  {64, 96},  {96, 64},
                                                 {96, 96},   {128, 96}, {96, 128}, {128, 128},
                                                 {160, 128}, {128, 160}};
    struct glm_info info = {.side_max = 512, .default_width = 256, .default_height = 256};
    struct answer_size usual[HELLO_SIZES];
    struct hello h;
    int n;

    (void)state;
    hello_init(&h);
    n = hello_sizes(256, 256, 512, usual);
    info.sizes = bad;
    for (info.n_sizes = 0; info.n_sizes <= 5; info.n_sizes++) {
        hello_model(&h, &info);
        assert_int_equal(h.n_sizes, n);
        assert_memory_equal(h.sizes, usual, sizeof *usual * (size_t)n);
    }
    info.sizes = some;
    info.n_sizes = 4;
    hello_model(&h, &info);
    assert_int_equal(h.n_sizes, 2);
    assert_int_equal(h.sizes[1].width, 384);
    assert_int_equal(h.sizes[1].height, 256);
    info.sizes = many;
    info.n_sizes = HELLO_SIZES + 2;
    hello_model(&h, &info);
    assert_int_equal(h.n_sizes, HELLO_SIZES);
    assert_int_equal(h.sizes[HELLO_SIZES - 1].width, 160);
    hello_free(&h);
}

/* catches: defaults and ranges that are not the model's, examples of another model, texts of an
 * engine that is closed */
static void message(void **state)
{
    char text[] = "one";
    const char *const examples[] = {text, "\xe4\xb8\x89"};
    struct glm_info info = {.model = "m",
                            .side_max = 512,
                            .default_width = 256,
                            .default_height = 256,
                            .default_steps = 20,
                            .default_guidance = 1.25};
    const struct concurrency concurrency = {.why = "w"};
    struct answer_hello say = {
        .version = "1", .model = "m", .device = "d", .dtype = "f32", .concurrency = &concurrency};
    struct hello h;
    struct blob *b;
    json_t *all, *list, *defaults;

    (void)state;
    hello_init(&h);
    info.examples = examples;
    info.n_examples = 1;
    hello_model(&h, &info);
    info.n_examples = 2;
    hello_model(&h, &info);
    memset(text, 'x', 3);
    b = hello_blob(&h, &say);
    assert_non_null(b);
    all = json_loadb((const char *)b->data, b->len, JSON_REJECT_DUPLICATES, NULL);
    list = json_object_get(all, "examples");
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(json_string_value(json_array_get(list, 0)), "one");
    defaults = json_object_get(all, "defaults");
    assert_int_equal(json_integer_value(json_object_get(defaults, "width")), 256);
    assert_int_equal(json_integer_value(json_object_get(defaults, "steps")), 20);
    assert_true(json_number_value(json_object_get(defaults, "guidance")) == 1.25);
    assert_true(h.limits.range[SPEC_WIDTH].max <= 512);
    json_decref(all);
    blob_unref(b);
    hello_free(&h);
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

/* catches: the time, cap, reason or user of another connection; a hello that is changed while it is
 * sent */
static void again(void **state)
{
    struct concurrency concurrency = {.why = "w", .cap = 2};
    struct answer_hello say = {.version = "1",
                               .model = "m",
                               .device = "d",
                               .dtype = "f32",
                               .concurrency = &concurrency,
                               .time_ms = 1767225600000};
    struct user ada = {.id = 1, .name = "ada"}, ben = {.id = 2, .name = "ben"};
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
    concurrency.cap = 3;
    expect_time_and_cap(&h, &say);
    concurrency.why = "another reason";
    concurrency.seq++;
    expect_time_and_cap(&h, &say);
    concurrency.disk = "it is full";
    concurrency.seq++;
    expect_time_and_cap(&h, &say);
    say.user = &ada;
    expect_time_and_cap(&h, &say);
    expect_time_and_cap(&h, &say);
    say.user = &ben;
    expect_time_and_cap(&h, &say);
    ben.role = ROLE_ADMIN;
    hello_changed(&h);
    expect_time_and_cap(&h, &say);
    say.user = NULL;
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
