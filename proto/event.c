/* event - names of kinds, phases, states and reasons; one writer per kind. */
#include "proto/event.h"

#include <assert.h>
#include <string.h>

static const char *const KIND[EVENT_KINDS] = {"accepted", "queue", "phase",  "progress",
                                              "preview",  "cell",  "result", "end"};
static const char *const PHASE[PHASES] = {"glyph",  "prior",  "denoise",
                                          "decode", "vision", "encode"};
static const char *const STATE[STATES] = {"queued", "running", "done", "failed", "cancelled"};
static const char *const WHY[WHYS] = {"turn", "slots",  "memory", "starting", "device",
                                      "disk", "urgent", "paused", "held",     "stopping"};

static const char *name_of(const char *const *names, int n, int value)
{
    assert(value >= 0 && value < n);
    (void)n;
    return names[value];
}

static int value_of(const char *const *names, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0) return i;
    return -1;
}

const char *event_kind_name(enum event_kind kind)
{
    return name_of(KIND, EVENT_KINDS, (int)kind);
}
const char *event_phase_name(enum event_phase phase)
{
    return name_of(PHASE, PHASES, (int)phase);
}
const char *event_state_name(enum event_state state)
{
    return name_of(STATE, STATES, (int)state);
}
const char *event_why_name(enum event_why why)
{
    return name_of(WHY, WHYS, (int)why);
}
int event_phase_parse(const char *name)
{
    return value_of(PHASE, PHASES, name);
}
int event_state_parse(const char *name)
{
    return value_of(STATE, STATES, name);
}

void event_write_fail(const struct fail *f, struct text *out)
{
    text_string(out, "code", fail_wire(f->code));
    if (*f->field) text_string(out, "field", f->field);
    text_string(out, "message", f->message);
    text_string(out, "hint", f->hint);
    if (f->retry_after_ms > 0) text_int(out, "retry_after_ms", f->retry_after_ms);
}

void event_write_result(const struct event_result *r, struct text *out)
{
    text_string(out, "url", r->url);
    text_string(out, "digest", r->digest);
    text_string(out, "mime", "image/png");
    text_int(out, "width", r->width);
    text_int(out, "height", r->height);
    text_int(out, "seed", r->seed);
    text_real(out, "seconds", r->seconds);
    text_int(out, "bytes", r->bytes);
    if (r->steps_done > 0) text_int(out, "steps_done", r->steps_done);
}

void event_write_range(int64_t lo_ms, int64_t hi_ms, struct text *out)
{
    if (lo_ms < 0 || hi_ms < 0) {
        text_null(out, "eta_range_ms");
        return;
    }
    text_open(out, "eta_range_ms", '[');
    text_int(out, NULL, lo_ms);
    text_int(out, NULL, hi_ms);
    text_close(out, ']');
}

static void write_place(const struct sweep_place *p, struct text *out)
{
    text_id(out, "parent", p->parent);
    text_int(out, "cell", p->cell);
    text_open(out, "at", '[');
    for (int i = 0; i < p->axes; i++)
        text_int(out, NULL, p->at[i]);
    text_close(out, ']');
}

void event_write_counts(const struct event_counts *c, struct text *out)
{
    text_open(out, "counts", '{');
    text_int(out, "cells", c->cells);
    text_int(out, "done", c->done);
    text_int(out, "failed", c->failed);
    text_int(out, "cancelled", c->cancelled);
    text_close(out, '}');
}

void event_write_sweep(const struct event_sweep *s, struct text *out)
{
    if (s->place && s->place->parent) write_place(s->place, out);
    if (!s->axes) return;
    text_json(out, "sweep", s->axes);
    text_open(out, "cells", '[');
    for (int i = 0; i < s->n_cells; i++)
        text_id(out, NULL, s->cells[i]);
    text_close(out, ']');
}

/* The sizes of the pictures that it begins with, as far as they are known. */
static void write_images(const struct spec *s, struct text *out)
{
    if (!s->images || !s->image[0].width) return;
    text_open(out, "images", '[');
    for (int i = 0; i < s->images; i++)
        spec_image_write(&s->image[i], out, NULL);
    text_close(out, ']');
}

static void write_accepted(const struct event_accepted *e, const char *ref, struct text *out)
{
    if (ref && *ref) text_string(out, "ref", ref);
    if (e->key && *e->key) text_string(out, "key", e->key);
    text_int(out, "created_ms", e->created_ms);
    if (e->private) text_bool(out, "private", true);
    if (e->eta_ms > 0) {
        text_int(out, "eta_ms", e->eta_ms);
        event_write_range(e->eta_lo_ms, e->eta_hi_ms, out);
    }
    if (e->cached) text_bool(out, "cached", true);
    spec_write(e->spec, out, "spec");
    write_images(e->spec, out);
    event_write_sweep(&e->sweep, out);
}

static void write_queue(const struct event_queue *e, struct text *out)
{
    text_int(out, "position", e->position);
    text_int(out, "ahead", e->ahead);
    text_ms(out, "start_ms", e->start_ms);
    text_ms(out, "eta_ms", e->eta_ms);
    event_write_range(e->eta_lo_ms, e->eta_hi_ms, out);
    text_string(out, "why", event_why_name(e->why));
}

static void write_phase(const struct event_phase_start *e, struct text *out)
{
    text_string(out, "phase", event_phase_name(e->phase));
    text_int(out, "total", e->total);
}

static void write_progress(const struct event_progress *e, struct text *out)
{
    if (e->phase != PHASE_NONE) text_string(out, "phase", event_phase_name(e->phase));
    text_int(out, "done", e->done);
    text_int(out, "total", e->total);
    text_real(out, "overall", e->overall);
    text_ms(out, "eta_ms", e->eta_ms);
    if (e->waits) text_string(out, "why", event_why_name(e->why));
}

static void write_outcome(const struct event_result *result, const struct fail *error,
                          struct text *out)
{
    if (result) {
        text_open(out, "result", '{');
        event_write_result(result, out);
        text_close(out, '}');
    }
    if (error) {
        text_open(out, "error", '{');
        event_write_fail(error, out);
        text_close(out, '}');
    }
}

static void write_cell(const struct event_cell *e, struct text *out)
{
    text_int(out, "cell", e->cell);
    text_string(out, "state", event_state_name(e->state));
    write_outcome(e->result, e->error, out);
}

static void write_end(const struct event_end *e, struct text *out)
{
    text_string(out, "state", event_state_name(e->state));
    write_outcome(NULL, e->error, out);
    if (e->counts) event_write_counts(e->counts, out);
    if (e->cells) text_json(out, "cells", e->cells);
}

static void write_preview(const struct event_preview *e, uint64_t job, uint64_t seq,
                          struct text *out)
{
    uint8_t header[FRAME_HEADER];
    struct frame h = {.kind = FRAME_PREVIEW,
                      .format = e->format,
                      .phase = (int)e->phase,
                      .job = job,
                      .seq = seq,
                      .width = e->width,
                      .height = e->height,
                      .bytes = e->bytes};

    frame_encode(&h, header);
    text_bytes(out, header, sizeof header);
    text_bytes(out, e->image, e->bytes);
}

void event_encode(const struct event *e, uint64_t job, uint64_t seq, const char *ref,
                  struct text *out)
{
    if (e->kind == EVENT_PREVIEW) {
        write_preview(&e->u.preview, job, seq, out);
        return;
    }
    text_open(out, NULL, '{');
    text_string(out, "type", event_kind_name(e->kind));
    text_id(out, "job", job);
    text_int(out, "seq", (int64_t)seq);
    switch (e->kind) {
    case EVENT_ACCEPTED: write_accepted(&e->u.accepted, ref, out); break;
    case EVENT_QUEUE: write_queue(&e->u.queue, out); break;
    case EVENT_PHASE: write_phase(&e->u.phase, out); break;
    case EVENT_PROGRESS: write_progress(&e->u.progress, out); break;
    case EVENT_CELL: write_cell(&e->u.cell, out); break;
    case EVENT_RESULT: event_write_result(&e->u.result, out); break;
    default: write_end(&e->u.end, out); break;
    }
    text_close(out, '}');
}
