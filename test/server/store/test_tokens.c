/* test_tokens - a picture's tokens on disk: with its end, as long as its row,
 * and as the next job's own. */
#include "test/server/store/folder.h"

#include "server/store/rows.h"

#include <sqlite3.h>

static void end_with(struct store *s, uint64_t job, const char *tokens, int steps)
{
    struct hub_row done = done_row(job, job, HEX);
    struct blob *file = blob_copy("hello", 5);

    done.steps = steps;
    done.tokens = tokens ? blob_copy(tokens, strlen(tokens)) : NULL;
    store_end(s, &done, file);
    blob_unref(done.tokens);
    blob_unref(file);
    expect_stored(1, ERR_OK);
}

static void accept_from(struct store *s, uint64_t job, uint64_t from)
{
    struct spec vary = spec;
    struct hub_row row = row_of(job, job);

    vary.prior_from = from;
    row.spec = &vary;
    store_accept(s, &row, 1);
    expect_stored(1, ERR_OK);
}

static void expect_tokens(struct store *s, uint64_t job, const char *want)
{
    struct blob *b = store_tokens(s, job);

    if ((b != NULL) != (want != NULL))
        fail_msg("job %d has %s tokens", (int)job, b ? "some" : "no");
    if (b) assert_int_equal(b->len, strlen(want));
    if (b) assert_memory_equal(b->data, want, b->len);
    blob_unref(b);
}

/* catches: tokens that are lost with a restart, that a row has which none were kept for, that
 * nobody is told of */
static void they_are_kept_with_the_end(void **state)
{
    struct store *s = open_store();
    struct seen seen = {0};

    (void)state;
    for (uint64_t i = 1; i <= 3; i++)
        accept_from(s, i, 0);
    end_with(s, 1, "one", 0);
    end_with(s, 2, NULL, 3);
    store_close(s);
    s = open_store();
    expect_tokens(s, 1, "one");
    expect_tokens(s, 2, NULL);
    assert_int_equal(store_restore(s, 10, see, &seen, &fail), 0);
    assert_int_equal(seen.n, 3);
    assert_true(seen.row[0].kept && !seen.row[1].kept && !seen.row[2].kept);
    assert_int_equal(seen.row[0].steps, 0);
    assert_int_equal(seen.row[1].steps, 3);
    store_close(s);
}

/* catches: an accepted job that fails as the one whose tokens it takes is gone */
static void an_accepted_job_has_its_own(void **state)
{
    struct store *s = open_store();

    (void)state;
    accept_from(s, 1, 0);
    end_with(s, 1, "one", 0);
    accept_from(s, 2, 1);
    delete_job(s, 1);
    accept_from(s, 3, 1); /* too late: it will draw its own */
    expect_tokens(s, 1, NULL);
    expect_tokens(s, 2, "one");
    expect_tokens(s, 3, NULL);
    store_close(s);
    s = open_store();
    expect_tokens(s, 2, "one");
    end_with(s, 2, NULL, 0); /* those it began with */
    expect_tokens(s, 2, "one");
    end_with(s, 3, "three", 0);
    expect_tokens(s, 3, "three");
    store_close(s);
}

static void cancel(struct store *s, uint64_t job, uint64_t from)
{
    struct spec vary = spec;
    struct hub_row row = row_of(job, job);

    vary.prior_from = from;
    row.spec = &vary;
    row.state = STATE_CANCELLED;
    row.end_seq = 601;
    store_end(s, &row, NULL);
    expect_stored(1, ERR_OK);
}

static int64_t count(const char *sql)
{
    char path[128];
    sqlite3 *db;
    int64_t n = -1;

    path_of(path, "darkroom.db");
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    database_int(db, sql, &n, NULL);
    sqlite3_close(db);
    return n;
}

/* catches: tokens that stay for ever */
static void they_go_with_their_job(void **state)
{
    struct store *s = open_store();

    (void)state;
    accept_from(s, 1, 0);
    end_with(s, 1, "one", 0);
    accept_from(s, 2, 1);
    accept_from(s, 3, 1);
    assert_int_equal(count("SELECT count(*) FROM tokens"), 3);
    cancel(s, 2, 1);
    assert_int_equal(count("SELECT count(*) FROM tokens"), 2);
    delete_job(s, 1);
    cancel(s, 3, 1);
    assert_int_equal(count("SELECT count(*) FROM tokens"), 0);
    store_close(s);
}

/* catches: tokens that are no part of what a user may keep */
static void they_count_for_the_quota(void **state)
{
    struct store *s = open_store();
    struct job_rows rows = {0};
    struct row_picture p;
    char path[128];
    struct row_excess over;

    (void)state;
    accept_from(s, 1, 0);
    end_with(s, 1, "one", 0);
    store_close(s);
    path_of(path, "darkroom.db");
    assert_int_equal(rows_open(&rows, path, &fail), 0);
    assert_int_equal(rows_picture(&rows, 1, &p, NULL), 0);
    assert_int_equal(p.bytes, 5 + 3);
    assert_int_equal(sqlite3_exec(rows.writer,
                                  "INSERT INTO users(id,name,role,lanes,weight,waiting,running,"
                                  "disk,token,created_ms) VALUES(7,'ada','user','normal',1,0,0,7,"
                                  "x'00',0); UPDATE jobs SET owner=7",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_true(rows_over_quota(&rows, 0, &over));
    assert_int_equal(over.owner, 7);
    assert_int_equal(over.bytes, 1);
    assert_int_equal(sqlite3_exec(rows.writer, "UPDATE users SET disk=8", NULL, NULL, NULL), 0);
    assert_false(rows_over_quota(&rows, 0, &over));
    rows_close(&rows);
}

/* catches: a finish that is not answered, or not there after a restart; one that changes a job
 * that is over */
static void a_finish_is_stored_and_answered(void **state)
{
    struct store *s = open_store();
    struct hub_row row = row_of(1, 1);
    struct seen seen = {0};

    (void)state;
    accept_from(s, 1, 0);
    row.steps = 2;
    store_finish(s, &row);
    expect_stored(1, ERR_OK);
    store_close(s);
    s = open_store();
    assert_int_equal(store_restore(s, 10, see, &seen, &fail), 0);
    assert_int_equal(seen.row[0].steps, 2);
    end_with(s, 1, NULL, 3);
    store_finish(s, &row);
    expect_stored(1, ERR_OK);
    store_close(s);
    s = open_store();
    seen = (struct seen){0};
    assert_int_equal(store_restore(s, 10, see, &seen, &fail), 0);
    assert_int_equal(seen.row[0].steps, 3);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(they_are_kept_with_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_accepted_job_has_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(they_go_with_their_job, set_up, tear_down),
        cmocka_unit_test_setup_teardown(they_count_for_the_quota, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_finish_is_stored_and_answered, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
