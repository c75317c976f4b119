/* entry - what a row borrows is copied, what is counted gets a reference. */
#include "server/store/entry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t entry_job(const struct row_entry *e)
{
    return e->at[e->n - 1].row.job;
}

/* All but itself. */
static void drop(struct row_entry *e)
{
    for (int i = 0; i < e->n; i++) {
        spec_free(&e->at[i].spec);
        free(e->at[i].sweep);
        free(e->at[i].cells);
        free(e->at[i].webhook);
        blob_unref(e->at[i].row.tokens);
    }
    blob_unref(e->file);
}

void entry_free(struct row_entry *e)
{
    drop(e);
    free(e);
}

static bool copy_text(char **out, const char *text)
{
    *out = text ? strdup(text) : NULL;
    return !text || *out;
}

/* False: no memory; entry_free() frees what was copied. */
static bool row_copy(struct entry_row *to, const struct hub_row *row)
{
    to->row = *row;
    to->row.tokens = NULL;
    if (spec_copy(&to->spec, row->spec) || !copy_text(&to->sweep, row->sweep)
        || !copy_text(&to->cells, row->cells) || !copy_text(&to->webhook, row->webhook))
        return false;
    snprintf(to->key, sizeof to->key, "%s", row->key ? row->key : "");
    memcpy(to->digest, row->digest, sizeof to->digest);
    if (row->result_digest)
        snprintf(to->result_digest, sizeof to->result_digest, "%s", row->result_digest);
    if (row->error) to->error = *row->error;
    if (row->tokens) to->row.tokens = blob_ref(row->tokens);
    to->row.key = to->key;
    to->row.spec = &to->spec;
    to->row.digest = to->digest;
    to->row.sweep = to->sweep;
    to->row.cells = to->cells;
    to->row.webhook = to->webhook;
    to->row.result_digest = row->result_digest ? to->result_digest : NULL;
    to->row.error = row->error ? &to->error : NULL;
    return true;
}

struct row_entry *entry_new(int kind, const struct hub_row *rows, int n, struct blob *file)
{
    struct row_entry *e = calloc(1, sizeof *e + (size_t)n * sizeof e->at[0]);

    if (!e) return NULL;
    e->m.kind = kind;
    for (int i = 0; i < n; i++) {
        e->n++;
        if (row_copy(&e->at[i], &rows[i])) continue;
        entry_free(e);
        return NULL;
    }
    if (file) e->file = blob_ref(file);
    return e;
}

struct row_entry *entry_of_job(int kind, uint64_t job)
{
    struct row_entry *e = calloc(1, sizeof *e + sizeof e->at[0]);

    if (!e) return NULL;
    e->m.kind = kind;
    e->n = 1;
    e->at[0].row.job = job;
    return e;
}

bool entry_images(const struct hub_row *rows, int n)
{
    bool images = false;

    for (int i = 0; i < n; i++)
        images |= rows[i].spec->images > 0;
    return images;
}

struct row_entry *entry_share(int kind, const struct hub_share *share)
{
    struct row_entry *e = calloc(1, sizeof *e);

    if (!e) return NULL;
    e->m.kind = kind;
    e->share = *share;
    return e;
}

struct row_entry *entry_deletion(int kind, const struct hub_deletion *deletion)
{
    struct row_entry *e = calloc(1, sizeof *e);

    if (!e) return NULL;
    e->m.kind = kind;
    e->deletion = *deletion;
    return e;
}

void entry_stored(struct loop_stored *m, uint64_t job, int64_t commit_us, const struct fail *why)
{
    m->m.kind = LOOP_STORED;
    m->job = job;
    m->commit_us = commit_us;
    if (why) m->why = *why;
}

void entry_shared(struct loop_shared *m, const struct hub_share *share, const struct fail *why)
{
    m->m.kind = LOOP_SHARED;
    m->share = *share;
    if (why) m->why = *why;
}

void entry_deleted(struct loop_deleted *m, const struct hub_deletion *deletion,
                   const struct fail *why)
{
    m->m.kind = LOOP_DELETED;
    m->deletion = *deletion;
    if (why) m->why = *why;
}

void entry_answer(struct row_entry *e, int64_t commit_us, const struct fail *why, struct mbox *loop)
{
    const struct hub_share share = e->share;
    const struct hub_deletion deletion = e->deletion;
    const bool rows = e->n > 0;
    const uint64_t job = rows ? entry_job(e) : 0;

    drop(e);
    if (rows) {
        memset(&e->stored, 0, sizeof e->stored);
        entry_stored(&e->stored, job, commit_us, why);
    } else if (deletion.job) {
        memset(&e->deleted, 0, sizeof e->deleted);
        entry_deleted(&e->deleted, &deletion, why);
    } else {
        memset(&e->shared, 0, sizeof e->shared);
        entry_shared(&e->shared, &share, why);
    }
    mbox_push(loop, &e->m);
}
