/* answer - one writer per message to one connection. */
#include "proto/answer.h"

#include "proto/limits.h"

#include <assert.h>

/* Open the message: type, and ref when there is one. */
static void start(const char *type, const char *ref, struct text *out)
{
    text_open(out, NULL, '{');
    text_string(out, "type", type);
    if (ref && *ref) text_string(out, "ref", ref);
}

static void write_server(const struct answer_hello *h, struct text *out)
{
    text_string(out, "protocol", "darkroom.v1");
    text_string(out, "version", h->version);
    text_id(out, "boot_id", h->boot_id);
    text_int(out, "time_ms", h->time_ms);
    text_open(out, "model", '{');
    text_string(out, "name", h->model);
    text_string(out, "device", h->device);
    text_string(out, "dtype", h->dtype);
    text_close(out, '}');
    concurrency_write(h->concurrency, out);
    text_open(out, "capabilities", '[');
    text_string(out, NULL, "text_to_image");
    if (!h->limits->no_images) text_string(out, NULL, "image_to_image");
    text_close(out, ']');
}

static void write_offers(const struct answer_hello *h, struct text *out)
{
    static const enum event_phase order[] = {PHASE_GLYPH, PHASE_VISION,  PHASE_ENCODE,
                                             PHASE_PRIOR, PHASE_DENOISE, PHASE_DECODE};

    text_open(out, "sizes", '[');
    for (int i = 0; i < h->n_sizes; i++) {
        text_open(out, NULL, '{');
        text_int(out, "width", h->sizes[i].width);
        text_int(out, "height", h->sizes[i].height);
        text_close(out, '}');
    }
    text_close(out, ']');
    text_open(out, "examples", '[');
    for (int i = 0; i < h->n_examples && i < LIMIT_EXAMPLES; i++)
        text_string(out, NULL, h->examples[i]);
    text_close(out, ']');
    text_open(out, "phases", '[');
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (order[i] < PHASE_VISION || !h->limits->no_images)
            text_string(out, NULL, event_phase_name(order[i]));
    text_close(out, ']');
}

static void write_limits(const struct answer_hello *h, struct text *out)
{
    text_open(out, "limits", '{');
    text_int(out, "message_bytes", LIMIT_MESSAGE_BYTES);
    text_real(out, "aspect_max", h->limits->aspect_max);
    text_int(out, "queue", h->queue_max);
    text_int(out, "watches", LIMIT_WATCHES);
    text_int(out, "key_bytes", LIMIT_KEY_BYTES);
    text_int(out, "ref_bytes", LIMIT_REF_BYTES);
    text_int(out, "list", LIMIT_LIST);
    text_int(out, "pictures", LIMIT_PICTURES);
    text_int(out, "cells", LIMIT_CELLS);
    text_int(out, "job_seconds", h->job_seconds);
    text_int(out, "preview_px_min", LIMIT_PREVIEW_PX_MIN);
    text_int(out, "preview_px_max", LIMIT_PREVIEW_PX_MAX);
    text_int(out, "preview_every_ms_max", LIMIT_PREVIEW_EVERY_MS);
    text_close(out, '}');
    text_open(out, "previews", '{');
    text_int(out, "every_ms", COMMAND_PREVIEWS_DEFAULT.every_ms);
    text_int(out, "max_px", COMMAND_PREVIEWS_DEFAULT.max_px);
    text_string(out, "format", frame_format_name(COMMAND_PREVIEWS_DEFAULT.format));
    text_close(out, '}');
}

/* A bound of a user; null: there is none but the service's. */
static void write_bound(const char *name, int64_t n, struct text *out)
{
    if (n > 0)
        text_int(out, name, n);
    else
        text_null(out, name);
}

void answer_user(const struct user *u, struct text *out)
{
    if (!u) {
        text_null(out, "user");
        return;
    }
    text_open(out, "user", '{');
    text_string(out, "name", u->name);
    text_string(out, "role", user_role_name(u->role));
    text_open(out, "lanes", '[');
    for (int i = 0; i < LANES; i++)
        if (u->lanes & 1U << i) text_string(out, NULL, USER_LANES[i]);
    text_close(out, ']');
    text_real(out, "weight", u->weight);
    text_open(out, "limits", '{');
    write_bound("waiting", u->waiting, out);
    write_bound("running", u->running, out);
    write_bound("disk_bytes", u->disk_bytes, out);
    text_close(out, '}');
    text_close(out, '}');
}

void answer_user_changed(const struct user *u, struct text *out)
{
    start("user", NULL, out);
    answer_user(u, out);
    text_close(out, '}');
}

void answer_hello(const struct answer_hello *h, struct text *out)
{
    start("hello", NULL, out);
    write_server(h, out);
    write_offers(h, out);
    spec_write_fields(h->limits, out, "fields");
    spec_write_defaults(h->limits, out, "defaults");
    write_limits(h, out);
    answer_user(h->user, out);
    text_open(out, "notices", '[');
    for (int i = 0; i < h->n_notices; i++)
        notice_write(h->notices[i], out);
    text_close(out, ']');
    text_close(out, '}');
}

void answer_ok(const char *ref, enum command_kind kind, uint64_t job, int state, struct text *out)
{
    start("ok", ref, out);
    text_string(out, "re", command_kind_name(kind));
    if (job) text_id(out, "job", job);
    if (state >= 0) text_string(out, "state", event_state_name((enum event_state)state));
    text_close(out, '}');
}

void answer_count(const char *ref, enum command_kind kind, int n, struct text *out)
{
    start("ok", ref, out);
    text_string(out, "re", command_kind_name(kind));
    text_int(out, "count", n);
    text_close(out, '}');
}

void answer_shared(const char *ref, uint64_t job, const char *token, int64_t until_ms,
                   struct text *out)
{
    start("ok", ref, out);
    text_string(out, "re", command_kind_name(COMMAND_SHARE));
    text_id(out, "job", job);
    text_string(out, "token", token);
    text_int(out, "shared_until_ms", until_ms);
    text_close(out, '}');
}

void answer_set(const char *ref, const struct answer_tuning *t, struct text *out)
{
    start("ok", ref, out);
    text_string(out, "re", "set");
    text_open(out, "set", '{');
    text_int(out, "concurrency", t->set.concurrency);
    text_int(out, "queue", t->set.queue);
    text_int(out, "job_seconds", t->set.job_seconds);
    text_close(out, '}');
    concurrency_write(t->concurrency, out);
    text_close(out, '}');
}

void answer_error(const char *ref, int kind, uint64_t job, const struct fail *f, struct text *out)
{
    start("error", ref, out);
    if (kind >= 0) text_string(out, "re", command_kind_name((enum command_kind)kind));
    if (job) text_id(out, "job", job);
    event_write_fail(f, out);
    text_close(out, '}');
}

/* How the model reads the prompt. */
static void write_reading(const struct answer_quote *q, struct text *out)
{
    if (q->tokens < 0) return;
    text_int(out, "tokens", q->tokens);
    text_open(out, "lettering", '[');
    for (int i = 0; i < q->texts; i++)
        text_chars(out, NULL, q->spec->prompt + q->text[i].at, (size_t)q->text[i].len);
    text_close(out, ']');
}

void answer_quote(const char *ref, const struct answer_quote *q, struct text *out)
{
    start("quote", ref, out);
    spec_write(q->spec, out, "spec");
    text_int(out, "position", q->position);
    text_ms(out, "start_ms", q->start_ms);
    text_ms(out, "eta_ms", q->eta_ms);
    event_write_range(q->eta_lo_ms, q->eta_hi_ms, out);
    text_ms(out, "run_ms", q->run_ms);
    text_ms(out, "bytes", q->bytes);
    if (q->cells) text_int(out, "cells", q->cells);
    write_reading(q, out);
    text_close(out, '}');
}

/* What differs by state, the same in list and stats. */
static void write_standing(const struct answer_job *j, struct text *out)
{
    if (j->state == STATE_QUEUED) text_int(out, "position", j->position);
    if (j->state == STATE_RUNNING) {
        if (!j->counts) text_string(out, "phase", event_phase_name(j->phase));
        text_real(out, "overall", j->overall);
    }
    if (j->state == STATE_QUEUED || j->state == STATE_RUNNING) text_ms(out, "eta_ms", j->eta_ms);
}

/* The members of a job; its prompt is cut to max bytes. A list has no room for the values of a
 * sweep, which may be prompts. */
static void write_members(const struct answer_job *j, size_t max, struct text *out)
{
    text_id(out, "job", j->job);
    text_string(out, "state", event_state_name(j->state));
    text_int(out, "created_ms", j->created_ms);
    if (j->user) text_string(out, "user", j->user);
    if (j->key && *j->key) text_string(out, "key", j->key);
    if (j->favourite) text_bool(out, "favourite", true);
    if (j->private) text_bool(out, "private", true);
    if (j->shared_until_ms) text_int(out, "shared_until_ms", j->shared_until_ms);
    if (spec_write_cut(j->spec, out, "spec", max)) text_bool(out, "prompt_cut", true);
    event_write_sweep(&j->sweep, out);
    if (j->counts) event_write_counts(j->counts, out);
    write_standing(j, out);
    if (j->state == STATE_DONE && j->result) {
        text_open(out, "result", '{');
        event_write_result(j->result, out);
        text_close(out, '}');
    }
    if (j->state == STATE_FAILED && j->error) {
        text_open(out, "error", '{');
        event_write_fail(j->error, out);
        text_close(out, '}');
    }
}

void answer_job(const char *ref, const struct answer_job *j, struct text *out)
{
    start("job", ref, out);
    write_members(j, LIMIT_PROMPT_BYTES, out);
    text_close(out, '}');
}

static void begin_list(const char *ref, const struct answer_job *jobs, int n, struct text *out)
{
    assert(n <= LIMIT_LIST);
    start("list", ref, out);
    text_open(out, "jobs", '[');
    for (int i = 0; i < n; i++) {
        text_open(out, NULL, '{');
        write_members(&jobs[i], LIMIT_LIST_PROMPT_BYTES, out);
        text_close(out, '}');
    }
    text_close(out, ']');
}

void answer_list(const char *ref, const struct answer_job *jobs, int n, bool more, struct text *out)
{
    begin_list(ref, jobs, n, out);
    text_bool(out, "more", more);
    text_close(out, '}');
}

void answer_results(const char *ref, const struct answer_job *jobs, int n,
                    const struct answer_found *found, struct text *out)
{
    begin_list(ref, jobs, n, out);
    text_bool(out, "more", found->more);
    text_int(out, "count", found->count);
    if (found->n_sizes) text_open(out, "sizes", '[');
    for (int i = 0; i < found->n_sizes; i++) {
        text_open(out, NULL, '{');
        text_int(out, "width", found->size[i].width);
        text_int(out, "height", found->size[i].height);
        text_int(out, "count", found->size[i].count);
        text_close(out, '}');
    }
    if (found->n_sizes) text_close(out, ']');
    text_close(out, '}');
}

static void write_counts(const struct answer_stats *s, struct text *out)
{
    text_int(out, "running", s->running);
    text_int(out, "queued", s->queued);
    text_int(out, "done", s->done);
    text_int(out, "failed", s->failed);
    text_int(out, "cancelled", s->cancelled);
    text_int(out, "cap", s->concurrency->cap);
    text_string(out, "why_cap", s->concurrency->why);
    concurrency_write_parts(s->concurrency, out);
    text_open(out, "rates", '{');
    text_real(out, "tokens_per_s", s->tokens_per_s);
    text_real(out, "steps_per_s", s->steps_per_s);
    text_real(out, "pictures_per_min", s->pictures_per_min);
    text_close(out, '}');
    text_int(out, "held", s->held);
    text_open(out, "used", '{');
    text_int(out, "ms", s->used_ms);
    text_int(out, "all_ms", s->used_all_ms);
    text_int(out, "window_ms", s->window_ms);
    text_close(out, '}');
}

/* A row of the queue: of another user's job what it costs and where it stands. */
static void write_place(const struct answer_job *j, struct text *out)
{
    if (j->job) text_id(out, "job", j->job);
    if (j->job && j->user) text_string(out, "user", j->user);
    text_string(out, "state", event_state_name(j->state));
    if (j->job && j->sweep.place && j->sweep.place->parent) {
        text_id(out, "parent", j->sweep.place->parent);
        text_int(out, "cell", j->sweep.place->cell);
    }
    write_standing(j, out);
    if (j->state == STATE_QUEUED) text_ms(out, "start_ms", j->start_ms);
    if (j->state == STATE_RUNNING && j->device >= 0) text_int(out, "device", j->device);
    if (j->job && j->state == STATE_QUEUED) event_write_range(j->eta_lo_ms, j->eta_hi_ms, out);
    if (j->job && j->state == STATE_QUEUED && j->why >= 0)
        text_string(out, "why", event_why_name((enum event_why)j->why));
    if (j->job && j->spec->lane != LANE_NORMAL) text_string(out, "lane", USER_LANES[j->spec->lane]);
    text_int(out, "width", j->spec->width);
    text_int(out, "height", j->spec->height);
}

void answer_stats(const char *ref, const struct answer_stats *s, struct text *out)
{
    int rows = s->n_jobs < LIMIT_LIST ? s->n_jobs : LIMIT_LIST;

    start("stats", ref, out);
    write_counts(s, out);
    text_open(out, "jobs", '[');
    for (int i = 0; i < rows; i++) {
        text_open(out, NULL, '{');
        write_place(&s->jobs[i], out);
        text_close(out, '}');
    }
    text_close(out, ']');
    text_int(out, "more", s->n_jobs - rows);
    text_close(out, '}');
}

static void write_person(const struct answer_person *p, struct text *out)
{
    text_open(out, NULL, '{');
    answer_user(p->user, out);
    text_int(out, "waiting", p->waiting);
    text_int(out, "held", p->held);
    text_int(out, "running", p->running);
    text_int(out, "connections", p->connections);
    text_int(out, "used_ms", p->used_ms);
    text_close(out, '}');
}

void answer_users(const char *ref, const struct answer_users *u, struct text *out)
{
    start("users", ref, out);
    text_open(out, "users", '[');
    for (int i = 0; i < u->n; i++)
        write_person(&u->person[i], out);
    text_close(out, ']');
    text_int(out, "more", u->more);
    text_int(out, "window_ms", u->window_ms);
    text_close(out, '}');
}

void answer_log(const char *ref, const struct answer_line *line, int n, struct text *out)
{
    start("log", ref, out);
    text_open(out, "lines", '[');
    for (int i = 0; i < n; i++) {
        text_open(out, NULL, '{');
        text_int(out, "seq", (int64_t)line[i].seq);
        text_int(out, "time_ms", line[i].time_ms);
        text_string(out, "level", line[i].level);
        text_string(out, "text", line[i].text);
        text_close(out, '}');
    }
    text_close(out, ']');
    text_close(out, '}');
}

void answer_upload(const char *ref, const struct answer_upload *u, struct text *out)
{
    start("upload", ref, out);
    text_id(out, "upload", u->upload);
    text_int(out, "received", u->received);
    text_int(out, "bytes", u->bytes);
    text_close(out, '}');
}

static void write_image(const struct answer_image *m, struct text *out)
{
    spec_image_members(m->image, out);
    text_int(out, "bytes", m->bytes);
    if (m->created_ms) text_int(out, "created_ms", m->created_ms);
    text_json(out, "changed", m->changed);
    if (m->private) text_bool(out, "private", true);
    text_close(out, '}');
}

void answer_image(const char *ref, const struct answer_image *m, struct text *out)
{
    start("image", ref, out);
    write_image(m, out);
}

void answer_image_row(const struct answer_image *m, struct text *out)
{
    text_open(out, NULL, '{');
    write_image(m, out);
}

void answer_images_begin(const char *ref, struct text *out)
{
    start("uploads", ref, out);
    text_open(out, "images", '[');
}

void answer_images_end(struct text *out)
{
    text_close(out, ']');
    text_close(out, '}');
}

void answer_pong(const char *ref, int64_t time_ms, struct text *out)
{
    start("pong", ref, out);
    text_int(out, "time_ms", time_ms);
    text_close(out, '}');
}
