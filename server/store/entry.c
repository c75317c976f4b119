/* entry - what a row borrows is copied, what is counted gets a reference. */
#include "server/store/entry.h"

#include "server/events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t entry_job(const struct row_entry *e)
{
    return e->at[e->n - 1].row.job;
}

void entry_free(struct row_entry *e)
{
    for (int i = 0; i < e->n; i++) {
        spec_free(&e->at[i].spec);
        free(e->at[i].sweep);
        free(e->at[i].cells);
        free(e->at[i].webhook);
        blob_unref(e->at[i].row.tokens);
    }
    blob_unref(e->file);
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

void entry_shared(const struct hub_share *share, struct mbox *loop, const struct fail *why)
{
    struct loop_shared *m = calloc(1, sizeof *m);

    if (!m) abort(); /* not even a few hundred bytes; its client would wait for ever */
    m->m.kind = LOOP_SHARED;
    m->share = *share;
    if (why) m->why = *why;
    mbox_push(loop, &m->m);
}

struct row_entry *entry_share(int kind, const struct hub_share *share, struct mbox *loop)
{
    struct row_entry *e = calloc(1, sizeof *e);
    struct fail why;

    if (e) {
        e->m.kind = kind;
        e->share = *share;
        return e;
    }
    fail_set(&why, ERR_OUT_OF_MEMORY, "No memory to store whom the job is shared with.");
    entry_shared(share, loop, &why);
    return NULL;
}
