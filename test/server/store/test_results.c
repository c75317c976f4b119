/* test_results - a search finds exactly one's own finished pictures, as the rows are when it is
 * asked. */
#include "test/server/store/folder.h"

#include <jansson.h>
#include <sqlite3.h>

/* Digests that differ in their first digit. */
static const char *digest_of(int i)
{
    static char text[65];

    memset(text, 'a', 64);
    text[0] = "0123456789abcdef"[i & 15];
    text[1] = "0123456789abcdef"[i >> 4 & 15];
    return text;
}

/* A finished picture of this owner, with this prompt. */
static void put_prompt(struct store *s, int i, uint32_t owner, const char *prompt, int width)
{
    struct blob *file = blob_copy("hello", 5);
    struct spec as = spec;
    struct hub_row row = done_row((uint64_t)i, (uint64_t)i, digest_of(i));

    as.prompt = (char *)(uintptr_t)prompt;
    as.width = width;
    row.owner = owner;
    row.spec = &as;
    store_accept(s, &row, 1);
    store_end(s, &row, file);
    blob_unref(file);
}

/* Its answer, which the caller frees. */
static json_t *answer_to(struct store *s, const struct hub_search *search)
{
    struct loop_found *m;
    json_t *o;

    store_search(s, search);
    m = (struct loop_found *)mbox_wait(&box, 10000);
    assert_non_null(m);
    assert_int_equal(m->m.kind, LOOP_FOUND);
    assert_int_equal(m->ticket, search->ticket);
    assert_int_equal(m->why.code, 0);
    o = json_loadb((const char *)m->answer->data, m->answer->len, 0, NULL);
    assert_non_null(o);
    events_free(&m->m);
    return o;
}

static int number(const json_t *o, const char *name)
{
    return (int)json_integer_value(json_object_get(o, name));
}

/* The jobs of a page as one text, newest first: "3 1 ". */
static const char *found(struct store *s, const struct hub_search *search, int *count)
{
    static char text[256];
    json_t *o = answer_to(s, search), *row;
    size_t i, n = 0;

    text[0] = 0;
    json_array_foreach(json_object_get(o, "jobs"), i, row)
    {
        const char *id = json_string_value(json_object_get(row, "job"));

        n += (size_t)snprintf(text + n, sizeof text - n, "%lld ", strtoll(id, NULL, 16));
    }
    *count = number(o, "count");
    json_decref(o);
    return text;
}

static void expect_found(struct store *s, struct hub_search search, struct command_search what,
                         const char *jobs, int of)
{
    int count;

    search.what = &what;
    search.ref = "r";
    if (!search.limit) search.limit = 50;
    assert_string_equal(found(s, &search, &count), jobs);
    assert_int_equal(count, of);
}

static const struct hub_search MINE = {.ticket = 7, .owner = 1};

/* catches: others' pictures; jobs without one; a page that misses or repeats a row; wrong counts */
static void pages_of_ones_own(void **state)
{
    struct store *s = open_store();
    struct hub_row waits = row_of(9, 9);
    const struct command_search all = {0}, second = {.skip = 2}, behind = {.skip = 9};
    struct hub_search two = MINE;

    (void)state;
    for (int i = 1; i <= 8; i++)
        put_prompt(s, i, i % 2 ? 1 : 2, "a boat", 64);
    waits.owner = 1;
    store_accept(s, &waits, 1);
    expect_stored(17, ERR_OK);
    expect_found(s, MINE, all, "7 5 3 1 ", 4);
    two.limit = 2;
    expect_found(s, two, all, "7 5 ", 4);
    expect_found(s, two, second, "3 1 ", 4);
    expect_found(s, two, behind, "", 4);
    expect_found(s, (struct hub_search){.all = true}, all, "8 7 6 5 4 3 2 1 ", 8);
    expect_found(s, (struct hub_search){.owner = 3}, all, "", 0);
    expect_found(s, (struct hub_search){.all = true, .only = 6}, all, "6 ", 1);
    store_close(s);
}

/* catches: a word that must be whole, in one case or in one order; a word found in the JSON around
 * a prompt; letters beyond ASCII, and escapes, that are not found */
static void words_of_prompts(void **state)
{
    struct store *s = open_store();

    (void)state;
    put_prompt(s, 1, 1, "A Lighthouse by the SEA", 64);
    put_prompt(s, 2, 1,
               "\xc3\x9c"
               "BER dem Meer, \xd0\x96\xd1\x83\xd0\xba, \xce\xa3",
               64);
    put_prompt(s, 3, 1, "a sign that says \"width\":512, \\seed\n", 64);
    put_prompt(s, 4, 1, "\xe7\xba\xa2\xe8\x89\xb2", 64);
    expect_stored(8, ERR_OK);
    expect_found(s, MINE, (struct command_search){.words = " sea  light "}, "1 ", 1);
    expect_found(s, MINE, (struct command_search){.words = "sea boat"}, "", 0);
    expect_found(s, MINE,
                 (struct command_search){.words = "\xc3\xbc"
                                                  "ber"},
                 "2 ", 1);
    expect_found(s, MINE, (struct command_search){.words = "\xd0\xb6\xd0\xa3\xd0\xba \xcf\x83"},
                 "2 ", 1);
    expect_found(s, MINE, (struct command_search){.words = "\xe8\x89\xb2"}, "4 ", 1);
    expect_found(s, MINE, (struct command_search){.words = "\"width\":512"}, "3 ", 1);
    expect_found(s, MINE, (struct command_search){.words = "\\seed"}, "3 ", 1);
    expect_found(s, MINE, (struct command_search){.words = "prompt"}, "", 0);
    expect_found(s, MINE, (struct command_search){.width = 512}, "", 0);
    expect_found(s, MINE, (struct command_search){.words = " "}, "4 3 2 1 ", 4);
    store_close(s);
}

/* catches: a filter without effect, bounds that are off by one, sizes that are miscounted */
static void sizes_days_and_favourites(void **state)
{
    struct store *s = open_store();
    struct command_search any = {0};
    struct hub_search all = MINE;
    struct hub_row row = row_of(2, 2);
    json_t *o, *sizes;

    (void)state;
    for (int i = 1; i <= 5; i++) /* created_ms 1001 .. 1005 */
        put_prompt(s, i, 1, "a boat", i < 4 ? 64 : 160);
    put_prompt(s, 6, 2, "a boat", 128);
    row.favourite = true;
    store_place(s, &row);
    expect_stored(12, ERR_OK);
    expect_found(s, MINE, (struct command_search){.width = 160}, "5 4 ", 2);
    expect_found(s, MINE, (struct command_search){.width = 160, .height = 95}, "", 0);
    expect_found(s, MINE, (struct command_search){.from_ms = 1002, .until_ms = 1004}, "3 2 ", 2);
    expect_found(s, MINE, (struct command_search){.favourite = true}, "2 ", 1);
    all.what = &any;
    all.ref = "r";
    all.limit = 1;
    o = answer_to(s, &all);
    assert_string_equal(json_string_value(json_object_get(o, "ref")), "r");
    sizes = json_object_get(o, "sizes");
    assert_int_equal(json_array_size(sizes), 2);
    assert_int_equal(number(json_array_get(sizes, 0), "width"), 64);
    assert_int_equal(number(json_array_get(sizes, 0), "height"), 96);
    assert_int_equal(number(json_array_get(sizes, 0), "count"), 3);
    assert_int_equal(number(json_array_get(sizes, 1), "count"), 2);
    json_decref(o);
    any.skip = 1;
    o = answer_to(s, &all);
    assert_null(json_object_get(o, "sizes"));
    json_decref(o);
    store_close(s);
}

/* catches: a picture that was deleted before and is listed; an answer that a stop loses */
static void behind_what_was_done_before(void **state)
{
    struct store *s = open_store();
    struct command_search any = {0};
    struct hub_search search = MINE;
    struct msg *m;

    (void)state;
    put_prompt(s, 1, 1, "a boat", 64);
    put_prompt(s, 2, 1, "a boat", 64);
    expect_stored(4, ERR_OK);
    delete_job(s, 2);
    expect_found(s, MINE, any, "1 ", 1);
    search.what = &any;
    search.ref = "";
    search.limit = 1;
    store_search(s, &search);
    store_close(s);
    m = mbox_take(&box);
    assert_non_null(m);
    assert_int_equal(m->kind, LOOP_FOUND);
    events_free(m);
}

/* Counts how often it was called, and keeps the job. */
struct recalled {
    int n;
    uint64_t job;
    char prompt[64];
};

static int recall(void *arg, const struct hub_row *row, struct fail *f)
{
    struct recalled *r = arg;

    (void)f;
    r->n++;
    r->job = row->job;
    snprintf(r->prompt, sizeof r->prompt, "%s", row->spec->prompt);
    return 0;
}

/* catches: a job that comes back although it was deleted, although it is not over, or as another */
static void forgotten_jobs(void **state)
{
    struct store *s = open_store();
    struct hub_row waits = row_of(9, 9);
    struct recalled r = {0};

    (void)state;
    for (int i = 1; i <= 3; i++)
        put_prompt(s, i, 1, i == 2 ? "the second" : "a boat", 64);
    store_accept(s, &waits, 1);
    expect_stored(7, ERR_OK);
    assert_true(store_recall(s, 2, recall, &r));
    assert_true(r.n == 1 && r.job == 2);
    assert_string_equal(r.prompt, "the second");
    assert_false(store_recall(s, 9, recall, &r) || store_recall(s, 77, recall, &r));
    store_delete(s, &(struct hub_deletion){.job = 2});
    assert_false(store_recall(s, 2, recall, &r));
    for (uint64_t i = 100; i < 400; i++)
        store_delete(s, &(struct hub_deletion){.job = i});
    assert_false(store_recall(s, 2, recall, &r));
    assert_int_equal(r.n, 1);
    assert_true(store_recall(s, 3, recall, &r));
    expect_stored(301, ERR_OK);
    store_close(s);
}

/* catches: one damaged row that hides all others */
static void damaged_rows(void **state)
{
    struct store *s = open_store();
    char path[128];
    sqlite3 *db;

    (void)state;
    for (int i = 1; i <= 4; i++)
        put_prompt(s, i, 1, "a boat", 64);
    expect_stored(8, ERR_OK);
    snprintf(path, sizeof path, "%s/darkroom.db", folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    assert_int_equal(sqlite3_exec(db,
                                  "UPDATE jobs SET spec='{\"prompt\":\"a bo' WHERE job=2;"
                                  "UPDATE jobs SET result='x' WHERE job=3;"
                                  "UPDATE jobs SET place=zeroblob(999), parent=5 WHERE job=4",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    expect_found(s, MINE, (struct command_search){0}, "4 1 ", 4);
    expect_found(s, MINE, (struct command_search){.words = "boat", .width = 64}, "4 1 ", 3);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pages_of_ones_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(words_of_prompts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sizes_days_and_favourites, set_up, tear_down),
        cmocka_unit_test_setup_teardown(behind_what_was_done_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forgotten_jobs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_rows, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
