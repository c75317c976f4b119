/* a1111 - txt2img: a request's members become a spec, its jobs' pictures one answer. */
#include "server/http/a1111.h"

#include "proto/limits.h"
#include "proto/spec.h"
#include "server/http/drawing.h"

#include <inttypes.h>
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { INFO_BYTES = 1 << 20, GUIDANCE_USUAL_MAX = 3 };

struct txt2img {
    struct drawing d;
    json_t *request; /* as it came */
    json_t *spec;
    int batch; /* pictures of one batch, as it was asked for */
    int done[DRAWING_MAX];
    int n_done; /* pictures that there are, in the order of their jobs once all are over */
    int written;
    bool answering;
};

/* --- shared ----------------------------------------------------------------------------------- */

void a1111_key(const struct http_request *q, char out[A1111_KEY_BYTES])
{
    snprintf(out, A1111_KEY_BYTES, "a1111-%" PRIu32 "-",
             q->asker->user ? q->asker->user->id : USER_NONE);
}

void a1111_previews(struct exchange *x)
{
    json_t *c = json_pack("{ss ss si}", "type", "previews", "format", "png", "every_ms", 500);

    exchange_send(x, c);
    json_decref(c);
}

void a1111_refuse(struct http_reply *r, const struct fail *f, int status)
{
    char detail[FAIL_SENTENCE];
    struct text t;

    fail_sentence(f, detail);
    reply_init_fail(r, f, status);
    text_init(&t, 0, 8192);
    text_open(&t, NULL, '{');
    text_string(&t, "error", fail_wire(f->code));
    text_string(&t, "detail", detail);
    text_string(&t, "body", "");
    text_string(&t, "errors", f->message);
    text_close(&t, '}');
    reply_text(r, &t, "application/json");
}

/* --- the request ------------------------------------------------------------------------------ */

static const json_t *member(const json_t *o, const char *name)
{
    const json_t *v = json_object_get(o, name);

    return json_is_null(v) ? NULL : v;
}

/* Front ends send the 7 that suits other models. */
static int take_guidance(struct exchange *x, const json_t *o, struct fail *f)
{
    struct txt2img *s = exchange_own(x);
    const struct spec_range *r = &exchange_backend(x)->limits->range[SPEC_GUIDANCE];
    const json_t *v = member(o, "cfg_scale");
    int err = drawing_number(&s->d, x, s->spec, SPEC_GUIDANCE, "cfg_scale", v, f);

    if (err) return err;
    if (json_number_value(json_object_get(s->spec, "guidance")) > GUIDANCE_USUAL_MAX)
        drawing_note(&s->d, "cfg_scale is this model's guidance, which is usually %.10g", r->def);
    return 0;
}

/* Members with an effect in the original and none here, when they ask for something. */
static void note_unused(struct drawing *d, const json_t *o)
{
    static const char *const all[] = {"negative_prompt",
                                      "sampler_name",
                                      "sampler_index",
                                      "scheduler",
                                      "enable_hr",
                                      "restore_faces",
                                      "tiling",
                                      "subseed_strength",
                                      "styles",
                                      "override_settings",
                                      "alwayson_scripts",
                                      "script_name",
                                      NULL};

    for (const char *const *name = all; *name; name++) {
        const json_t *v = member(o, *name);
        bool asks = json_is_true(v) || json_number_value(v) > 0 || json_object_size(v)
                    || json_array_size(v) || (json_is_string(v) && *json_string_value(v));

        if (asks) drawing_unused(d, *name);
    }
}

/* batch_size and n_iter: how many pictures. */
static int take_count(struct txt2img *s, const json_t *o, int *n, struct fail *f)
{
    double each = 1, times = 1;
    int err = drawing_read(member(o, "batch_size"), "batch_size", &each, f);

    if (err >= 0) err = drawing_read(member(o, "n_iter"), "n_iter", &times, f);
    if (err < 0) return err;
    if (each >= 1 && times >= 1 && each * times <= DRAWING_MAX && each == floor(each)
        && times == floor(times)) {
        s->batch = (int)each;
        *n = (int)(each * times);
        return 0;
    }
    fail_field(f, ERR_BAD_FIELD, "batch_size", "batch_size times n_iter is not 1 to %d",
               DRAWING_MAX);
    return fail_advise(f, "Send several requests for more pictures.");
}

static int take_spec(struct exchange *x, const json_t *o, struct fail *f)
{
    struct txt2img *s = exchange_own(x);
    const json_t *prompt = member(o, "prompt");
    double w = 0, h = 0, seed = -1; /* any seed below 0 means a random one */
    int err = drawing_read(member(o, "width"), "width", &w, f);

    s->spec = json_object();
    if (prompt) json_object_set(s->spec, "prompt", (json_t *)(uintptr_t)prompt);
    if (err >= 0) err = drawing_read(member(o, "height"), "height", &h, f);
    if (err >= 0) err = drawing_read(member(o, "seed"), "seed", &seed, f);
    if (err < 0) return err;
    if (seed >= 0) json_object_set_new(s->spec, "seed", json_real(seed));
    drawing_size(&s->d, x, s->spec, w, h);
    err = drawing_number(&s->d, x, s->spec, SPEC_STEPS, "steps", member(o, "steps"), f);
    if (!err) err = take_guidance(x, o, f);
    note_unused(&s->d, o);
    return err;
}

/* img2img: what it begins with; nothing of the pictures stays in the request, which is echoed. */
static int take_images(struct exchange *x, json_t *o, struct fail *f)
{
    struct txt2img *s = exchange_own(x);
    const json_t *all = member(o, "init_images"), *mask = member(o, "mask");
    const char *text = json_string_value(mask);
    int err = 0;

    if (mask && !(text && !*text)) { /* "" is none, as A1111 has it */
        fail_field(f, ERR_BAD_FIELD, "mask", "This model changes whole pictures, without a mask");
        return fail_advise(f, "Leave mask out, and say in the prompt what is to change.");
    }
    for (size_t i = 0; i < json_array_size(all) && !err; i++) {
        err = attach_value(x, &s->d.attach, "init_images", json_array_get(all, i), f);
    }
    if (member(o, "denoising_strength")) drawing_unused(&s->d, "denoising_strength");
    json_object_del(o, "init_images");
    if (err || s->d.attach.n) return err;
    fail_field(f, ERR_BAD_FIELD, "init_images", "init_images has no picture");
    return fail_advise(f, "Send [\"data:image/png;base64,..\"].");
}

static void begin_with(struct exchange *x, const struct http_request *q, bool images)
{
    struct txt2img *s = exchange_own(x);
    struct fail f;
    json_t *o = text_parse(q->body, q->len, images ? LIMIT_FORM_BYTES : LIMIT_MESSAGE_BYTES, &f);
    int err = o ? 0 : (int)f.code, n = 1;
    uint32_t random[2];
    char key[A1111_KEY_BYTES + 20], own[A1111_KEY_BYTES];

    drawing_init(&s->d, q);
    s->request = o;
    if (!err && images) err = take_images(x, o, &f);
    if (!err) err = take_count(s, o, &n, &f);
    if (!err) err = take_spec(x, o, &f);
    if (err) {
        exchange_refuse(x, &f);
        return;
    }
    a1111_key(q, own);
    randombytes_buf(random, sizeof random);
    snprintf(key, sizeof key, "%s%08" PRIx32 "%08" PRIx32, own, random[0], random[1]);
    a1111_previews(x);
    drawing_submit(x, &s->d, s->spec, n, key);
}

static void begin(struct exchange *x, const struct http_request *q)
{
    begin_with(x, q, false);
}

static void begin_img2img(struct exchange *x, const struct http_request *q)
{
    begin_with(x, q, true);
}

/* --- info ------------------------------------------------------------------------------------- */

static const char *text_of(const json_t *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o, name));

    return text ? text : "";
}

static void write_seeds(const struct txt2img *s, struct text *t)
{
    text_int(t, "seed", s->d.all[s->done[0]].seed);
    text_open(t, "all_seeds", '[');
    for (int i = 0; i < s->n_done; i++)
        text_int(t, NULL, s->d.all[s->done[i]].seed);
    text_close(t, ']');
    text_int(t, "subseed", 0);
    text_open(t, "all_subseeds", '[');
    for (int i = 0; i < s->n_done; i++)
        text_int(t, NULL, 0);
    text_close(t, ']');
    text_int(t, "subseed_strength", 0);
}

/* The same text for each picture. */
static void write_all(const struct txt2img *s, struct text *t, const char *key, const char *value)
{
    text_open(t, key, '[');
    for (int i = 0; i < s->n_done; i++)
        text_string(t, NULL, value);
    text_close(t, ']');
}

/* A picture's parameters as the original writes them below it. */
static void write_infotexts(const struct exchange *x, const struct txt2img *s, struct text *t)
{
    struct text one;

    text_open(t, "infotexts", '[');
    for (int i = 0; i < s->n_done; i++) {
        const struct drawn *p = &s->d.all[s->done[i]];

        text_init(&one, 0, LIMIT_MESSAGE_BYTES);
        text_printf(&one,
                    "%s\nNegative prompt: %s\nSteps: %d, CFG scale: %.10g, Seed: %" PRId64
                    ", Size: %dx%d, Model: %s, Version: darkroom",
                    text_of(s->spec, "prompt"), text_of(s->request, "negative_prompt"), p->steps,
                    p->guidance, p->seed, p->width, p->height, exchange_backend(x)->model);
        text_chars(t, NULL, one.len ? one.at : "", one.len);
        text_free(&one);
    }
    text_close(t, ']');
}

static void write_info(const struct exchange *x, const struct txt2img *s, struct text *t)
{
    const struct drawn *p = &s->d.all[s->done[0]];
    const char *negative = text_of(s->request, "negative_prompt");

    text_open(t, NULL, '{');
    text_string(t, "prompt", text_of(s->spec, "prompt"));
    write_all(s, t, "all_prompts", text_of(s->spec, "prompt"));
    text_string(t, "negative_prompt", negative);
    write_all(s, t, "all_negative_prompts", negative);
    write_seeds(s, t);
    text_int(t, "width", p->width);
    text_int(t, "height", p->height);
    text_string(t, "sampler_name", text_of(s->request, "sampler_name"));
    text_real(t, "cfg_scale", p->guidance);
    text_int(t, "steps", p->steps);
    text_int(t, "batch_size", s->batch);
    text_bool(t, "restore_faces", false);
    text_null(t, "face_restoration_model");
    text_string(t, "sd_model_name", exchange_backend(x)->model);
    text_string(t, "sd_model_hash", "");
    text_raw(t, ",\"extra_generation_params\":{},\"styles\":[],\"index_of_first_image\":0");
    write_infotexts(x, s, t);
    text_int(t, "clip_skip", 1);
    drawing_write_notes(&s->d, t);
    text_close(t, '}');
}

/* --- the answer ------------------------------------------------------------------------------- */

/* Behind the pictures: the request, and info as text that is JSON. */
static void write_ending(struct exchange *x)
{
    struct txt2img *s = exchange_own(x);
    struct text *out = exchange_stream(x), info;

    text_init(&info, 0, INFO_BYTES);
    write_info(x, s, &info);
    text_raw(out, "]");
    drawing_echo(s->request, "parameters", out);
    text_chars(out, "info", info.len ? info.at : "", info.len);
    text_raw(out, "}");
    text_free(&info);
    exchange_finish(x);
}

static void more(struct exchange *x)
{
    struct txt2img *s = exchange_own(x);
    struct text *out;

    if (!s->answering) return;
    if (s->written == s->n_done) {
        write_ending(x);
        return;
    }
    out = exchange_stream(x);
    text_raw(out, s->written ? ",\"" : "\"");
    drawing_base64(x, &s->d.asker, &s->d.all[s->done[s->written++]], out);
    text_raw(out, "\"");
}

/* An error; behind a heart beat the status was sent. */
static void give_up(struct exchange *x)
{
    struct txt2img *s = exchange_own(x);
    struct text *out;

    if (exchange_state(x) == EXCHANGE_WAITS) {
        exchange_refuse(x, &s->d.why);
        return;
    }
    out = exchange_stream(x);
    text_open(out, NULL, '{');
    text_string(out, "error", fail_wire(s->d.why.code));
    text_string(out, "detail", s->d.why.message);
    text_close(out, '}');
    exchange_finish(x);
}

/* All are over: what was drawn, also when others were interrupted. */
static void answer(struct exchange *x)
{
    struct txt2img *s = exchange_own(x);

    for (int i = 0; i < s->d.n; i++)
        if (*s->d.all[i].digest) s->done[s->n_done++] = i;
    if (!s->n_done) {
        give_up(x);
        return;
    }
    s->answering = true;
    if (json_is_false(member(s->request, "send_images"))) s->written = s->n_done;
    text_raw(exchange_stream_as(x, "application/json"), "{\"images\":[");
}

static void message(struct exchange *x, const struct blob *m, bool binary)
{
    struct txt2img *s = exchange_own(x);
    enum drawing_event got;
    int which;

    if (binary) return; /* `progress` shows it */
    got = drawing_take(x, &s->d, m, &which);
    if (got == DRAWING_FAILED && s->d.why.code != ERR_CANCELLED)
        give_up(x);
    else if ((got == DRAWING_DONE || got == DRAWING_FAILED) && s->d.over == s->d.n)
        answer(x);
}

static void beat(struct exchange *x)
{
    struct txt2img *s = exchange_own(x);

    text_raw(exchange_stream_as(x, "application/json"), "\n");
    drawing_check(x, &s->d);
}

static void drain(struct exchange *x)
{
    struct txt2img *s = exchange_own(x);

    if (s->answering) return;
    fail_set(&s->d.why, ERR_SHUTTING_DOWN, "The server stops.");
    s->d.why.retry_after_ms = 1000;
    give_up(x);
}

static void end(struct exchange *x)
{
    struct txt2img *s = exchange_own(x);

    drawing_free(&s->d);
    json_decref(s->request);
    json_decref(s->spec);
}

const struct translator A1111_TXT2IMG = {.state = sizeof(struct txt2img),
                                         .lasting = true,
                                         .refuse = a1111_refuse,
                                         .begin = begin,
                                         .message = message,
                                         .more = more,
                                         .alarm = beat,
                                         .drain = drain,
                                         .end = end};

const struct translator A1111_IMG2IMG = {.state = sizeof(struct txt2img),
                                         .lasting = true,
                                         .refuse = a1111_refuse,
                                         .begin = begin_img2img,
                                         .message = message,
                                         .more = more,
                                         .alarm = beat,
                                         .drain = drain,
                                         .end = end};
