/* test_previews - previews of a run that goes on, and the colours that are fitted for them. */
#include "test/kernels/engine/engine_harness.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { BYTES_MOST = 96 * 96 * 3 };

/* How many files the folder has, and the path of one of them. */
static int files_in(const char *dir, char *name, size_t size)
{
    DIR *d = opendir(dir);
    int n = 0;

    assert_non_null(d);
    for (struct dirent *e = readdir(d); e; e = readdir(d))
        if (e->d_name[0] != '.') {
            n++;
            snprintf(name, size, "%s/%s", dir, e->d_name);
        }
    closedir(d);
    return n;
}

/* catches: previews before there is anything to see, larger than asked for, missing in a phase */
static void previews_appear_in_both_long_phases(void **state)
{
    static uint8_t rgb[BYTES_MOST];
    char dir[] = "/tmp/darkroom-colours-XXXXXX", file[512];
    struct fail f = {0};
    struct glm_picture p = {.rgb = rgb, .capacity = sizeof rgb};
    int seen[GLM_PHASES + 1] = {0};
    struct glm *g;
    struct glm_req q;
    struct glm_run *r;

    (void)state;
    assert_non_null(mkdtemp(dir));
    g = open_engine("test/golden/plain/model", GLM_F32, 1, dir);
    q = request("x", 96, 64, 1);
    r = start(g, &q);
    while (glm_run_progress(r).phase != GLM_DONE) {
        struct glm_progress v = glm_run_progress(r);
        int err = glm_run_preview(r, 8, &p, &f);

        assert_true(err >= 0);
        assert_int_equal(err, v.phase > GLM_PRIOR || (v.phase == GLM_PRIOR && v.done > 0));
        if (err) assert_true(p.width <= 8 && p.height <= 8 && p.width > p.height);
        seen[v.phase] += err;
        step_some(g, &r, 1);
    }
    assert_true(seen[GLM_PRIOR] && seen[GLM_DENOISE] && seen[GLM_DECODE]);
    assert_int_equal(glm_run_preview(r, 64, &p, &f), 1);
    assert_int_equal(p.width, 12);
    assert_int_equal(p.height, 8);
    glm_run_free(r);
    glm_close(g);
    assert_int_equal(files_in(dir, file, sizeof file), 1);
    unlink(file);
    rmdir(dir);
}

/* catches: previews that wait until all is fitted, colours of codes that are not known yet */
static void the_first_picture_of_the_fit_is_enough(void **state)
{
    static uint8_t rgb[BYTES_MOST];
    char dir[] = "/tmp/darkroom-colours-XXXXXX", file[512];
    struct fail f = {0};
    struct glm *g;
    struct glm_picture p = {.rgb = rgb, .capacity = sizeof rgb};
    const struct glm_opts o = {
        .model = "test/golden/plain/model", .device = "cpu", .threads = 1, .cache = dir};
    struct glm_req q;
    struct glm_run *r;

    (void)state;
    assert_non_null(mkdtemp(dir));
    q = request("x", 96, 64, 1);
    assert_int_equal(glm_open(&g, &o, &f), 0);
    r = start(g, &q);
    while (glm_run_progress(r).phase != GLM_DENOISE)
        step_some(g, &r, 1);
    step_some(g, &r, 1);
    assert_int_equal(glm_run_preview(r, 8, &p, &f), 0);
    assert_int_equal(glm_preview_fit(g, &f), 1);
    assert_int_equal(glm_run_preview(r, 8, &p, &f), 1);
    assert_int_equal(files_in(dir, file, sizeof file), 0);
    while (glm_preview_fit(g, &f) > 0)
        ;
    assert_int_equal(files_in(dir, file, sizeof file), 1);
    finish(g, &r, 1);
    glm_run_free(r);
    glm_close(g);
    unlink(file);
    rmdir(dir);
}

/* catches: colours that are fitted anew at every start, or a broken file that is loaded */
static void colours_are_kept(void **state)
{
    char dir[] = "/tmp/darkroom-colours-XXXXXX", file[512];
    struct glm *g;
    size_t bytes;
    uint8_t *code;

    (void)state;
    assert_non_null(mkdtemp(dir));
    g = open_engine("test/golden/plain/model", GLM_F32, 1, dir);
    bytes = 3 * (size_t)g->preview_colors.codes;
    code = malloc(bytes);
    assert_non_null(code);
    memcpy(code, g->preview_colors.code, bytes);
    glm_close(g);
    assert_int_equal(files_in(dir, file, sizeof file), 1);
    g = open_engine("test/golden/plain/model", GLM_F32, 1, dir);
    assert_int_equal(g->next_run, 0); /* nothing was drawn for a fit */
    assert_memory_equal(g->preview_colors.code, code, bytes);
    glm_close(g);
    assert_int_equal(truncate(file, 40), 0);
    g = open_engine("test/golden/plain/model", GLM_F32, 1, dir);
    assert_true(g->next_run > 0);
    assert_memory_equal(g->preview_colors.code, code, bytes);
    glm_close(g);
    free(code);
    unlink(file);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(previews_appear_in_both_long_phases),
        cmocka_unit_test(the_first_picture_of_the_fit_is_enough),
        cmocka_unit_test(colours_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
