/* drawing - one submit, then the events of its pictures. */
#include "server/http/drawing.h"

#include "proto/event.h"
#include "proto/spec.h"
#include "server/http/base64.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void drawing_asker(struct store_asker *a, const struct http_request *q)
{
    const struct user *user = q->asker->user;

    *a = (struct store_asker){.all = !user || user->role == ROLE_ADMIN,
                              .user = user ? user->id : USER_NONE};
}

void drawing_init(struct drawing *d, const struct http_request *q)
{
    drawing_asker(&d->asker, q);
    d->notes = json_array();
}

void drawing_free(struct drawing *d)
{
    json_decref(d->held);
    json_decref(d->notes);
    d->notes = NULL;
}

void drawing_note(struct drawing *d, const char *format, ...)
{
    char note[400];
    va_list args;

    va_start(args, format);
    vsnprintf(note, sizeof note, format, args);
    va_end(args);
    json_array_append_new(d->notes, json_string(note));
}

void drawing_unused(struct drawing *d, const char *member)
{
    drawing_note(d, "%.60s is accepted and not used: this model has no such thing", member);
}

void drawing_write_notes(const struct drawing *d, struct text *out)
{
    drawing_echo(d->notes, "notes", out);
}

static void echo_object(const json_t *o, const char *key, struct text *out)
{
    const char *name;
    json_t *v;

    text_open(out, key, '{');
    json_object_foreach((json_t *)(uintptr_t)o, name, v) drawing_echo(v, name, out);
    text_close(out, '}');
}

static void echo_array(const json_t *o, const char *key, struct text *out)
{
    const json_t *v;
    size_t i;

    text_open(out, key, '[');
    json_array_foreach(o, i, v) drawing_echo(v, NULL, out);
    text_close(out, ']');
}

void drawing_echo(const json_t *v, const char *key, struct text *out)
{
    switch (v ? json_typeof(v) : JSON_NULL) {
    case JSON_OBJECT: echo_object(v, key, out); break;
    case JSON_ARRAY: echo_array(v, key, out); break;
    case JSON_STRING: text_string(out, key, json_string_value(v)); break;
    case JSON_INTEGER:
    case JSON_REAL: text_real(out, key, json_number_value(v)); break;
    case JSON_TRUE: text_bool(out, key, true); break;
    case JSON_FALSE: text_bool(out, key, false); break;
    case JSON_NULL: text_null(out, key); break;
    }
}

void drawing_origin(const struct exchange *x, const struct http_request *q, char *out, size_t bytes)
{
    int n = snprintf(out, bytes, "%s://%s%s", q->asker->secure ? "https" : "http",
                     request_header(q, "host"), exchange_backend(x)->base);

    if ((size_t)n >= bytes) *out = 0;
}

/* --- sizes ------------------------------------------------------------------------------------ */

static double snap(double side, const struct spec_range *r)
{
    double snapped = round(side / r->step) * r->step;

    return fmin(fmax(snapped, r->min), r->max);
}

void drawing_legal(const struct spec_limits *limits, int *width, int *height)
{
    const struct spec_range *w = &limits->range[SPEC_WIDTH], *h = &limits->range[SPEC_HEIGHT];
    double wide = fmax(*width, 1), high = fmax(*height, 1), scale = 1;
    double *longer = wide > high ? &wide : &high, *shorter = wide > high ? &high : &wide;

    *shorter = fmax(*shorter, *longer / limits->aspect_max);
    scale = fmin(1, fmin(w->max / wide, h->max / high));
    if (scale == 1) scale = fmax(1, fmax(w->min / wide, h->min / high));
    wide = snap(wide * scale, w);
    high = snap(high * scale, h);
    while (*longer > *shorter * limits->aspect_max) /* what rounding has added */
        *longer -= w->step;
    *width = (int)wide;
    *height = (int)high;
}

void drawing_size(struct drawing *d, const struct exchange *x, json_t *spec, double width,
                  double height)
{
    const struct spec_limits *limits = exchange_backend(x)->limits;
    double w = width > 0 ? width : limits->range[SPEC_WIDTH].def;
    double h = height > 0 ? height : limits->range[SPEC_HEIGHT].def;
    int wide = (int)fmin(w, 1e6), high = (int)fmin(h, 1e6);

    drawing_legal(limits, &wide, &high);
    if (wide != w || high != h)
        drawing_note(d, "the size %.10gx%.10g was brought to %dx%d", w, h, wide, high);
    json_object_set_new(spec, "width", json_real(wide));
    json_object_set_new(spec, "height", json_real(high));
}

/* Decimal digits alone: strtod would take "inf" and "0x40" for numbers, too. */
static bool is_decimal(const char *text)
{
    char *end;

    if (text[strspn(text, "0123456789+-.eE \t")] || !strpbrk(text, "0123456789")) return false;
    return isfinite(strtod(text, &end)) && !end[strspn(end, " \t")];
}

int drawing_read(const json_t *v, const char *name, double *out, struct fail *f)
{
    const char *text = json_string_value(v);

    if (!v || json_is_null(v) || (text && !text[strspn(text, " \t")])) return 0;
    if (json_is_number(v) || (text && is_decimal(text))) {
        *out = text ? strtod(text, NULL) : json_number_value(v);
        return 1;
    }
    fail_field(f, ERR_BAD_FIELD, name, "%s is not a number", name);
    return fail_advise(f, "Send it without quotes, or leave it out.");
}

int drawing_number(struct drawing *d, const struct exchange *x, json_t *spec, enum spec_id id,
                   const char *name, const json_t *v, struct fail *f)
{
    const struct spec_range *r = &exchange_backend(x)->limits->range[id];
    double asked, got;
    int err = drawing_read(v, name, &asked, f);

    if (err <= 0) return err;
    got = fmin(fmax(r->step ? round(asked / r->step) * r->step : asked, r->min), r->max);
    if (got != asked) drawing_note(d, "%s %.10g was brought to %.10g", name, asked, got);
    json_object_set_new(spec, SPEC_TABLE[id].name, json_real(got));
    return 0;
}

/* --- submitting ------------------------------------------------------------------------------- */

/* When all that is attached has its digest. */
static void send_held(struct exchange *x, struct drawing *d)
{
    json_t *c = d->held;

    if (!c || attach_waits(&d->attach)) return;
    d->held = NULL;
    attach_put(&d->attach, json_object_get(c, "spec"));
    exchange_send(x, c);
    json_decref(c);
}

void drawing_submit(struct exchange *x, struct drawing *d, json_t *spec, int n, const char *key)
{
    json_t *c =
        json_pack("{s:s, s:O, s:b, s:{s:f}}", "type", "submit", "spec", spec, "watch", n == 1,
                  "on_disconnect", "cancel_after_ms", d->keep_ms ? (double)d->keep_ms : 1.0);

    if (n > 1) json_object_set_new(c, "n", json_integer(n));
    if (key) json_object_set_new(c, "key", json_string(key));
    if (d->fresh) json_object_set_new(c, "fresh", json_true());
    exchange_lasting(x);
    exchange_alarm(x, exchange_now(x) + DRAWING_BEAT_US);
    d->n = n;
    d->held = c;
    send_held(x, d);
}

/* --- following -------------------------------------------------------------------------------- */

static int find(const struct drawing *d, const char *job)
{
    for (int i = 0; job && i < d->accepted; i++)
        if (strcmp(d->all[i].job, job) == 0) return i;
    return -1;
}

static void take_id(char out[ID_TEXT], const char *job)
{
    snprintf(out, ID_TEXT, "%s", job ? job : "");
}

static void take_result(struct drawn *p, const json_t *o)
{
    const char *digest = json_string_value(json_object_get(o, "digest"));

    snprintf(p->digest, sizeof p->digest, "%s", digest ? digest : "");
    p->seconds = json_number_value(json_object_get(o, "seconds"));
    p->bytes = (int64_t)json_number_value(json_object_get(o, "bytes"));
}

/* As it will be drawn. */
static void take_spec(struct drawn *p, const json_t *spec)
{
    p->width = (int)json_number_value(json_object_get(spec, "width"));
    p->height = (int)json_number_value(json_object_get(spec, "height"));
    p->steps = (int)json_number_value(json_object_get(spec, "steps"));
    p->guidance = json_number_value(json_object_get(spec, "guidance"));
    p->seed = (int64_t)json_number_value(json_object_get(spec, "seed"));
}

static enum drawing_event take_end(struct drawn *p, const json_t *o, struct fail *why)
{
    const char *state = json_string_value(json_object_get(o, "state"));

    p->over = true;
    if (state && strcmp(state, "done") == 0) return DRAWING_DONE;
    if (state && strcmp(state, "failed") == 0)
        exchange_fail(json_object_get(o, "error"), why);
    else
        fail_set(why, ERR_CANCELLED, "The job was cancelled.");
    return DRAWING_FAILED;
}

enum drawing_event drawn_take(struct drawn *p, const char *type, const json_t *o, struct fail *why)
{
    const json_t *overall = json_object_get(o, "overall");

    if (p->over) return DRAWING_NOTHING;
    if (overall) p->overall = json_number_value(overall);
    if (strcmp(type, "accepted") == 0) take_spec(p, json_object_get(o, "spec"));
    if (strcmp(type, "phase") == 0) p->started = true;
    if (strcmp(type, "result") == 0) take_result(p, o);
    if (strcmp(type, "end") == 0) return take_end(p, o, why);
    return DRAWING_PROGRESS;
}

/* Several pictures are the cells of one job: its connection counts as a viewer of all. */
static void take_accepted(struct exchange *x, struct drawing *d, const json_t *o)
{
    const json_t *cells = json_object_get(o, "cells"), *cell;
    size_t i;

    d->created_ms = (int64_t)json_number_value(json_object_get(o, "created_ms"));
    if (!cells) {
        take_id(d->all[0].job, json_string_value(json_object_get(o, "job")));
        take_spec(&d->all[0], json_object_get(o, "spec"));
        d->accepted = 1;
    }
    json_array_foreach(cells, i, cell)
    {
        if (d->accepted == d->n) return;
        take_id(d->all[d->accepted++].job, json_string_value(cell));
        exchange_send_job(x, "watch", json_string_value(cell));
    }
}

enum drawing_event drawing_take(struct exchange *x, struct drawing *d, const struct blob *m,
                                int *which)
{
    enum drawing_event got = DRAWING_NOTHING;
    json_t *o = exchange_read(m);
    const char *type = json_string_value(json_object_get(o, "type"));

    *which = find(d, json_string_value(json_object_get(o, "job")));
    if (!type || strcmp(type, "error") == 0) {
        exchange_fail(o, &d->why);
        got = DRAWING_FAILED;
    } else if (strcmp(type, "image") == 0) {
        attach_take(&d->attach, o);
        send_held(x, d);
    } else if (!d->accepted && strcmp(type, "accepted") == 0) {
        take_accepted(x, d, o);
        got = DRAWING_ACCEPTED;
    } else if (*which >= 0 && strcmp(type, "job") != 0) {
        got = drawn_take(&d->all[*which], type, o, &d->why);
        d->over += got == DRAWING_DONE || got == DRAWING_FAILED;
    }
    json_decref(o);
    return got;
}

int drawing_frame(const struct drawing *d, const struct blob *m, struct frame *out)
{
    char job[ID_TEXT];

    if (frame_decode(m->data, m->len, out, NULL)) return -1;
    id_format(out->job, job);
    return find(d, job);
}

void drawing_check(struct exchange *x, const struct drawing *d)
{
    for (int i = 0; i < d->accepted; i++)
        if (!d->all[i].over) exchange_send_job(x, "job", d->all[i].job);
    exchange_alarm(x, exchange_now(x) + DRAWING_BEAT_US);
}

/* --- pictures --------------------------------------------------------------------------------- */

/* From an open file. */
static bool read_base64(int fd, int64_t bytes, struct text *out)
{
    char piece[48 << 10]; /* a multiple of three */
    int64_t at = 0;

    while (at < bytes) {
        ssize_t n = pread(fd, piece, sizeof piece, (off_t)at);

        if (n <= 0 || (n % 3 && at + n < bytes)) return false;
        base64_write(piece, (size_t)n, out);
        at += n;
    }
    return true;
}

bool drawing_base64(const struct exchange *x, const struct store_asker *asker,
                    const struct drawn *p, struct text *out)
{
    struct store *store = exchange_backend(x)->store;
    struct store_file file;
    bool good = !store_find(store, asker, p->digest, &file, NULL);

    if (good) {
        good = read_base64(file.fd, file.bytes, out);
        close(file.fd);
    }
    if (!good && !out->code) out->code = ERR_IO;
    return good;
}

bool drawing_convert(struct exchange *x, const struct store_asker *asker, const struct drawn *p,
                     enum picture_format format, int quality)
{
    struct store_file file;

    if (store_find(exchange_backend(x)->store, asker, p->digest, &file, NULL)) return false;
    return exchange_convert(x, &file, format, quality, 0);
}
