/* test_each_call - accepting, ending with a picture, saving a checkpoint and changing a user, with
 * each call of the system and of malloc failing in turn.
 *
 * After each: an answer or an error that says what to do; what was acknowledged is on the disk as
 * a kill at this moment would leave it; what was refused is taken at the next try; nothing ended
 * twice. The last test has mutants of the store, each of which this must find. */
#include "server/store/checkpoints.h"
#include "server/store/files.h"
#include "server/store/rows.h"
#include "server/store/users.h"
#include "test/server/store/faults_memory.h"
#include "test/server/store/folder.h"
#include "test/server/store/killed.h"

/* --- mutants ---------------------------------------------------------------------------------- */

enum { NO_MUTANT, EARLY_WORD, NO_FILE, IN_PLACE, DEAF };
static int mutant;

int __real_rows_commit(struct job_rows *, struct fail *f);
int __wrap_rows_commit(struct job_rows *, struct fail *f);
int __real_files_write(int folder, const char *name, const void *bytes, size_t n, struct fail *f);
int __wrap_files_write(int folder, const char *name, const void *bytes, size_t n, struct fail *f);
int __real_files_replace(int folder, const char *name, const void *bytes, size_t n, struct fail *f);
int __wrap_files_replace(int folder, const char *name, const void *bytes, size_t n, struct fail *f);

/* EARLY_WORD: it is acknowledged whatever the commit comes to. */
int __wrap_rows_commit(struct job_rows *r, struct fail *f)
{
    int err = __real_rows_commit(r, f);

    if (mutant != EARLY_WORD || !err) return err;
    rows_rollback(r);
    return 0;
}

/* NO_FILE: its row is written whatever became of the picture. */
int __wrap_files_write(int at, const char *name, const void *bytes, size_t n, struct fail *f)
{
    int err = __real_files_write(at, name, bytes, n, f);

    return mutant == NO_FILE ? 0 : err;
}

/* IN_PLACE: over the older one. */
int __wrap_files_replace(int at, const char *name, const void *bytes, size_t n, struct fail *f)
{
    int fd, err;

    if (mutant != IN_PLACE) return __real_files_replace(at, name, bytes, n, f);
    fd = openat(at, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    err = fd < 0 || write(fd, bytes, n) != (ssize_t)n ? fail_set(f, ERR_IO, "It failed.") : 0;
    if (fd >= 0) close(fd);
    return err;
}

int __real_sqlite3_bind_text(sqlite3_stmt *q, int at, const char *text, int n, void (*end)(void *));
int __wrap_sqlite3_bind_text(sqlite3_stmt *q, int at, const char *text, int n, void (*end)(void *));

/* DEAF: a value that could not be bound is left out. */
int __wrap_sqlite3_bind_text(sqlite3_stmt *q, int at, const char *text, int n, void (*end)(void *))
{
    int bad = __real_sqlite3_bind_text(q, at, text, n, end);

    return mutant == DEAF ? 0 : bad;
}

/* --- operations ------------------------------------------------------------------------------- */

/* One of them, again and again with another call failing. */
struct arm {
    struct store *store;
    uint64_t job;        /* of this round */
    int64_t jobs, ended; /* acknowledged so far */
    struct checkpoints checkpoints;
    struct blob *blob, *tokens; /* the checkpoint or picture that is written, and its tokens */
    struct user user;
    sqlite3 *db, *keeper; /* db: of the next change; NULL: it opens one */
    char token[TOKEN_TEXT];
    bool changed; /* the user is, whatever became of telling it */
    struct fail why;
};

/* An answer for this job. */
static enum err answer_of(struct arm *a, uint64_t job)
{
    for (;;) {
        struct msg *m = mbox_wait(&box, 60000);
        struct loop_stored *s = (struct loop_stored *)m;
        struct loop_deleted *d = (struct loop_deleted *)m;
        bool stored, deleted;

        if (!m) fail_msg("no answer after %s", faults.failed);
        assert_null(m->next);
        stored = m->kind == LOOP_STORED;
        deleted = m->kind == LOOP_DELETED;
        if (stored || deleted) assert_int_equal(deleted ? d->deletion.job : s->job, job);
        if (stored || deleted) a->why = deleted ? d->why : s->why;
        free(m);
        if (stored || deleted) return a->why.code;
    }
}

static struct hub_row accepted_row(uint64_t job)
{
    struct hub_row row = row_of(job, job);

    row.webhook = "http://127.0.0.1:1/";
    return row;
}

/* Two at once, as a sweep does; the answer is for the second. */
static enum err run_accept(struct arm *a)
{
    const struct hub_row rows[2] = {accepted_row(2 * a->job), accepted_row(2 * a->job + 1)};

    store_accept(a->store, rows, 2);
    return answer_of(a, 2 * a->job + 1);
}

static const char *check_accept(struct arm *a, enum err err)
{
    sqlite3 *db = open_copy();
    int64_t now = query(db, "SELECT count(*) FROM jobs WHERE job/2=?1 AND webhook IS NOT NULL",
                        (int64_t)a->job);
    int64_t all = query(db, "SELECT count(*) FROM jobs WHERE job/2<>?1", (int64_t)a->job);

    sqlite3_close(db);
    if (!err) a->jobs += 2;
    if (!err && now != 2) return "acknowledged, and not on disk";
    if (now != 0 && now != 2) return "half of what is accepted together";
    return all == a->jobs - (err ? 0 : 2) ? NULL : "an earlier job is lost";
}

static void prepare_end(struct arm *a)
{
    const struct hub_row row = accepted_row(a->job);

    if (!a->blob) a->blob = blob_copy("hello", 5);
    if (!a->tokens) a->tokens = blob_copy("tokens", 6);
    assert_true(a->blob && a->tokens);
    store_accept(a->store, &row, 1);
    assert_int_equal(answer_of(a, a->job), ERR_OK);
}

static enum err run_end(struct arm *a)
{
    struct hub_row row = done_row(a->job, a->job, HEX);

    row.tokens = a->tokens;
    store_end(a->store, &row, a->blob);
    return answer_of(a, a->job);
}

static void picture_path(char out[192])
{
    snprintf(out, 192, "%s/outputs/64x96-seed77-%s.png", folder, HEX);
}

/* The picture's file goes before each try, so that none can lean on an earlier one's. */
static void lose_picture(void)
{
    char path[192];

    picture_path(path);
    unlink(path);
}

static bool has_picture(void)
{
    char path[192], bytes[8] = "";
    int fd;

    picture_path(path);
    fd = open(path, O_RDONLY);
    if (fd >= 0 && read(fd, bytes, sizeof bytes) != 5) bytes[0] = 0;
    if (fd >= 0) close(fd);
    return strcmp(bytes, "hello") == 0;
}

static const char *check_end(struct arm *a, enum err err)
{
    sqlite3 *db = open_copy();
    const int64_t job = (int64_t)a->job;
    int64_t done = query(db, "SELECT count(*) FROM jobs WHERE job=?1 AND state=2", job);
    int64_t hooks = query(db, "SELECT count(*) FROM hooks WHERE job=?1", job);
    int64_t tokens = query(db, "SELECT count(*) FROM tokens WHERE job=?1", job);
    int64_t others = query(db, "SELECT count(*) FROM jobs WHERE job<>?1 AND state=2", job);
    int64_t there = query(db, "SELECT count(*) FROM jobs WHERE job=?1", job);
    bool picture = has_picture();

    sqlite3_close(db);
    lose_picture();
    if (there != 1) return "a job is lost";
    if (!err && done != 1) return "acknowledged, and not on disk";
    if (done && !picture) return "an end without its picture";
    if (done != hooks || done != tokens) return "half an end: its webhook, or its tokens";
    if (others != a->ended) return "another end is lost, or there twice";
    if (!err) a->ended++;
    return NULL;
}

static struct blob *checkpoint_of(uint64_t job, size_t n)
{
    char *bytes = __real_malloc(n);
    struct blob *b;

    assert_non_null(bytes);
    memset(bytes, (int)(job & 0xff), n);
    b = blob_copy(bytes, n);
    assert_non_null(b);
    free(bytes);
    return b;
}

enum { CHECKPOINT_JOB = 0x11, CHECKPOINT_BYTES = 30000 };

static bool all_wait(void *arg, uint64_t job)
{
    (void)arg, (void)job;
    return true;
}

static void open_checkpoints(struct arm *a)
{
    struct fail f;

    if (a->checkpoints.running) return;
    memset(&a->checkpoints, 0, sizeof a->checkpoints);
    assert_int_equal(
        checkpoints_open(&a->checkpoints, store_folder(a->store), NULL, all_wait, NULL, &f), 0);
}

/* What is not written is refused or, without memory for the message, left out. */
static enum err run_save(struct arm *a)
{
    open_checkpoints(a);
    checkpoints_write(&a->checkpoints, CHECKPOINT_JOB, a->blob);
    checkpoints_close(&a->checkpoints);
    if (a->checkpoints.refused) fail_set(&a->why, ERR_IO, "It was refused.");
    return a->checkpoints.refused ? ERR_IO : ERR_OK;
}

/* An older one is there, of other bytes. */
static void prepare_save(struct arm *a)
{
    blob_unref(a->blob);
    a->blob = checkpoint_of(2 * a->job, CHECKPOINT_BYTES);
    assert_int_equal(run_save(a), ERR_OK);
    blob_unref(a->blob);
    a->blob = checkpoint_of(2 * a->job + 1, CHECKPOINT_BYTES);
    open_checkpoints(a);
}

static const char *check_save(struct arm *a, enum err err)
{
    struct blob *b = checkpoints_read(store_folder(a->store), CHECKPOINT_JOB);
    uint8_t byte = b && b->len == CHECKPOINT_BYTES ? b->data[0] : 0;
    bool newer = byte == (uint8_t)(2 * a->job + 1), older = byte == (uint8_t)(2 * a->job);

    blob_unref(b);
    if (!newer && !older) return "neither the older checkpoint nor the newer one";
    if (!newer && !err && !faults_of_memory()) return "written, and not there";
    return NULL;
}

static enum err run_resume(struct arm *a)
{
    struct blob *b = checkpoints_read(store_folder(a->store), CHECKPOINT_JOB);
    enum err err = b ? ERR_OK : fail_set(&a->why, ERR_IO, "It was not read.");

    a->changed = b && b->len == CHECKPOINT_BYTES && b->data[7] == (uint8_t)(2 * a->job + 1);
    blob_unref(b);
    return err;
}

static void prepare_resume(struct arm *a)
{
    prepare_save(a);
    assert_int_equal(run_save(a), ERR_OK);
}

static const char *check_resume(struct arm *a, enum err err)
{
    if (err && (faults.number == EINTR || faults.number == FAULT_SHORT))
        return "a call that was interrupted costs the picture so far";
    return err || a->changed ? NULL : "other bytes than were written";
}

static enum err run_delete(struct arm *a)
{
    const struct hub_deletion d = {.job = a->job};
    enum err err;

    store_delete(a->store, &d);
    err = answer_of(a, a->job);
    store_settled(a->store, a->job);
    return err;
}

static int count_row(void *arg, const struct hub_row *row, struct fail *f)
{
    (void)row, (void)f;
    ++*(int *)arg;
    return 0;
}

/* What is called gone has no row and no file, and what is refused can be found. */
static const char *check_delete(struct arm *a, enum err err)
{
    sqlite3 *db = open_copy();
    int64_t there = query(db, "SELECT count(*) FROM jobs WHERE job=?1", (int64_t)a->job);
    int64_t tokens = query(db, "SELECT count(*) FROM tokens WHERE job=?1", (int64_t)a->job);
    bool picture = has_picture();
    int found = 0;

    sqlite3_close(db);
    store_recall(a->store, a->job, count_row, &found);
    if (!err && (there || tokens)) return "called gone, and its row is there";
    if (!err && picture) return "called gone, and its picture is there";
    if (!err && found) return "called gone, and found";
    if (err && there && !found && !faults_of_memory()) return "refused, and not found";
    return there == 0 && picture ? "a picture without a row" : NULL;
}

/* The picture of a job, as a client fetches it. */
static void prepare_fetch(struct arm *a)
{
    prepare_end(a);
    assert_int_equal(run_end(a), ERR_OK);
}

static enum err run_fetch(struct arm *a)
{
    struct store_file file;
    enum err err = store_find(a->store, &ANYONE, HEX, &file, &a->why);

    if (!err) assert_int_equal(file.bytes, 5);
    if (!err) close(file.fd);
    return err;
}

/* one_fault() finds a picture that is there and called gone, as another error than it may have. */
static const char *check_fetch(struct arm *a, enum err err)
{
    (void)a, (void)err;
    return has_picture() ? NULL : "the picture is gone";
}

/* --- users ------------------------------------------------------------------------------------ */

enum user_change { ADD, SET, ROTATE, REMOVE };

static enum err change_user(struct arm *a, enum user_change what, sqlite3 *db)
{
    switch (what) {
    case ADD: return users_add(db, &a->user, 1, a->token, &a->why);
    case SET: return users_set(db, &a->user, USERS_LANES | USERS_WEIGHT | USERS_ROLE, &a->why);
    case ROTATE: return users_rotate(db, a->user.name, a->token, &a->why);
    default: return users_remove(db, a->user.name, 2, &a->why);
    }
}

/* As `darkroom user` does it: in a connection of its own, then the server is told. */
static enum err run_user(struct arm *a, enum user_change what)
{
    enum err err = a->db ? 0 : users_open(folder, false, &a->db, &a->why);

    if (!err && !a->changed) {
        err = change_user(a, what, a->db);
        a->changed = !err;
    }
    if (!err) err = users_announce(folder, &a->why);
    sqlite3_close(a->db);
    a->db = NULL;
    return err;
}

static enum err run_add(struct arm *a)
{
    return run_user(a, ADD);
}

static enum err run_set(struct arm *a)
{
    return run_user(a, SET);
}

static enum err run_rotate(struct arm *a)
{
    return run_user(a, ROTATE);
}

static enum err run_remove(struct arm *a)
{
    return run_user(a, REMOVE);
}

static void prepare_add(struct arm *a)
{
    user_defaults(&a->user);
    snprintf(a->user.name, sizeof a->user.name, "u%d", (int)a->job);
    a->changed = false;
    memset(a->token, 0, sizeof a->token);
}

static void prepare_user(struct arm *a)
{
    prepare_add(a);
    assert_int_equal(run_add(a), ERR_OK);
    assert_int_equal(users_open(folder, false, &a->db, &a->why), 0); /* adding has it fail */
    a->changed = false;
    a->user.lanes = 1;
    a->user.weight = 7;
    a->user.role = ROLE_VIEWER;
}

/* In the list that a server reads; -1: it is not. */
static int user_at(const struct user_rows *rows, const char *name)
{
    for (int i = 0; i < rows->n; i++)
        if (strcmp(rows->user[i].name, name) == 0) return i;
    return -1;
}

static bool same_user(const struct user *a, const struct user *b)
{
    return a->lanes == b->lanes && !(a->weight < b->weight) && !(a->weight > b->weight)
           && a->role == b->role;
}

/* What a server reads, and what is on the disk after a kill. */
static const char *check_user(struct arm *a, enum user_change what)
{
    sqlite3 *killed = open_copy();
    uint8_t hash[TOKEN_HASH_BYTES];
    const char *broken = NULL;

    token_hash(a->token, TOKEN_LENGTH, hash);
    for (int i = 0; i < 2 && !broken; i++) {
        struct user_rows rows;
        struct fail f;
        int at, err = i ? users_read(killed, &rows, &f) : store_users(a->store, &rows, &f);
        bool there, wanted = what == ADD ? a->changed : what != REMOVE || !a->changed;

        assert_int_equal(err, 0);
        at = user_at(&rows, a->user.name);
        there = at >= 0;
        if (rows.damaged) broken = "a damaged row";
        if (i == 1 && !a->changed) there = wanted; /* refused: a kill may leave either */
        if (there != wanted) broken = wanted ? "the user is not there" : "the user is there";
        if (there && at >= 0 && a->changed && what != SET
            && memcmp(rows.token[at], hash, sizeof hash) != 0)
            broken = "another token than the one that was shown";
        if (at >= 0 && what == SET && i == 0 && same_user(&rows.user[at], &a->user) != a->changed)
            broken = a->changed ? "not changed" : "refused, and changed";
        users_free(&rows);
    }
    sqlite3_close(killed);
    return broken;
}

static const char *check_add(struct arm *a, enum err err)
{
    (void)err;
    return check_user(a, ADD);
}

static const char *check_set(struct arm *a, enum err err)
{
    (void)err;
    return check_user(a, SET);
}

static const char *check_rotate(struct arm *a, enum err err)
{
    (void)err;
    return check_user(a, ROTATE);
}

static const char *check_remove(struct arm *a, enum err err)
{
    (void)err;
    return check_user(a, REMOVE);
}

/* As a server does when it is told. */
static enum err run_read(struct arm *a)
{
    struct user_rows rows;
    enum err err = store_users(a->store, &rows, &a->why);
    int at = err ? -1 : user_at(&rows, a->user.name);

    a->changed = at >= 0 && !rows.damaged && rows.user[at].disk_bytes == 5000;
    users_free(&rows);
    return err;
}

static void prepare_read(struct arm *a)
{
    if (a->job > 1) return;
    prepare_user(a);
    a->user.disk_bytes = 5000;
    assert_int_equal(users_set(a->db, &a->user, USERS_DISK, &a->why), 0);
    sqlite3_close(a->db);
    a->db = NULL;
}

static const char *check_read(struct arm *a, enum err err)
{
    return err || a->changed ? NULL : "a user that the server does not see any more";
}

/* --- each call in turn ------------------------------------------------------------------------ */

static const struct operation {
    const char *name;
    void (*prepare)(struct arm *); /* NULL: nothing */
    enum err (*run)(struct arm *);
    const char *(*check)(struct arm *, enum err); /* NULL: all is well */
} OPERATIONS[] = {
    {"accept", NULL, run_accept, check_accept},
    {"end", prepare_end, run_end, check_end},
    {"save", prepare_save, run_save, check_save},
    {"resume", prepare_resume, run_resume, check_resume},
    {"user add", prepare_add, run_add, check_add},
    {"user set", prepare_user, run_set, check_set},
    {"user rotate", prepare_user, run_rotate, check_rotate},
    {"user remove", prepare_user, run_remove, check_remove},
    {"delete", prepare_fetch, run_delete, check_delete},
    {"fetch", prepare_fetch, run_fetch, check_fetch},
    {"users read", prepare_read, run_read, check_read},
};
enum { N_OPERATIONS = sizeof OPERATIONS / sizeof *OPERATIONS };

static const struct mode {
    const char *name;
    unsigned kinds;
    int number;
    int times; /* so many calls, one after another .. */
    int step;  /* .. from the first on, from so many later on, .. */
} MODES[] = {
    {"no space", FAULT_DISK, ENOSPC, 1, 1},
    {"no space, 3 times", FAULT_DISK, ENOSPC, 3, 1},
    {"I/O error", FAULT_CALLS, EIO, 1, 1},
    {"interrupted", FAULT_CALLS & ~(FAULT_STAT | FAULT_MAP), EINTR, 1, 1},
    {"short", FAULT_WRITE | FAULT_READ, FAULT_SHORT, 1, 1},
    {"no memory", FAULT_MEMORY, ENOMEM, 1, 1},
    {"no memory, 3 times", FAULT_MEMORY, ENOMEM, 3, 3},
};
enum { N_MODES = sizeof MODES / sizeof *MODES };

/* What a refusal says, or NULL: it says enough. */
static const char *unclear(const struct arm *a, enum err err)
{
    if (err != ERR_IO && err != ERR_OUT_OF_MEMORY) return "refused as if it were wrong";
    return a->why.message[0] && a->why.hint[0] ? NULL : "refused without a reason";
}

/* One round; *hit: a call has failed. */
static const char *one_fault(const struct operation *op, const struct mode *m, struct arm *a,
                             int at, bool *hit)
{
    const char *broken;
    enum err err;

    a->job++;
    if (at % 8 == 0) /* less is copied */
        sqlite3_wal_checkpoint_v2(a->keeper, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (op->prepare) op->prepare(a);
    memset(&a->why, 0, sizeof a->why);
    faults_arm(m->kinds, m->number, at, m->times);
    err = op->run(a);
    *hit = faults_disarm() != NULL;
    broken = op->check(a, err);
    if (!broken && err) broken = unclear(a, err);
    if (broken || !err) return broken;
    if (op->run(a)) return "refused again, though nothing fails";
    return op->check(a, ERR_OK);
}

static void begin(struct arm *a)
{
    assert_int_equal(set_up(NULL), 0);
    snprintf(copy, sizeof copy, "%s.copy", folder);
    assert_int_equal(mkdir(copy, 0700), 0);
    *a = (struct arm){.store = open_store()};
    assert_int_equal(users_open(folder, false, &a->keeper, &fail), 0);
}

static void end(struct arm *a)
{
    char command[128];

    sqlite3_close(a->db);
    sqlite3_close(a->keeper);
    store_close(a->store);
    blob_unref(a->blob);
    blob_unref(a->tokens);
    assert_int_equal(tear_down(NULL), 0);
    snprintf(command, sizeof command, "rm -rf %s", copy);
    assert_int_equal(system(command), 0);
}

/* All calls of one operation; NULL, or what is wrong first. */
static const char *each_call(const struct operation *op, const struct mode *m, bool show)
{
    const char *broken = NULL;
    bool hit = true;
    struct arm a;
    int at = 1;

    begin(&a);
    for (; at < 5000; at += m->step) {
        broken = one_fault(op, m, &a, at, &hit);
        if (broken || !hit) break;
    }
    if (show && broken)
        printf("%s, %s, call %d (%s): %s%s%s\n", op->name, m->name, at, faults.failed, broken,
               a.why.message[0] ? ": " : "", a.why.message);
    if (show && !broken) printf("%s, %s: %d calls\n", op->name, m->name, at - 1);
    if (!broken && at >= 5000) broken = "it does not end";
    end(&a);
    return broken;
}

/* catches: a word that is given before its row is safe, half an end, a job that is lost or ends
 * twice, a refusal after which nothing is taken, a crash: whichever call fails */
static void every_operation(void **state)
{
    int broken = 0;

    (void)state;
    for (int i = 0; i < N_OPERATIONS; i++)
        for (int m = 0; m < N_MODES; m++)
            broken += each_call(&OPERATIONS[i], &MODES[m], true) != NULL;
    assert_int_equal(broken, 0);
}

/* catches: an upload to be removed, for which there is no memory: it ended the process */
static void a_discard_is_answered(void **state)
{
    struct image_discard *m;
    struct arm a;

    (void)state;
    begin(&a);
    faults_arm(FAULT_MEMORY, ENOMEM, 1, 1000);
    store_discard_image(a.store, 7, 0, DIGEST, false);
    faults_disarm();
    m = (struct image_discard *)mbox_wait(&box, 60000);
    assert_non_null(m);
    assert_true(m->m.kind == LOOP_DISCARDED && m->ticket == 7);
    assert_int_equal(m->why.code, ERR_OUT_OF_MEMORY);
    free(m);
    end(&a);
}

/* catches: a test above that finds nothing */
static void mutants_are_found(void **state)
{
    static const struct {
        const char *operation, *mode;
        int mutant;
    } MUTANTS[] = {
        {"accept", "I/O error", EARLY_WORD}, {"end", "I/O error", EARLY_WORD},
        {"end", "no space", NO_FILE},        {"save", "no space", IN_PLACE},
        {"user set", "no memory", DEAF},
    };

    (void)state;
    for (size_t i = 0; i < sizeof MUTANTS / sizeof *MUTANTS; i++) {
        const struct operation *op = OPERATIONS;
        const struct mode *m = MODES;
        const char *broken;

        while (strcmp(op->name, MUTANTS[i].operation) != 0)
            op++;
        while (strcmp(m->name, MUTANTS[i].mode) != 0)
            m++;
        mutant = MUTANTS[i].mutant;
        broken = each_call(op, m, false);
        mutant = NO_MUTANT;
        if (!broken) fail_msg("%s, %s: a mutant is not found", op->name, m->name);
        printf("%s, %s, a mutant: %s\n", op->name, m->name, broken);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation),
        cmocka_unit_test(a_discard_is_answered),
        cmocka_unit_test(mutants_are_found),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    faults_memory_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
