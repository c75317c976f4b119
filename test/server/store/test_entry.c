/* test_entry - whom a job is shared with, on its way to the disk. */
#include "test/server/store/folder.h"

/* catches: a share that is lost, that another job gets, or that another change of the job takes
 * back; one that is not answered, also where its job was deleted meanwhile */
static void shares_are_kept_and_answered(void **state)
{
    struct store *s = open_store();
    struct hub_row row = row_of(1, 1), other = row_of(2, 2);
    struct hub_share share = {.job = 1, .ticket = 8, .until_ms = 1767225700000, .hash = {7}};
    struct seen seen = {0};

    (void)state;
    store_accept(s, &row, 1);
    store_accept(s, &other, 1);
    store_share(s, &share);
    share.job = 2;
    store_share(s, &share);
    share.job = 99;
    store_share(s, &share);
    store_share(s, &(struct hub_share){.job = 2});
    row.held = other.held = true;
    store_place(s, &row);
    store_place(s, &other);
    expect_stored(6, ERR_OK);
    store_close(s);
    assert_null(mbox_take(&box));
    s = open_store();
    assert_int_equal(store_restore(s, 10, see, &seen, &fail), 0);
    assert_int_equal(seen.n, 2);
    assert_int_equal(seen.row[0].shared_ms, 1767225700000);
    assert_memory_equal(seen.row[0].share, share.hash, sizeof share.hash);
    assert_int_equal(seen.row[1].shared_ms, 0);
    assert_true(seen.row[0].held && seen.row[1].held);
    store_close(s);
}

/* catches: an answer without what it is the answer to, by which the hub finds who waits */
static void an_answer_says_to_what(void **state)
{
    struct store *s = open_store();
    struct hub_share share = {.job = 1, .ticket = 8, .until_ms = 5, .hash = {7}};
    struct loop_shared *m;

    (void)state;
    store_share(s, &share);
    m = (struct loop_shared *)mbox_wait(&box, 10000);
    assert_non_null(m);
    assert_int_equal(m->m.kind, LOOP_SHARED);
    assert_true(m->share.job == 1 && m->share.ticket == 8 && m->share.until_ms == 5);
    assert_memory_equal(m->share.hash, share.hash, sizeof share.hash);
    assert_int_equal(m->why.code, ERR_OK);
    free(m);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shares_are_kept_and_answered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_answer_says_to_what, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
