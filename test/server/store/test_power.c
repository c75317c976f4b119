/* test_power - the power fails at every write of the store: what was confirmed until then is there.
 *
 * Jobs are accepted and end with pictures, checkpoints are written, users come, with every call
 * recorded (disk_log.h). Then the calls are replayed; after each one a disk is made as a loss of
 * power may leave it, and a store opened on it. The control runs the same with synchronous=NORMAL,
 * whose commits are not synced: there jobs must be lost. */
#include "test/server/store/disk_log.h"

#include "server/events.h"
#include "server/store/checkpoints.h"
#include "server/store/store.h"

#include <sodium.h>
#include <sqlite3.h>

#include <setjmp.h>
#include <stddef.h>

#include <cmocka.h>

enum { JOBS = 70, USERS = 5, IMAGES = 2000 };

static char folder[64], image[64];
static struct mbox box;
static struct fail fail;
static bool normal; /* the control */

/* Small checkpoints of the log, so that they happen; for the control with its own durability. */
int sqlite3_exec(sqlite3 *db, const char *sql, int (*each)(void *, int, char **, char **),
                 void *arg, char **message)
{
    __typeof__(&sqlite3_exec) real = DISK_REAL(sqlite3_exec);
    int rc = real(db, sql, each, arg, message);

    if (rc != SQLITE_OK || !strstr(sql, "synchronous=FULL")) return rc;
    rc = real(db, "PRAGMA wal_autocheckpoint=30", NULL, NULL, NULL);
    if (rc == SQLITE_OK && normal) rc = real(db, "PRAGMA synchronous=NORMAL", NULL, NULL, NULL);
    return rc;
}

static int set_up(void **state)
{
    const char *in = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";

    (void)state;
    snprintf(folder, sizeof folder, "%s/darkroom-power-XXXXXX", in);
    snprintf(image, sizeof image, "%s/darkroom-image-XXXXXX", in);
    mbox_init(&box, NULL, NULL);
    return mkdtemp(folder) && mkdtemp(image) ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[192];

    (void)state;
    mbox_destroy(&box);
    for (int i = 0; i < disk_log.n; i++)
        free(disk_log.op[i].data);
    disk_log.n = 0;
    snprintf(command, sizeof command, "rm -rf %s %s", folder, image);
    return system(command);
}

/* --- what is written -------------------------------------------------------------------------- */

/* Marks: what was confirmed. */
enum { ACCEPTED = 1000, ENDED = 2000, USER = 3000 };

static const uint8_t DIGEST[SPEC_DIGEST_BYTES] = {1};

static void prompt_of(uint64_t job, char out[3000])
{
    size_t n = 40 + job * 41 % 2900; /* some rows need pages of their own */

    memset(out, 'a' + (int)(job % 26), n);
    out[n] = '\0';
}

/* The picture of a job, or with an odd turn its checkpoints: different bytes each. */
static struct blob *bytes_of(uint64_t job, int turn)
{
    size_t n = 300 + job * 977 % 9000;
    char *p = malloc(n);
    struct blob *b;

    assert_non_null(p);
    for (size_t i = 0; i < n; i++)
        p[i] = (char)(i * (job + 7) + i / 256 + (size_t)turn * 31);
    b = blob_copy(p, n);
    free(p);
    return b;
}

static void digest_of(uint64_t job, char hex[65])
{
    struct blob *b = bytes_of(job, 0);
    uint8_t digest[32];

    crypto_generichash(digest, sizeof digest, (const uint8_t *)b->data, b->len, NULL, 0);
    sodium_bin2hex(hex, 65, digest, sizeof digest);
    blob_unref(b);
}

/* Take answers, each of which confirms what was asked for in that order. */
static void confirm(int n, const int *mark)
{
    for (int i = 0; i < n;)
        for (struct msg *m = mbox_wait(&box, 10000), *next; m; m = next) {
            next = m->next;
            assert_int_equal(m->kind, LOOP_STORED);
            assert_int_equal(((struct loop_stored *)m)->why.code, ERR_OK);
            disk_mark(mark[i++]);
            free(m);
        }
}

/* A job's row, with the texts that it borrows. */
struct job_texts {
    char prompt[3000], hex[65];
    struct spec spec;
    struct hub_row row;
};

static const struct hub_row *waiting_row(struct job_texts *t, uint64_t job)
{
    prompt_of(job, t->prompt);
    t->spec = (struct spec){.prompt = t->prompt,
                            .width = 64,
                            .height = 96,
                            .steps = 5,
                            .guidance = 1.5,
                            .seed = 77,
                            .lane = LANE_NORMAL,
                            .noise_seed = SPEC_SEED_PICK};
    t->row = (struct hub_row){.job = job,
                              .order = job,
                              .created_ms = 1000,
                              .key = "",
                              .digest = DIGEST,
                              .spec = &t->spec,
                              .accepted_seq = 500};
    return &t->row;
}

static void accept_one(struct store *s, uint64_t job)
{
    struct job_texts t;

    store_accept(s, waiting_row(&t, job), 1);
}

static void end_one(struct store *s, uint64_t job)
{
    struct blob *file = bytes_of(job, 0);
    struct job_texts t;

    waiting_row(&t, job);
    digest_of(job, t.hex);
    t.row.state = STATE_DONE;
    t.row.result_seq = 600;
    t.row.end_seq = 601;
    t.row.result_digest = t.hex;
    t.row.result_bytes = (int64_t)file->len;
    store_end(s, &t.row, file);
    blob_unref(file);
}

static void user_one(int n)
{
    struct user u;
    char token[TOKEN_TEXT];
    sqlite3 *db;

    user_defaults(&u);
    snprintf(u.name, sizeof u.name, "user%d", n);
    assert_int_equal(users_open(folder, false, &db, &fail), 0);
    if (users_add(db, &u, 1000, token, &fail)) fail_msg("%s", fail.message);
    sqlite3_close(db);
    disk_mark(USER + n);
}

/* Jobs come alone and in groups, so transactions have one row and several. */
static void record(void)
{
    struct store *s;
    int mark[16];

    disk_log.on = true;
    snprintf(disk_log.root, sizeof disk_log.root, "%s", folder);
    if (store_open(&s, &(struct store_conf){.data = folder, .loop = &box}, &fail))
        fail_msg("%s", fail.message);
    for (uint64_t job = 1; job <= JOBS;) {
        int group = 1 + (int)(job % 4), n = 0;

        for (int i = 0; i < group; i++) {
            accept_one(s, job + (uint64_t)i);
            mark[n++] = ACCEPTED + (int)job + i;
        }
        confirm(n, mark);
        for (int turn = 1; turn <= 2; turn++) {
            struct blob *b = bytes_of(job, turn);

            store_checkpoint(s, job, b);
            blob_unref(b);
        }
        n = 0;
        for (int i = 0; i < group; i++)
            if ((job + (uint64_t)i) % 5) {
                end_one(s, job + (uint64_t)i);
                mark[n++] = ENDED + (int)job + i;
            }
        confirm(n, mark);
        if (job * USERS / JOBS != (job + (uint64_t)group) * USERS / JOBS)
            user_one((int)(job * USERS / JOBS));
        job += (uint64_t)group;
    }
    store_close(s);
    disk_log.on = false;
}

/* --- what is left ----------------------------------------------------------------------------- */

struct left {
    bool known[JOBS + 8], done[JOBS + 8], user[USERS];
    int twice, wrong;
};

static int see(void *arg, const struct hub_row *row, struct fail *f)
{
    struct left *l = arg;
    char prompt[3000], hex[65];

    (void)f;
    if (row->job < 1 || row->job >= JOBS + 8) {
        l->wrong++;
        return 0;
    }
    l->twice += l->known[row->job];
    l->known[row->job] = true;
    prompt_of(row->job, prompt);
    l->wrong += strcmp(row->spec->prompt, prompt) != 0;
    if (row->state != STATE_DONE) return 0;
    digest_of(row->job, hex);
    l->done[row->job] = strcmp(row->result_digest, hex) == 0;
    l->wrong += !l->done[row->job];
    return 0;
}

/* A picture that a row names is there and whole; a checkpoint is one that was written, or none. */
static void see_files(struct store *s, struct left *l)
{
    for (uint64_t job = 1; job < JOBS + 8; job++) {
        struct blob *b = checkpoints_read(store_folder(s), job), *was[2];
        struct store_file file;
        char hex[65];
        bool good = !b;

        for (int turn = 1; turn <= 2; turn++) {
            was[turn - 1] = bytes_of(job, turn);
            good |= b && b->len == was[turn - 1]->len
                    && memcmp(b->data, was[turn - 1]->data, b->len) == 0;
            blob_unref(was[turn - 1]);
        }
        blob_unref(b);
        l->wrong += !good;
        if (!l->done[job]) continue;
        digest_of(job, hex);
        if (store_find(s, &(struct store_asker){.all = true}, hex, &file, &fail))
            l->done[job] = false;
        else
            close(file.fd);
    }
}

static void see_users(struct store *s, struct left *l)
{
    struct user_rows users;

    assert_int_equal(store_users(s, &users, &fail), 0);
    for (int i = 0; i < users.n; i++) {
        int n = users.user[i].name[4] - '0';

        if (n >= 0 && n < USERS) l->user[n] = true;
    }
    users_free(&users);
}

/* Open a store on the image; false: it does not start. */
static bool look(struct left *l)
{
    struct store *s;
    struct fail f;

    memset(l, 0, sizeof *l);
    if (store_open(&s, &(struct store_conf){.data = image, .loop = &box}, &f)) {
        print_message("%s\n", f.message);
        return false;
    }
    assert_int_equal(store_restore(s, 10000, see, l, &fail), 0);
    see_files(s, l);
    see_users(s, l);
    store_close(s);
    return true;
}

/* How much of what was confirmed before the op is missing, or wrong. */
static int missing(const struct left *l, int ops)
{
    int n = l->twice + l->wrong;

    for (int i = 0; i < ops; i++) {
        int64_t mark = disk_log.op[i].at;

        if (disk_log.op[i].what != DISK_MARK) continue;
        if (mark < ENDED)
            n += !l->known[mark - ACCEPTED];
        else if (mark < USER)
            n += !l->done[mark - ENDED];
        else
            n += !l->user[mark - USER];
    }
    return n;
}

static void empty_image(void)
{
    char command[96];

    snprintf(command, sizeof command, "rm -rf %s/*", image);
    assert_int_equal(system(command), 0);
}

/* Replay with `images` losses of power spread over all calls; how many of them lost something. */
static int replay(int images, enum disk_luck only)
{
    struct stat st;
    struct disk *d;
    uint64_t seed = 88172645463325252u;
    int bad = 0, made = 0;

    assert_int_equal(stat(folder, &st), 0);
    d = disk_new(st.st_ino);
    for (int i = 0; i < disk_log.n; i++) {
        disk_step(d, i);
        while ((int64_t)made * disk_log.n < (int64_t)images * (i + 1)) {
            struct left l;
            enum disk_luck luck = only == DISK_SOME ? (enum disk_luck)(made % 3) : only;
            int lost;

            made++;
            disk_image(d, image, luck, &seed);
            lost = look(&l) ? missing(&l, i + 1) : 1;
            if (lost && bad++ == 0)
                print_message("after %d of %d calls, luck %d: %d missing or wrong\n", i + 1,
                              disk_log.n, (int)luck, lost);
            empty_image();
        }
    }
    disk_free(d);
    print_message("%d calls, %d losses of power, %d lost something\n", disk_log.n, made, bad);
    return bad;
}

/* catches: a job, picture or user that was confirmed before it was on the disk, a database or a
 * picture that is half there */
static void nothing_confirmed_is_lost(void **state)
{
    (void)state;
    record();
    assert_int_equal(replay(IMAGES, DISK_SOME), 0);
}

/* catches: a test that could not see a loss */
static void without_syncs_jobs_are_lost(void **state)
{
    (void)state;
    normal = true;
    record();
    normal = false;
    assert_true(replay(60, DISK_NOTHING) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_confirmed_is_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_syncs_jobs_are_lost, set_up, tear_down),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
