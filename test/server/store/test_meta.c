/* test_meta - the row that counts a server's starts: always one, and what is there when it is
 * damaged. */
#include "server/store/database.h"
#include "test/server/store/folder.h"

#include <sqlite3.h>

/* On the closed store. The first column of the first row, if there is one. */
static int64_t ask(const char *sql)
{
    sqlite3 *db = NULL;
    int64_t n = 0;
    char path[128];

    snprintf(path, sizeof path, "%s/%s", folder, DATABASE_NAME);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (strncmp(sql, "SELECT", 6) == 0)
        assert_int_equal(database_int(db, sql, &n, &fail), 0);
    else
        assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    return n;
}

/* catches: a start that leaves no number for events; numbers that begin anew; cookies that are
 * worth nothing as the secret went with the damaged number */
static void damaged_starts(void **state)
{
    static const char *const starts[] = {"-1",  "1 << 21", "1 << 62", "(1 << 21) - 1",
                                         "'x'", "x'00ff'", "1.5",     "1e300"};
    char sql[256];

    (void)state;
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        struct hub_row row = row_of(2, 2 + i);
        struct store *s = open_store();

        row.job += i;
        row.accepted_seq = (UINT64_C(7) << 32) + 3;
        store_accept(s, &row, 1);
        expect_stored(1, ERR_OK);
        store_close(s);
        snprintf(sql, sizeof sql, "UPDATE meta SET boot = %s, secret = zeroblob(32)", starts[i]);
        ask(sql);
        s = open_store();
        if (store_boot(s) != 8) fail_msg("%s: %d", starts[i], (int)store_boot(s));
        assert_int_equal(store_secret(s)[0] | store_secret(s)[31], 0);
        store_close(s);
    }
}

/* catches: a row more with every start, whose old number counts when the first is gone */
static void one_row(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        store_close(open_store());
    assert_int_equal(ask("SELECT count(*) FROM meta"), 1);
    ask("INSERT INTO meta(boot) VALUES(1), (2)"); /* as older versions left them */
    store_close(open_store());
    assert_int_equal(ask("SELECT count(*) FROM meta"), 1);
    assert_int_equal(ask("SELECT boot FROM meta"), 4);
}

/* catches: a version that is none: what is beside the list of versions is taken for SQL */
static void damaged_version(void **state)
{
    const struct store_conf conf = {.data = folder, .loop = &box};
    struct store *s;

    (void)state;
    store_close(open_store());
    ask("PRAGMA user_version = -5");
    assert_int_equal(store_open(&s, &conf, &fail), ERR_IO);
    assert_non_null(strstr(fail.message, "damaged: its version is -5"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(damaged_starts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_row, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_version, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
