/* gradio_config - the interface that clients read at their start: one function, its components. */
#include "server/http/gradio.h"

#include "proto/limits.h"

#include <stdio.h>
#include <string.h>

/* A version of Gradio whose protocol this is; clients decide by it what they may send. */
#define GRADIO_VERSION "5.49.1"

enum { RESULTS = 2 };

static const char FILE_SCHEMA[] =
    "{\"title\":\"FileData\",\"type\":\"object\",\"properties\":{\"path\":{\"type\":\"string\"},"
    "\"url\":{\"type\":\"string\"},\"size\":{\"type\":\"integer\"},\"orig_name\":{\"type\":"
    "\"string\"},\"mime_type\":{\"type\":\"string\"},\"is_stream\":{\"type\":\"boolean\"},\"meta\":"
    "{\"type\":\"object\",\"properties\":{\"_type\":{\"const\":\"gradio.FileData\"}}}},"
    "\"required\":[\"path\"]}";

static bool is_text(const struct gradio_input *in)
{
    return strcmp(in->component, "textbox") == 0;
}

static bool is_picture(const struct gradio_input *in)
{
    return in->field == SPEC_IMAGES;
}

static const struct spec_range *range_of(const struct exchange *x, const struct gradio_input *in)
{
    bool number = !is_text(in) && !is_picture(in);

    return number ? &exchange_backend(x)->limits->range[in->field] : NULL;
}

static void write_type(const char *key, bool text, struct text *t)
{
    text_open(t, key, '{');
    text_string(t, "type", text ? "string" : "number");
    text_close(t, '}');
}

static void write_file_type(const char *key, struct text *t)
{
    text_printf(t, ",\"%s\":", key);
    text_raw(t, FILE_SCHEMA);
}

static void write_input_type(const char *key, const struct gradio_input *in, struct text *t)
{
    if (is_picture(in))
        write_file_type(key, t);
    else
        write_type(key, is_text(in), t);
}

/* --- /config ---------------------------------------------------------------------------------- */

static void open_component(struct text *t, int id, const char *type, const char *label)
{
    text_open(t, NULL, '{');
    text_int(t, "id", id);
    text_string(t, "type", type);
    text_bool(t, "skip_api", false);
    text_open(t, "props", '{');
    text_string(t, "label", label);
    text_string(t, "name", type);
    text_bool(t, "visible", true);
}

static void write_input(const struct exchange *x, int i, struct text *t)
{
    const struct gradio_input *in = &GRADIO_INPUTS[i];
    const struct spec_range *r = range_of(x, in);

    open_component(t, i + 1, in->component, in->label);
    if (r) {
        text_real(t, "minimum", r->min);
        text_real(t, "maximum", r->max);
        if (r->step > 0) text_real(t, "step", r->step);
        text_real(t, "value", r->def);
    } else
        text_string(t, "value", is_picture(in) ? NULL : "");
    text_close(t, '}');
    write_input_type("api_info", in, t);
    text_close(t, '}');
}

static void write_components(const struct exchange *x, struct text *t)
{
    text_open(t, "components", '[');
    for (int i = 0; i < gradio_arguments(x); i++)
        write_input(x, i, t);
    open_component(t, GRADIO_ARGUMENTS + 1, "image", "Picture");
    text_close(t, '}');
    write_file_type("api_info", t);
    text_close(t, '}');
    open_component(t, GRADIO_ARGUMENTS + 2, "textbox", "How it was drawn");
    text_close(t, '}');
    write_type("api_info", true, t);
    text_close(t, '}');
    text_close(t, ']');
}

static void write_ids(const char *key, int from, int n, struct text *t)
{
    text_open(t, key, '[');
    for (int i = 0; i < n; i++)
        text_int(t, NULL, from + i);
    text_close(t, ']');
}

static void write_function(const struct exchange *x, struct text *t)
{
    text_open(t, "dependencies", '[');
    text_open(t, NULL, '{');
    text_int(t, "id", 0);
    text_raw(t,
             ",\"targets\":[],\"cancels\":[],\"js\":null,\"backend_fn\":true,\"queue\":true,"
             "\"batch\":false,\"max_batch_size\":1,\"scroll_to_output\":false,"
             "\"show_progress\":\"full\",\"trigger_after\":null,\"trigger_only_on_success\":false,"
             "\"collects_event_data\":false,\"types\":{\"generator\":false,\"cancel\":false},"
             "\"rendered_in\":null,\"connection\":\"sse\",\"time_limit\":null,"
             "\"stream_every\":0.5,\"show_api\":true,\"api_visibility\":\"public\"");
    text_string(t, "api_name", "predict");
    write_ids("inputs", 1, gradio_arguments(x), t);
    write_ids("outputs", GRADIO_ARGUMENTS + 1, RESULTS, t);
    text_close(t, '}');
    text_close(t, ']');
}

static void begin_config(struct exchange *x, const struct http_request *q)
{
    struct text t;

    (void)q;
    text_init(&t, 0, 1 << 16);
    text_open(&t, NULL, '{');
    text_string(&t, "version", GRADIO_VERSION);
    text_string(&t, "protocol", "sse_v3");
    text_string(&t, "api_prefix", "/gradio_api");
    text_string(&t, "title", exchange_backend(x)->model);
    text_raw(&t, ",\"mode\":\"interface\",\"app_id\":1,\"dev_mode\":false,\"analytics_enabled\":"
                 "false,\"is_space\":false,\"is_colab\":false,\"space_id\":null,\"enable_queue\":"
                 "true,\"show_error\":true,\"show_api\":true,\"connect_heartbeat\":true,"
                 "\"stylesheets\":[],\"theme\":\"default\",\"css\":null,\"js\":null,"
                 "\"layout\":{\"id\":0,\"children\":[]}");
    text_int(&t, "max_file_size", LIMIT_IMAGE_BYTES);
    write_components(x, &t);
    write_function(x, &t);
    text_close(&t, '}');
    reply_text(exchange_reply(x, 200), &t, "application/json");
    exchange_answer(x);
}

/* --- /info ------------------------------------------------------------------------------------ */

/* An address that shows the form; no upload is there. */
static void write_example_file(const char *origin, struct text *t)
{
    char url[512];

    snprintf(url, sizeof url, "%sgradio_api/file=uploads/%064d.png", origin, 0);
    text_open(t, "example_input", '{');
    text_string(t, "path", url);
    text_string(t, "url", url);
    text_string(t, "orig_name", "picture.png");
    text_raw(t, ",\"meta\":{\"_type\":\"gradio.FileData\"}");
    text_close(t, '}');
}

static void write_example(const char *origin, const struct gradio_input *in,
                          const struct spec_range *r, struct text *t)
{
    if (r)
        text_real(t, "example_input", r->def);
    else if (is_picture(in))
        write_example_file(origin, t);
    else
        text_string(t, "example_input", "a red circle on a blue background");
}

static const char *description_of(const struct gradio_input *in)
{
    switch (in->field) {
    case SPEC_FIELDS: return "not used: this model has none";
    case SPEC_IMAGES: return "what to begin with: one picture, or a list of them";
    default: return "";
    }
}

static void write_parameter(const struct exchange *x, const char *origin,
                            const struct gradio_input *in, struct text *t)
{
    const struct spec_range *r = range_of(x, in);
    bool null = in->field == SPEC_PROMPT || is_picture(in);

    text_open(t, NULL, '{');
    text_string(t, "label", in->label);
    text_string(t, "parameter_name", in->name);
    text_bool(t, "parameter_has_default", in->field != SPEC_PROMPT);
    if (r)
        text_real(t, "parameter_default", r->def);
    else
        text_string(t, "parameter_default", null ? NULL : "");
    write_input_type("type", in, t);
    text_open(t, "python_type", '{');
    text_string(t, "type", r ? "float" : is_picture(in) ? "filepath" : "str");
    text_string(t, "description", description_of(in));
    text_close(t, '}');
    text_string(t, "component", r ? "Slider" : is_picture(in) ? "Image" : "Textbox");
    write_example(origin, in, r, t);
    text_close(t, '}');
}

static void begin_info(struct exchange *x, const struct http_request *q)
{
    char origin[320];
    struct text t;

    drawing_origin(x, q, origin, sizeof origin);
    text_init(&t, 0, 1 << 16);
    text_open(&t, NULL, '{');
    text_open(&t, "named_endpoints", '{');
    text_open(&t, "/predict", '{');
    text_open(&t, "parameters", '[');
    for (int i = 0; i < gradio_arguments(x); i++)
        write_parameter(x, origin, &GRADIO_INPUTS[i], &t);
    text_close(&t, ']');
    text_raw(&t, ",\"returns\":[{\"label\":\"Picture\",\"type\":");
    text_raw(&t, FILE_SCHEMA);
    text_raw(&t, ",\"python_type\":{\"type\":\"filepath\",\"description\":\"\"},\"component\":"
                 "\"Image\"},{\"label\":\"How it was drawn\",\"type\":{\"type\":\"string\"},"
                 "\"python_type\":{\"type\":\"str\",\"description\":\"\"},\"component\":"
                 "\"Textbox\"}],\"show_api\":true,\"api_visibility\":\"public\"");
    text_close(&t, '}');
    text_close(&t, '}');
    text_raw(&t, ",\"unnamed_endpoints\":{}");
    text_close(&t, '}');
    reply_text(exchange_reply(x, 200), &t, "application/json");
    exchange_answer(x);
}

static void nothing(struct exchange *x, const struct blob *m, bool binary)
{
    (void)x, (void)m, (void)binary;
}

const struct translator GRADIO_CONFIG = {.refuse = gradio_refuse,
                                         .begin = begin_config,
                                         .message = nothing},
                        GRADIO_INFO = {
                            .refuse = gradio_refuse, .begin = begin_info, .message = nothing};
