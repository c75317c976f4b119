/* store - one transaction per mailbox take: files first, then rows, then the events to the loop. */
#include "server/store/store.h"

#include "server/base/clock.h"
#include "server/events.h"
#include "server/store/answers.h"
#include "server/store/checkpoints.h"
#include "server/store/entry.h"
#include "server/store/erase.h"
#include "server/store/files.h"
#include "server/store/guard.h"
#include "server/store/hooks.h"
#include "server/store/images.h"
#include "server/store/pictures.h"
#include "server/store/results.h"
#include "server/store/retention.h"
#include "server/store/rows.h"
#include "server/store/thumbnails.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    STORE_ACCEPT,
    STORE_END,
    STORE_PLACE,
    STORE_SHARE,
    STORE_FINISH,
    STORE_DELETE,
    STORE_RELEASE,
    STORE_STOP,
    STORE_KEEP,
    STORE_FIND,
    STORE_IMAGE,
    STORE_DISCARD,
    STORE_THUMBNAIL
};
/* Longest time for one file or one commit, in the watchdog's naps: a busy disk takes seconds. */
enum { STUCK_NAPS = 30 };
#define DAY_MS    INT64_C(86400000)
#define MINUTE_US INT64_C(60000000)
enum { ROOM_MIN = 256 << 10 }; /* bytes; a disk with less is called full */
enum {
    PROBE_MS = 1000, /* between two questions to a disk that refused something */
    RETRY_MS = 5000  /* retry_after_ms of what it refused */
};

struct keep {
    struct msg m;
    int64_t ms, bytes, grace_us;
};

struct store {
    struct mbox box, *loop;
    struct answers answers; /* of the loop's thread */
    struct log *log;
    int folder, lock;
    struct job_rows rows;
    struct pictures pictures;
    struct results *results;
    struct image_store images;
    int64_t image_ms; /* an upload that no job begins with is kept for so long after its last use */
    struct checkpoints checkpoints;
    struct retention retention;                      /* the thread's */
    struct guard guard;                              /* the thread's: of the database's files */
    char trouble[sizeof((struct fail *)0)->message]; /* the thread's: why the disk refuses; or "" */
    pthread_t thread;
    bool running;
    int64_t commit_us;  /* the thread's: of the newest transaction, until it is sent */
    struct pulse pulse; /* of the thread */
};

/* --- opening ---------------------------------------------------------------------------------- */

static void *run(void *arg);

/* The watchdog waits for what is pushed. */
static void push(struct store *s, struct msg *m)
{
    pulse_due(&s->pulse);
    mbox_push(&s->box, m);
}

static void advise_writing(const char *data, const char *below, struct fail *f)
{
    fail_advise(f, "May this user write in %s%s? Another folder is named with --data DIR.", data,
                below);
}

static int open_folder(struct store *s, const char *data, struct fail *f)
{
    int err = files_folder(data, &s->folder, f);

    if (!err) err = files_lock(s->folder, "lock", &s->lock, f);
    if (!err) err = guard_private(s->folder, f);
    if (err == ERR_CONFLICT)
        fail_advise(f, "Stop the other one, or give this one another folder with --data.");
    else if (err)
        advise_writing(data, "", f);
    return err;
}

static int open_pictures(struct store *s, const char *data, struct fail *f)
{
    int64_t there = 0;
    int err;

    pictures_init(&s->pictures, s->folder, "outputs", s->log);
    err = pictures_sweep(&s->pictures, &there, f);
    if (!err) err = pictures_probe(&s->pictures, f);
    if (err)
        advise_writing(data, "/outputs", f);
    else if (there && rows_empty(&s->rows))
        log_warn(s->log,
                 "store: the job store is empty, but outputs/ has %lld files: jobs and the "
                 "addresses of these pictures are lost (was %s/darkroom.db removed?)",
                 (long long)there, data);
    return err;
}

/* What SQLite calls an I/O error, or a file that cannot be written, on a disk without room. */
static void explain_full(const struct store *s, const char *data, struct fail *f)
{
    struct fail why = *f;
    int64_t room = s->folder < 0 ? -1 : files_room(s->folder);

    if (why.code != ERR_IO || room < 0 || room >= ROOM_MIN) return;
    fail_set(f, ERR_IO, "The disk of %s is full (%lld kB are free). %s", data,
             (long long)(room / 1024), why.message);
    fail_advise(f, "Make room there and start again, or name another folder with --data DIR.");
}

static bool waits(void *arg, uint64_t job)
{
    return rows_waits(arg, job);
}

static int open_all(struct store *s, const char *data, struct fail *f)
{
    char path[4096];
    int err = open_folder(s, data, f);

    if (!err && snprintf(path, sizeof path, "%s/%s", data, DATABASE_NAME) >= (int)sizeof path)
        err = fail_set(f, ERR_IO, "The path of the data folder is too long.");
    if (!err) err = rows_open(&s->rows, path, f);
    if (!err) err = guard_open(&s->guard, s->folder, data, f);
    if (!err) err = open_pictures(s, data, f);
    if (!err) err = images_open(&s->images, &s->rows, &s->pictures, s->folder, s->log, f);
    if (!err) err = checkpoints_open(&s->checkpoints, s->folder, s->log, waits, &s->rows, f);
    if (!err) err = results_open(&s->results, path, s->loop, f);
    if (!err && pthread_create(&s->thread, NULL, run, s))
        err = fail_set(f, ERR_OUT_OF_MEMORY, "Cannot start the store's thread.");
    s->running = !err;
    return err;
}

/* What memory is short for is told with the next look that finds something else. */
static void tell_removal(void *arg, const struct removal *r)
{
    struct store *s = arg;
    struct loop_removal *m = calloc(1, sizeof *m);

    if (!m) return;
    m->m.kind = LOOP_REMOVAL;
    m->removal = *r;
    mbox_push(s->loop, &m->m);
}

int store_open(struct store **out, const struct store_conf *conf, struct fail *f)
{
    struct store *s;
    int err;

    *out = NULL;
    s = calloc(1, sizeof *s);
    if (!s) return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the job store.");
    s->folder = s->lock = -1;
    s->loop = conf->loop;
    s->log = conf->log;
    s->image_ms = conf->upload_hours * INT64_C(3600000);
    s->retention = (struct retention){.keep_ms = conf->keep_days * DAY_MS,
                                      .keep_bytes = conf->keep_bytes,
                                      .rows = &s->rows,
                                      .pictures = &s->pictures,
                                      .log = conf->log,
                                      .quota = {.rows = &s->rows,
                                                .pictures = &s->pictures,
                                                .log = conf->log,
                                                .grace_us = conf->grace_minutes * MINUTE_US,
                                                .tell = tell_removal,
                                                .arg = s},
                                      .more = true}; /* a first look, at once */
    s->pulse = (struct pulse){.name = "job store", .naps_max = STUCK_NAPS};
    answers_open(&s->answers, s->loop);
    mbox_init(&s->box, NULL, NULL);
    err = open_all(s, conf->data, f);
    if (err && f) explain_full(s, conf->data, f);
    if (err)
        store_close(s);
    else
        *out = s;
    return err;
}

static void close_fd(int fd)
{
    if (fd >= 0) close(fd);
}

void store_close(struct store *s)
{
    struct msg stop;

    if (!s) return;
    stop = (struct msg){.kind = STORE_STOP};
    if (s->running) {
        push(s, &stop);
        pthread_join(s->thread, NULL);
    }
    results_close(s->results);
    checkpoints_close(&s->checkpoints);
    guard_close(&s->guard);
    quota_free(&s->retention.quota);
    mbox_destroy(&s->box);
    answers_close(&s->answers);
    rows_close(&s->rows);
    close_fd(s->lock);
    close_fd(s->folder);
    free(s);
}

/* --- reading, on the loop's thread ------------------------------------------------------------ */

struct pulse *store_pulse(struct store *s)
{
    return &s->pulse;
}

uint64_t store_boot(const struct store *s)
{
    return s->rows.starts;
}

int store_counts(struct store *s, int64_t *done, int64_t *failed, int64_t *cancelled,
                 struct fail *f)
{
    return rows_counts(&s->rows, done, failed, cancelled, f);
}

int store_restore(struct store *s, int kept,
                  int (*each)(void *arg, const struct hub_row *, struct fail *f), void *arg,
                  struct fail *f)
{
    return rows_restore(&s->rows, s->log, kept, each, arg, f);
}

bool store_recall(struct store *s, uint64_t job,
                  int (*each)(void *arg, const struct hub_row *, struct fail *f), void *arg)
{
    return rows_recall(&s->rows, job, each, arg);
}

int store_users(struct store *s, struct user_rows *out, struct fail *f)
{
    return users_read(s->rows.reader, out, f);
}

const uint8_t *store_secret(const struct store *s)
{
    return s->rows.secret;
}

struct blob *store_tokens(struct store *s, uint64_t job)
{
    return rows_tokens(&s->rows, job);
}

void store_keep_image(struct store *s, struct intake *m)
{
    m->m.kind = STORE_IMAGE;
    push(s, &m->m);
}

void store_discard_image(struct store *s, uint64_t ticket, uint32_t owner,
                         const uint8_t digest[SPEC_DIGEST_BYTES], bool forgotten)
{
    struct image_discard *m = calloc(1, sizeof *m);

    if (!m) {
        answers_refuse_discard(&s->answers, ticket);
        return;
    }
    *m = (struct image_discard){
        .m.kind = STORE_DISCARD, .ticket = ticket, .owner = owner, .forgotten = forgotten};
    memcpy(m->digest, digest, sizeof m->digest);
    push(s, &m->m);
}

struct image_store *store_images(struct store *s)
{
    return &s->images;
}

static int find_upload(struct store *s, const struct store_asker *who, const char *digest,
                       struct store_file *out, struct fail *f)
{
    snprintf(out->name, sizeof out->name, "%.64s.png", digest);
    return images_open_file(&s->images, who->user, digest, &out->fd, &out->bytes, f);
}

int store_find(struct store *s, const struct store_asker *who, const char *digest,
               struct store_file *out, struct fail *f)
{
    int err;

    memset(out, 0, sizeof *out);
    out->fd = -1;
    err = rows_find(&s->rows, who->all, who->user, digest, out->name, sizeof out->name, &out->bytes,
                    f);
    if (err == ERR_NOT_FOUND && who->uploads) return find_upload(s, who, digest, out, f);
    return err ? err : pictures_open(&s->pictures, out->name, digest, out->bytes, &out->fd, f);
}

int store_thumbnail(struct store *s, const struct store_asker *who, const char *digest,
                    struct blob **out, struct fail *f)
{
    char name[PICTURE_NAME_BYTES];
    int64_t bytes;
    int err = rows_find(&s->rows, who->all, who->user, digest, name, sizeof name, &bytes, f);

    *out = err ? NULL : thumbnail_read(&s->pictures, name);
    return err;
}

/* --- writing, on the store's thread ----------------------------------------------------------- */

/* A private job is over. Not answered. */
static void release(struct store *s, uint64_t job)
{
    struct row_entry *e = entry_of_job(STORE_RELEASE, job);

    if (e)
        push(s, &e->m);
    else
        log_error(s->log, "store: no memory to let a job's images go; they stay until a restart");
}

static void send(struct store *s, int kind, const struct hub_row *rows, int n, struct blob *file)
{
    const uint64_t job = rows[n - 1].job;
    const bool images = entry_images(rows, n);
    struct row_entry *e;

    if (rows->private && !(images && kind == STORE_ACCEPT)) { /* there is nothing to write */
        if (images && kind == STORE_END) release(s, job);
        if (kind != STORE_PLACE) answers_stored(&s->answers, job);
        return;
    }
    e = entry_new(kind, rows, n, file);
    if (e)
        push(s, &e->m);
    else if (kind != STORE_PLACE)
        answers_refuse(&s->answers, job);
}

void store_accept(struct store *s, const struct hub_row *rows, int n)
{
    assert(n > 0);
    send(s, STORE_ACCEPT, rows, n, NULL);
}

void store_end(struct store *s, const struct hub_row *row, struct blob *file)
{
    send(s, STORE_END, row, 1, file);
}

void store_place(struct store *s, const struct hub_row *row)
{
    send(s, STORE_PLACE, row, 1, NULL);
}

void store_share(struct store *s, const struct hub_share *share)
{
    struct row_entry *e = entry_share(STORE_SHARE, share);

    if (e)
        push(s, &e->m);
    else
        answers_refuse_share(&s->answers, share);
}

void store_finish(struct store *s, const struct hub_row *row)
{
    send(s, STORE_FINISH, row, 1, NULL);
}

void store_delete(struct store *s, const struct hub_deletion *deletion)
{
    struct row_entry *e = deletion->private ? NULL : entry_deletion(STORE_DELETE, deletion);

    rows_going(&s->rows, deletion->job);
    if (e)
        push(s, &e->m);
    else if (deletion->private)
        answers_deleted(&s->answers, deletion);
    else
        answers_refuse_deletion(&s->answers, deletion);
}

void store_settled(struct store *s, uint64_t job)
{
    rows_settled(&s->rows, job);
}

void store_search(struct store *s, const struct hub_search *search)
{
    struct results_query *c = results_query_new(STORE_FIND, search);

    if (c)
        push(s, &c->m);
    else
        answers_refuse_search(&s->answers, search->ticket);
}

void store_keep_thumbnail(struct store *s, const char *name, const char *digest, struct blob *file)
{
    struct msg *m = thumbnail_new(STORE_THUMBNAIL, name, digest, file);

    if (m) push(s, m);
}

void store_checkpoint(struct store *s, uint64_t job, struct blob *checkpoint)
{
    checkpoints_write(&s->checkpoints, job, checkpoint);
}

int store_keep(struct store *s, int keep_days, int64_t keep_bytes, int grace_minutes)
{
    struct keep *k = calloc(1, sizeof *k);

    if (!k) return ERR_OUT_OF_MEMORY;
    *k = (struct keep){.m.kind = STORE_KEEP,
                       .ms = keep_days * DAY_MS,
                       .bytes = keep_bytes,
                       .grace_us = grace_minutes * MINUTE_US};
    push(s, &k->m);
    return 0;
}

int store_folder(const struct store *s)
{
    return s->folder;
}

static int write_file(struct store *s, const struct row_entry *e, char *name, struct fail *f)
{
    const struct spec *spec = &e->at[0].spec;

    snprintf(name, PICTURE_NAME_BYTES, "%dx%d-seed%" PRId64 "-%.64s.png", spec->width, spec->height,
             spec->seed, e->at[0].result_digest);
    return pictures_write(&s->pictures, name, e->file->data, e->file->len, f);
}

static int accept_rows(struct store *s, const struct row_entry *e, struct fail *f)
{
    const bool write = !e->at[0].row.private;
    int err = 0;

    for (int i = 0; i < e->n && !err; i++) {
        if (write) err = rows_accept(&s->rows, &e->at[i].row, f);
        if (!err) err = images_refer(&s->images, &e->at[i].row, f);
        if (!err && write) err = hooks_name(s->rows.writer, &e->at[i].row, f);
    }
    return err;
}

static int write_entry(struct store *s, const struct row_entry *e, struct fail *f)
{
    char name[PICTURE_NAME_BYTES] = "";
    int err;

    if (e->m.kind == STORE_ACCEPT) return accept_rows(s, e, f);
    if (e->m.kind == STORE_DELETE) return erase_job(&s->rows, &s->pictures, e->deletion.job, f);
    if (e->m.kind == STORE_RELEASE) return images_release(&s->images, entry_job(e), f);
    if (e->m.kind == STORE_PLACE) return rows_place(&s->rows, &e->at[0].row, f);
    if (e->m.kind == STORE_SHARE) return rows_share(&s->rows, &e->share, f);
    if (e->m.kind == STORE_FINISH) return rows_finish(&s->rows, &e->at[0].row, f);
    err = e->file ? write_file(s, e, name, f) : 0;
    if (!err) err = rows_end(&s->rows, &e->at[0].row, name, f);
    return err ? err : hooks_add(s->rows.writer, &e->at[0].row, f);
}

static bool is_entry(const struct msg *m)
{
    return m->kind < STORE_STOP;
}

/* A next start would lose it. Ends are told now, releases are of memory: neither asks for more. */
static bool must_stay(const struct msg *m)
{
    if (m->kind == STORE_ACCEPT) return !((const struct row_entry *)m)->at[0].row.private;
    return is_entry(m) && m->kind != STORE_END && m->kind != STORE_RELEASE;
}

static int check_files(struct store *s, const struct msg *list, struct fail *f)
{
    bool stay = false;

    for (const struct msg *m = list; m; m = m->next)
        stay = stay || must_stay(m);
    return guard_check(&s->guard, stay ? f : NULL) && stay ? ERR_IO : 0;
}

/* All entries in one transaction: it holds or fails for all of them. */
static int write_list(struct store *s, const struct msg *list, struct fail *f)
{
    int err = check_files(s, list, f);

    if (!err) err = rows_begin(&s->rows, f);
    if (err) return err;
    for (const struct msg *m = list; m && !err; m = m->next) {
        pulse_begin(&s->pulse);
        if (is_entry(m)) err = write_entry(s, (const struct row_entry *)m, f);
    }
    pulse_begin(&s->pulse);
    if (!err) err = rows_commit(&s->rows, f);
    if (err) rows_rollback(&s->rows);
    guard_grown(&s->guard);
    return err;
}

/* One bad row must not fail its neighbours: then each entry gets a transaction of its own. */
static int write_alone(struct store *s, struct msg *m, struct fail *f)
{
    struct msg *next = m->next;
    int err;

    m->next = NULL;
    err = write_list(s, m, f);
    m->next = next;
    return err;
}

/* --- the disk's health ------------------------------------------------------------------------ */

static bool may_pass(const struct fail *why)
{
    return why->code == ERR_IO || why->code == ERR_OUT_OF_MEMORY;
}

/* What a write came to. A refusal is logged when it begins and when its reason changes. */
static void remember(struct store *s, const struct fail *why)
{
    if (!why && s->trouble[0]) log_info(s->log, "store: the disk takes jobs and pictures again");
    if (why && strcmp(s->trouble, why->message) != 0) log_error(s->log, "store: %s", why->message);
    if (!why || may_pass(why))
        snprintf(s->trouble, sizeof s->trouble, "%s", why ? why->message : "");
}

static int probe_rows(struct store *s, struct fail *f)
{
    int err = rows_begin(&s->rows, f);

    if (!err) err = rows_probe(&s->rows, f);
    if (!err) err = rows_commit(&s->rows, f);
    if (err) rows_rollback(&s->rows);
    return err;
}

/* Nothing may be on its way to a disk that refused something: ask it, so that the refusal ends. */
static void probe(struct store *s)
{
    struct fail why;
    struct loop_disk *m;
    int err = guard_check(&s->guard, &why);

    if (!err) err = pictures_probe(&s->pictures, &why);
    if (!err) err = probe_rows(s, &why);
    remember(s, err ? &why : NULL);
    m = err ? NULL : calloc(1, sizeof *m);
    if (!m) return;
    m->m.kind = LOOP_DISK;
    mbox_push(s->loop, &m->m);
}

/* --- the thread ------------------------------------------------------------------------------- */

static void settle(struct store *s, struct row_entry *e, struct fail *why)
{
    const bool rows = e->n > 0;
    const bool memory = e->m.kind == STORE_RELEASE || (rows && e->at[0].row.private);

    if (why || !memory) remember(s, why);
    if (!why && e->m.kind == STORE_END) checkpoints_remove(&s->checkpoints, entry_job(e));
    if (!why && e->m.kind == STORE_END)
        retention_ended(&s->retention, e->file ? (int64_t)e->file->len : 0);
    if (why && may_pass(why)) {
        fail_advise(why, "The server's disk needs attention; send the request again later.");
        why->retry_after_ms = RETRY_MS;
    }
    if (e->m.kind == STORE_RELEASE || e->m.kind == STORE_PLACE) {
        entry_free(e);
        return;
    }
    entry_answer(e, s->commit_us, why, s->loop);
    if (rows) s->commit_us = 0;
}

static void keep(struct store *s, struct keep *k)
{
    s->retention.keep_ms = k->ms;
    s->retention.keep_bytes = k->bytes;
    retention_grace(&s->retention, k->grace_us);
    s->retention.more = true;
    free(k);
}

static void keep_image(struct store *s, struct intake *m)
{
    const int64_t bytes = (int64_t)m->png->len;

    if (guard_check(&s->guard, &m->why))
        remember(s, &m->why);
    else if (!images_add(&s->images, m, &m->why))
        retention_ended(&s->retention, bytes);
    m->m.kind = LOOP_KEPT;
    mbox_push(s->loop, &m->m);
}

static void discard_image(struct store *s, struct image_discard *m)
{
    if (!guard_check(&s->guard, &m->why)) images_discard(&s->images, m);
    m->m.kind = LOOP_DISCARDED;
    mbox_push(s->loop, &m->m);
}

/* True: it was no entry, and is gone. */
static bool obey(struct store *s, struct msg *m, bool *stop)
{
    switch (m->kind) {
    case STORE_STOP: *stop = true; return true;
    case STORE_FIND: results_push(s->results, (struct results_query *)m); return true;
    case STORE_THUMBNAIL: thumbnail_write(m, &s->pictures, s->rows.writer); return true;
    case STORE_IMAGE: keep_image(s, (struct intake *)m); return true;
    case STORE_DISCARD: discard_image(s, (struct image_discard *)m); return true;
    case STORE_KEEP: keep(s, (struct keep *)m); return true;
    default: return false;
    }
}

static bool handle(struct store *s, struct msg *list)
{
    bool stop = false;
    struct fail all = {0};
    bool many = list->next != NULL;
    int64_t began = clock_us();
    int err = write_list(s, list, &all);

    s->commit_us = clock_us() - began;

    for (struct msg *m = list, *next; m; m = next) {
        struct fail why = all;
        int failed;

        next = m->next;
        if (obey(s, m, &stop)) continue;
        failed = err && many ? write_alone(s, m, &why) : err;
        settle(s, (struct row_entry *)m, failed ? &why : NULL);
    }
    return !stop;
}

static void *run(void *arg)
{
    struct store *s = arg;
    bool more = true;

    pthread_setname_np(pthread_self(), "store");
    while (more) {
        int wait_ms = s->trouble[0] ? PROBE_MS : retention_wait_ms(&s->retention, clock_us());
        struct msg *list = mbox_wait(&s->box, wait_ms);

        pulse_begin(&s->pulse);
        if (list)
            more = handle(s, list);
        else if (s->trouble[0])
            probe(s);
        pulse_begin(&s->pulse);
        if (more && !s->trouble[0] && retention_due(&s->retention, clock_us())) {
            retention_look(&s->retention, clock_us(), clock_unix_ms());
            images_prune(&s->images, clock_unix_ms(), s->image_ms);
        }
        pulse_end(&s->pulse);
    }
    return NULL;
}
