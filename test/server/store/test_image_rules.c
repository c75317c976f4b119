/* test_image_rules - pictures that jobs begin with, under random operations on the real tables and
 * files: uploads, jobs that begin with them or with results, ends, deletions, time, restarts.
 *
 * After each operation the tables are what a few plain rules say: nothing that a job begins with is
 * removed, nothing else stays longer than its time, a bound counts each upload once, and each row
 * has its file. A failure prints its step; DARKROOM_SEED and DARKROOM_OPERATIONS as in test/sim. */
#include "test/server/store/folder.h"

#include "server/store/files.h"
#include "server/store/images.h"

#include <dirent.h>
#include <sodium.h>

enum { OWNERS = 3, FILES = 12, UPLOADED = 8, JOBS = 24, OPERATIONS = 800, KEEP_MS = 50000 };

static const int BOUND = 700; /* of the first owner; the sum of all uploads is more */

/* What the test believes. Files from UPLOADED on are results. */
static struct {
    struct job_rows rows;
    struct pictures outputs;
    struct image_store images;
    int folder;
    uint64_t random;
    long step, refused, conflicts, pruned, jobs_refused, restarts, linked;
    int64_t now_ms;
    uint64_t next_job;
    struct {
        bool there, upload;
        int64_t used_ms;
    } row[OWNERS][FILES];
    struct {
        uint64_t id;        /* 0: none */
        int owner, result;  /* -1: it has none */
        bool over, private; /* private: it has no row, and goes with its end or the process */
        unsigned sources;   /* files */
    } job[JOBS];
} t;

static char text_of[FILES][200], digest_text[FILES][SPEC_DIGEST_TEXT];
static uint8_t digest_of[FILES][SPEC_DIGEST_BYTES];

#define MUST(condition)                                                                    \
    do {                                                                                   \
        if (!(condition)) fail_msg("step %ld: %s (%s)", t.step, #condition, fail.message); \
    } while (0)

static int pick(int n)
{
    uint64_t z = (t.random += 0x9e3779b97f4a7c15ULL);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return (int)((z >> 33) % (uint64_t)n);
}

static void make_files(void)
{
    for (int i = 0; i < FILES; i++) {
        memset(text_of[i], 'a' + i, (size_t)(100 + 7 * i));
        crypto_generichash(digest_of[i], sizeof digest_of[i], (uint8_t *)text_of[i],
                           strlen(text_of[i]), NULL, 0);
        spec_digest_text(digest_of[i], digest_text[i]);
    }
}

static void open_all(void)
{
    char path[128];
    int64_t there;

    snprintf(path, sizeof path, "%s/darkroom.db", folder);
    memset(&t.rows, 0, sizeof t.rows);
    MUST(files_folder(folder, &t.folder, &fail) == 0);
    MUST(rows_open(&t.rows, path, &fail) == 0);
    pictures_init(&t.outputs, t.folder, "outputs", NULL);
    MUST(pictures_sweep(&t.outputs, &there, &fail) == 0);
    MUST(images_open(&t.images, &t.rows, &t.outputs, t.folder, NULL, &fail) == 0);
}

static void close_all(void)
{
    rows_close(&t.rows);
    close(t.folder);
}

/* --- what should be --------------------------------------------------------------------------- */

static bool begins_with(int j, int owner, int file)
{
    return t.job[j].id && t.job[j].owner == owner && t.job[j].sources >> file & 1;
}

static int jobs_with(int owner, int file, bool waiting)
{
    int n = 0;

    for (int j = 0; j < JOBS; j++)
        n += begins_with(j, owner, file) && !(waiting && t.job[j].over);
    return n;
}

static bool has_result(int owner, int file)
{
    for (int j = 0; j < JOBS; j++)
        if (t.job[j].id && t.job[j].owner == owner && t.job[j].result == file) return true;
    return false;
}

static int uploaded_bytes(int owner, int but)
{
    int n = 0;

    for (int i = 0; i < FILES; i++)
        if (t.row[owner][i].upload && i != but) n += (int)strlen(text_of[i]);
    return n;
}

/* --- operations ------------------------------------------------------------------------------- */

static void upload(int owner, int file)
{
    struct intake m = {.owner = (uint32_t)owner + 1, .created_ms = t.now_ms, .changed = "[]"};
    const size_t len = strlen(text_of[file]);
    bool fits = owner > 0 || uploaded_bytes(owner, file) + (int)len <= BOUND;
    int err;

    m.png = blob_copy(text_of[file], len);
    m.image = (struct spec_image){.width = 20, .height = 30};
    memcpy(m.image.digest, digest_of[file], SPEC_DIGEST_BYTES);
    err = images_add(&t.images, &m, &fail);
    blob_unref(m.png);
    MUST(err == (fits ? 0 : ERR_TOO_LARGE));
    t.refused += !fits;
    if (!fits) return;
    t.row[owner][file].there = t.row[owner][file].upload = true;
    t.row[owner][file].used_ms = t.now_ms;
}

static int write_job(const struct hub_row *row)
{
    int err = rows_begin(&t.rows, &fail);

    if (!err && !row->private) err = rows_accept(&t.rows, row, &fail);
    if (!err) err = images_refer(&t.images, row, &fail);
    if (!err) err = rows_commit(&t.rows, &fail);
    if (err) rows_rollback(&t.rows);
    return err;
}

static void accept(int j, int owner)
{
    struct spec s = spec;
    struct hub_row row = row_of(t.next_job + 1, t.next_job + 1);
    bool known = true;

    t.job[j].sources = 0;
    for (s.images = 0; s.images == 0 || (s.images < LIMIT_IMAGES && pick(2)); s.images++) {
        int file = pick(FILES);

        memcpy(s.image[s.images].digest, digest_of[file], SPEC_DIGEST_BYTES);
        s.image[s.images].width = s.image[s.images].height = 20;
        t.job[j].sources |= 1U << file;
        known &= t.row[owner][file].there || has_result(owner, file);
    }
    row.spec = &s;
    row.owner = (uint32_t)owner + 1;
    row.created_ms = t.now_ms;
    row.private = t.job[j].private = pick(3) == 0;
    MUST(write_job(&row) == (known ? 0 : ERR_NOT_FOUND));
    t.jobs_refused += !known;
    if (!known) return;
    t.next_job = t.job[j].id = row.job;
    t.job[j].owner = owner;
    t.job[j].over = false;
    t.job[j].result = -1;
    for (int i = 0; !row.private && i < FILES; i++)
        if (t.job[j].sources >> i & 1) {
            t.linked += !t.row[owner][i].there;
            t.row[owner][i].there = true;
            t.row[owner][i].used_ms = t.now_ms;
        }
}

static void end(int j)
{
    int file = UPLOADED + pick(FILES - UPLOADED);
    bool done = pick(4) > 0;
    struct hub_row row = done_row(t.job[j].id, t.job[j].id, digest_text[file]);
    char name[PICTURE_NAME_BYTES];

    row.owner = (uint32_t)t.job[j].owner + 1;
    row.result_bytes = (int64_t)strlen(text_of[file]);
    snprintf(name, sizeof name, "%s.png", digest_text[file]);
    if (!done) row = row_of(t.job[j].id, t.job[j].id), row.state = STATE_CANCELLED;
    row.owner = (uint32_t)t.job[j].owner + 1;
    if (done)
        MUST(pictures_write(&t.outputs, name, text_of[file], strlen(text_of[file]), &fail) == 0);
    MUST(rows_begin(&t.rows, &fail) == 0);
    MUST(rows_end(&t.rows, &row, done ? name : "", &fail) == 0);
    MUST(rows_commit(&t.rows, &fail) == 0);
    t.job[j].over = true;
    t.job[j].result = done ? file : -1;
}

static void end_private(int j)
{
    MUST(rows_begin(&t.rows, &fail) == 0);
    MUST(images_release(&t.images, t.job[j].id, &fail) == 0);
    MUST(rows_commit(&t.rows, &fail) == 0);
    t.job[j].id = 0;
}

static void remove_job(int j)
{
    struct row_picture p;

    if (!rows_picture(&t.rows, t.job[j].id, &p, NULL) && !p.shared)
        pictures_remove(&t.outputs, p.name, NULL);
    MUST(rows_begin(&t.rows, &fail) == 0);
    MUST(rows_remove(&t.rows, t.job[j].id, &fail) == 0);
    MUST(rows_commit(&t.rows, &fail) == 0);
    t.job[j].id = 0;
}

static void on_job(int j)
{
    if (!t.job[j].id)
        accept(j, pick(OWNERS));
    else if (t.job[j].private)
        end_private(j);
    else if (!t.job[j].over)
        end(j);
    else
        remove_job(j);
}

static void discard(int owner, int file)
{
    struct image_discard d = {.owner = (uint32_t)owner + 1, .forgotten = pick(2) == 0};
    int err;

    memcpy(d.digest, digest_of[file], SPEC_DIGEST_BYTES);
    images_discard(&t.images, &d);
    err = d.why.code;
    if (!t.row[owner][file].upload) {
        MUST(err == (d.forgotten ? 0 : ERR_NOT_FOUND));
        return;
    }
    t.conflicts += err == ERR_CONFLICT;
    MUST(err == (jobs_with(owner, file, true) ? ERR_CONFLICT : 0));
    if (!err) t.row[owner][file].there = t.row[owner][file].upload = false;
}

static void prune(void)
{
    images_prune(&t.images, t.now_ms, KEEP_MS);
    for (int owner = 0; owner < OWNERS; owner++)
        for (int i = 0; i < FILES; i++) {
            if (!t.row[owner][i].there || t.row[owner][i].used_ms >= t.now_ms - KEEP_MS
                || jobs_with(owner, i, false))
                continue;
            t.row[owner][i].there = t.row[owner][i].upload = false;
            t.pruned++;
        }
}

/* As a kill does while a file is written. */
static void leave_part(int file)
{
    char path[256];
    FILE *f;

    snprintf(path, sizeof path, "%s/images/%s.png.part", folder, digest_text[file]);
    f = fopen(path, "w");
    MUST(f && fputs("half", f) >= 0 && fclose(f) == 0);
}

static void restart(void)
{
    for (int j = 0; j < JOBS; j++)
        if (t.job[j].private) t.job[j].id = 0;
    close_all();
    leave_part(pick(FILES));
    open_all();
    t.restarts++;
}

/* --- what is ---------------------------------------------------------------------------------- */

static void check_rows(void)
{
    sqlite3_stmt *q = NULL;
    int n = 0, want = 0;

    for (int owner = 0; owner < OWNERS; owner++)
        for (int i = 0; i < FILES; i++)
            want += t.row[owner][i].there;
    assert_int_equal(sqlite3_prepare_v2(t.rows.reader,
                                        "SELECT owner,digest,notes IS NOT NULL,used_ms FROM images",
                                        -1, &q, NULL),
                     SQLITE_OK);
    for (; sqlite3_step(q) == SQLITE_ROW; n++) {
        int owner = sqlite3_column_int(q, 0) - 1, i = 0;

        while (i < FILES && strcmp((const char *)sqlite3_column_text(q, 1), digest_text[i]) != 0)
            i++;
        MUST(i < FILES && t.row[owner][i].there);
        MUST(t.row[owner][i].upload == (sqlite3_column_int(q, 2) != 0));
        MUST(t.row[owner][i].used_ms == sqlite3_column_int64(q, 3));
    }
    sqlite3_finalize(q);
    MUST(n == want);
}

/* What a user may begin with is there, whole, and nothing of others is. */
static void check_files(void)
{
    for (int owner = 0; owner < OWNERS; owner++)
        for (int i = 0; i < FILES; i++) {
            struct spec_image image = {0};
            struct blob *b;
            int err;

            memcpy(image.digest, digest_of[i], SPEC_DIGEST_BYTES);
            err = images_find(&t.images, (uint32_t)owner + 1, &image, &fail);
            MUST((err == 0) == (t.row[owner][i].there || has_result(owner, i)));
            if (!t.row[owner][i].there && !jobs_with(owner, i, true)) continue;
            b = images_read(t.folder, digest_text[i]);
            MUST(b && b->len == strlen(text_of[i]) && memcmp(b->data, text_of[i], b->len) == 0);
            blob_unref(b);
        }
}

/* Nothing else is there, at least after a start. A file is wanted by rows and private jobs. */
static void check_folder(void)
{
    char path[128];
    DIR *d;

    snprintf(path, sizeof path, "%s/images", folder);
    d = opendir(path);
    MUST(d);
    for (struct dirent *e; (e = readdir(d));) {
        bool wanted = *e->d_name == '.';

        for (int i = 0; i < FILES; i++)
            for (int owner = 0; owner < OWNERS; owner++)
                wanted |= (t.row[owner][i].there || jobs_with(owner, i, true))
                          && strncmp(e->d_name, digest_text[i], 64) == 0
                          && strcmp(e->d_name + 64, ".png") == 0;
        MUST(wanted);
    }
    closedir(d);
}

static void operate(void)
{
    int what = pick(100);

    t.now_ms += pick(2000);
    if (what < 30)
        upload(pick(OWNERS), pick(UPLOADED));
    else if (what < 70)
        on_job(pick(JOBS));
    else if (what < 85)
        discard(pick(OWNERS), pick(FILES));
    else if (what < 98)
        prune();
    else
        restart();
    check_rows();
    check_files();
    if (what >= 98) check_folder();
}

/* catches: an upload that a job waits for and that is gone, one that stays for ever, one that is
 * counted twice, a result that goes with its first job, a file without a row */
static void rules_hold_whatever_happens(void **state)
{
    const char *seed = getenv("DARKROOM_SEED"), *operations = getenv("DARKROOM_OPERATIONS");
    const long n = operations ? strtol(operations, NULL, 10) : OPERATIONS;
    char token[TOKEN_TEXT];

    (void)state;
    t.random = seed ? strtoull(seed, NULL, 10) : 1;
    t.now_ms = INT64_C(1767225600000);
    make_files();
    open_all();
    for (int i = 0; i < OWNERS; i++) {
        struct user u;

        user_defaults(&u);
        snprintf(u.name, sizeof u.name, "u%d", i);
        u.disk_bytes = i == 0 ? BOUND : 0;
        MUST(users_add(t.rows.writer, &u, 1, token, &fail) == 0);
        MUST(u.id == (uint32_t)i + 1);
    }
    sqlite3_exec(t.rows.writer, "PRAGMA synchronous=OFF", NULL, NULL, NULL);
    for (t.step = 0; t.step < n; t.step++)
        operate();
    print_message("%ld over the bound, %ld conflicts, %ld pruned, %ld jobs refused, %ld results "
                  "linked, %ld restarts\n",
                  t.refused, t.conflicts, t.pruned, t.jobs_refused, t.linked, t.restarts);
    MUST(n < OPERATIONS
         || (t.refused > 2 && t.conflicts > 2 && t.pruned > 2 && t.jobs_refused > 2 && t.linked > 2
             && t.restarts > 2));
    close_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rules_hold_whatever_happens, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
