/* gradio_config - the interface that clients read at their start: one function, its components. */
#include "server/http/gradio.h"

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

static const struct spec_range *range_of(const struct exchange *x, const struct gradio_input *in)
{
    return is_text(in) ? NULL : &exchange_backend(x)->limits->range[in->field];
}

static void write_type(const char *key, bool text, struct text *t)
{
    text_open(t, key, '{');
    text_string(t, "type", text ? "string" : "number");
    text_close(t, '}');
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
        text_string(t, "value", "");
    text_close(t, '}');
    write_type("api_info", is_text(in), t);
    text_close(t, '}');
}

static void write_components(const struct exchange *x, struct text *t)
{
    text_open(t, "components", '[');
    for (int i = 0; i < GRADIO_ARGUMENTS; i++)
        write_input(x, i, t);
    open_component(t, GRADIO_ARGUMENTS + 1, "image", "Picture");
    text_close(t, '}');
    text_raw(t, ",\"api_info\":");
    text_raw(t, FILE_SCHEMA);
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

static void write_function(struct text *t)
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
    write_ids("inputs", 1, GRADIO_ARGUMENTS, t);
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
                 "\"max_file_size\":null,\"stylesheets\":[],\"theme\":\"default\",\"css\":null,"
                 "\"js\":null,\"layout\":{\"id\":0,\"children\":[]}");
    write_components(x, &t);
    write_function(&t);
    text_close(&t, '}');
    reply_text(exchange_reply(x, 200), &t, "application/json");
    exchange_answer(x);
}

/* --- /info ------------------------------------------------------------------------------------ */

static void write_parameter(const struct exchange *x, const struct gradio_input *in, struct text *t)
{
    const struct spec_range *r = range_of(x, in);

    text_open(t, NULL, '{');
    text_string(t, "label", in->label);
    text_string(t, "parameter_name", in->name);
    text_bool(t, "parameter_has_default", in->field != SPEC_PROMPT);
    if (r)
        text_real(t, "parameter_default", r->def);
    else
        text_string(t, "parameter_default", in->field == SPEC_PROMPT ? NULL : "");
    write_type("type", !r, t);
    text_open(t, "python_type", '{');
    text_string(t, "type", r ? "float" : "str");
    text_string(t, "description", in->field == SPEC_FIELDS ? "not used: this model has none" : "");
    text_close(t, '}');
    text_string(t, "component", r ? "Slider" : "Textbox");
    if (r)
        text_real(t, "example_input", r->def);
    else
        text_string(t, "example_input", "a red circle on a blue background");
    text_close(t, '}');
}

static void begin_info(struct exchange *x, const struct http_request *q)
{
    struct text t;

    (void)q;
    text_init(&t, 0, 1 << 16);
    text_open(&t, NULL, '{');
    text_open(&t, "named_endpoints", '{');
    text_open(&t, "/predict", '{');
    text_open(&t, "parameters", '[');
    for (int i = 0; i < GRADIO_ARGUMENTS; i++)
        write_parameter(x, &GRADIO_INPUTS[i], &t);
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
