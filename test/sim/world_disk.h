/* world_disk - the disk of the simulated world: rows and tokens on it, and on their way to it. */
#ifndef TEST_SIM_WORLD_DISK_H
#define TEST_SIM_WORLD_DISK_H

#include "test/sim/world_forecast.h"
#include "test/sim/world_images.h"

static inline void saved_free(struct saved *s)
{
    if (s) {
        spec_free(&s->spec);
        free(s->sweep);
        free(s->cells);
    }
    free(s);
}

static inline struct saved *saved_new(const struct hub_row *r, bool file)
{
    struct saved *s = calloc(1, sizeof *s);

    assert_non_null(s);
    s->row = *r;
    assert_int_equal(spec_copy(&s->spec, r->spec), 0);
    snprintf(s->key, sizeof s->key, "%s", r->key);
    memcpy(s->digest, r->digest, sizeof s->digest);
    if (r->result_digest)
        snprintf(s->result_digest, sizeof s->result_digest, "%s", r->result_digest);
    if (r->error) s->error = *r->error;
    s->sweep = r->sweep ? strdup(r->sweep) : NULL;
    s->cells = r->cells ? strdup(r->cells) : NULL;
    s->row.sweep = s->sweep;
    s->row.cells = s->cells;
    s->file = file;
    s->kept = r->tokens != NULL;
    s->row.tokens = NULL;
    s->row.spec = &s->spec;
    s->row.key = s->key;
    s->row.digest = s->digest;
    s->row.result_digest = s->result_digest;
    s->row.error = r->error ? &s->error : NULL;
    return s;
}

static inline void out_store_accept(void *arg, const struct hub_row *rows, int n)
{
    struct world *w = arg;

    for (int i = 0; i < n; i++) {
        struct saved *s = saved_new(&rows[i], false);

        MUST(w, rows[i].state == STATE_QUEUED, "a new row has an end");
        MUST(w, (rows[i].sweep != NULL) == (n > 1 && i == n - 1), "a sweep is the last of several");
        s->more = n - 1 - i;
        w->writes[w->write_end++ % WORLD_ORDERS] = s;
    }
}

/* A sweep ends after its last cell, in what these came to. */
static inline void sweep_check_end(struct world *w, const struct hub_row *r)
{
    struct cell cells[LIMIT_CELLS];
    int n = cells_parse(r->cells, cells), failed = 0, cancelled = 0;

    MUST(w, n > 0, "no cells");
    for (int i = 0; i < n; i++) {
        const struct saved *s = truth_of(w, cells[i].job)->disk;

        MUST(w, s && s->row.state != STATE_QUEUED, "a sweep ends before one of its cells");
        MUST(w, (int)s->row.state == cells[i].state, "a sweep ends with another end of its cell");
        MUST(w, s->row.place.parent == r->job && s->row.place.cell == i, "another's cell");
        failed += s->row.state == STATE_FAILED;
        cancelled += s->row.state == STATE_CANCELLED;
    }
    MUST(w,
         r->state
             == (failed      ? STATE_FAILED
                 : cancelled ? STATE_CANCELLED
                             : STATE_DONE),
         "a sweep ends otherwise than its cells");
}

static inline void out_store_end(void *arg, const struct hub_row *r, struct blob *file)
{
    struct world *w = arg;
    struct truth *t = truth_of(w, r->job);
    char digest[65];

    MUST(w, t->disk != NULL, "an end of a job that was never stored");
    MUST(w, (r->state == STATE_DONE && !r->sweep) == (file != NULL),
         "a result without file or the reverse");
    if (r->sweep) sweep_check_end(w, r);
    MUST(w, !r->error || r->error->code != ERR_IO, "an accepted job fails because of the disk");
    MUST(w, r->steps <= r->spec->steps, "more steps than asked for");
    MUST(w, !file || r->steps == (t->steps_done < r->spec->steps ? t->steps_done : 0),
         "another number of steps than were done");
    picture_digest(r->spec, r->steps ? r->steps : r->spec->steps, digest);
    if (file) MUST(w, strcmp(digest, r->result_digest) == 0, "another picture than asked for");
    w->writes[w->write_end++ % WORLD_ORDERS] = saved_new(r, file != NULL);
}

/* It reaches the disk at once, as a checkpoint does. */
static inline void out_store_place(void *arg, const struct hub_row *r)
{
    struct world *w = arg;
    struct truth *t = truth_of(w, r->job);

    MUST(w, t->disk && !t->disk->deleted, "a place of no job");
    t->disk->row.favourite = r->favourite;
    t->disk->row.held = r->held;
    t->disk->row.rank = r->rank;
    t->disk->row.unwatched_ms = r->unwatched_ms;
    disk_mark(w, t->disk);
}

/* Answered, so it waits its turn. */
static inline void out_store_share(void *arg, const struct hub_share *share)
{
    struct world *w = arg;
    const struct truth *t = truth_of(w, share->job);
    struct saved *s = calloc(1, sizeof *s);

    assert_non_null(s);
    MUST(w, t->disk && !t->disk->deleted && !t->disk->row.private, "a share of no job");
    s->share = true;
    s->ticket = share->ticket;
    s->row.job = share->job;
    s->row.shared_ms = share->until_ms;
    memcpy(s->row.share, share->hash, sizeof s->row.share);
    w->writes[w->write_end++ % WORLD_ORDERS] = s;
}

/* The same. */
static inline void out_store_finish(void *arg, const struct hub_row *r)
{
    struct world *w = arg;
    struct saved *s = saved_new(r, false);

    MUST(w, r->steps > 0 && r->steps < r->spec->steps && r->state == STATE_QUEUED, "steps");
    MUST(w, !r->sweep, "a sweep has no steps");
    s->finish = true;
    w->writes[w->write_end++ % WORLD_ORDERS] = s;
}

/* The same. */
static inline void out_store_delete(void *arg, const struct hub_deletion *d)
{
    struct world *w = arg;
    struct truth *t = truth_of(w, d->job);
    struct saved *s = calloc(1, sizeof *s);

    assert_non_null(s);
    MUST(w, t->disk && t->disk->row.state != STATE_QUEUED, "a job is removed that is not over");
    MUST(w, !t->disk->deleted && !t->disk->going, "removed twice");
    MUST(w, d->private == t->disk->row.private, "what is on disk is not private");
    t->disk->going = true;
    s->deletion = true;
    s->ticket = d->ticket;
    s->row.job = d->job;
    w->writes[w->write_end++ % WORLD_ORDERS] = s;
}

static inline int out_webhook(void *arg, const char *url, struct fail *f)
{
    (void)arg;
    if (strstr(url, "//listed.example/")) return 0;
    return fail_field(f, ERR_BAD_FIELD, "webhook", "This server posts nothing there");
}

/* A forgotten job comes back, unless its deletion was on its way when the disk was asked. */
static inline bool out_recall(void *arg, uint64_t job,
                              int (*each)(void *arg, const struct hub_row *, struct fail *f),
                              void *each_arg)
{
    struct world *w = arg;
    const struct saved *s = truth_of(w, job)->disk;
    struct fail f;

    if (!s || s->deleted || s->going || s->row.private || s->row.state < STATE_DONE) return false;
    if (s->row.place.parent && truth_of(w, s->row.place.parent)->disk->going) return false;
    each(each_arg, &s->row, &f);
    return true;
}

static inline bool out_has_picture(void *arg, uint32_t owner, const char *digest)
{
    struct world *w = arg;
    const uint64_t mark = digest_mark(digest);

    for (int i = 0; i < w->n_disk; i++)
        if (w->marks[i].digest == mark && w->disk[i]->file && !w->disk[i]->deleted
            && w->disk[i]->row.owner == owner && strcmp(w->disk[i]->result_digest, digest) == 0)
            return true;
    return false;
}

/* It reaches the disk at once: nothing waits for it. */
static inline void out_store_checkpoint(void *arg, uint64_t job, struct blob *checkpoint)
{
    struct world *w = arg;
    struct truth *t = truth_of(w, job);

    MUST(w, t->disk && t->disk->row.state == STATE_QUEUED, "a checkpoint of a job that is over");
    blob_unref(t->checkpoint);
    t->checkpoint = blob_ref(checkpoint);
}

/* What becomes of tokens when a row is written: a new job's are copied, where they are not lost;
 * they stay with a finished picture. */
static inline void disk_tokens(struct world *w, struct saved *s, const struct saved *before)
{
    if (!before && s->spec.prior_from) {
        const struct saved *from = truth_of(w, s->spec.prior_from)->disk;

        s->kept = from && !from->deleted && from->kept && !s->sweep && !chance(w, 0.2);
    } else if (before) {
        s->kept = s->row.state == STATE_DONE && (s->kept || before->kept);
    }
    s->row.kept = s->kept && s->row.state == STATE_DONE;
}

/* The steps of a job that ends early, or nothing when its end came before. Its row. */
static inline struct saved *disk_finish(struct world *w, struct saved *s)
{
    struct truth *t = truth_of(w, s->row.job);

    MUST(w, t->disk->row.state == STATE_QUEUED && t->disk->row.steps == 0, "finished twice");
    t->disk->row.steps = s->row.steps;
    saved_free(s);
    return t->disk;
}

static inline struct saved *disk_share(struct world *w, struct saved *s)
{
    struct truth *t = truth_of(w, s->row.job);

    t->disk->row.shared_ms = s->row.shared_ms;
    memcpy(t->disk->row.share, s->row.share, sizeof t->disk->row.share);
    saved_free(s);
    return t->disk;
}

/* A job goes, and its cells. */
static inline struct saved *disk_remove(struct world *w, struct saved *s)
{
    struct truth *t = truth_of(w, s->row.job);

    disk_delete(w, t->disk);
    for (int i = 0; t->disk->sweep && i < w->n_disk; i++) {
        if (w->disk[i]->row.place.parent != s->row.job) continue;
        MUST(w, w->disk[i]->row.state != STATE_QUEUED, "a cell is removed that is not over");
        disk_delete(w, w->disk[i]);
    }
    saved_free(s);
    return t->disk;
}

static inline struct saved *disk_write_one(struct world *w)
{
    struct saved *s = w->writes[w->write_first++ % WORLD_ORDERS];
    struct truth *t = truth_of(w, s->row.job);

    if (s->finish) return disk_finish(w, s);
    if (s->share) return disk_share(w, s);
    if (s->deletion) return disk_remove(w, s);
    disk_tokens(w, s, t->disk);
    if (t->disk) {
        MUST(w, t->disk->row.state == STATE_QUEUED, "a second end was stored");
        MUST(w,
             s->row.state != STATE_DONE || t->disk->row.steps == 0
                 || s->row.steps >= t->disk->row.steps || s->row.steps == 0,
             "fewer steps than were promised");
        s->row.favourite = t->disk->row.favourite;
        s->row.shared_ms = t->disk->row.shared_ms;
        memcpy(s->row.share, t->disk->row.share, sizeof s->row.share);
        s->at = t->disk->at;
        w->disk[s->at] = s;
        saved_free(t->disk);
    } else {
        w->disk = realloc(w->disk, (size_t)(w->n_disk + 1) * sizeof *w->disk);
        w->marks = realloc(w->marks, (size_t)(w->n_disk + 1) * sizeof *w->marks);
        assert_true(w->disk && w->marks);
        s->at = w->n_disk;
        w->disk[w->n_disk++] = s;
    }
    t->disk = s;
    disk_mark(w, s);
    if (s->row.state != STATE_QUEUED) {
        blob_unref(t->checkpoint);
        t->checkpoint = NULL;
    }
    return s;
}

/* Rows of the oldest write that are new begin with pictures that are there. */
static inline bool disk_takes(struct world *w)
{
    unsigned at = w->write_first;
    const struct saved *s;
    bool takes = true;

    do {
        s = w->writes[at++ % WORLD_ORDERS];
        if (!s->finish && !s->share && !s->deletion && !truth_of(w, s->row.job)->disk)
            takes = takes && images_refer(w, s);
    } while (s->more > 0);
    return takes;
}

/* The oldest write reaches the disk, all rows of it. The last of them. */
static inline struct saved *disk_write(struct world *w)
{
    struct saved *s;

    int more;

    do {
        more = w->writes[w->write_first % WORLD_ORDERS]->more;
        s = disk_write_one(w);
    } while (more > 0);
    return s;
}

/* Answer the oldest write, which is a share. In the control arm before it is on disk. */
static inline void share_answer(struct world *w, bool ok)
{
    struct saved *s = w->writes[w->write_first % WORLD_ORDERS];
    struct hub_share share = {.job = s->row.job, .ticket = s->ticket, .until_ms = s->row.shared_ms};
    bool told = s->early;
    struct fail f;

    memcpy(share.hash, s->row.share, sizeof share.hash);
    if (w->early_shares && !told) {
        s->early = true;
    } else if (ok) {
        disk_write(w);
    } else {
        saved_free(s);
        w->write_first++;
    }
    fail_set(&f, ERR_IO, "the disk is full");
    if (!told) hub_share_stored(w->hub, w->now, &share, ok ? NULL : &f);
}

/* Answer the oldest write, which is a deletion; what is in memory alone goes in any case. */
static inline void deletion_answer(struct world *w, bool ok)
{
    struct saved *s = w->writes[w->write_first % WORLD_ORDERS];
    struct saved *job = truth_of(w, s->row.job)->disk;
    const struct hub_deletion d = {
        .job = s->row.job, .ticket = s->ticket, .private = job->row.private};
    struct fail f;

    job->going = false;
    ok = ok || d.private;
    if (ok) {
        disk_write(w);
    } else {
        saved_free(s);
        w->write_first++;
    }
    fail_set(&f, ERR_IO, "the disk is full");
    hub_deleted(w->hub, w->now, &d, ok ? NULL : &f);
}

/* Answer the oldest write; ok: it reached the disk. */
static inline void store_answer(struct world *w, bool ok)
{
    uint64_t job;
    struct fail f;
    bool takes;
    int more;

    if (w->write_first == w->write_end) return;
    world_enter(w);
    if (w->writes[w->write_first % WORLD_ORDERS]->share) {
        share_answer(w, ok);
        return;
    }
    if (w->writes[w->write_first % WORLD_ORDERS]->deletion) {
        deletion_answer(w, ok);
        return;
    }
    takes = !ok || disk_takes(w);
    if (ok && takes) {
        hub_stored(w->hub, w->now, disk_write(w)->row.job, NULL);
        return;
    }
    do {
        struct saved *s = w->writes[w->write_first++ % WORLD_ORDERS];

        more = s->more;
        job = s->row.job;
        saved_free(s);
    } while (more > 0);
    if (takes)
        fail_set(&f, ERR_IO, "the disk is full");
    else
        fail_set(&f, ERR_NOT_FOUND, "a picture that it begins with was removed");
    hub_stored(w->hub, w->now, job, &f);
}

#endif
