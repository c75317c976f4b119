/* a1111_state - what clients ask beside pictures: progress, interrupts, lists of what there is. */
#include "proto/id.h"
#include "proto/limits.h"
#include "server/base/usage.h"
#include "server/http/a1111.h"
#include "server/http/base64.h"
#include "server/http/query.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void answer(struct exchange *x, struct text *t)
{
    reply_text(exchange_reply(x, 200), t, "application/json");
    exchange_answer(x);
}

static void answer_raw(struct exchange *x, const char *json)
{
    struct text t;

    text_init(&t, 0, strlen(json) + 1);
    text_raw(&t, json);
    answer(x, &t);
}

/* --- one's own jobs of this dialect ----------------------------------------------------------- */

/* Ask for the jobs in this state, newest first. */
static void ask_list(struct exchange *x, const char *state)
{
    json_t *c = json_pack("{ss ss si}", "type", "list", "state", state, "limit", LIMIT_LIST);

    exchange_send(x, c);
    json_decref(c);
}

static void ask_cells(struct exchange *x, const char *parent)
{
    json_t *c = json_pack("{ss ss si}", "type", "list", "parent", parent, "limit", LIMIT_LIST);

    exchange_send(x, c);
    json_decref(c);
}

static bool is_own(const json_t *row, const char *key)
{
    const char *own = json_string_value(json_object_get(row, "key"));

    return own && strncmp(own, key, strlen(key)) == 0;
}

/* --- progress --------------------------------------------------------------------------------- */

enum { LISTS_OF_JOBS = 2 }; /* of those that run and those that wait */

struct progress {
    char key[A1111_KEY_BYTES];
    bool no_image, cells; /* cells: of the job's pictures, some of which wait or are done */
    int lists;            /* answers that came */
    int jobs, no;         /* pictures of requests that are not over; which of `job` it is */
    char job[ID_TEXT];    /* the oldest that runs, or "" */
    char drawn[ID_TEXT];  /* its picture that is drawn: the same, a cell of it, or "" */
    double overall, eta_ms, done, steps, created_ms;
    struct text image; /* base64 */
};

static void begin_progress(struct exchange *x, const struct http_request *q)
{
    struct progress *p = exchange_own(x);
    struct fail f;

    a1111_key(q, p->key);
    text_init(&p->image, 0, 2 * LIMIT_FRAME_BYTES);
    if (query_true(q->query, "skip_current_image", &p->no_image, &f)) {
        exchange_refuse(x, &f);
        return;
    }
    ask_list(x, "running");
    ask_list(x, "queued");
}

static void take_row(struct progress *p, const json_t *row)
{
    const char *job = json_string_value(json_object_get(row, "job"));
    const char *state = json_string_value(json_object_get(row, "state"));
    const json_t *counts = json_object_get(row, "counts");

    if (!job || !state || !is_own(row, p->key)) return;
    p->jobs += counts ? (int)json_number_value(json_object_get(counts, "cells")) : 1;
    if (strcmp(state, "running") != 0) return;
    snprintf(p->job, sizeof p->job, "%s", job);
    snprintf(p->drawn, sizeof p->drawn, "%s", counts ? "" : job);
    p->cells = counts != NULL;
    p->overall = json_number_value(json_object_get(row, "overall"));
    p->eta_ms = json_number_value(json_object_get(row, "eta_ms"));
    p->created_ms = json_number_value(json_object_get(row, "created_ms"));
    p->steps = json_number_value(json_object_get(json_object_get(row, "spec"), "steps"));
}

static void answer_progress(struct exchange *x)
{
    struct progress *p = exchange_own(x);
    struct text t;

    text_init(&t, 0, 2 * LIMIT_FRAME_BYTES + LIMIT_MESSAGE_BYTES);
    text_open(&t, NULL, '{');
    text_real(&t, "progress", p->overall);
    text_real(&t, "eta_relative", p->eta_ms / 1000);
    text_open(&t, "state", '{');
    text_raw(&t, "\"skipped\":false,\"interrupted\":false,\"stopping_generation\":false");
    text_string(&t, "job", p->job);
    text_int(&t, "job_count", p->jobs);
    text_printf(&t, ",\"job_timestamp\":\"%.0f\"", p->created_ms);
    text_int(&t, "job_no", p->no);
    text_int(&t, "sampling_step", (int64_t)p->done);
    text_int(&t, "sampling_steps", (int64_t)p->steps);
    text_close(&t, '}');
    if (p->image.len)
        text_chars(&t, "current_image", p->image.at, p->image.len);
    else
        text_null(&t, "current_image");
    text_null(&t, "textinfo");
    text_close(&t, '}');
    answer(x, &t);
}

/* What is drawn is known: look at its board, or answer at once. */
static void look(struct exchange *x)
{
    struct progress *p = exchange_own(x);

    if (!*p->drawn) {
        answer_progress(x);
        return;
    }
    if (!p->no_image) a1111_previews(x);
    exchange_send_job(x, "watch", p->drawn);
}

/* Of several pictures: the first that runs, as they are listed from the last one. */
static void take_cell(struct progress *p, const json_t *row)
{
    const char *job = json_string_value(json_object_get(row, "job"));
    const char *state = json_string_value(json_object_get(row, "state"));

    if (!job || !state || strcmp(state, "running") != 0) return;
    snprintf(p->drawn, sizeof p->drawn, "%s", job);
    p->no = (int)json_number_value(json_object_get(row, "cell"));
}

static void take_list(struct exchange *x, const json_t *o)
{
    struct progress *p = exchange_own(x);
    const json_t *row;
    size_t i;

    json_array_foreach(json_object_get(o, "jobs"), i, row)
    {
        if (p->lists == LISTS_OF_JOBS)
            take_cell(p, row);
        else
            take_row(p, row);
    }
    p->lists++;
    if (p->lists == LISTS_OF_JOBS && p->cells)
        ask_cells(x, p->job);
    else if (p->lists >= LISTS_OF_JOBS)
        look(x);
}

static void take_board(struct progress *p, const json_t *o)
{
    const char *phase = json_string_value(json_object_get(o, "phase"));

    if (!p->cells) {
        p->overall = json_number_value(json_object_get(o, "overall"));
        p->eta_ms = json_number_value(json_object_get(o, "eta_ms"));
    }
    if (phase && strcmp(phase, "denoise") == 0)
        p->done = json_number_value(json_object_get(o, "done"));
    if (phase && strcmp(phase, "decode") == 0) p->done = p->steps;
}

static void take_progress(struct exchange *x, const struct blob *m, bool binary)
{
    struct progress *p = exchange_own(x);
    struct fail f;
    json_t *o;

    if (binary) {
        if (m->len > FRAME_HEADER && !p->image.len)
            base64_write(m->data + FRAME_HEADER, m->len - FRAME_HEADER, &p->image);
        return;
    }
    o = exchange_read(m);
    if (exchange_is(m, "list"))
        take_list(x, o);
    else if (exchange_is(m, "progress"))
        take_board(p, o);
    else if (exchange_is(m, "error") && p->lists >= LISTS_OF_JOBS)
        answer_progress(x); /* it was deleted in between */
    else if (exchange_is(m, "error")) {
        exchange_fail(o, &f);
        exchange_refuse(x, &f);
    }
    json_decref(o);
}

/* The board was given whole. */
static void idle_progress(struct exchange *x)
{
    const struct progress *p = exchange_own(x);

    if (exchange_state(x) == EXCHANGE_WAITS && p->lists == LISTS_OF_JOBS + p->cells)
        answer_progress(x);
}

static void end_progress(struct exchange *x)
{
    struct progress *p = exchange_own(x);

    text_free(&p->image);
}

const struct translator A1111_PROGRESS = {.state = sizeof(struct progress),
                                          .refuse = a1111_refuse,
                                          .begin = begin_progress,
                                          .message = take_progress,
                                          .idle = idle_progress,
                                          .end = end_progress};

/* --- interrupt -------------------------------------------------------------------------------- */

struct interrupt {
    char key[A1111_KEY_BYTES];
    int lists;
};

static void begin_interrupt(struct exchange *x, const struct http_request *q)
{
    struct interrupt *s = exchange_own(x);

    a1111_key(q, s->key);
    ask_list(x, "queued"); /* else one that waits would start in place of one that ran */
    ask_list(x, "running");
}

static void take_interrupt(struct exchange *x, const struct blob *m, bool binary)
{
    struct interrupt *s = exchange_own(x);
    const json_t *row;
    struct fail f;
    json_t *o;
    size_t i;

    if (binary || exchange_state(x) != EXCHANGE_WAITS) return;
    if (exchange_is(m, "error") && s->lists < 2) {
        exchange_error(m, &f);
        exchange_refuse(x, &f);
        return;
    }
    if (!exchange_is(m, "list")) return;
    o = exchange_read(m);
    json_array_foreach(json_object_get(o, "jobs"), i, row)
    {
        const char *job = json_string_value(json_object_get(row, "job"));

        if (job && is_own(row, s->key)) exchange_send_job(x, "cancel", job);
    }
    json_decref(o);
    if (++s->lists == 2) answer_raw(x, "{}");
}

const struct translator A1111_INTERRUPT = {.state = sizeof(struct interrupt),
                                           .refuse = a1111_refuse,
                                           .begin = begin_interrupt,
                                           .message = take_interrupt};

/* --- what there is ---------------------------------------------------------------------------- */

/* $: the model's name. What this model has no choice of is one entry, or none. */
static const struct {
    const char *name, *json;
} LISTS[] = {
    {"options",
     "{\"sd_model_checkpoint\":\"$\",\"sd_checkpoint_hash\":\"\",\"sd_vae\":\"Automatic\","
     "\"samples_format\":\"png\",\"CLIP_stop_at_last_layers\":1}"},
    {"sd-models", "[{\"title\":\"$\",\"model_name\":\"$\",\"hash\":null,\"sha256\":null,"
                  "\"filename\":\"$\",\"config\":null}]"},
    {"samplers", "[{\"name\":\"Euler\",\"aliases\":[\"euler\"],\"options\":{}}]"},
    {"schedulers", "[{\"name\":\"automatic\",\"label\":\"Automatic\",\"aliases\":null,"
                   "\"default_rho\":-1.0,\"need_inner_model\":false}]"},
    {"upscalers", "[{\"name\":\"None\",\"model_name\":null,\"model_path\":null,"
                  "\"model_url\":null,\"scale\":1.0}]"},
    {"latent-upscale-modes", "[]"},
    {"sd-vae", "[]"},
    {"sd-modules", "[]"},
    {"loras", "[]"},
    {"hypernetworks", "[]"},
    {"face-restorers", "[]"},
    {"realesrgan-models", "[]"},
    {"prompt-styles", "[]"},
    {"embeddings", "{\"loaded\":{},\"skipped\":{}}"},
    {"scripts", "{\"txt2img\":[],\"img2img\":[]}"},
    {"script-info", "[]"},
    {"extensions", "[]"},
    {"cmd-flags", "{\"api\":true,\"ckpt\":\"$\"}"},
    {"ping", "{}"}, /* /internal/ping */
};

static void write_list(const char *json, const char *model, struct text *t)
{
    for (; *json; json++) {
        size_t n = strcspn(json, "$");
        struct text name;

        text_bytes(t, json, n);
        json += n;
        if (!*json) return;
        text_init(&name, 0, 1024); /* as JSON, without its quotes */
        text_string(&name, NULL, model);
        if (name.len > 2) text_bytes(t, name.at + 1, name.len - 2);
        text_free(&name);
    }
}

static const char *last_word(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* As the original counts it: `used` is this process's. The memory of cards is in /metrics. */
static void answer_memory(struct exchange *x)
{
    uint64_t total = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    struct usage u;
    struct text t;

    usage_read(&u);
    text_init(&t, 0, 1024);
    text_open(&t, NULL, '{');
    text_open(&t, "ram", '{');
    text_real(&t, "free", (double)(total - u.resident_bytes));
    text_real(&t, "used", (double)u.resident_bytes);
    text_real(&t, "total", (double)total);
    text_close(&t, '}');
    text_open(&t, "cuda", '{');
    text_string(&t, "error", "unavailable");
    text_close(&t, '}');
    text_close(&t, '}');
    answer(x, &t);
}

static void begin_get(struct exchange *x, const struct http_request *q)
{
    const char *name = last_word(q->path);
    struct fail f;
    struct text t;

    if (strcmp(name, "memory") == 0) {
        answer_memory(x);
        return;
    }
    for (size_t i = 0; i < sizeof LISTS / sizeof *LISTS; i++)
        if (strcmp(LISTS[i].name, name) == 0) {
            text_init(&t, 0, LIMIT_MESSAGE_BYTES);
            write_list(LISTS[i].json, exchange_backend(x)->model, &t);
            answer(x, &t);
            return;
        }
    fail_set(&f, ERR_NOT_FOUND, "There is no \"%s\" here.", name);
    fail_advise(&f, "HTTP.md lists the routes that there are.");
    exchange_refuse(x, &f);
}

/* Settings that change nothing, as there is one model and nothing to choose. */
static const char *const SETTINGS[] = {
    "options",          "refresh-checkpoints", "refresh-vae",
    "refresh-loras",    "refresh-embeddings",  "reload-checkpoint",
    "unload-checkpoint"};

static void begin_post(struct exchange *x, const struct http_request *q)
{
    const char *name = last_word(q->path);
    struct fail f;

    for (size_t i = 0; i < sizeof SETTINGS / sizeof *SETTINGS; i++)
        if (strcmp(SETTINGS[i], name) == 0) {
            answer_raw(x, "null");
            return;
        }
    fail_set(&f, ERR_NOT_FOUND, "There is no \"%s\" here.", name);
    fail_advise(&f, "This server draws from words: txt2img.");
    exchange_refuse(x, &f);
}

static void nothing(struct exchange *x, const struct blob *m, bool binary)
{
    (void)x, (void)m, (void)binary;
}

const struct translator A1111_GET = {.refuse = a1111_refuse,
                                     .begin = begin_get,
                                     .message = nothing},
                        A1111_POST = {
                            .refuse = a1111_refuse, .begin = begin_post, .message = nothing};
