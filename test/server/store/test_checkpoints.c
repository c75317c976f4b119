/* test_checkpoints - a checkpoint is what was written last or nothing, as long as its job is not
 * over, and whatever happens to it no job notices. */
#include "server/store/checkpoints.h"

#include "server/base/log.h"
#include "test/server/store/folder.h"

#include <fcntl.h>

enum { WAITS = 0x11, ENDS = 0x22, GONE = 0x33 };

static struct blob *blob_of(char c, size_t len)
{
    char *bytes = malloc(len);
    struct blob *b;

    assert_non_null(bytes);
    memset(bytes, c, len);
    b = blob_copy(bytes, len);
    assert_non_null(b);
    free(bytes);
    return b;
}

static void give(struct store *s, uint64_t job, char c, size_t len)
{
    struct blob *b = blob_of(c, len);

    store_checkpoint(s, job, b);
    blob_unref(b);
}

/* What is on disk: nothing when c is 0. */
static void has(uint64_t job, char c, size_t len)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY);
    struct blob *b = checkpoints_read(fd, job);

    close(fd);
    assert_true((b != NULL) == (c != 0));
    if (!b) return;
    assert_int_equal(b->len, len);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(b->data[i], c);
    blob_unref(b);
}

static void accept_job(struct store *s, uint64_t job)
{
    struct hub_row row = row_of(job, job);

    row.key = "";
    store_accept(s, &row, 1);
    expect_stored(1, ERR_OK);
}

static void end_job(struct store *s, uint64_t job)
{
    struct hub_row row = row_of(job, job);

    row.key = "";
    row.state = STATE_CANCELLED;
    row.end_seq = 601;
    store_end(s, &row, NULL);
    expect_stored(1, ERR_OK);
}

/* catches: an older checkpoint that stays, a mode that lets others read it, one that is lost by a
 * restart or outlives its job; what an interrupted write left, and what belongs to no job */
static void lasts_as_long_as_its_job(void **state)
{
    char path[128];
    struct stat st;
    struct store *s = open_store();

    (void)state;
    accept_job(s, WAITS);
    accept_job(s, ENDS);
    give(s, WAITS, 'a', 100000);
    give(s, ENDS, 'b', 10);
    give(s, WAITS, 'c', 70000);
    give(s, GONE, 'd', 10);
    store_close(s);
    has(WAITS, 'c', 70000);
    has(ENDS, 'b', 10);
    path_of(path, "checkpoints/0000000000000011");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    path_of(path, "checkpoints/0000000000000011.part");
    close(open(path, O_WRONLY | O_CREAT, 0600));
    s = open_store();
    assert_int_equal(access(path, F_OK), -1);
    has(WAITS, 'c', 70000);
    has(GONE, 0, 0);
    end_job(s, ENDS);
    give(s, WAITS, 'e', 1);
    store_close(s);
    has(WAITS, 'e', 1);
    has(ENDS, 0, 0);
}

/* catches: bytes that are not those that were written, after a power cut or a damaged disk */
static void what_is_damaged_is_none(void **state)
{
    char path[128], byte;
    struct store *s = open_store();
    int fd;

    (void)state;
    accept_job(s, WAITS);
    give(s, WAITS, 'a', 3000);
    store_close(s);
    path_of(path, "checkpoints/0000000000000011");
    fd = open(path, O_RDWR);
    for (off_t at = 0; at < 3032; at += 1 + at / 7) {
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 4;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        has(WAITS, 0, 0);
        byte ^= 4;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    has(WAITS, 'a', 3000);
    for (off_t len = 3031; len > 0; len /= 2) {
        assert_int_equal(ftruncate(fd, len), 0);
        has(WAITS, 0, 0);
    }
    assert_int_equal(ftruncate(fd, 3032), 0); /* a hole */
    has(WAITS, 0, 0);
    assert_int_equal(ftruncate(fd, (off_t)5 << 30), 0);
    has(WAITS, 0, 0);
    close(fd);
}

static int lines_in(const char *path, const char *with)
{
    char line[1024];
    FILE *f = fopen(path, "r");
    int n = 0;

    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        n += strstr(line, with) != NULL;
    fclose(f);
    return n;
}

/* catches: a job that suffers from a disk that takes no checkpoints, a line for each of them,
 * checkpoints that stay away for ever */
static void no_job_notices_a_refusal(void **state)
{
    char path[128], log_path[128];
    struct log log;
    struct store_conf conf = {.data = folder, .loop = &box, .log = &log};
    struct store *s;
    int fd;

    (void)state;
    path_of(path, "checkpoints");
    path_of(log_path, "log");
    close(open(path, O_WRONLY | O_CREAT, 0600)); /* a file where the folder should be */
    fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    log_init(&log, fd, LOG_INFO);
    assert_int_equal(store_open(&s, &conf, &fail), 0);
    accept_job(s, WAITS);
    for (int i = 0; i < 5; i++)
        give(s, WAITS, 'a', 50);
    accept_job(s, ENDS);
    end_job(s, ENDS);
    store_close(s);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(store_open(&s, &conf, &fail), 0);
    give(s, WAITS, 'b', 50);
    store_close(s);
    has(WAITS, 'b', 50);
    log_destroy(&log);
    close(fd);
    assert_int_equal(lines_in(log_path, "checkpoints are not written"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lasts_as_long_as_its_job, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_damaged_is_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_job_notices_a_refusal, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
