/* test_users - the table of users, changed by another connection while a server has it open. */
#include "server/store/users.h"

#include "server/store/database.h"
#include "test/server/store/folder.h"

#include <poll.h>

static sqlite3 *open_users(bool make)
{
    sqlite3 *db;

    if (users_open(folder, make, &db, &fail)) fail_msg("%s", fail.message);
    return db;
}

static struct user named(const char *name)
{
    struct user u;

    user_defaults(&u);
    snprintf(u.name, sizeof u.name, "%s", name);
    return u;
}

static uint32_t add(sqlite3 *db, const char *name, char token[TOKEN_TEXT])
{
    struct user u = named(name);

    if (users_add(db, &u, 77, token, &fail)) fail_msg("%s", fail.message);
    return u.id;
}

static struct user_rows read_all(sqlite3 *db)
{
    struct user_rows rows;

    if (users_read(db, &rows, &fail)) fail_msg("%s", fail.message);
    return rows;
}

static void expect_token(const struct user_rows *rows, int i, const char *token)
{
    uint8_t hash[TOKEN_HASH_BYTES];

    token_hash(token, TOKEN_LENGTH, hash);
    assert_memory_equal(rows->token[i], hash, sizeof hash);
}

/* catches: a value that is not kept, a token at rest, a name that is given twice */
static void users_are_kept(void **state)
{
    sqlite3 *db = open_users(true);
    struct user u = named("ada@example.org"), got;
    char token[TOKEN_TEXT], path[128], bytes[1 << 16];
    struct user_rows rows = read_all(db);
    FILE *in;
    size_t n;

    (void)state;
    assert_false(rows.ever);
    assert_int_equal(rows.n, 0);
    users_free(&rows);
    u.role = ROLE_ADMIN;
    u.lanes = 1U << LANE_URGENT | 1U << LANE_BATCH;
    u.weight = 2.5;
    u.waiting = 7;
    u.running = 3;
    u.disk_bytes = INT64_C(5) << 40;
    assert_int_equal(users_add(db, &u, 1767225600000, token, &fail), 0);
    assert_true(token_formed(token, strlen(token)));
    assert_int_equal(users_add(db, &u, 1, token, &fail), ERR_CONFLICT);
    sqlite3_close(db);

    db = open_users(false);
    rows = read_all(db);
    assert_true(rows.ever && rows.n == 1 && rows.damaged == 0);
    got = rows.user[0];
    assert_int_equal(got.id, u.id);
    assert_string_equal(got.name, u.name);
    assert_true(got.role == u.role && got.lanes == u.lanes && got.weight == u.weight);
    assert_true(got.waiting == 7 && got.running == 3 && got.disk_bytes == u.disk_bytes);
    assert_int_equal(rows.created_ms[0], 1767225600000);
    users_free(&rows);
    sqlite3_close(db);
    path_of(path, DATABASE_NAME);
    in = fopen(path, "rb");
    n = fread(bytes, 1, sizeof bytes, in);
    fclose(in);
    assert_non_null(memmem(bytes, n, "ada@example.org", 15));
    assert_null(memmem(bytes, n, TOKEN_PREFIX, 3));
}

/* catches: an id that a second user gets, an old token that still is one */
static void ids_and_tokens_are_given_once(void **state)
{
    sqlite3 *db = open_users(true);
    char first[TOKEN_TEXT], second[TOKEN_TEXT], other[TOKEN_TEXT];
    uint32_t a = add(db, "ada", first), b = add(db, "ben", other);
    struct user_rows rows;

    (void)state;
    assert_true(a == 1 && b == 2);
    assert_int_equal(users_rotate(db, "ben", second, &fail), 0);
    rows = read_all(db);
    assert_int_equal(rows.n, 2);
    expect_token(&rows, 0, first);
    expect_token(&rows, 1, second);
    users_free(&rows);
    assert_int_equal(users_remove(db, "ben", 5, &fail), 0);
    assert_int_equal(users_remove(db, "ben", 5, &fail), ERR_NOT_FOUND);
    assert_int_equal(users_rotate(db, "ben", second, &fail), ERR_NOT_FOUND);
    assert_int_equal(add(db, "ben", other), 3);
    assert_int_equal(users_remove(db, "ben", 5, &fail), 0);
    assert_int_equal(users_remove(db, "ada", 5, &fail), 0);
    rows = read_all(db);
    assert_true(rows.n == 0 && rows.ever);
    users_free(&rows);
    sqlite3_close(db);
}

/* catches: names that would break a log line or a header; a folder that is made by a look */
static void bad_requests_are_refused(void **state)
{
    const char *bad[] = {"", "-x", "a b", "a\nb", "a/b", "\xc3\xa4"};
    sqlite3 *db;
    char token[TOKEN_TEXT], path[128];
    struct stat st;

    (void)state;
    assert_int_equal(users_open(folder, false, &db, &fail), ERR_NOT_FOUND);
    sqlite3_close(db);
    path_of(path, DATABASE_NAME);
    assert_int_not_equal(stat(path, &st), 0);
    db = open_users(true);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct user u = named(bad[i]);

        assert_int_equal(users_add(db, &u, 1, token, &fail), ERR_USAGE);
    }
    sqlite3_close(db);
}

static void run_sql(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL)) fail_msg("%s", sqlite3_errmsg(db));
}

/* catches: one damaged row that keeps all users out, or becomes somebody */
static void damaged_rows_are_left_out(void **state)
{
    const char *const damage[] = {"role='king'",      "lanes='fast'",  "weight=0",
                                  "waiting=-1",       "running=99999", "token=x'0011'",
                                  "name='a' || x'0a'"};
    sqlite3 *db = open_users(true);
    char token[TOKEN_TEXT], sql[100];
    struct user_rows rows;

    (void)state;
    add(db, "ada", token);
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        run_sql(db, "BEGIN");
        add(db, "ben", token);
        snprintf(sql, sizeof sql, "UPDATE users SET %s WHERE id=2", damage[i]);
        run_sql(db, sql);
        rows = read_all(db);
        if (rows.n != 1 || rows.damaged != 1) fail_msg("%s: %d users", damage[i], rows.n);
        assert_string_equal(rows.user[0].name, "ada");
        users_free(&rows);
        run_sql(db, "ROLLBACK");
    }
    sqlite3_close(db);
}

static bool told(int watch, int wait_ms)
{
    struct pollfd p = {.fd = watch, .events = POLLIN};

    return poll(&p, 1, wait_ms) == 1 && users_announced(watch);
}

/* catches: a server that does not hear of a change, or is woken by its own files; a change that
 * makes it refuse jobs, as if its files were replaced; a start that the command counts */
static void a_running_server_hears_of_changes(void **state)
{
    struct store *s = open_store();
    int watch = users_watch(folder);
    char token[TOKEN_TEXT], path[128];
    struct user_rows rows;
    sqlite3 *db;

    (void)state;
    assert_true(watch >= 0);
    store_hello(s);
    assert_false(told(watch, 0));
    db = open_users(false);
    add(db, "ada", token);
    sqlite3_close(db);
    assert_int_equal(users_announce(folder, &fail), 0);
    assert_true(told(watch, 10000));
    assert_false(told(watch, 0));
    assert_int_equal(store_users(s, &rows, &fail), 0);
    assert_int_equal(rows.n, 1);
    expect_token(&rows, 0, token);
    users_free(&rows);
    path_of(path, "users.changed");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(users_announce(folder, &fail), 0);
    assert_true(told(watch, 10000));
    store_accept(
        s,
        &(struct hub_row){
            .job = 2, .order = 2, .key = "", .digest = DIGEST, .spec = &spec, .accepted_seq = 900},
        1);
    expect_stored(1, ERR_OK);
    store_close(s);
    close(watch);
    s = open_store();
    assert_int_equal(store_boot(s), 2);
    store_close(s);
}

/* catches: cookies that end with each start, or that another data folder's server takes */
static void the_secret_stays(void **state)
{
    uint8_t first[DATABASE_SECRET_BYTES], none[DATABASE_SECRET_BYTES] = {0};
    struct store *s = open_store();
    sqlite3 *db;

    (void)state;
    memcpy(first, store_secret(s), sizeof first);
    assert_memory_not_equal(first, none, sizeof first);
    store_close(s);
    s = open_store();
    assert_memory_equal(first, store_secret(s), sizeof first);
    store_close(s);
    db = open_users(false);
    run_sql(db, "DELETE FROM meta");
    sqlite3_close(db);
    s = open_store();
    assert_memory_not_equal(first, store_secret(s), sizeof first);
    assert_memory_not_equal(none, store_secret(s), sizeof first);
    store_close(s);
}

/* catches: a picture that another user finds by its digest, or that one of two owners does not */
static void pictures_have_owners(void **state)
{
    struct store *s = open_store();
    struct store_file file;
    const uint32_t owners[] = {1, 2};
    struct blob *b = blob_copy("hello", 5);

    (void)state;
    for (uint64_t i = 0; i < 2; i++) {
        struct hub_row row = row_of(i + 1, i + 1), done = done_row(i + 1, i + 1, HEX);

        row.owner = done.owner = owners[i];
        store_accept(s, &row, 1);
        store_end(s, &done, b);
    }
    blob_unref(b);
    expect_stored(4, ERR_OK);
    for (uint32_t user = 0; user < 4; user++) {
        struct store_asker who = {.user = user};
        int err = store_find(s, &who, HEX, &file, &fail);

        assert_int_equal(err, user == 1 || user == 2 ? 0 : ERR_NOT_FOUND);
        if (!err) close(file.fd);
    }
    assert_int_equal(store_find(s, &ANYONE, HEX, &file, &fail), 0);
    close(file.fd);
    store_close(s);
}

/* catches: a table that is read row by row in more than a moment */
static void a_thousand_users(void **state)
{
    sqlite3 *db = open_users(true);
    char token[TOKEN_TEXT], name[32];
    struct user last = named("onemore");
    struct user_rows rows;

    (void)state;
    run_sql(db, "BEGIN");
    for (int i = 0; i < LIMIT_USERS; i++) {
        snprintf(name, sizeof name, "user%d", i);
        add(db, name, token);
    }
    run_sql(db, "COMMIT");
    assert_int_equal(users_add(db, &last, 1, token, &fail), ERR_TOO_LARGE);
    rows = read_all(db);
    assert_int_equal(rows.n, LIMIT_USERS);
    for (int i = 0; i < LIMIT_USERS; i++)
        assert_int_equal(rows.user[i].id, i + 1);
    users_free(&rows);
    sqlite3_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(users_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ids_and_tokens_are_given_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_requests_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_rows_are_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_running_server_hears_of_changes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_secret_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pictures_have_owners, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_thousand_users, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
