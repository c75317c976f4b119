/* results - three statements over one condition: the rows of a page, how many there are, and of
 * which sizes. */
#include "server/store/results.h"

#include "proto/answer.h"
#include "proto/text.h"
#include "proto/url.h"
#include "server/base/blob.h"
#include "server/events.h"
#include "server/store/database.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_KIB "32768" /* so much of the rows stays in memory between searches */

enum { RESULTS_FIND, RESULTS_STOP };
enum { SQL_PAGE, SQL_COUNT, SQL_SIZES, STATEMENTS };

/* Whose; of a guest the one job, or cells of it. */
#define OWN                                                               \
    " FROM jobs WHERE state=2 AND sweep IS NULL AND ord>0 AND result<>''" \
    " AND (?1 OR owner=?2) AND (?3=0 OR job=?3 OR (parent<>0 AND parent=?3))"
#define ALIKE                                                                    \
    " AND created_ms>=?4 AND (?5=0 OR created_ms<?5) AND (?6=0 OR favourite<>0)" \
    " AND (?7=0 OR spec_is(spec,?8,?9,?10))"

static const char *const SQL[STATEMENTS] = {
    [SQL_PAGE] = "SELECT job,created_ms,key,spec,result,bytes,us,favourite,shared_ms,parent,cell,"
                 "place,steps" OWN ALIKE " ORDER BY ord DESC LIMIT ?11 OFFSET ?12",
    [SQL_COUNT] = "SELECT count(*)" OWN ALIKE,
    [SQL_SIZES] = "SELECT spec_size(spec) AS size, count(*) AS n" OWN
                  " GROUP BY size ORDER BY n DESC, size LIMIT ?4",
};

/* A page of rows, and what they point to. */
struct page {
    struct answer_job job[LIMIT_LIST];
    struct event_result result[LIMIT_LIST];
    struct spec spec[LIMIT_LIST];
    struct sweep_place place[LIMIT_LIST];
    char url[LIMIT_LIST][URL_TEXT], digest[LIMIT_LIST][URL_DIGEST];
    char key[LIMIT_LIST][LIMIT_KEY_BYTES + 1];
    int n;
    struct answer_found found;
};

struct results {
    struct mbox box, *loop;
    sqlite3 *db;
    sqlite3_stmt *sql[STATEMENTS];
    struct page page;
    pthread_t thread;
    bool running;
};

/* --- what a spec has -------------------------------------------------------------------------- */

/* The small letter of Latin-1, Greek and Cyrillic capitals; both take two bytes. */
static unsigned lower(unsigned c)
{
    if ((c >= 0xC0 && c <= 0xDE && c != 0xD7) || (c >= 0x391 && c <= 0x3A9)
        || (c >= 0x410 && c <= 0x42F))
        return c + 32;
    return c >= 0x400 && c <= 0x40F ? c + 80 : c;
}

/* UTF-8 in place: without the difference of capitals, as far as lower() knows them. */
static void fold(char *s)
{
    for (; *s; s++) {
        unsigned c = (unsigned char)*s;

        if (c >= 'A' && c <= 'Z') *s = (char)(c + 32);
        if (c < 0xC3 || c > 0xD0 || !s[1]) continue;
        c = lower((c & 0x1FU) << 6 | ((unsigned char)s[1] & 0x3FU));
        *s++ = (char)(0xC0U | c >> 6);
        *s = (char)(0x80U | (c & 0x3FU));
    }
}

/* Every word of `words`, which is folded and has blanks between them, is somewhere in n bytes of
 * the prompt. */
static bool has_words(const char *prompt, size_t n, const char *words)
{
    char text[LIMIT_PROMPT_BYTES + 1], word[LIMIT_SEARCH_BYTES + 1];
    bool all = n < sizeof text;

    snprintf(text, sizeof text, "%.*s", (int)n, prompt);
    fold(text);
    while (all && *(words += strspn(words, " \t\r\n"))) {
        size_t len = strcspn(words, " \t\r\n");

        snprintf(word, sizeof word, "%.*s", (int)len, words);
        all = strstr(text, word) != NULL;
        words += len;
    }
    return all;
}

static const char PROMPT[] = "{\"prompt\":\"";

/* The same of a spec as spec_write() writes it. One prompt in many has something escaped: only that
 * is read as JSON, which takes ten times as long. */
static bool spec_has_words(const char *spec, const char *words)
{
    const char *prompt = spec + strlen(PROMPT);
    size_t n = strncmp(spec, PROMPT, strlen(PROMPT)) == 0 ? strcspn(prompt, "\"\\") : 0;
    json_t *json;
    bool has;

    if (n && prompt[n] == '"') return has_words(prompt, n, words);
    json = json_loads(spec, 0, NULL);
    prompt = json_string_value(json_object_get(json, "prompt"));
    has = prompt && has_words(prompt, strlen(prompt), words);
    json_decref(json);
    return has;
}

/* A side of the picture, 0 if there is none: quotes in a prompt have a backslash before them, so
 * the name is not found there. */
static int side_of(const char *spec, const char *name)
{
    const char *at = strstr(spec, name);

    return at ? (int)strtol(at + strlen(name), NULL, 10) : 0;
}

static const char WIDTH[] = ",\"width\":", HEIGHT[] = ",\"height\":";

static const char *value_text(sqlite3_value *v)
{
    const unsigned char *text = sqlite3_value_text(v);

    return text ? (const char *)text : "";
}

/* spec_is(spec, width, height, words): 0 and "" are any. */
static void spec_is(sqlite3_context *q, int n, sqlite3_value **v)
{
    const char *spec = value_text(v[0]), *words = value_text(v[3]);
    int w = sqlite3_value_int(v[1]), h = sqlite3_value_int(v[2]);

    (void)n;
    sqlite3_result_int(q, (!w || side_of(spec, WIDTH) == w) && (!h || side_of(spec, HEIGHT) == h)
                              && (!*words || spec_has_words(spec, words)));
}

/* spec_size(spec): its width times SIZE_BASE plus its height. */
enum { SIZE_BASE = 65536 };

static void spec_size(sqlite3_context *q, int n, sqlite3_value **v)
{
    const char *spec = value_text(v[0]);

    (void)n;
    sqlite3_result_int64(q,
                         (sqlite3_int64)side_of(spec, WIDTH) * SIZE_BASE + side_of(spec, HEIGHT));
}

/* --- asking ----------------------------------------------------------------------------------- */

static void bind_own(sqlite3_stmt *q, const struct hub_search *s)
{
    sqlite3_bind_int(q, 1, s->all);
    sqlite3_bind_int64(q, 2, s->owner);
    sqlite3_bind_int64(q, 3, (sqlite3_int64)s->only);
}

static void bind_alike(sqlite3_stmt *q, const struct hub_search *s)
{
    const struct command_search *what = s->what;

    bind_own(q, s);
    sqlite3_bind_int64(q, 4, (sqlite3_int64)what->from_ms);
    sqlite3_bind_int64(q, 5, (sqlite3_int64)what->until_ms);
    sqlite3_bind_int(q, 6, what->favourite);
    sqlite3_bind_int(q, 7, what->width || what->height || *what->words);
    sqlite3_bind_int(q, 8, what->width);
    sqlite3_bind_int(q, 9, what->height);
    sqlite3_bind_text(q, 10, what->words, -1, SQLITE_STATIC);
}

static const char *text_at(sqlite3_stmt *q, int column)
{
    const unsigned char *text = sqlite3_column_text(q, column);

    return text ? (const char *)text : "";
}

/* A cell's place; rows that say nothing sensible of it are shown as if they were none. */
static void read_place(sqlite3_stmt *q, struct sweep_place *p)
{
    int bytes = sqlite3_column_bytes(q, 11);

    *p = (struct sweep_place){.parent = (uint64_t)sqlite3_column_int64(q, 9),
                              .cell = sqlite3_column_int(q, 10)};
    if (bytes < 1 || bytes > SPEC_FIELDS) p->parent = 0;
    if (!p->parent) return;
    p->axes = bytes;
    memcpy(p->at, sqlite3_column_blob(q, 11), (size_t)bytes);
}

/* False: it is damaged, and left out. */
static bool read_row(sqlite3_stmt *q, struct page *p)
{
    const char *json = text_at(q, 3), *digest = text_at(q, 4);
    int i = p->n;
    struct spec_limits limits;

    spec_limits_init(&limits);
    limits.range[SPEC_PROMPT].min = 0; /* as in rows.c */
    if (strlen(digest) != URL_DIGEST - 1
        || spec_parse(&p->spec[i], json, strlen(json), &limits, NULL) != 0)
        return false;
    memcpy(p->digest[i], digest, URL_DIGEST);
    url_picture(digest, p->url[i]);
    snprintf(p->key[i], sizeof p->key[i], "%s", text_at(q, 2));
    read_place(q, &p->place[i]);
    p->result[i] = (struct event_result){.url = p->url[i],
                                         .digest = p->digest[i],
                                         .width = p->spec[i].width,
                                         .height = p->spec[i].height,
                                         .seed = p->spec[i].seed,
                                         .seconds = (double)sqlite3_column_int64(q, 6) / 1e6,
                                         .bytes = sqlite3_column_int64(q, 5),
                                         .steps_done = sqlite3_column_int(q, 12)};
    p->job[i] = (struct answer_job){.job = (uint64_t)sqlite3_column_int64(q, 0),
                                    .state = STATE_DONE,
                                    .created_ms = sqlite3_column_int64(q, 1),
                                    .spec = &p->spec[i],
                                    .key = p->key[i],
                                    .favourite = sqlite3_column_int(q, 7) != 0,
                                    .shared_until_ms = sqlite3_column_int64(q, 8),
                                    .result = &p->result[i],
                                    .sweep.place = &p->place[i]};
    return true;
}

static int done(struct results *r, sqlite3_stmt *q, int got, struct fail *f)
{
    int err = got == SQLITE_DONE || got == SQLITE_ROW ? 0 : database_fail(r->db, "Cannot read", f);

    sqlite3_reset(q);
    sqlite3_clear_bindings(q);
    return err;
}

static int find_rows(struct results *r, const struct hub_search *s, struct fail *f)
{
    sqlite3_stmt *q = r->sql[SQL_PAGE];
    struct page *p = &r->page;
    int got;

    bind_alike(q, s);
    sqlite3_bind_int(q, 11, s->limit + 1);
    sqlite3_bind_int(q, 12, s->what->skip);
    for (int seen = 0; (got = sqlite3_step(q)) == SQLITE_ROW; seen++) {
        p->found.more = seen == s->limit;
        if (p->found.more) break;
        if (!read_row(q, p)) continue;
        if (s->only) { /* what a guest has no use for */
            p->job[p->n].key = "";
            p->job[p->n].shared_until_ms = 0;
        }
        p->n++;
    }
    return done(r, q, got, f);
}

static int find_count(struct results *r, const struct hub_search *s, struct fail *f)
{
    sqlite3_stmt *q = r->sql[SQL_COUNT];
    int got;

    bind_alike(q, s);
    got = sqlite3_step(q);
    r->page.found.count = sqlite3_column_int64(q, 0);
    return done(r, q, got, f);
}

static int find_sizes(struct results *r, const struct hub_search *s, struct fail *f)
{
    sqlite3_stmt *q = r->sql[SQL_SIZES];
    struct answer_found *out = &r->page.found;
    int got;

    bind_own(q, s);
    sqlite3_bind_int(q, 4, LIMIT_SIZES);
    while ((got = sqlite3_step(q)) == SQLITE_ROW && out->n_sizes < LIMIT_SIZES)
        out->size[out->n_sizes++] =
            (struct answer_counted){.width = (int)(sqlite3_column_int64(q, 0) / SIZE_BASE),
                                    .height = (int)(sqlite3_column_int64(q, 0) % SIZE_BASE),
                                    .count = sqlite3_column_int64(q, 1)};
    return done(r, q, got, f);
}

/* One transaction, so that rows and counts are of the same moment. */
static int find_all(struct results *r, const struct hub_search *s, struct fail *f)
{
    int err =
        sqlite3_exec(r->db, "BEGIN", NULL, NULL, NULL) ? database_fail(r->db, "Cannot read", f) : 0;

    if (!err) err = find_rows(r, s, f);
    if (!err) err = find_count(r, s, f);
    if (!err && !s->what->skip) err = find_sizes(r, s, f);
    if (!sqlite3_get_autocommit(r->db)) sqlite3_exec(r->db, "COMMIT", NULL, NULL, NULL);
    return err;
}

static void answer(struct results *r, struct results_query *c)
{
    struct loop_found *m = &c->found;
    struct text t;
    int err;

    memset(m, 0, sizeof *m);
    m->m.kind = LOOP_FOUND;
    m->ticket = c->search.ticket;
    r->page.n = 0;
    r->page.found = (struct answer_found){0};
    err = find_all(r, &c->search, &m->why);
    text_init(&t, BLOB_HEAD, LIMIT_OUTBOX_BYTES);
    if (!err) answer_results(c->ref, r->page.job, r->page.n, &r->page.found, &t);
    if (!err) m->answer = blob_from_text(&t);
    text_free(&t);
    if (!err && !m->answer) fail_set(&m->why, ERR_OUT_OF_MEMORY, "No memory for the list.");
    for (int i = 0; i < r->page.n; i++)
        spec_free(&r->page.spec[i]);
    mbox_push(r->loop, &m->m);
}

/* --- the thread ------------------------------------------------------------------------------- */

static bool handle(struct results *r, struct msg *list)
{
    bool go_on = true;

    for (struct msg *m = list, *next; m; m = next) {
        next = m->next;
        if (m->kind == RESULTS_STOP) {
            go_on = false;
            continue;
        }
        answer(r, (struct results_query *)m);
    }
    return go_on;
}

static void *run(void *arg)
{
    struct results *r = arg;

    pthread_setname_np(pthread_self(), "find-results");
    while (handle(r, mbox_wait(&r->box, -1))) {}
    return NULL;
}

struct results_query *results_query_new(int kind, const struct hub_search *s)
{
    struct results_query *c = calloc(1, sizeof *c);

    if (!c) return NULL;
    c->m.kind = kind;
    c->search = *s;
    c->what = *s->what;
    fold(c->what.words);
    snprintf(c->ref, sizeof c->ref, "%s", s->ref);
    c->search.what = &c->what;
    c->search.ref = c->ref;
    return c;
}

void results_push(struct results *r, struct results_query *c)
{
    c->m.kind = RESULTS_FIND;
    mbox_push(&r->box, &c->m);
}

/* --- opening ---------------------------------------------------------------------------------- */

static int prepare(struct results *r, struct fail *f)
{
    const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC;
    int bad = sqlite3_exec(r->db, "PRAGMA cache_size=-" CACHE_KIB, NULL, NULL, NULL);

    if (!bad) bad = sqlite3_create_function(r->db, "spec_is", 4, flags, NULL, spec_is, NULL, NULL);
    if (!bad)
        bad = sqlite3_create_function(r->db, "spec_size", 1, flags, NULL, spec_size, NULL, NULL);
    for (int i = 0; i < STATEMENTS && !bad; i++)
        bad = sqlite3_prepare_v3(r->db, SQL[i], -1, SQLITE_PREPARE_PERSISTENT, &r->sql[i], NULL);
    return bad ? database_fail(r->db, "Cannot prepare", f) : 0;
}

int results_open(struct results **out, const char *path, struct mbox *loop, struct fail *f)
{
    struct results *r = calloc(1, sizeof *r);
    int err;

    *out = r;
    if (!r) return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the list of results.");
    r->loop = loop;
    mbox_init(&r->box, NULL, NULL);
    err = database_open(path, &r->db, f);
    if (!err) err = prepare(r, f);
    if (!err && pthread_create(&r->thread, NULL, run, r))
        err = fail_set(f, ERR_OUT_OF_MEMORY, "Cannot start the thread that finds results.");
    r->running = !err;
    if (!err) return 0;
    results_close(r);
    *out = NULL;
    return err;
}

void results_close(struct results *r)
{
    struct msg stop = {.kind = RESULTS_STOP};

    if (!r) return;
    if (r->running) {
        mbox_push(&r->box, &stop);
        pthread_join(r->thread, NULL);
    }
    mbox_destroy(&r->box);
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(r->sql[i]);
    sqlite3_close(r->db);
    free(r);
}
