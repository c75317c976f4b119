/* gradio - the arguments by their places, the blocking call, and files by their names. */
#include "server/http/gradio.h"

#include "proto/limits.h"
#include "server/http/pictures.h"
#include "server/http/queue.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const struct gradio_input GRADIO_INPUTS[GRADIO_ARGUMENTS] = {
    {"prompt", "Prompt", "textbox", SPEC_PROMPT},
    {"negative_prompt", "Negative prompt", "textbox", SPEC_FIELDS},
    {"width", "Width", "slider", SPEC_WIDTH},
    {"height", "Height", "slider", SPEC_HEIGHT},
    {"steps", "Steps", "slider", SPEC_STEPS},
    {"guidance", "Guidance", "slider", SPEC_GUIDANCE},
    {"seed", "Seed", "number", SPEC_SEED},
    {"image", "Image", "image", SPEC_IMAGES},
};

int gradio_arguments(const struct exchange *x)
{
    return GRADIO_ARGUMENTS - (exchange_backend(x)->limits->no_images != NULL);
}

void gradio_refuse(struct http_reply *r, const struct fail *f, int status)
{
    char error[FAIL_SENTENCE];
    struct text t;

    fail_sentence(f, error);
    reply_init_fail(r, f, status);
    text_init(&t, 0, 8192);
    text_open(&t, NULL, '{');
    text_string(&t, "error", error);
    if (status == 422) { /* gradio_client reads the failures of arguments there */
        text_open(&t, "detail", '[');
        text_open(&t, NULL, '{');
        text_string(&t, "__type__", "validate");
        text_bool(&t, "is_valid", false);
        text_string(&t, "parameter_name", f->field);
        text_string(&t, "message", error);
        text_close(&t, '}');
        text_close(&t, ']');
    } else
        text_string(&t, "detail", error);
    text_string(&t, "code", fail_wire(f->code));
    text_close(&t, '}');
    reply_text(r, &t, "application/json");
}

/* --- arguments -------------------------------------------------------------------------------- */

static int place_of(const struct exchange *x, const char *name)
{
    for (int i = 0; i < gradio_arguments(x); i++)
        if (strcmp(GRADIO_INPUTS[i].name, name) == 0) return i;
    return -1;
}

json_t *gradio_by_place(const struct exchange *x, const json_t *named, struct fail *f)
{
    json_t *data = json_array(), *v;
    const char *name;

    for (int i = 0; i < gradio_arguments(x); i++)
        json_array_append_new(data, json_null());
    json_object_foreach((json_t *)(uintptr_t)named, name, v)
    {
        int place = place_of(x, name);

        if (place < 0) {
            fail_field(f, ERR_BAD_FIELD, name, "There is no argument \"%.60s\".", name);
            fail_advise(f, "GET /gradio_api/info lists those that there are.");
            json_decref(data);
            return NULL;
        }
        json_array_set(data, (size_t)place, v);
    }
    return json_pack("{so}", "data", data);
}

static int take_argument(struct exchange *x, struct drawing *d, json_t *spec,
                         const struct gradio_input *in, json_t *v, struct fail *f)
{
    bool given = json_is_string(v) && *json_string_value(v);

    switch (in->field) {
    case SPEC_WIDTH:
    case SPEC_HEIGHT: break; /* together */
    case SPEC_IMAGES: break; /* apart: it can fail */
    case SPEC_PROMPT:
        if (v && !json_is_null(v)) json_object_set(spec, "prompt", v);
        break;
    case SPEC_FIELDS:
        if (given) drawing_unused(d, in->name);
        break;
    default: return drawing_number(d, x, spec, in->field, in->name, v, f);
    }
    return 0;
}

/* Width and height; asked: what they were when others are drawn, else "". */
static int take_size(struct exchange *x, struct drawing *d, json_t *spec, const json_t *data,
                     char asked[GRADIO_ASKED], struct fail *f)
{
    double w = 0, h = 0;
    int err = drawing_read(json_array_get(data, 2), "width", &w, f);

    *asked = 0;
    if (err >= 0) err = drawing_read(json_array_get(data, 3), "height", &h, f);
    if (err < 0) return err;
    drawing_size(d, x, spec, w, h);
    if (json_array_size(d->notes) && w < 1e6 && h < 1e6)
        snprintf(asked, GRADIO_ASKED, "%.0fx%.0f", w > 0 ? w : 0, h > 0 ? h : 0);
    return 0;
}

/* The digest that a path ends with: "uploads/DIGEST.png", "outputs/64x64_DIGEST.png", or an address
 * of either; all of the text where there is no such path. */
static const char *end_of(const char *text)
{
    const char *last = strrchr(text, '/'), *mark = last ? strchr(last, '_') : NULL;

    return mark ? mark + 1 : text;
}

/* A file object, or the string that Gradio 3 sent: a data URL. */
static int take_picture(struct exchange *x, struct attach *a, const json_t *v, struct fail *f)
{
    const json_t *path = json_is_object(v) ? json_object_get(v, "path") : v,
                 *url = json_object_get(v, "url");
    const char *text = json_string_value(json_is_string(path) ? path : url);

    if (attach_given(x, v) && !json_is_string(v)) return attach_value(x, a, "image", v, f);
    if (attach_given(x, url) && !json_is_string(url)) return attach_value(x, a, "image", url, f);
    if (text) return attach_text(x, a, "image", end_of(text), f);
    fail_field(f, ERR_BAD_FIELD, "image", "image is no file");
    return fail_advise(f, "POST it to /gradio_api/upload, and send {\"path\":..} as this answers.");
}

/* One, or an array of them. */
static int take_pictures(struct exchange *x, struct attach *a, const json_t *v, struct fail *f)
{
    const char *why = exchange_backend(x)->limits->no_images;
    int err = 0;

    if (!v || json_is_null(v)) return 0;
    if (why) return spec_images_refuse(why, f);
    if (!json_is_array(v)) return take_picture(x, a, v, f);
    for (size_t i = 0; i < json_array_size(v) && !err; i++)
        err = take_picture(x, a, json_array_get(v, i), f);
    return err;
}

int gradio_read(struct exchange *x, struct drawing *d, const json_t *body, json_t **spec,
                char asked[GRADIO_ASKED], struct fail *f)
{
    const json_t *data = json_object_get(body, "data");
    int err;

    *spec = NULL;
    if (!json_array_size(data) || json_array_size(data) > GRADIO_ARGUMENTS) {
        fail_field(f, ERR_BAD_FIELD, "data", "data is no array of 1 to %d values",
                   gradio_arguments(x));
        return fail_advise(f, "[prompt, negative_prompt, width, height, steps, guidance, seed%s]",
                           gradio_arguments(x) == GRADIO_ARGUMENTS ? ", image" : "");
    }
    *spec = json_object();
    err = take_size(x, d, *spec, data, asked, f);
    for (size_t i = 0; i < GRADIO_ARGUMENTS && !err; i++)
        err = take_argument(x, d, *spec, &GRADIO_INPUTS[i], json_array_get(data, i), f);
    if (err) return err;
    return take_pictures(x, &d->attach, json_array_get(data, GRADIO_ARGUMENTS - 1), f);
}

/* --- results ---------------------------------------------------------------------------------- */

void gradio_write_text(const struct drawn *p, const char *asked, const json_t *notes,
                       struct text *t)
{
    char line[160], all[2048];
    const json_t *note;
    size_t i, n;

    n = (size_t)snprintf(all, sizeof all,
                         "seed %" PRId64 ", %dx%d, %d steps, guidance %.10g, %.2f s", p->seed,
                         p->width, p->height, p->steps, p->guidance, p->seconds);
    snprintf(line, sizeof line, "\nthe size %s was brought to %dx%d", asked, p->width, p->height);
    if (*asked) n += (size_t)snprintf(all + n, sizeof all - n, "%s", line);
    json_array_foreach(notes, i, note)
    {
        if (n < sizeof all)
            n += (size_t)snprintf(all + n, sizeof all - n, "\n%s", json_string_value(note));
    }
    text_string(t, NULL, all);
}

static void write_file(const struct drawn *p, const char *origin, struct text *t)
{
    char path[160], url[512];

    snprintf(path, sizeof path, "outputs/%dx%d_%s.png", p->width, p->height, p->digest);
    snprintf(url, sizeof url, "%sgradio_api/file=%s", origin, path);
    text_open(t, NULL, '{');
    text_string(t, "path", path);
    text_string(t, "url", url);
    text_string(t, "orig_name", path + strlen("outputs/"));
    text_int(t, "size", p->bytes);
    text_string(t, "mime_type", "image/png");
    text_bool(t, "is_stream", false);
    text_raw(t, ",\"meta\":{\"_type\":\"gradio.FileData\"}");
    text_close(t, '}');
}

void gradio_write_data(const struct drawn *p, const char *asked, const char *origin, struct text *t)
{
    text_open(t, "data", '[');
    write_file(p, origin, t);
    gradio_write_text(p, asked, NULL, t);
    text_close(t, ']');
}

void gradio_file(struct store *s, const struct http_request *q, struct http_reply *r)
{
    const char *name = strrchr(q->path, '_');
    struct http_request picture = *q;
    char path[URL_TEXT + 8];

    snprintf(path, sizeof path, URL_PICTURES "%.72s", name ? name + 1 : "");
    picture.path = path;
    pictures_route(s, NULL, &picture, r);
}

/* --- a call that waits ------------------------------------------------------------------------ */

static void begin(struct exchange *x, const struct http_request *q)
{
    struct drawing *d = exchange_own(x);
    struct fail f;
    json_t *body = text_parse(q->body, q->len, LIMIT_FORM_BYTES, &f), *spec = NULL;
    int err = body ? 0 : (int)f.code;
    char asked[GRADIO_ASKED];

    drawing_init(d, q);
    if (!err) err = gradio_read(x, d, body, &spec, asked, &f);
    if (!err)
        drawing_submit(x, d, spec, 1, NULL);
    else
        exchange_refuse(x, &f);
    json_decref(spec);
    json_decref(body);
}

static void give_up(struct exchange *x)
{
    const struct drawing *d = exchange_own(x);
    struct text *out;

    if (exchange_state(x) == EXCHANGE_WAITS) {
        exchange_refuse(x, &d->why);
        return;
    }
    out = exchange_stream(x); /* behind a heart beat, when the status was sent */
    text_open(out, NULL, '{');
    text_string(out, "error", d->why.message);
    text_close(out, '}');
    exchange_finish(x);
}

static void answer(struct exchange *x)
{
    const struct drawing *d = exchange_own(x);
    const struct drawn *p = &d->all[0];
    struct text *out = exchange_stream_as(x, "application/json");

    text_raw(out, "{\"data\":[\"data:image/png;base64,");
    drawing_base64(x, &d->asker, p, out);
    text_raw(out, "\"");
    gradio_write_text(p, "", d->notes, out);
    text_raw(out, "],\"is_generating\":false");
    text_real(out, "duration", p->seconds);
    text_real(out, "average_duration", queue_mean_s(exchange_backend(x), p->seconds));
    text_raw(out, "}");
    exchange_finish(x);
}

static void message(struct exchange *x, const struct blob *m, bool binary)
{
    struct drawing *d = exchange_own(x);
    enum drawing_event got;
    int which;

    if (binary) return;
    got = drawing_take(x, d, m, &which);
    if (got == DRAWING_DONE) answer(x);
    if (got == DRAWING_FAILED) give_up(x);
}

static void beat(struct exchange *x)
{
    text_raw(exchange_stream_as(x, "application/json"), "\n");
    drawing_check(x, exchange_own(x));
}

static void drain(struct exchange *x)
{
    struct drawing *d = exchange_own(x);

    fail_set(&d->why, ERR_SHUTTING_DOWN, "The server stops.");
    d->why.retry_after_ms = 1000;
    give_up(x);
}

static void end(struct exchange *x)
{
    drawing_free(exchange_own(x));
}

const struct translator GRADIO_PREDICT = {.state = sizeof(struct drawing),
                                          .lasting = true,
                                          .refuse = gradio_refuse,
                                          .begin = begin,
                                          .message = message,
                                          .alarm = beat,
                                          .drain = drain,
                                          .end = end};
