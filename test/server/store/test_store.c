/* test_store - what was confirmed as stored is there after a restart, in order, whole, and
 * nothing else is. */
#include "server/store/store.h"

#include "server/store/files.h"
#include "test/server/store/folder.h"

#include <sqlite3.h>

/* catches: a lost row or field, a broken order, ids beyond 2^63, a start that is not counted */
static void survives_restart(void **state)
{
    const uint64_t ids[] = {0xffffffffffffffffULL, 5, 0x8000000000000000ULL, 2};
    struct store *s = open_store();
    struct blob *file;
    struct hub_row done, failed;
    struct fail why;
    struct seen seen, few;
    int64_t n_done, n_failed, n_cancelled;

    (void)state;
    assert_int_equal(store_boot(s), 1);
    for (uint64_t i = 0; i < 4; i++) {
        struct hub_row row = row_of(ids[i], i + 1);

        row.owner = i == 3 ? UINT32_MAX : (uint32_t)i;
        store_accept(s, &row, 1);
    }
    file = blob_copy("hello", 5);
    done = done_row(5, 2, HEX);
    done.owner = 1;
    failed = row_of(2, 4);
    failed.owner = UINT32_MAX;
    fail_field(&why, ERR_TIMEOUT, "steps", "It took too long.");
    failed.state = STATE_FAILED;
    failed.end_seq = 609;
    failed.error = &why;
    store_end(s, &done, file);
    store_end(s, &failed, NULL);
    blob_unref(file);
    expect_stored(6, ERR_OK);
    store_close(s);

    s = open_store();
    seen = (struct seen){0};
    assert_int_equal(store_boot(s), 2);
    assert_int_equal(store_restore(s, 10, see, &seen, &fail), 0);
    assert_int_equal(seen.n, 4);
    assert_memory_equal(seen.job, ids, sizeof ids);
    assert_int_equal(seen.row[0].state, STATE_QUEUED);
    assert_int_equal(seen.row[0].accepted_seq, 501);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(seen.row[i].owner, i == 3 ? UINT32_MAX : i);
    assert_int_equal(seen.row[1].state, STATE_DONE);
    assert_int_equal(seen.row[1].end_seq, 601);
    assert_int_equal(seen.row[1].result_us, 1234);
    assert_string_equal(seen.digest, HEX);
    assert_string_equal(seen.prompt, spec.prompt);
    assert_string_equal(seen.message, "It took too long.");
    assert_int_equal(store_counts(s, &n_done, &n_failed, &n_cancelled, &fail), 0);
    assert_int_equal(n_done * 100 + n_failed * 10 + n_cancelled, 110);
    few = (struct seen){0};
    assert_int_equal(store_restore(s, 1, see, &few, &fail), 0);
    assert_int_equal(few.n, 3); /* the two without an end, the newest with one */
    store_close(s);
}

/* catches: a hold or a rank that is lost, that another job gets, or that is answered as if it were
 * an end */
static void keeps_places(void **state)
{
    struct store *s = open_store();
    struct hub_row row = row_of(1, 1), other = row_of(2, 2), last = row_of(3, 3);
    struct seen seen = {0};

    (void)state;
    row.held = true;
    row.rank = 1;
    row.unwatched_ms = 9;
    store_accept(s, &row, 1);
    store_accept(s, &other, 1);
    other.held = true;
    other.rank = 7;
    other.unwatched_ms = 4000;
    store_place(s, &other);
    row.held = false;
    store_place(s, &row);
    store_accept(s, &last, 1);
    last.held = true;
    store_place(s, &last);
    last.state = STATE_CANCELLED;
    last.end_seq = 700;
    store_end(s, &last, NULL);
    last.favourite = true;
    store_place(s, &last);
    expect_stored(4, ERR_OK);
    store_close(s);
    assert_null(mbox_take(&box));
    s = open_store();
    assert_int_equal(store_restore(s, 10, see, &seen, &fail), 0);
    assert_int_equal(seen.n, 3);
    assert_false(seen.row[0].held);
    assert_int_equal(seen.row[0].rank, 1);
    assert_int_equal(seen.row[0].unwatched_ms, 9);
    assert_int_equal(seen.row[1].unwatched_ms, 4000);
    assert_int_equal(seen.row[2].unwatched_ms, 0);
    assert_true(seen.row[1].held);
    assert_int_equal(seen.row[1].rank, 7);
    assert_int_equal(seen.row[2].state, STATE_CANCELLED);
    assert_true(seen.row[2].favourite && !seen.row[1].favourite);
    store_close(s);
}

/* catches: a deleted job or picture that is still there; a picture that goes although another job
 * has the same one; a job that is not counted any more */
static void deletes(void **state)
{
    struct store *s = open_store();
    struct hub_row row = row_of(2, 2), same = done_row(2, 2, HEX);
    struct blob *b = blob_copy("hello", 5);
    struct seen seen = {0};
    struct store_file file;
    int64_t n[3];
    char path[256];

    (void)state;
    store_hello(s);
    store_accept(s, &row, 1);
    store_end(s, &same, b);
    blob_unref(b);
    store_delete(s, &(struct hub_deletion){.job = 1});
    expect_stored(3, ERR_OK);
    store_close(s);
    s = open_store();
    assert_int_equal(store_restore(s, 10, see, &seen, &fail), 0);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.job[0], 2);
    assert_int_equal(store_find(s, &ANYONE, HEX, &file, &fail), 0);
    close(file.fd);
    snprintf(path, sizeof path, "%s/outputs/%s", folder, file.name);
    delete_job(s, 2);
    delete_job(s, 3);
    store_close(s);
    assert_int_not_equal(access(path, F_OK), 0);
    s = open_store();
    assert_int_equal(store_find(s, &ANYONE, HEX, &file, &fail), ERR_NOT_FOUND);
    assert_int_equal(store_counts(s, &n[0], &n[1], &n[2], &fail), 0);
    assert_int_equal(n[0], 2);
    store_close(s);
}

/* catches: a result that is not served, a wrong name, a picture left half written */
static void finds_results(void **state)
{
    char bytes[8] = "", path[256];
    struct stat st;
    struct store_file file;
    struct store *s = open_store();

    (void)state;
    store_hello(s);
    assert_int_equal(store_find(s, &ANYONE, HEX, &file, &fail), 0);
    assert_int_equal(file.bytes, 5);
    assert_int_equal(read(file.fd, bytes, sizeof bytes), 5);
    assert_string_equal(bytes, "hello");
    assert_non_null(strstr(file.name, "64x96-seed77-324d"));
    close(file.fd);
    snprintf(path, sizeof path, "%s/outputs/%s.part", folder, file.name);
    assert_int_not_equal(stat(path, &st), 0);
    assert_int_equal(store_find(s, &ANYONE, "ff", &file, &fail), ERR_NOT_FOUND);

    /* a link in the place of the picture is not followed */
    store_find(s, &ANYONE, HEX, &file, &fail);
    close(file.fd);
    snprintf(path, sizeof path, "%s/outputs/%s", folder, file.name);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(store_find(s, &ANYONE, HEX, &file, &fail), ERR_NOT_FOUND);
    store_close(s);
}

static void put_at(const char *path, const char *bytes)
{
    FILE *out = fopen(path, "w");

    assert_non_null(out);
    assert_int_equal(fputs(bytes, out), 1);
    fclose(out);
}

/* catches: a file that was cut or lost served under the digest of the whole one */
static void damaged_result(void **state)
{
    char path[256];
    struct store_file file;
    struct store *s = open_store();

    (void)state;
    store_hello(s);
    assert_int_equal(store_find(s, &ANYONE, HEX, &file, &fail), 0);
    close(file.fd);
    snprintf(path, sizeof path, "%s/outputs/%s", folder, file.name);
    assert_int_equal(truncate(path, 4), 0);
    assert_int_equal(store_find(s, &ANYONE, HEX, &file, &fail), ERR_NOT_FOUND);
    assert_int_equal(file.fd, -1);
    assert_non_null(strstr(fail.message, "damaged"));
    assert_non_null(strstr(fail.hint, "seed"));
    put_at(path, "hellp"); /* a flipped bit, also after the right bytes were served */
    assert_int_equal(store_find(s, &ANYONE, HEX, &file, &fail), ERR_NOT_FOUND);
    put_at(path, "hello");
    assert_int_equal(store_find(s, &ANYONE, HEX, &file, &fail), 0);
    close(file.fd);
    put_at(path, "hellp");
    assert_int_equal(store_find(s, &ANYONE, HEX, &file, &fail), ERR_NOT_FOUND);
    assert_non_null(strstr(fail.message, "damaged"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(store_find(s, &ANYONE, HEX, &file, &fail), ERR_NOT_FOUND);
    assert_non_null(strstr(fail.message, "gone"));
    store_close(s);
}

static void put(const char *name, const char *bytes, size_t len)
{
    char path[128];
    FILE *out;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, len, out), len);
    fclose(out);
}

/* catches: a damaged or foreign database met with a message that does not say what to do */
static void damaged_store(void **state)
{
    struct store *s;
    char junk[8192];
    char path[128];
    sqlite3 *db;

    (void)state;
    memset(junk, 'x', sizeof junk);
    put("darkroom.db", junk, sizeof junk);
    assert_int_equal(store_open(&s, &(struct store_conf){.data = folder, .loop = &box}, &fail),
                     ERR_IO);
    assert_null(s);
    assert_non_null(strstr(fail.hint, folder));
    assert_non_null(strstr(fail.hint, "--data"));
    put("darkroom.db", "", 0); /* an empty file is a store without jobs */
    store_close(open_store());
    snprintf(path, sizeof path, "%s/darkroom.db", folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DROP TABLE jobs", NULL, NULL, NULL), 0);
    sqlite3_close(db);
    assert_int_equal(store_open(&s, &(struct store_conf){.data = folder, .loop = &box}, &fail),
                     ERR_IO);
    assert_non_null(strstr(fail.hint, "darkroom.db"));
}

/* catches: two servers on one folder; a lock that outlives its server */
static void one_server_a_folder(void **state)
{
    struct store *s = open_store(), *other;
    char lock[128];

    (void)state;
    snprintf(lock, sizeof lock, "%s/lock", folder);
    assert_int_equal(store_open(&other, &(struct store_conf){.data = folder, .loop = &box}, &fail),
                     ERR_CONFLICT);
    assert_non_null(strstr(fail.hint, "--data"));
    assert_int_equal(unlink(lock), 0);
    assert_int_equal(store_open(&other, &(struct store_conf){.data = folder, .loop = &box}, &fail),
                     ERR_CONFLICT);
    store_close(s);
    store_close(open_store());
}

/* catches: one row's failure failing its neighbours of the same transaction,
 * or passing as stored */
static void bad_row_stands_alone(void **state)
{
    struct store *s = open_store();
    struct hub_row a = row_of(1, 1), twice = row_of(1, 2), b = row_of(3, 3);
    int bad;
    struct seen seen;

    (void)state;
    store_accept(s, &a, 1);
    expect_stored(1, ERR_OK);
    store_accept(s, &twice, 1);
    store_accept(s, &b, 1);
    bad = 0;
    for (int n = 0; n < 2;)
        for (struct msg *m = mbox_wait(&box, 10000), *next; m; m = next, n++) {
            struct loop_stored *stored = (struct loop_stored *)m;

            next = m->next;
            if (stored->why.code) bad++, assert_int_equal(stored->job, 1);
            free(m);
        }
    assert_int_equal(bad, 1);
    seen = (struct seen){0};
    assert_int_equal(store_restore(s, 10, see, &seen, &fail), 0);
    assert_int_equal(seen.n, 2);
    store_close(s);
}

static void run_sql(const char *sql)
{
    char path[128];
    sqlite3 *db;

    snprintf(path, sizeof path, "%s/darkroom.db", folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL)) fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
}

/* A store with jobs 1 (done) and 2 (waits); then the rows are damaged, and it starts again. */
static struct store *damaged(const char *sql)
{
    struct store *s = open_store();
    struct hub_row b = row_of(2, 2);

    store_hello(s);
    store_accept(s, &b, 1);
    expect_stored(1, ERR_OK);
    store_close(s);
    run_sql(sql);
    return open_store();
}

/* A sweep of jobs 2 and 3 with job 4 as its own, which waits or is over. */
static void rows_of_sweep(struct hub_row row[3], bool over)
{
    static const char WAITS[] = "[{\"job\":\"0000000000000002\",\"cost\":1},"
                                "{\"job\":\"0000000000000003\",\"cost\":1}]";
    static const char ENDED[] = "[{\"job\":\"0000000000000002\",\"state\":\"done\"},"
                                "{\"job\":\"0000000000000003\",\"state\":\"cancelled\"}]";

    for (int i = 0; i < 3; i++)
        row[i] = row_of(2 + (uint64_t)i, 2 + (uint64_t)i);
    for (int i = 0; i < 2; i++)
        row[i].place = (struct sweep_place){4, i, 1, {(uint8_t)i}};
    row[2].sweep = "{\"steps\":[5,6]}";
    row[2].cells = over ? ENDED : WAITS;
    if (!over) return;
    row[1].state = row[2].state = STATE_CANCELLED;
    row[1].end_seq = row[2].end_seq = 900;
}

static struct seen restored(struct store *s, int kept)
{
    struct seen seen = {0};

    assert_int_equal(store_restore(s, kept, see, &seen, &fail), 0);
    return seen;
}

/* catches: rows of a sweep of which some are on disk alone; cells that a start does not get back
 * while their sweep goes on */
static void sweeps_are_stored_as_one(void **state)
{
    struct store *s = open_store();
    struct hub_row row[3], done = done_row(2, 2, HEX), twice[2];
    struct seen seen;

    (void)state;
    store_hello(s);
    rows_of_sweep(row, false);
    twice[0] = row[0];
    twice[1] = row_of(1, 9); /* there already */
    store_accept(s, twice, 2);
    expect_stored(1, ERR_INTERNAL);
    assert_int_equal(restored(s, 10).n, 1);
    store_accept(s, row, 3);
    done.place = row[0].place;
    store_end(s, &done, NULL);
    expect_stored(2, ERR_OK);
    seen = restored(s, 0); /* no ended job but those that a sweep needs */
    assert_int_equal(seen.n, 3);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(seen.row[i].place.parent, 4);
        assert_int_equal(seen.row[i].place.cell, i);
        assert_int_equal(seen.row[i].place.at[0], i);
    }
    assert_true(seen.row[2].state == STATE_QUEUED && seen.row[2].place.parent == 0);
    store_close(s);
}

/* catches: a sweep that counts as a picture, stays without its cells, or takes others with it */
static void sweeps_go_with_their_cells(void **state)
{
    struct store *s = open_store();
    struct hub_row row[3], over[3], done = done_row(2, 2, HEX);
    int64_t ended[3];
    struct seen seen;

    (void)state;
    store_hello(s);
    rows_of_sweep(row, false);
    rows_of_sweep(over, true);
    done.place = row[0].place;
    store_accept(s, row, 3);
    store_end(s, &done, NULL);
    store_end(s, &over[1], NULL);
    store_end(s, &over[2], NULL);
    expect_stored(4, ERR_OK);
    assert_int_equal(store_counts(s, &ended[0], &ended[1], &ended[2], &fail), 0);
    assert_true(ended[0] == 2 && ended[1] == 0 && ended[2] == 1);
    delete_job(s, 2);
    store_close(s);
    s = open_store();
    assert_int_equal(restored(s, 10).n, 3);
    delete_job(s, 4);
    store_close(s);
    s = open_store();
    seen = restored(s, 10);
    assert_true(seen.n == 1 && seen.job[0] == 1);
    assert_int_equal(store_counts(s, &ended[0], &ended[1], &ended[2], &fail), 0);
    assert_true(ended[0] == 2 && ended[2] == 1);
    store_accept(s, row, 3);
    store_end(s, &done, NULL);
    store_end(s, &over[1], NULL);
    store_end(s, &over[2], NULL);
    expect_stored(4, ERR_OK);
    delete_job(s, 2);
    delete_job(s, 3); /* the last cell */
    store_close(s);
    s = open_store();
    assert_int_equal(restored(s, 10).n, 1);
    store_close(s);
}

/* catches: jobs of an older version that are lost, or get an owner, when its tables are renewed;
 * tables of a newer one that are changed */
static void versions(void **state)
{
    struct store *s =
        damaged("ALTER TABLE jobs DROP COLUMN owner; DROP TABLE users; "
                "ALTER TABLE jobs DROP COLUMN held; ALTER TABLE jobs DROP COLUMN rank;"
                "ALTER TABLE jobs DROP COLUMN favourite;"
                "ALTER TABLE jobs DROP COLUMN share; ALTER TABLE jobs DROP COLUMN shared_ms;"
                "DROP INDEX jobs_parent; DROP INDEX jobs_sweep;"
                "ALTER TABLE jobs DROP COLUMN parent; ALTER TABLE jobs DROP COLUMN cell;"
                "ALTER TABLE jobs DROP COLUMN place; ALTER TABLE jobs DROP COLUMN sweep;"
                "ALTER TABLE jobs DROP COLUMN cells; ALTER TABLE jobs DROP COLUMN model;"
                "ALTER TABLE jobs DROP COLUMN unwatched_ms; ALTER TABLE meta DROP COLUMN secret;"
                "ALTER TABLE jobs DROP COLUMN steps; DROP TABLE tokens;"
                "ALTER TABLE jobs DROP COLUMN webhook; DROP TABLE hooks;"
                "DROP TABLE images; DROP TABLE sources; PRAGMA user_version=1");
    struct seen seen = {0};

    (void)state;
    assert_int_equal(store_restore(s, 10, see, &seen, &fail), 0);
    assert_int_equal(seen.n, 2);
    assert_int_equal(seen.row[0].owner + seen.row[1].owner, USER_NONE);
    store_close(s);
    s = open_store();
    store_close(s);
    run_sql("PRAGMA user_version=1000");
    assert_int_equal(store_open(&s, &(struct store_conf){.data = folder, .loop = &box}, &fail),
                     ERR_IO);
    assert_non_null(strstr(fail.message, "newer"));
    assert_non_null(strstr(fail.hint, "--data"));
}

/* catches: a server that does not start any more because of one damaged row; one that starts, but
 * gives the order of the newest row, which it left out, to the next job */
static void damaged_rows(void **state)
{
    static const char *const sql[] = {
        "UPDATE jobs SET spec='{' WHERE job=2",
        "UPDATE jobs SET digest=x'00' WHERE job=2",
        "UPDATE jobs SET ord=-5 WHERE job=2",
        "UPDATE jobs SET ord=0 WHERE job=2",
        "UPDATE jobs SET ord=9223372036854775807 WHERE job=2",
        "UPDATE jobs SET state=7 WHERE job=2",
        "UPDATE jobs SET key=x'ff41' WHERE job=2",
        "UPDATE jobs SET accepted_seq=-1 WHERE job=2",
        "UPDATE jobs SET created_ms=-9223372036854775808 WHERE job=2",
        "UPDATE jobs SET state=2, end_seq=9999, result_seq=9998 WHERE job=2",
        "UPDATE jobs SET state=3, end_seq=9999, message=x'ff' WHERE job=2",
        "UPDATE jobs SET job=0 WHERE job=2",
        "UPDATE jobs SET owner=-1 WHERE job=2",
        "UPDATE jobs SET owner=4294967296 WHERE job=2",
        "UPDATE jobs SET unwatched_ms=-1 WHERE job=2",
        "UPDATE jobs SET parent=9, cell=100, place=x'00' WHERE job=2",
        "UPDATE jobs SET parent=9, cell=0, place=x'' WHERE job=2",
        "UPDATE jobs SET parent=9, cell=0, place=zeroblob(1000) WHERE job=2",
        "UPDATE jobs SET sweep='{' WHERE job=2",
        "UPDATE jobs SET sweep='{}', cells='[{}]' WHERE job=2",
        "UPDATE jobs SET sweep='{}', cells='[]' WHERE job=2",
        "UPDATE jobs SET sweep='{}' WHERE job=2",
        "UPDATE jobs SET steps=201 WHERE job=2",
    };

    for (size_t i = 0; i < sizeof sql / sizeof *sql; i++) {
        struct store *s = damaged(sql[i]);
        struct hub_row next = row_of(3, 2);
        struct seen seen = {0};

        assert_int_equal(store_restore(s, 10, see, &seen, &fail), 0);
        if (seen.n != 1 || seen.job[0] != 1) fail_msg("%s: %d rows", sql[i], seen.n);
        store_accept(s, &next, 1);
        expect_stored(1, ERR_OK);
        store_close(s);
        s = open_store();
        seen = (struct seen){0};
        assert_int_equal(store_restore(s, 10, see, &seen, &fail), 0);
        assert_int_equal(seen.n, 2);
        store_close(s);
        assert_int_equal(tear_down(state), 0);
        assert_int_equal(set_up(state), 0);
    }
}

/* catches: "not an error" at start; numbers of events that begin anew */
static void empty_meta(void **state)
{
    struct store *s =
        damaged("DELETE FROM meta; UPDATE jobs SET accepted_seq = (7 << 32) + 3 WHERE job = 2");

    (void)state;
    assert_int_equal(store_boot(s), 8);
    store_close(s);
    s = open_store();
    assert_int_equal(store_boot(s), 9);
    store_close(s);
}

/* catches: prompts that other users of the machine can read */
static void private_files(void **state)
{
    static const char *const names[] = {"darkroom.db", "darkroom.db-wal", "darkroom.db-shm",
                                        "lock"};
    struct store *s;
    struct stat st;
    char path[128];

    (void)state;
    umask(0);
    put("darkroom.db", "", 0); /* as an older version left it */
    s = open_store();
    store_hello(s);
    for (int i = 0; i < 4; i++) {
        path_of(path, names[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    store_close(s);
    umask(022);
    path_of(path, "darkroom.db");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(store_open(&s, &(struct store_conf){.data = folder, .loop = &box}, &fail),
                     ERR_IO);
    assert_non_null(strstr(fail.message, "darkroom.db"));
}

/* catches: jobs that are accepted into a database that has no name any more */
static void files_gone(void **state)
{
    static const char *const names[] = {"darkroom.db", "darkroom.db-wal", "darkroom.db-shm"};
    struct store *s = open_store();
    struct hub_row row = row_of(1, 1), done = done_row(1, 1, HEX);
    struct blob *file = blob_copy("hello", 5);
    char path[128], away[128];

    (void)state;
    store_accept(s, &row, 1);
    expect_stored(1, ERR_OK);
    for (uint64_t i = 0; i < 3; i++) {
        row = row_of(10 + i, 10 + i);
        path_of(path, names[i]);
        path_of(away, "away");
        assert_int_equal(rename(path, away), 0);
        store_accept(s, &row, 1);
        expect_stored(1, ERR_IO);
        put(names[i], "swapped", 7);
        store_accept(s, &row, 1);
        expect_stored(1, ERR_IO);
        assert_int_equal(rename(away, path), 0);
        store_accept(s, &row, 1);
        expect_stored(1, ERR_OK);
    }
    path_of(path, "darkroom.db");
    assert_int_equal(unlink(path), 0);
    store_end(s, &done, file); /* what was accepted before ends */
    expect_stored(1, ERR_OK);
    blob_unref(file);
    store_close(s);
}

/* catches: pictures that cannot be stored or found any more after outputs/ was made anew */
static void outputs_gone(void **state)
{
    struct store *s = open_store();
    struct hub_row row = row_of(2, 2), done = done_row(2, 2, HEX);
    struct blob *file = blob_copy("hello", 5);
    struct store_file found;
    char path[128], away[128], command[160];

    (void)state;
    store_hello(s);
    path_of(path, "outputs");
    path_of(away, "away");
    for (int i = 0; i < 2; i++) {
        store_accept(s, &row, 1);
        assert_int_equal(rename(path, away), 0);
        if (i) assert_int_equal(mkdir(path, 0755), 0);
        store_end(s, &done, file);
        expect_stored(2, ERR_OK);
        assert_int_equal(store_find(s, &ANYONE, HEX, &found, &fail), 0);
        close(found.fd);
        row = row_of(3, 3);
        done = done_row(3, 3, HEX);
        snprintf(command, sizeof command, "rm -r %s", away);
        assert_int_equal(system(command), 0);
    }
    blob_unref(file);
    store_close(s);
}

/* catches: files that a kill left half written and that stay for ever */
static void half_written(void **state)
{
    char path[128];
    struct stat st;

    (void)state;
    store_close(open_store());
    put("outputs/64x64-seed1-00.png.part", "half", 4);
    put("outputs/64x64-seed1-00.png", "whole", 5);
    store_close(open_store());
    path_of(path, "outputs/64x64-seed1-00.png.part");
    assert_int_not_equal(stat(path, &st), 0);
    path_of(path, "outputs/64x64-seed1-00.png");
    assert_int_equal(stat(path, &st), 0);
}

/* catches: a path that leaves its folder, a missing parent, a folder that is a link */
static void files_stay_inside(void **state)
{
    int fd, sub;
    char path[128];
    struct store *s;

    (void)state;
    snprintf(path, sizeof path, "%s/a/b/c", folder);
    assert_int_equal(files_folder(path, &fd, &fail), 0);
    assert_int_equal(files_write(fd, "x", "1234", 4, &fail), 0);
    assert_int_equal(files_read(fd, "x", &sub, &fail), 0);
    close(sub);
    assert_int_equal(files_read(fd, "../c/x", &sub, &fail), ERR_NOT_FOUND);
    assert_int_equal(files_read(fd, "..", &sub, &fail), ERR_NOT_FOUND);
    assert_int_equal(files_write(fd, "../y", "1", 1, &fail), ERR_IO);
    assert_int_equal(symlinkat("/tmp", fd, "out"), 0);
    assert_int_equal(files_subfolder(fd, "out", true, &sub, &fail), ERR_IO);
    assert_int_equal(mkdirat(fd, "plain", 0700), 0);
    assert_int_equal(files_read(fd, "plain", &sub, &fail), ERR_NOT_FOUND);
    close(fd);
    assert_int_equal(files_folder("/dev/null/x", &fd, &fail), ERR_IO);
    assert_int_equal(
        store_open(&s, &(struct store_conf){.data = "/dev/null/x", .loop = &box}, &fail), ERR_IO);
    assert_non_null(strstr(fail.hint, "/dev/null/x"));
    assert_non_null(strstr(fail.hint, "--data"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(survives_restart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keeps_places, set_up, tear_down),
        cmocka_unit_test_setup_teardown(deletes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(finds_results, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_result, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_store, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_server_a_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_row_stands_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sweeps_are_stored_as_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sweeps_go_with_their_cells, set_up, tear_down),
        cmocka_unit_test_setup_teardown(versions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(empty_meta, set_up, tear_down),
        cmocka_unit_test_setup_teardown(private_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(files_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(outputs_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(half_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(files_stay_inside, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
