/* test_faults - every call that the store makes of the system fails once, in turn: what was refused
 * is taken at the next try, what was confirmed is whole, and nothing is there twice or half. */
#include "server/store/store.h"

#include "server/events.h"
#include "test/server/store/faults.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- a full disk ------------------------------------------------------------------------------ */

static bool disk_is_full; /* as fstatvfs reports it */

int fstatvfs(int fd, struct statvfs *out)
{
    int err = FAULT_REAL(fstatvfs)(fd, out);

    if (disk_is_full) out->f_bavail = 1;
    return err;
}

/* --- the store -------------------------------------------------------------------------------- */

static char folder[64];
static struct mbox box;
static struct fail fail;

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/darkroom-faults-XXXXXX");
    assert_non_null(mkdtemp(folder));
    mbox_init(&box, NULL, NULL);
}

static void remove_folder(void)
{
    char command[96];

    mbox_destroy(&box);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
}

static const uint8_t DIGEST[SPEC_DIGEST_BYTES] = {1};
/* BLAKE2b-256 of "hello" */
static const char HEX[] = "324dcf027dd4a30a932c441f365a25e86b173defa4b8e58948253471b81b72cf";
static struct spec spec = {.prompt = (char *)(uintptr_t) "x",
                           .width = 64,
                           .height = 96,
                           .steps = 5,
                           .guidance = 1.5,
                           .seed = 77,
                           .lane = LANE_NORMAL,
                           .noise_seed = SPEC_SEED_PICK};

static struct hub_row row_of(uint64_t n, bool done)
{
    struct hub_row row = {.job = n,
                          .order = n,
                          .created_ms = 1000,
                          .key = "",
                          .digest = DIGEST,
                          .spec = &spec,
                          .accepted_seq = 500};

    if (!done) return row;
    row.state = STATE_DONE;
    row.result_seq = 600;
    row.end_seq = 601;
    row.result_digest = HEX;
    row.result_bytes = 5;
    return row;
}

static enum err next_answer(void)
{
    for (;;) {
        struct msg *m = mbox_wait(&box, 10000);
        enum err code;

        assert_non_null(m);
        assert_null(m->next);
        code = ((struct loop_stored *)m)->why.code;
        if (m->kind == LOOP_STORED) {
            free(m);
            return code;
        }
        free(m); /* a probe was taken */
    }
}

/* Until the store takes it, as the hub does; the first answer. */
static enum err write_row(struct store *s, uint64_t n, bool done)
{
    struct hub_row row = row_of(n, done);
    struct blob *file = done ? blob_copy("hello", 5) : NULL;
    enum err first = ERR_OK, err = ERR_OK;

    for (int i = 0; i == 0 || err; i++) {
        assert_true(i < 20);
        if (done)
            store_end(s, &row, file);
        else
            store_accept(s, &row, 1);
        err = next_answer();
        if (err && err != ERR_IO) fail_msg("error %d after %s", err, faults.failed);
        if (i == 0) first = err;
    }
    blob_unref(file);
    return first;
}

static int count_row(void *arg, const struct hub_row *row, struct fail *f)
{
    int *n = arg;

    (void)f;
    if (row->state == STATE_DONE && strcmp(row->result_digest, HEX) != 0) return ERR_INTERNAL;
    n[row->state]++;
    return 0;
}

static void check_all(uint64_t jobs)
{
    int n[8] = {0};
    struct store *s;
    struct store_file file;

    if (store_open(&s, &(struct store_conf){.data = folder, .loop = &box}, &fail))
        fail_msg("%s", fail.message);
    assert_int_equal(store_restore(s, 100000, count_row, n, &fail), 0);
    assert_int_equal(n[STATE_DONE], jobs);
    assert_int_equal(n[STATE_QUEUED], 0);
    assert_int_equal(store_find(s, &(struct store_asker){.all = true}, HEX, &file, &fail), 0);
    close(file.fd);
    store_close(s);
}

/* One job, accepted and ended, with the at-th call failing so many times; false: it made fewer. */
static bool one_fault(struct store *s, uint64_t job, int at, int number, int times)
{
    enum err first;
    bool hit;

    faults_arm(FAULT_DISK, number, at, times);
    first = write_row(s, job, false);
    if (!first) first = write_row(s, job, true);
    hit = faults_disarm() != NULL;
    if (first) write_row(s, job, true); /* also when only the acceptance was refused */
    return hit;
}

/* catches: a job that is lost, doubled or failed because one call of the system failed once */
static void each_call_in_turn(void **state)
{
    static const int numbers[] = {ENOSPC, EIO, EMFILE, EINTR};
    struct store *s;
    uint64_t job = 0;

    (void)state;
    make_folder();
    if (store_open(&s, &(struct store_conf){.data = folder, .loop = &box}, &fail))
        fail_msg("%s", fail.message);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        for (int times = 1; times <= 3; times += 2)
            for (int at = 1; one_fault(s, ++job, at, numbers[i], times); at++)
                assert_true(at < 1000);
    store_close(s);
    check_all(job);
    printf("%d faults\n", (int)job);
    assert_true(job > 60);
    remove_folder();
}

static void full_from(int at, int number, bool full)
{
    disk_is_full = full;
    faults_arm(FAULT_DISK, number, at, 1000000);
}

/* Start with every call from the at-th on failing; false: it made fewer. */
static bool one_start(int at, int number, bool full)
{
    struct store *s;
    int err;

    full_from(at, number, full);
    err = store_open(&s, &(struct store_conf){.data = folder, .loop = &box}, &fail);
    full_from(0, 0, false);
    if (!err) store_close(s);
    if (!err) return false;
    assert_int_equal(err, ERR_IO);
    assert_int_equal(strstr(fail.message, "is full") != NULL, full);
    assert_non_null(strstr(fail.hint, full ? "Make room" : "--data DIR"));
    return true;
}

/* catches: a start on a full disk, or in a folder without permission, that says "disk I/O error",
 * that serves although no picture can be stored, or after which the folder is of no use */
static void starts_on_a_full_disk(void **state)
{
    struct store *s;
    int starts = 0;

    (void)state;
    make_folder();
    for (int round = 0; round < 2; round++) { /* of a new folder, and of one with a job */
        for (int at = 1; one_start(at, ENOSPC, true); at++)
            starts++;
        assert_int_equal(store_open(&s, &(struct store_conf){.data = folder, .loop = &box}, &fail),
                         0);
        write_row(s, 1 + (uint64_t)round, false);
        write_row(s, 1 + (uint64_t)round, true);
        store_close(s);
        check_all(1 + (uint64_t)round);
    }
    printf("%d starts\n", starts);
    assert_true(starts >= 20);
    remove_folder();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_in_turn),
        cmocka_unit_test(starts_on_a_full_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
