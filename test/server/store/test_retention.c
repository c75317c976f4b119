/* test_retention - what is past its time goes, oldest first, and nothing else does. */
#include "server/store/retention.h"

#include "server/base/clock.h"
#include "test/server/store/folder.h"
#include <sqlite3.h>

static int64_t size_of(const char *name)
{
    char path[128];
    struct stat st;

    path_of(path, name);
    return stat(path, &st) ? 0 : st.st_size;
}

/* catches: one client that fills the disk with long prompts which it cancels at once; counts that
 * forget what was removed */
static void cancelled_jobs_leave_no_rows(void **state)
{
    static char prompt[16000];
    struct store *s = open_store();
    struct seen seen = {0};
    int64_t done, failed, cancelled;

    (void)state;
    memset(prompt, 'x', sizeof prompt - 1);
    store_hello(s);
    spec.prompt = prompt;
    for (uint64_t i = 2; i < 3002; i++) {
        struct hub_row row = row_of(i, i);

        store_accept(s, &row, 1);
        row.state = STATE_CANCELLED;
        row.end_seq = 9000;
        store_end(s, &row, NULL);
        if (i % 100 == 1) expect_stored(200, ERR_OK);
    }
    spec.prompt = (char *)(uintptr_t) "a \"red\" circle \xe7\xba\xa2";
    store_close(s);
    assert_in_range(size_of("darkroom.db"), 1 << 20, 40 << 20);
    s = open_store();
    assert_int_equal(store_counts(s, &done, &failed, &cancelled, &fail), 0);
    assert_int_equal(done, 1);
    assert_int_equal(cancelled, 3000);
    assert_int_equal(store_restore(s, 5, see, &seen, &fail), 0);
    assert_int_equal(seen.n, 5);
    assert_int_equal(seen.job[4], 3001);
    store_close(s);
}

static void digest_of(int n, char out[65], struct blob **file)
{
    static uint8_t bytes[10000];

    memset(bytes, n, sizeof bytes);
    png_digest(bytes, sizeof bytes, out);
    *file = blob_copy(bytes, sizeof bytes);
}

/* n jobs, each with a picture of 10,000 bytes of its own, that were accepted at a time */
static void store_many(struct store *s, uint64_t first, int n, int64_t created_ms)
{
    for (uint64_t i = first; i < first + (uint64_t)n; i++) {
        char digest[65];
        struct blob *file;
        struct hub_row row = row_of(i, i);

        digest_of((int)i, digest, &file);
        row.created_ms = created_ms;
        store_accept(s, &row, 1);
        row = done_row(i, i, digest);
        row.created_ms = created_ms;
        row.result_bytes = 10000;
        store_end(s, &row, file);
        blob_unref(file);
        expect_stored(2, ERR_OK);
    }
}

static bool is_there(struct store *s, int n)
{
    char digest[65];
    struct blob *file;
    struct store_file found;
    int err;

    digest_of(n, digest, &file);
    blob_unref(file);
    err = store_find(s, &ANYONE, digest, &found, &fail);
    if (!err) close(found.fd);
    return !err;
}

/* The newest removal that the store has told; its job[] is only valid when there was one. */
static bool take_removal(struct removal *out)
{
    bool any = false;

    for (int i = 0; i < 200 && !any; i++) {
        for (struct msg *m = mbox_wait(&box, 50), *next; m; m = next) {
            next = m->next;
            if (m->kind == LOOP_REMOVAL) {
                *out = ((struct loop_removal *)m)->removal;
                any = true;
            }
            free(m);
        }
    }
    return any;
}

/* What was told and is not looked at. */
static void drop_messages(void)
{
    for (struct msg *m = mbox_take(&box), *next; m; m = next) {
        next = m->next;
        free(m);
    }
}

static void wait_until_gone(struct store *s, int n)
{
    for (int i = 0; i < 200 && is_there(s, n); i++)
        usleep(20000);
    assert_false(is_there(s, n));
}

static struct store *open_keeping(int days, int64_t bytes)
{
    struct store *s;
    struct store_conf conf = {.data = folder, .loop = &box, .keep_days = days, .keep_bytes = bytes};

    if (store_open(&s, &conf, &fail)) fail_msg("%s", fail.message);
    return s;
}

/* catches: pictures that are kept for ever; the newest removed instead of the oldest; a picture
 * that a newer job has too removed with the older one */
static void old_pictures_go(void **state)
{
    int64_t now = clock_unix_ms(), done, failed, cancelled, day = 86300000;
    struct store *s = open_keeping(2, 0);
    char digest[65];
    struct blob *file;
    struct hub_row row;

    (void)state;
    store_many(s, 1, 80, now - 3 * day); /* more than one look removes */
    store_close(s);
    s = open_keeping(1, 0); /* the clock says that all are old: it may be wrong */
    usleep(300000);
    assert_true(is_there(s, 1));
    store_close(s);
    s = open_keeping(2, 0);
    store_many(s, 81, 2, now - day);
    digest_of(80, digest, &file); /* the same picture, drawn again */
    row = row_of(90, 90);
    row.created_ms = now;
    store_accept(s, &row, 1);
    row = done_row(90, 90, digest);
    row.result_bytes = 10000;
    store_end(s, &row, file);
    blob_unref(file);
    expect_stored(2, ERR_OK);
    store_close(s);
    s = open_keeping(2, 0); /* it looks at once */
    wait_until_gone(s, 79);
    assert_true(is_there(s, 80));
    assert_true(is_there(s, 81) && is_there(s, 82));
    store_close(s);
    s = open_keeping(0, 500000); /* no age, but so many bytes */
    store_many(s, 100, 60, now);
    wait_until_gone(s, 81);
    assert_true(is_there(s, 159));
    store_close(s);
    s = open_keeping(0, 0);
    assert_int_equal(store_counts(s, &done, &failed, &cancelled, &fail), 0);
    assert_int_equal(done, 143);
    store_close(s);
}

/* catches: a file that cannot be removed (here: a folder has its name) and keeps all others */
static void one_that_stays_keeps_no_other(void **state)
{
    struct store *s = open_keeping(0, 0);
    char digest[65], path[192];
    struct seen seen = {0};
    struct blob *file;

    (void)state;
    store_many(s, 1, 3, clock_unix_ms());
    digest_of(1, digest, &file);
    blob_unref(file);
    snprintf(path, sizeof path, "%s/outputs/64x96-seed77-%s.png", folder, digest);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(store_keep(s, 0, 1, 0), 0);
    wait_until_gone(s, 3);
    assert_false(is_there(s, 2));
    store_close(s);
    s = open_store();
    assert_int_equal(store_restore(s, 10, see, &seen, &fail), 0);
    assert_int_equal(seen.n, 0);
    store_close(s);
}

/* catches: a user's --disk that bounds nothing, or takes another user's pictures, or the newest */
static void a_user_has_so_many_bytes(void **state)
{
    struct store *s = open_store();
    sqlite3 *db;
    char path[128], sql[200];

    (void)state;
    path_of(path, "darkroom.db");
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000); /* the store has the database open, too */
    for (int id = 1; id <= 2; id++) {
        snprintf(sql, sizeof sql,
                 "INSERT INTO users VALUES(%d,'u%d','user','normal',1,0,0,%d,x'%02d',1,0)", id, id,
                 id == 1 ? 45000 : 0, id);
        assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    }
    store_many(s, 1, 20, clock_unix_ms());
    assert_int_equal(sqlite3_exec(db, "UPDATE jobs SET owner = 1 + (job > 10)", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    store_close(s);
    s = open_store(); /* it looks at once */
    wait_until_gone(s, 6);
    for (int i = 1; i <= 20; i++)
        assert_int_equal(is_there(s, i), i > 6);
    store_close(s);
    drop_messages();
}

static struct store *open_with_grace(int minutes)
{
    struct store *s;
    struct store_conf conf = {.data = folder, .loop = &box, .grace_minutes = minutes};

    if (store_open(&s, &conf, &fail)) fail_msg("%s", fail.message);
    return s;
}

/* User 1 may have so many bytes, and has n pictures. */
static void give_quota(int n, int bytes)
{
    struct store *s = open_store();
    sqlite3 *db;
    char path[128], sql[200];

    path_of(path, "darkroom.db");
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000); /* the store has the database open, too */
    snprintf(sql, sizeof sql, "INSERT INTO users VALUES(1,'u','user','normal',1,0,0,%d,x'01',1,0)",
             bytes);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    store_many(s, 1, n, clock_unix_ms());
    store_close(s);
    assert_int_equal(sqlite3_exec(db, "UPDATE jobs SET owner = 1", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* catches: pictures that go before their owner was told, or while it has time; a favourite that
 * goes before others; one that is told too late, or of other pictures than go */
static void who_has_too_much_is_told(void **state)
{
    struct store *s;
    struct removal r;
    struct hub_row row;

    (void)state;
    give_quota(10, 85000);
    s = open_with_grace(60);
    assert_true(take_removal(&r));
    assert_true(r.owner == 1 && !r.done && r.n == 2 && r.bytes == 20000);
    assert_true(r.job[0] == 1 && r.job[1] == 2);
    assert_true(llabs(r.at_ms - clock_unix_ms() - 3600000) < 60000);
    assert_true(is_there(s, 1) && is_there(s, 2));
    row = row_of(1, 1);
    row.favourite = true;
    store_place(s, &row);
    assert_int_equal(store_keep(s, 0, 0, 60), 0); /* it looks again */
    assert_true(take_removal(&r));
    assert_true(!r.done && r.n == 2 && r.job[0] == 2 && r.job[1] == 3);
    store_delete(s, &(struct hub_deletion){.job = 4});
    assert_int_equal(store_keep(s, 0, 0, 60), 0);
    assert_true(take_removal(&r));
    assert_true(!r.done && r.n == 1 && r.job[0] == 2);
    assert_int_equal(store_keep(s, 0, 0, 0), 0); /* no grace any more */
    assert_true(take_removal(&r));
    assert_true(r.done && r.n == 1 && r.job[0] == 2 && r.bytes == 10000);
    assert_true(!is_there(s, 2) && is_there(s, 1) && is_there(s, 3));
    store_close(s);
    drop_messages();
}

/* catches: a bound that a user can pass by far for the time of grace; one that is told for ever */
static void far_beyond_goes_at_once(void **state)
{
    struct store *s;
    struct removal r;

    (void)state;
    give_quota(10, 60000);
    s = open_with_grace(60);
    do /* down to 75000 at once, the rest is told */
        assert_true(take_removal(&r));
    while (r.done);
    assert_true(r.n == 1 && r.job[0] == 4);
    assert_true(!is_there(s, 3) && is_there(s, 4));
    store_delete(s, &(struct hub_deletion){.job = 4});
    assert_int_equal(store_keep(s, 0, 0, 60), 0);
    while (take_removal(&r) && r.n != 0)
        ;
    assert_true(r.n == 0 && r.owner == 1);
    store_close(s);
    drop_messages();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cancelled_jobs_leave_no_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(old_pictures_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_stays_keeps_no_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_user_has_so_many_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_has_too_much_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(far_beyond_goes_at_once, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
