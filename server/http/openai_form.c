/* openai_form - texts of a form become the numbers and truths that JSON would have. */
#include "server/http/openai_form.h"

#include "server/http/multipart.h"

#include <stdlib.h>
#include <string.h>

static int refuse_mask(struct fail *f)
{
    fail_field(f, ERR_BAD_FIELD, "mask", "This model changes whole pictures and takes no mask");
    return fail_advise(f, "Leave mask out, and say in the prompt what is to change.");
}

static int lacks_picture(struct fail *f)
{
    fail_field(f, ERR_BAD_FIELD, "image", "image is missing");
    return fail_advise(f, "Send the picture's file as `image`, or several as `image[]`.");
}

/* --- a form ----------------------------------------------------------------------------------- */

static bool is_number(const char *name)
{
    static const char *const all[] = {
        "n", "partial_images", "output_compression", "steps", "seed", "guidance", NULL};

    for (const char *const *one = all; *one; one++)
        if (strcmp(*one, name) == 0) return true;
    return false;
}

/* A field's value as JSON has it; a number that is none stays a text and is refused as one. */
static json_t *value_of(const struct multipart_part *p)
{
    char digits[32], *end;
    double number;

    if (strcmp(p->name, "stream") == 0 && p->len == 4 && memcmp(p->value, "true", 4) == 0)
        return json_true();
    if (strcmp(p->name, "stream") == 0 && p->len == 5 && memcmp(p->value, "false", 5) == 0)
        return json_false();
    if (is_number(p->name) && p->len > 0 && p->len < sizeof digits) {
        memcpy(digits, p->value, p->len);
        digits[p->len] = '\0';
        number = strtod(digits, &end);
        if (!*end) return json_real(number);
    }
    return json_stringn(p->value, p->len);
}

static int take_part(struct exchange *x, struct attach *a, json_t *o,
                     const struct multipart_part *p, struct fail *f)
{
    if (strcmp(p->name, "mask") == 0) return refuse_mask(f);
    if (strcmp(p->name, "image") == 0 || strcmp(p->name, "image[]") == 0)
        return attach_file(x, a, "image", p->value, p->len, f);
    if (json_object_get(o, p->name)) {
        fail_field(f, ERR_BAD_FIELD, p->name, "%s is there twice", p->name);
        return fail_advise(f, "Send each field once.");
    }
    if (json_object_set_new(o, p->name, value_of(p)) == 0) return 0;
    return fail_field(f, ERR_BAD_UTF8, p->name, "%s is no UTF-8 text", p->name);
}

static int read_form(struct exchange *x, struct attach *a, struct multipart *m, json_t *o,
                     struct fail *f)
{
    struct multipart_part p;
    int got, err = 0;

    while (!err && (got = multipart_next(m, &p, f)) != 0)
        err = got < 0 ? got : take_part(x, a, o, &p, f);
    return err;
}

/* --- JSON ------------------------------------------------------------------------------------- */

/* "..", or {"image_url": ".."} */
static int take_picture(struct exchange *x, struct attach *a, const json_t *v, struct fail *f)
{
    const json_t *url = attach_given(x, v) ? v : json_object_get(v, "image_url");

    if (!attach_given(x, url)) url = json_object_get(url, "url");
    if (attach_given(x, url)) return attach_value(x, a, "images", url, f);
    fail_field(f, ERR_BAD_FIELD, "images", "A picture of images has no image_url");
    return fail_advise(f, "Use {\"image_url\": \"data:image/png;base64,..\"}.");
}

static int take_pictures(struct exchange *x, struct attach *a, const json_t *v, struct fail *f)
{
    int err = 0;

    if (!json_is_array(v)) return v && !json_is_null(v) ? take_picture(x, a, v, f) : 0;
    for (size_t i = 0; i < json_array_size(v) && !err; i++)
        err = take_picture(x, a, json_array_get(v, i), f);
    return err;
}

static int read_json(struct exchange *x, struct attach *a, json_t *o, struct fail *f)
{
    const json_t *mask = json_object_get(o, "mask");
    int err = mask && !json_is_null(mask) ? refuse_mask(f) : 0;

    if (!err) err = take_pictures(x, a, json_object_get(o, "images"), f);
    if (!err) err = take_pictures(x, a, json_object_get(o, "image"), f);
    json_object_del(o, "images");
    json_object_del(o, "image");
    return err;
}

json_t *openai_form_read(struct exchange *x, struct attach *a, const struct http_request *q,
                         struct fail *f)
{
    struct multipart m;
    bool form = multipart_begin(&m, request_header(q, "content-type"), q->body, q->len);
    json_t *o = form ? json_object() : text_parse(q->body, q->len, LIMIT_FORM_BYTES, f);
    int err = o ? 0 : ERR_BAD_REQUEST;

    if (!err) err = form ? read_form(x, a, &m, o, f) : read_json(x, a, o, f);
    if (!err && !a->n) err = lacks_picture(f);
    if (!err) return o;
    json_decref(o);
    return NULL;
}
