/* test_rates - what is kept comes back, and a damaged file is ignored as a whole. */
#include "server/worker/rates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <dirent.h>

static char folder[] = "/tmp/test_rates.XXXXXX";
static const char KEY[] = "0123abcd cpu (2 threads, AVX-512, bf16)";

static void sample(struct eta_known *k)
{
    memset(k, 0, sizeof *k);
    k->rate[ETA_DENOISE][4][0] = (struct eta_rate){2.5e11, 1.25};
    k->rate[ETA_TOKENS][0][LIMIT_BATCH - 1] = (struct eta_rate){1e9, 0.5};
    k->tail_s = 0.015625;
    k->off[ETA_LARGEST][0] = -0.25;
    k->off[ETA_LARGEST][1] = 0.5;
    k->off[ETA_WAITS][0] = 0.125;
    k->judged[ETA_LARGEST] = 2;
    k->judged[ETA_WAITS] = 1;
    k->came[0] = 2.5;
    k->came[1] = 0.75;
    k->n_came = 2;
}

static void path_of_only_file(char path[300])
{
    DIR *d = opendir(folder);
    int n = 0;

    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.') {
            snprintf(path, 300, "%s/%s", folder, e->d_name);
            n++;
        }
    closedir(d);
    assert_int_equal(n, 1);
}

/* catches: rates that are lost or changed on their way, or given to another device */
static void what_is_kept_comes_back(void **state)
{
    struct eta_known a, b;
    struct fail f;

    (void)state;
    sample(&a);
    assert_int_equal(rates_load(folder, KEY, &b, &f), ERR_NOT_FOUND);
    assert_int_equal(rates_save(folder, KEY, &a, &f), 0);
    assert_int_equal(rates_load(folder, KEY, &b, &f), 0);
    assert_memory_equal(&a, &b, sizeof a);
    assert_int_equal(rates_load(folder, "0123abcd cpu (4 threads)", &b, &f), ERR_NOT_FOUND);
    assert_int_equal(rates_save("/nowhere", KEY, &a, &f), ERR_IO);
}

/* catches: a file cut short or changed anywhere that is half believed */
static void a_damaged_file_is_ignored(void **state)
{
    struct eta_known a, none = {.tail_s = 0}, b;
    char path[300], text[2048];
    struct fail f;
    size_t len;
    FILE *file;

    (void)state;
    sample(&a);
    assert_int_equal(rates_save(folder, KEY, &a, &f), 0);
    path_of_only_file(path);
    file = fopen(path, "r");
    len = fread(text, 1, sizeof text, file);
    fclose(file);
    for (size_t cut = 0; cut + 1 < len; cut++) {
        file = fopen(path, "w");
        fwrite(text, 1, cut, file);
        fclose(file);
        assert_int_equal(rates_load(folder, KEY, &b, &f), ERR_IO);
        assert_memory_equal(&b, &none, sizeof b);
    }
    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        text[i] = 'x';
        file = fopen(path, "w");
        fwrite(text, 1, len, file);
        fclose(file);
        text[i] = c;
        if (i + 1 < len) assert_int_equal(rates_load(folder, KEY, &b, &f), ERR_IO);
    }
}

static int clean(void **state)
{
    char path[300];

    (void)state;
    path_of_only_file(path);
    return unlink(path) || rmdir(folder);
}

static int make(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_kept_comes_back),
        cmocka_unit_test(a_damaged_file_is_ignored),
    };

    return cmocka_run_group_tests(tests, make, clean);
}
