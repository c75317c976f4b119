/* test_suggestions - the two files that a model's folder may have, good, bad and absent. */
#include "weights/suggestions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/darkroom-suggestions-XXXXXX";

static void path_of(char path[128], const char *name)
{
    snprintf(path, 128, "%s/%s", folder, name);
}

static struct suggestions load_with(const char *name, const char *text)
{
    struct suggestions s;
    char path[128];
    FILE *out;

    path_of(path, name);
    out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
    suggestions_load(&s, folder);
    unlink(path);
    return s;
}

/* catches: a crash on a bad file, suggestions that are none, those of another file */
static void what_is_wrong_is_left_out(void **state)
{
    static const char *const bad[] = {"",
                                      "{",
                                      "[]",
                                      "7",
                                      "{\"a\":1}",
                                      "[1, null, [], [256], [\"a\", \"b\"], [0, 0], [-256, 256]]",
                                      "[[4294967552, 256], [256, 2049]]"};
    struct suggestions s;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        s = load_with("sizes.json", bad[i]);
        assert_int_equal(s.sizes + s.prompts, 0);
        s = load_with("examples.json", bad[i]);
        assert_int_equal(s.sizes + s.prompts, 0);
    }
    suggestions_load(&s, folder);
    assert_int_equal(s.sizes + s.prompts, 0);
}

/* catches: width and height exchanged, another order, texts that are cut */
static void what_is_right_is_kept(void **state)
{
    struct suggestions s = load_with("sizes.json", "[[256, 384], [0, 1], [2048, 1]]");

    (void)state;
    assert_int_equal(s.sizes, 2);
    assert_int_equal(s.size[0][0], 256);
    assert_int_equal(s.size[0][1], 384);
    assert_int_equal(s.size[1][0], 2048);
    suggestions_free(&s);
    s = load_with("examples.json", "[\"one\", 2, \"\xe4\xb8\x89\"]");
    assert_int_equal(s.prompts, 2);
    assert_string_equal(s.prompt[0], "one");
    assert_string_equal(s.prompt[1], "\xe4\xb8\x89");
    suggestions_free(&s);
    assert_int_equal(s.prompts, 0);
}

/* catches: a list, or a text, that is written past its array */
static void lists_are_bounded(void **state)
{
    char *text = malloc(1 << 16);
    struct suggestions s;

    (void)state;
    assert_non_null(text);
    memset(text, ' ', 1 << 16);
    for (int i = 0; i < 1000; i++)
        memcpy(text + 6 * i, i ? ",[1,2]" : "[[1,2]", 6);
    memcpy(text + 6000, "]", 2);
    s = load_with("sizes.json", text);
    assert_int_equal(s.sizes, SUGGESTIONS_SIZES);
    for (int i = 0; i < 1000; i++)
        memcpy(text + 4 * i, i ? ",\"x\"" : "[\"x\"", 4);
    memcpy(text + 4000, "]", 2);
    s = load_with("examples.json", text);
    assert_int_equal(s.prompts, LIMIT_EXAMPLES);
    suggestions_free(&s);
    memset(text, 'x', LIMIT_PROMPT_BYTES + 3);
    memcpy(text, "[\"", 2);
    memcpy(text + LIMIT_PROMPT_BYTES + 3, "\"]", 3); /* one byte too long */
    s = load_with("examples.json", text);
    assert_int_equal(s.prompts, 0);
    free(text);
}

/* catches: opening a model that waits for a writer of a named pipe */
static void a_pipe_does_not_block(void **state)
{
    struct suggestions s;
    char path[128];

    (void)state;
    path_of(path, "sizes.json");
    assert_int_equal(mkfifo(path, 0600), 0);
    suggestions_load(&s, folder);
    assert_int_equal(s.sizes, 0);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_left_out),
        cmocka_unit_test(what_is_right_is_kept),
        cmocka_unit_test(lists_are_bounded),
        cmocka_unit_test(a_pipe_does_not_block),
    };
    int failed;

    if (!mkdtemp(folder)) return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return failed;
}
