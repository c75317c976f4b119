/* folder - a store in a folder of its own, made and removed around each test; rows for it. */
#ifndef TEST_SERVER_STORE_FOLDER_H
#define TEST_SERVER_STORE_FOLDER_H

#include "server/events.h"
#include "server/store/store.h"

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

static char folder[64];
static struct mbox box;
static struct fail fail;
static const struct store_asker ANYONE = {.all = true};

static inline int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/darkroom-store-XXXXXX");
    mbox_init(&box, NULL, NULL);
    return mkdtemp(folder) ? 0 : -1;
}

static inline int tear_down(void **state)
{
    char command[128];

    (void)state;
    mbox_destroy(&box);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static inline struct store *open_store(void)
{
    struct store *s;

    if (store_open(&s, &(struct store_conf){.data = folder, .loop = &box}, &fail))
        fail_msg("%s", fail.message);
    return s;
}

/* Take n answers, those to shares and deletions among them; each must have this code. */
static inline void expect_stored(int n, enum err code)
{
    while (n > 0)
        for (struct msg *m = mbox_wait(&box, 10000), *next; m; m = next) {
            next = m->next;
            if (m->kind == LOOP_STORED) {
                assert_int_equal(((struct loop_stored *)m)->why.code, code);
                n--;
            } else if (m->kind == LOOP_DELETED) {
                assert_int_equal(((struct loop_deleted *)m)->why.code, code);
                n--;
            } else if (m->kind == LOOP_SHARED) {
                assert_int_equal(((struct loop_shared *)m)->why.code, code);
                n--;
            } else
                assert_int_equal(m->kind, LOOP_DISK); /* after a refusal */
            free(m);
        }
    assert_int_equal(n, 0);
}

/* Delete it, and wait for that. */
static inline void delete_job(struct store *s, uint64_t job)
{
    store_delete(s, &(struct hub_deletion){.job = job});
    expect_stored(1, ERR_OK);
}

static const uint8_t DIGEST[SPEC_DIGEST_BYTES] = {1, 2, 3};
static struct spec spec = {.prompt = (char *)(uintptr_t) "a \"red\" circle \xe7\xba\xa2",
                           .width = 64,
                           .height = 96,
                           .steps = 5,
                           .guidance = 1.5,
                           .seed = 77,
                           .lane = LANE_NORMAL,
                           .noise_seed = SPEC_SEED_PICK};

static inline struct hub_row row_of(uint64_t job, uint64_t order)
{
    return (struct hub_row){.job = job,
                            .order = order,
                            .created_ms = 1000 + (int64_t)order,
                            .key = "k1",
                            .digest = DIGEST,
                            .spec = &spec,
                            .accepted_seq = 500 + order};
}

static inline struct hub_row done_row(uint64_t job, uint64_t order, const char *digest)
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

static inline int see(void *arg, const struct hub_row *row, struct fail *f)
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

/* BLAKE2b-256 of "hello" */
static const char HEX[] = "324dcf027dd4a30a932c441f365a25e86b173defa4b8e58948253471b81b72cf";

/* Job 1, done: its picture is the file "hello", under HEX. */
static inline void store_hello(struct store *s)
{
    struct hub_row row = row_of(1, 1), done = done_row(1, 1, HEX);
    struct blob *b = blob_copy("hello", 5);

    store_accept(s, &row, 1);
    store_end(s, &done, b);
    expect_stored(2, ERR_OK);
    blob_unref(b);
}

static inline void path_of(char out[128], const char *name)
{
    snprintf(out, 128, "%s/%s", folder, name);
}

#endif
