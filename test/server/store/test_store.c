/* test_store - what was confirmed as stored is there after a restart, in order, whole, and
 * nothing else is. */
#include "server/store/store.h"

#include "server/events.h"
#include "server/store/files.h"

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
#include <sqlite3.h>

static char folder[64];
static struct mbox box;
static struct fail fail;

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/darkroom-store-XXXXXX");
    mbox_init(&box, NULL, NULL);
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    mbox_destroy(&box);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static struct store *open_store(void)
{
    struct store *s;

    if (store_open(&s, folder, &box, NULL, &fail)) fail_msg("%s", fail.message);
    return s;
}

/* Take n events; each must have this code. */
static void expect_stored(int n, enum err code)
{
    while (n > 0)
        for (struct msg *m = mbox_wait(&box, 10000), *next; m; m = next, n--) {
            next = m->next;
            assert_int_equal(m->kind, LOOP_STORED);
            assert_int_equal(((struct loop_stored *)m)->why.code, code);
            free(m);
        }
    assert_int_equal(n, 0);
}

static const uint8_t DIGEST[SPEC_DIGEST_BYTES] = {1, 2, 3};
static struct spec spec = {(char *)(uintptr_t) "a \"red\" circle \xe7\xba\xa2", 64, 96, 5, 1.5, 77};

static struct hub_row row_of(uint64_t job, uint64_t order)
{
    return (struct hub_row){.job = job,
                            .order = order,
                            .created_ms = 1000 + (int64_t)order,
                            .key = "k1",
                            .digest = DIGEST,
                            .spec = &spec,
                            .accepted_seq = 500 + order};
}

static struct hub_row done_row(uint64_t job, uint64_t order, const char *digest)
{
    struct hub_row row = row_of(job, order);

    row.state = STATE_DONE;
    row.result_seq = 600;
    row.end_seq = 601;
    row.result_digest = digest;
    row.result_bytes = 5;
    row.result_us = 1234;
    return row;
}

struct seen {
    int n;
    uint64_t job[16];
    struct hub_row row[16];
    char prompt[64], message[400], digest[65];
};

static int see(void *arg, const struct hub_row *row, struct fail *f)
{
    struct seen *s = arg;
    (void)f;
    s->job[s->n] = row->job;
    s->row[s->n++] = *row;
    snprintf(s->prompt, sizeof s->prompt, "%s", row->spec->prompt);
    assert_string_equal(row->key, "k1");
    assert_memory_equal(row->digest, DIGEST, sizeof DIGEST);
    if (row->error) snprintf(s->message, sizeof s->message, "%s", row->error->message);
    if (row->result_digest) snprintf(s->digest, sizeof s->digest, "%s", row->result_digest);
    return 0;
}

static const char HEX[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

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

        store_accept(s, &row);
    }
    file = blob_copy("hello", 5);
    done = done_row(5, 2, HEX);
    failed = row_of(2, 4);
    fail_field(&why, ERR_TIMEOUT, "steps", "It took too long.");
    failed.state = STATE_FAILED;
    failed.end_seq = 9;
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

/* Job 1, done: its picture is the file "hello", under HEX. */
static void store_hello(struct store *s)
{
    struct hub_row row = row_of(1, 1), done = done_row(1, 1, HEX);
    struct blob *b = blob_copy("hello", 5);

    store_accept(s, &row);
    store_end(s, &done, b);
    expect_stored(2, ERR_OK);
    blob_unref(b);
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
    assert_int_equal(store_find(s, HEX, &file, &fail), 0);
    assert_int_equal(file.bytes, 5);
    assert_int_equal(read(file.fd, bytes, sizeof bytes), 5);
    assert_string_equal(bytes, "hello");
    assert_non_null(strstr(file.name, "64x96-seed77-0011"));
    close(file.fd);
    snprintf(path, sizeof path, "%s/outputs/%s.part", folder, file.name);
    assert_int_not_equal(stat(path, &st), 0);
    assert_int_equal(store_find(s, "ff", &file, &fail), ERR_NOT_FOUND);

    /* a link in the place of the picture is not followed */
    store_find(s, HEX, &file, &fail);
    close(file.fd);
    snprintf(path, sizeof path, "%s/outputs/%s", folder, file.name);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(store_find(s, HEX, &file, &fail), ERR_NOT_FOUND);
    store_close(s);
}

/* catches: a file that was cut or lost served under the digest of the whole one */
static void damaged_result(void **state)
{
    char path[256];
    struct store_file file;
    struct store *s = open_store();

    (void)state;
    store_hello(s);
    assert_int_equal(store_find(s, HEX, &file, &fail), 0);
    close(file.fd);
    snprintf(path, sizeof path, "%s/outputs/%s", folder, file.name);
    assert_int_equal(truncate(path, 4), 0);
    assert_int_equal(store_find(s, HEX, &file, &fail), ERR_NOT_FOUND);
    assert_int_equal(file.fd, -1);
    assert_non_null(strstr(fail.message, "damaged"));
    assert_non_null(strstr(fail.hint, "seed"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(store_find(s, HEX, &file, &fail), ERR_NOT_FOUND);
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
    assert_int_equal(store_open(&s, folder, &box, NULL, &fail), ERR_IO);
    assert_null(s);
    assert_non_null(strstr(fail.hint, folder));
    assert_non_null(strstr(fail.hint, "--data"));
    put("darkroom.db", "", 0); /* an empty file is a store without jobs */
    store_close(open_store());
    snprintf(path, sizeof path, "%s/darkroom.db", folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DROP TABLE jobs", NULL, NULL, NULL), 0);
    sqlite3_close(db);
    assert_int_equal(store_open(&s, folder, &box, NULL, &fail), ERR_IO);
    assert_non_null(strstr(fail.hint, "darkroom.db"));
}

/* catches: two servers on one folder; a lock that outlives its server */
static void one_server_a_folder(void **state)
{
    struct store *s = open_store(), *other;

    (void)state;
    assert_int_equal(store_open(&other, folder, &box, NULL, &fail), ERR_CONFLICT);
    assert_non_null(strstr(fail.hint, "--data"));
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
    store_accept(s, &a);
    expect_stored(1, ERR_OK);
    store_accept(s, &twice);
    store_accept(s, &b);
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

/* catches: a server that does not start any more because of one damaged row */
static void damaged_row(void **state)
{
    char path[128];
    sqlite3 *db;
    struct store *s = open_store();
    struct hub_row a = row_of(1, 1), b = row_of(2, 2);
    struct seen seen;

    (void)state;
    store_accept(s, &a);
    store_accept(s, &b);
    expect_stored(2, ERR_OK);
    store_close(s);
    snprintf(path, sizeof path, "%s/darkroom.db", folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "UPDATE jobs SET spec='{' WHERE job=1", NULL, NULL, NULL), 0);
    sqlite3_close(db);
    seen = (struct seen){0};
    s = open_store();
    assert_int_equal(store_restore(s, 10, see, &seen, &fail), 0);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.job[0], 2);
    store_close(s);
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
    assert_int_equal(files_subfolder(fd, "out", &sub, &fail), ERR_IO);
    assert_int_equal(mkdirat(fd, "plain", 0700), 0);
    assert_int_equal(files_read(fd, "plain", &sub, &fail), ERR_NOT_FOUND);
    close(fd);
    assert_int_equal(files_folder("/dev/null/x", &fd, &fail), ERR_IO);
    assert_int_equal(store_open(&s, "/dev/null/x", &box, NULL, &fail), ERR_IO);
    assert_non_null(strstr(fail.hint, "/dev/null/x"));
    assert_non_null(strstr(fail.hint, "--data"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(survives_restart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(finds_results, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_result, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_store, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_server_a_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_row_stands_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_row, set_up, tear_down),
        cmocka_unit_test_setup_teardown(files_stay_inside, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
