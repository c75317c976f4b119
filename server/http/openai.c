/* openai - a request's members become a spec and the form of the answer; pictures are written one
 * at a time. */
#include "server/http/openai.h"

#include "proto/limits.h"
#include "proto/spec.h"
#include "server/base/clock.h"
#include "server/http/base64.h"
#include "server/http/drawing.h"
#include "server/http/grant.h"
#include "server/http/openai_form.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTIALS_MAX = 3, ORIGIN_BYTES = 320, EVENT_BYTES = 64 << 20 };

struct generation {
    struct drawing d;
    bool edit;              /* it begins with other pictures */
    bool stream, url, both; /* both: base64 beside the address */
    enum picture_format format;
    int quality;
    int partials;          /* wanted of each picture */
    int sent[DRAWING_MAX]; /* partials of each picture */
    int width, height;     /* as they are drawn */
    int written;           /* pictures */
    struct blob *file;     /* the next one to be written, in `format`; NULL: not yet */
    bool converting;
    int partial;               /* it is a preview of this picture, counted from 1; 0: it is none */
    bool shown[DRAWING_MAX];   /* of a stream: its end was written */
    bool answering, failed;    /* failed: to make the file */
    char origin[ORIGIN_BYTES]; /* before a picture's path */
};

/* --- errors ----------------------------------------------------------------------------------- */

static const char *type_of(const struct fail *f, int status)
{
    switch (f->code) {
    case ERR_UNAUTHORIZED: return "authentication_error";
    case ERR_FORBIDDEN: return "permission_error";
    case ERR_RATE_LIMITED:
    case ERR_QUEUE_FULL: return "rate_limit_error";
    default: return status < 500 ? "invalid_request_error" : "server_error";
    }
}

/* The members `message`, `type`, `param` and `code`. */
static void write_fail(const struct fail *f, int status, struct text *t)
{
    char message[FAIL_SENTENCE];

    fail_sentence(f, message);
    text_open(t, "error", '{');
    text_string(t, "message", message);
    text_string(t, "type", type_of(f, status));
    text_string(t, "param", *f->field ? f->field : NULL);
    text_string(t, "code", fail_wire(f->code));
    text_close(t, '}');
}

static void refuse(struct http_reply *r, const struct fail *f, int status)
{
    struct text t;

    reply_init_fail(r, f, status);
    r->retry_after_ms = f->retry_after_ms;
    r->should_retry = f->retry_after_ms > 0 ? "true" : "false";
    text_init(&t, 0, 8192);
    text_open(&t, NULL, '{');
    write_fail(f, status, &t);
    text_close(&t, '}');
    reply_text(r, &t, "application/json");
}

/* --- the request ------------------------------------------------------------------------------ */

static const char *member(const json_t *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o, name));

    return text ? text : "";
}

static bool set(const json_t *o, const char *name)
{
    const json_t *v = json_object_get(o, name);

    return v && !json_is_null(v);
}

/* A whole number from min to max, or what it is when left out. */
static int whole(const json_t *o, const char *name, int min, int max, int def, int *out,
                 struct fail *f)
{
    double v = json_number_value(json_object_get(o, name));

    *out = def;
    if (!set(o, name)) return 0;
    if (json_is_number(json_object_get(o, name)) && v >= min && v <= max && v == (int)v) {
        *out = (int)v;
        return 0;
    }
    fail_field(f, ERR_BAD_FIELD, name, "%s is not a whole number from %d to %d", name, min, max);
    return fail_advise(f, "Leave it out for %d.", def);
}

static int truth(const json_t *o, const char *name, bool *out, struct fail *f)
{
    *out = json_is_true(json_object_get(o, name));
    if (!set(o, name) || json_is_boolean(json_object_get(o, name))) return 0;
    return fail_field(f, ERR_BAD_FIELD, name, "%s is neither true nor false", name);
}

/* One of a few words; *out: which, 0 when it is left out. */
static int word(const json_t *o, const char *name, const char *const *words, int *out,
                struct fail *f)
{
    const char *text = member(o, name);

    for (*out = 0; set(o, name) && words[*out]; (*out)++)
        if (strcmp(words[*out], text) == 0) return 0;
    if (!set(o, name)) return 0;
    fail_field(f, ERR_BAD_FIELD, name, "%s \"%.40s\" is not known here", name, text);
    return fail_advise(f, "Leave it out for \"%s\".", words[0]);
}

/* "1024x768" or "auto" */
static int take_size(struct exchange *x, const json_t *o, json_t *spec, struct fail *f)
{
    struct generation *g = exchange_own(x);
    const char *size = member(o, "size");
    char *end = NULL;
    long w = 0, h = 0;

    if (set(o, "size") && strcmp(size, "auto") != 0) {
        w = strtol(size, &end, 10);
        if (*end == 'x') h = strtol(end + 1, &end, 10);
        if (*end || w <= 0 || h <= 0) {
            fail_field(f, ERR_BAD_FIELD, "size", "The size \"%.40s\" is not understood", size);
            return fail_advise(f, "Write \"1024x1024\", or \"auto\".");
        }
    }
    drawing_size(&g->d, x, spec, (double)w, (double)h);
    g->width = (int)json_number_value(json_object_get(spec, "width"));
    g->height = (int)json_number_value(json_object_get(spec, "height"));
    return 0;
}

static const char *const FORMATS[] = {"png", "jpeg", "webp", NULL};

/* DALL-E gave addresses when it was not told how, and its clients read nothing else. */
static bool expects_url(const json_t *o)
{
    return !set(o, "response_format") && strncmp(member(o, "model"), "dall-e", 6) == 0;
}

/* The form of the answer. */
static int take_form(struct generation *g, const json_t *o, struct fail *f)
{
    static const char *const forms[] = {"b64_json", "url", NULL};
    int form = 0, format = 0; /* as enum picture_format */
    int err = word(o, "response_format", forms, &form, f);

    if (!err) err = word(o, "output_format", FORMATS, &format, f);
    if (!err) err = truth(o, "stream", &g->stream, f);
    if (!err) err = whole(o, "partial_images", 0, PARTIALS_MAX, 0, &g->partials, f);
    if (!err) err = whole(o, "output_compression", 0, 100, 100, &g->quality, f);
    g->quality = g->quality > 0 ? g->quality : 1;
    g->both = expects_url(o);
    g->url = form == 1 || g->both;
    g->format = (enum picture_format)format;
    return err;
}

/* Members of a spec, for those who know this server (extra_body). */
static bool is_spec(const char *name)
{
    static const char *const all[] = {"prompt", "steps", "guidance", "seed", "lane", NULL};

    for (const char *const *own = all; *own; own++)
        if (strcmp(*own, name) == 0) return true;
    return false;
}

static bool is_read(const char *name)
{
    static const char *const all[] = {"model",         "n",
                                      "size",          "response_format",
                                      "output_format", "output_compression",
                                      "stream",        "partial_images",
                                      "user",          NULL};

    for (const char *const *own = all; *own; own++)
        if (strcmp(*own, name) == 0) return true;
    return false;
}

static json_t *spec_of(struct generation *g, const json_t *o)
{
    json_t *spec = json_object(), *v;
    const char *name;

    json_object_foreach((json_t *)(uintptr_t)o, name, v)
    {
        if (json_is_null(v)) continue;
        if (is_spec(name))
            json_object_set(spec, name, v);
        else if (!is_read(name))
            drawing_unused(&g->d, name);
    }
    return spec;
}

static void ask_previews(struct exchange *x)
{
    struct generation *g = exchange_own(x);
    json_t *c =
        json_pack("{ss ss si}", "type", "previews", "format",
                  g->format == PICTURE_JPEG ? "jpeg" : "png", "max_px", LIMIT_PREVIEW_PX_MAX);

    exchange_send(x, c);
    json_decref(c);
}

/* o: the request, which is freed; NULL: f says why there is none. */
static void begin_with(struct exchange *x, const struct http_request *q, json_t *o, struct fail *f)
{
    struct generation *g = exchange_own(x);
    json_t *spec = NULL;
    int err = o ? 0 : (int)f->code, n = 1;

    if (!err) err = whole(o, "n", 1, DRAWING_MAX, 1, &n, f);
    if (!err) err = take_form(g, o, f);
    if (!err) spec = spec_of(g, o);
    if (!err) err = take_size(x, o, spec, f);
    if (!err) {
        if (g->url && !g->stream && g->format != PICTURE_PNG)
            drawing_note(&g->d, "an address leads to the stored file, which is a PNG");
        drawing_origin(x, q, g->origin, sizeof g->origin);
        if (g->stream && g->partials) ask_previews(x);
        drawing_submit(x, &g->d, spec, n, NULL);
    } else
        exchange_refuse(x, f);
    json_decref(spec);
    json_decref(o);
}

static void begin(struct exchange *x, const struct http_request *q)
{
    struct generation *g = exchange_own(x);
    struct fail f;

    drawing_init(&g->d, q);
    begin_with(x, q, text_parse(q->body, q->len, LIMIT_MESSAGE_BYTES, &f), &f);
}

static void begin_edit(struct exchange *x, const struct http_request *q)
{
    struct generation *g = exchange_own(x);
    struct fail f;

    drawing_init(&g->d, q);
    g->edit = true;
    begin_with(x, q, openai_form_read(x, &g->d.attach, q, &f), &f);
}

/* --- the answer ------------------------------------------------------------------------------- */

static void write_size(const struct generation *g, struct text *t)
{
    char size[24];

    snprintf(size, sizeof size, "%dx%d", g->width, g->height);
    text_string(t, "size", size);
    text_string(t, "quality", "auto");
    text_string(t, "background", "opaque");
}

/* The next picture that is to be written, -1: none for now. */
static int next_picture(const struct generation *g)
{
    if (!g->stream) return g->answering && g->written < g->d.n ? g->written : -1;
    for (int i = 0; i < g->d.accepted; i++)
        if (g->d.all[i].over && !g->shown[i]) return i;
    return -1;
}

/* Is its file there? If not it is asked for, once. */
static bool has_file(struct exchange *x, int i)
{
    struct generation *g = exchange_own(x);

    if ((g->url && !g->both) || g->format == PICTURE_PNG || g->file) return true;
    if (!g->converting && !g->failed) {
        g->converting = drawing_convert(x, &g->d.asker, &g->d.all[i], g->format, g->quality);
        g->failed = !g->converting;
    }
    return false;
}

static void write_base64(struct exchange *x, int i, struct text *out)
{
    struct generation *g = exchange_own(x);

    if (g->file)
        base64_write(g->file->data, g->file->len, out);
    else
        drawing_base64(x, &g->d.asker, &g->d.all[i], out);
    blob_unref(g->file);
    g->file = NULL;
}

/* The answer's beginning, up to its first picture. */
static void write_beginning(struct exchange *x)
{
    struct generation *g = exchange_own(x);
    struct text t;

    g->answering = true;
    text_init(&t, 0, LIMIT_MESSAGE_BYTES);
    text_open(&t, NULL, '{');
    text_int(&t, "created", g->d.created_ms / 1000);
    write_size(g, &t);
    text_string(&t, "output_format", FORMATS[g->url && !g->both ? PICTURE_PNG : g->format]);
    drawing_write_notes(&g->d, &t);
    text_open(&t, "data", '[');
    text_bytes(exchange_stream_as(x, "application/json"), t.at, t.len);
    text_free(&t);
}

static void write_picture(struct exchange *x, struct text *out)
{
    struct generation *g = exchange_own(x);
    const struct drawn *p = &g->d.all[g->written];
    const struct backend *b = exchange_backend(x);
    int64_t until_s = clock_unix_ms() / 1000 + GRANT_SECONDS;
    char path[URL_TEXT], grant[GRANT_TEXT] = "", url[ORIGIN_BYTES + URL_TEXT + GRANT_TEXT];

    text_raw(out, g->written++ ? ",{" : "{");
    if (g->url) {
        url_picture(p->digest, path);
        if (g->d.asker.user)
            grant_write(store_secret(b->store), g->d.asker.user, p->digest, until_s, grant);
        snprintf(url, sizeof url, "%s%s%s", g->origin, path + 1, grant);
        text_string(out, "url", url); /* the host's name is what the client sent */
    }
    if (!g->url || g->both) {
        text_raw(out, g->both ? ",\"b64_json\":\"" : "\"b64_json\":\"");
        write_base64(x, g->written - 1, out);
        text_raw(out, "\"");
    }
    text_printf(out, ",\"seed\":%" PRId64 "}", p->seed);
}

/* --- a stream --------------------------------------------------------------------------------- */

static void open_event(struct text *t, const char *type)
{
    text_init(t, 0, EVENT_BYTES);
    text_open(t, NULL, '{');
    text_string(t, "type", type);
}

static void close_event(struct exchange *x, struct text *t, const char *type)
{
    struct text *out = exchange_stream_as(x, "text/event-stream");

    text_close(t, '}');
    text_printf(out, "event: %s\ndata: ", type);
    text_bytes(out, t->at, t->len);
    text_raw(out, "\n\n");
    if (t->code) out->code = t->code;
    text_free(t);
}

/* No tokens are counted here, but clients read the member. */
static const char USAGE[] = ",\"usage\":{\"total_tokens\":0,\"input_tokens\":0,\"output_tokens\":0,"
                            "\"input_tokens_details\":{\"text_tokens\":0,\"image_tokens\":0}}";

static void write_completed(struct exchange *x, int which)
{
    struct generation *g = exchange_own(x);
    const char *type = g->edit ? "image_edit.completed" : "image_generation.completed";
    struct text t;

    open_event(&t, type);
    text_int(&t, "created_at", g->d.created_ms / 1000);
    text_int(&t, "seed", g->d.all[which].seed);
    write_size(g, &t);
    text_string(&t, "output_format", FORMATS[g->format]);
    drawing_write_notes(&g->d, &t);
    text_raw(&t, USAGE);
    text_raw(&t, ",\"b64_json\":\"");
    write_base64(x, which, &t);
    text_raw(&t, "\"");
    close_event(x, &t, type);
    g->shown[which] = true;
    if (++g->written == g->d.n) exchange_finish(x);
}

static void write_partial(struct exchange *x, int i, const void *bytes, size_t len)
{
    struct generation *g = exchange_own(x);
    const char *type = g->edit ? "image_edit.partial_image" : "image_generation.partial_image";
    struct text t;

    open_event(&t, type);
    text_int(&t, "created_at", g->d.created_ms / 1000);
    text_int(&t, "partial_image_index", g->sent[i]++);
    write_size(g, &t);
    text_string(&t, "output_format", FORMATS[g->format]);
    text_raw(&t, ",\"b64_json\":\"");
    base64_write(bytes, len, &t);
    text_raw(&t, "\"");
    close_event(x, &t, type);
}

/* A preview, when the next partial picture is due: they are spread over the time of drawing. Those
 * that come while another is made a WebP are left out. */
static void take_frame(struct exchange *x, const struct blob *m)
{
    struct generation *g = exchange_own(x);
    struct frame h;
    int i = drawing_frame(&g->d, m, &h);

    if (i < 0 || h.phase < PHASE_DENOISE || g->sent[i] >= g->partials) return;
    if (g->d.all[i].overall * (g->partials + 1) < g->sent[i] + 1) return;
    if (g->format != PICTURE_WEBP) {
        write_partial(x, i, m->data + FRAME_HEADER, h.bytes);
    } else if (!g->converting) {
        g->converting =
            exchange_convert_bytes(x, m->data + FRAME_HEADER, h.bytes, g->format, g->quality);
        g->partial = g->converting ? i + 1 : 0;
    }
}

static void converted(struct exchange *x, struct blob *file)
{
    struct generation *g = exchange_own(x);
    const int partial = g->partial;

    g->converting = false;
    g->partial = 0;
    if (partial) {
        if (file && exchange_state(x) == EXCHANGE_STREAMS)
            write_partial(x, partial - 1, file->data, file->len);
        return;
    }
    g->failed = !file;
    if (file) g->file = blob_ref(file);
}

/* --- events of the jobs ----------------------------------------------------------------------- */

/* Also behind a heart beat, when the status was sent. */
static void give_up(struct exchange *x)
{
    struct generation *g = exchange_own(x);
    const struct fail *f = &g->d.why;
    struct text t;

    if (exchange_state(x) == EXCHANGE_WAITS) {
        exchange_refuse(x, f);
        return;
    }
    open_event(&t, "error");
    write_fail(f, fail_status(f->code), &t);
    if (g->stream)
        close_event(x, &t, "error");
    else {
        text_close(&t, '}');
        text_bytes(exchange_stream(x), t.at, t.len);
        text_free(&t);
    }
    exchange_finish(x);
}

/* The file cannot be made: a stream says so, an answer that has begun is cut. */
static void break_off(struct exchange *x)
{
    struct generation *g = exchange_own(x);

    fail_set(&g->d.why, ERR_IO, "The picture's file could not be made.");
    if (g->stream) {
        give_up(x);
        return;
    }
    text_raw(exchange_stream(x), " ");
    exchange_stream(x)->code = ERR_IO;
}

/* One picture at a time, as each is long. */
static void more(struct exchange *x)
{
    struct generation *g = exchange_own(x);
    int i = next_picture(g);

    if (i >= 0 && !has_file(x, i)) {
        if (g->failed) break_off(x);
    } else if (i >= 0 && g->stream)
        write_completed(x, i);
    else if (i >= 0)
        write_picture(x, exchange_stream(x));
    else if (g->answering) {
        text_raw(exchange_stream(x), "]}");
        exchange_finish(x);
    }
}

static void message(struct exchange *x, const struct blob *m, bool binary)
{
    struct generation *g = exchange_own(x);
    int which;

    if (binary) {
        take_frame(x, m);
        return;
    }
    switch (drawing_take(x, &g->d, m, &which)) {
    case DRAWING_FAILED: give_up(x); break;
    case DRAWING_ACCEPTED:
        if (g->stream) exchange_stream_as(x, "text/event-stream");
        break;
    case DRAWING_DONE:
        if (g->stream)
            more(x);
        else if (g->d.over == g->d.n)
            write_beginning(x);
        break;
    case DRAWING_NOTHING:
    case DRAWING_PROGRESS: break;
    }
}

static void beat(struct exchange *x)
{
    struct generation *g = exchange_own(x);

    if (g->stream)
        text_raw(exchange_stream_as(x, "text/event-stream"), ":\n\n");
    else
        text_raw(exchange_stream_as(x, "application/json"), "\n");
    drawing_check(x, &g->d);
}

static void drain(struct exchange *x)
{
    struct generation *g = exchange_own(x);

    if (g->answering) return;
    fail_set(&g->d.why, ERR_SHUTTING_DOWN, "The server stops.");
    g->d.why.retry_after_ms = 1000;
    give_up(x);
}

static void end(struct exchange *x)
{
    struct generation *g = exchange_own(x);

    drawing_free(&g->d);
    blob_unref(g->file);
}

const struct translator OPENAI_GENERATE = {.state = sizeof(struct generation),
                                           .lasting = true,
                                           .refuse = refuse,
                                           .begin = begin,
                                           .message = message,
                                           .more = more,
                                           .converted = converted,
                                           .alarm = beat,
                                           .drain = drain,
                                           .end = end};

const struct translator OPENAI_EDIT = {.state = sizeof(struct generation),
                                       .lasting = true,
                                       .refuse = refuse,
                                       .begin = begin_edit,
                                       .message = message,
                                       .more = more,
                                       .converted = converted,
                                       .alarm = beat,
                                       .drain = drain,
                                       .end = end};

/* --- models ----------------------------------------------------------------------------------- */

/* Clients have some names built in: all mean the model that is here. */
static const char *const ALIASES[] = {"gpt-image-1", "dall-e-3"};
enum { MODELS = 1 + sizeof ALIASES / sizeof *ALIASES };

static const char *model_at(const struct exchange *x, int i)
{
    const char *own = exchange_backend(x)->model;

    return i ? ALIASES[i - 1] : own ? own : "glm-image";
}

static void write_model(const char *id, struct text *t)
{
    text_open(t, NULL, '{');
    text_string(t, "id", id);
    text_string(t, "object", "model");
    text_int(t, "created", 0);
    text_string(t, "owned_by", "darkroom");
    text_close(t, '}');
}

static void answer(struct exchange *x, struct text *t)
{
    reply_text(exchange_reply(x, 200), t, "application/json");
    exchange_answer(x);
}

static void begin_models(struct exchange *x, const struct http_request *q)
{
    const char *one = q->param[0].text;
    struct text t;
    struct fail f;

    text_init(&t, 0, 4096);
    if (!*one) {
        text_open(&t, NULL, '{');
        text_string(&t, "object", "list");
        text_open(&t, "data", '[');
        for (int i = 0; i < MODELS; i++)
            write_model(model_at(x, i), &t);
        text_close(&t, ']');
        text_close(&t, '}');
        answer(x, &t);
        return;
    }
    for (int i = 0; i < MODELS; i++)
        if (strcmp(model_at(x, i), one) == 0) {
            write_model(one, &t);
            answer(x, &t);
            return;
        }
    fail_field(&f, ERR_NOT_FOUND, "model", "There is no model \"%s\" here.", one);
    fail_advise(&f, "GET /v1/models lists the names that there are.");
    exchange_refuse(x, &f);
}

static void nothing(struct exchange *x, const struct blob *m, bool binary)
{
    (void)x, (void)m, (void)binary;
}

const struct translator OPENAI_MODELS = {
    .refuse = refuse, .begin = begin_models, .message = nothing};
