/* spec - the table of fields, and the code that merely follows it. */
#include "proto/spec.h"

#include "proto/id.h"
#include "proto/limits.h"
#include "proto/visible.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

_Static_assert(SPEC_DIGEST_BYTES == crypto_generichash_BYTES, "BLAKE2b-256");

/* Canonical JSON of the longest prompt, each byte as \u00xx, and the other fields. */
#define CANONICAL_MAX (6 * LIMIT_PROMPT_BYTES + 4096)

#define ROW(member, kind) .name = #member, .type = kind, .offset = offsetof(struct spec, member)
const struct spec_field SPEC_TABLE[SPEC_FIELDS] = {
    [SPEC_PROMPT] = {ROW(prompt, SPEC_TEXT), .required = true, .unit = "bytes",
                     .doc = "What the picture shows, in words."},
    [SPEC_WIDTH] = {ROW(width, SPEC_INT), .unit = "pixels", .doc = "Width of the picture."},
    [SPEC_HEIGHT] = {ROW(height, SPEC_INT), .unit = "pixels", .doc = "Height of the picture."},
    [SPEC_STEPS] = {ROW(steps, SPEC_INT),
                    .doc = "Denoising steps: more take longer and add detail."},
    [SPEC_GUIDANCE] = {ROW(guidance, SPEC_REAL),
                       .doc = "How strictly the picture follows the prompt; up to 1 none, in half "
                              "the time."},
    [SPEC_SEED] = {ROW(seed, SPEC_INT64),
                   .doc = "Same seed, same picture; -1 lets the server pick one and say which."},
    [SPEC_NOISE_SEED] = {ROW(noise_seed, SPEC_INT64), .quiet = true, .usual = SPEC_SEED_PICK,
                         .doc = "Draws the noise, and `seed` the composition alone; -1: `seed` "
                                "draws both, or with `prior_from` a new one is picked."},
    [SPEC_LANE] = {ROW(lane, SPEC_NAME), .service = true, .quiet = true, .usual = LANE_NORMAL,
                   .names = USER_LANES,
                   .doc = "Which jobs it goes before: `urgent` ones start at once, `batch` ones "
                          "when nothing else waits."},
    [SPEC_PRIOR_FROM] = {ROW(prior_from, SPEC_JOB), .service = true, .quiet = true,
                         .doc = "A finished job with the same prompt and size, whose composition "
                                "is kept: the time for drawing it is saved."},
    [SPEC_IMAGES] = {ROW(images, SPEC_PICTURES), .quiet = true,
                     .doc = "Pictures that it begins with, in the order in which the prompt speaks "
                            "of them: digests of uploads or results, or jobs."},
};

void spec_limits_init(struct spec_limits *l)
{
    *l = (struct spec_limits){
        .range = {[SPEC_PROMPT] = {1, LIMIT_PROMPT_BYTES, 0, 0},
                  [SPEC_WIDTH] = {LIMIT_SIDE_MIN, LIMIT_SIDE_MAX, LIMIT_SIDE_STEP, 1024},
                  [SPEC_HEIGHT] = {LIMIT_SIDE_MIN, LIMIT_SIDE_MAX, LIMIT_SIDE_STEP, 1024},
                  [SPEC_STEPS] = {1, LIMIT_STEPS_MAX, 1, LIMIT_STEPS_DEFAULT},
                  [SPEC_GUIDANCE] = {0, LIMIT_GUIDANCE_MAX, 0, 1.5},
                  [SPEC_SEED] = {SPEC_SEED_PICK, LIMIT_SEED_MAX, 1, SPEC_SEED_PICK},
                  [SPEC_NOISE_SEED] = {SPEC_SEED_PICK, LIMIT_SEED_MAX, 1, SPEC_SEED_PICK},
                  [SPEC_LANE] = {0, LANES - 1, 1, LANE_NORMAL},
                  [SPEC_IMAGES] = {0, LIMIT_IMAGES, 1, 0}},
        .aspect_max = LIMIT_ASPECT_MAX};
}

void spec_limits_model(struct spec_limits *l, int side_max, int side_default, int steps_default)
{
    for (int i = SPEC_WIDTH; i <= SPEC_HEIGHT; i++) {
        l->range[i].max = side_max;
        l->range[i].def = side_default;
    }
    l->range[SPEC_STEPS].def = steps_default;
}

/* ---- members by row ---- */

static char **text_of(const struct spec *s, const struct spec_field *row)
{
    return (char **)((char *)(uintptr_t)s + row->offset);
}

static uint64_t *job_of(const struct spec *s, const struct spec_field *row)
{
    return (uint64_t *)(void *)((char *)(uintptr_t)s + row->offset);
}

/* Not of a text or a job. */
static double number_of(const struct spec *s, const struct spec_field *row)
{
    const char *at = (const char *)s + row->offset;

    switch (row->type) {
    case SPEC_NAME:
    case SPEC_INT: return *(const int *)(const void *)at;
    case SPEC_INT64: return (double)*(const int64_t *)(const void *)at;
    default: return *(const double *)(const void *)at;
    }
}

/* value is in range already */
static void number_set(struct spec *s, const struct spec_field *row, double value)
{
    char *at = (char *)s + row->offset;

    switch (row->type) {
    case SPEC_NAME:
    case SPEC_INT: *(int *)(void *)at = (int)value; break;
    case SPEC_INT64: *(int64_t *)(void *)at = (int64_t)value; break;
    default: *(double *)(void *)at = value; break;
    }
}

/* ---- checks ---- */

#define RANGE_TEXT (3 * TEXT_NUMBER + 32)

/* "64 to 2048 in steps of 32" */
static const char *range_text(const struct spec_range *r, char out[RANGE_TEXT])
{
    char min[TEXT_NUMBER], max[TEXT_NUMBER], step[TEXT_NUMBER];

    text_number(r->min, min);
    text_number(r->max, max);
    text_number(r->step, step);
    if (r->step > 1)
        snprintf(out, RANGE_TEXT, "%s to %s in steps of %s", min, max, step);
    else
        snprintf(out, RANGE_TEXT, "%s to %s", min, max);
    return out;
}

/* "urgent, normal or batch" */
static const char *names_text(const struct spec_field *row, const struct spec_range *r,
                              char out[RANGE_TEXT])
{
    int first = (int)r->min, last = (int)r->max;
    size_t len = 0;

    for (int i = first; i <= last && len < RANGE_TEXT; i++)
        len += (size_t)snprintf(out + len, RANGE_TEXT - len, "%s%s",
                                i == first  ? ""
                                : i == last ? " or "
                                            : ", ",
                                row->names[i]);
    return out;
}

static int check_range(const struct spec_field *row, const struct spec_range *r, double v,
                       struct fail *f)
{
    char value[TEXT_NUMBER] = "not a number", bound[TEXT_NUMBER], all[RANGE_TEXT];

    if (v >= r->min && v <= r->max) return 0;
    if (isfinite(v)) text_number(v, value);
    text_number(v < r->min ? r->min : r->max, bound);
    fail_field(f, ERR_BAD_FIELD, row->name, "%s is %s; the %s is %s", row->name, value,
               v < r->min ? "least" : "most", bound);
    return fail_advise(f, "Use %s; %s are allowed.", bound, range_text(r, all));
}

static int check_step(const struct spec_field *row, const struct spec_range *r, double v,
                      struct fail *f)
{
    char value[TEXT_NUMBER], low[TEXT_NUMBER], high[TEXT_NUMBER], all[RANGE_TEXT];

    if (r->step <= 0 || fmod(v, r->step) == 0) return 0;
    text_number(v, value);
    text_number(floor(v / r->step) * r->step, low);
    text_number(ceil(v / r->step) * r->step, high);
    if (r->step == 1)
        fail_field(f, ERR_BAD_FIELD, row->name, "%s is %s, which is not a whole number", row->name,
                   value);
    else
        fail_field(f, ERR_BAD_FIELD, row->name, "%s is %s, which is not a multiple of %d",
                   row->name, value, (int)r->step);
    return fail_advise(f, "Use %s or %s; %s are allowed.", low, high, range_text(r, all));
}

static int check_number(const struct spec_field *row, const struct spec_range *r, double v,
                        struct fail *f)
{
    int err = check_range(row, r, v, f);

    return err ? err : check_step(row, r, v, f);
}

static int check_utf8(const struct spec_field *row, const char *s, size_t len, struct fail *f)
{
    for (size_t i = 0, n; i < len; i += n) {
        n = text_utf8(s + i, len - i);
        if (n == 0)
            return fail_field(f, ERR_BAD_UTF8, row->name, "%s is not UTF-8 at byte %zu", row->name,
                              i);
    }
    return 0;
}

static int check_text(const struct spec_field *row, const struct spec_range *r, const char *s,
                      struct fail *f)
{
    size_t len = s ? strlen(s) : 0;
    int err;

    if ((double)len > r->max) {
        fail_field(f, ERR_TOO_LARGE, row->name, "%s has %zu bytes; the most is %.0f", row->name,
                   len, r->max);
        return fail_advise(f, "Shorten it to %.0f bytes of UTF-8.", r->max);
    }
    err = check_utf8(row, s, len, f);
    if (err || r->min < 1 || visible_text(s, len)) return err;
    fail_field(f, ERR_BAD_PROMPT, row->name, "%s %s", row->name,
               len ? "has no character that can be seen" : "is empty");
    return fail_advise(f, "Say in words what the picture shows.");
}

/* The advice names a side that would do, for either of the two. */
int spec_check_sides(const struct spec *s, const struct spec_limits *l, struct fail *f)
{
    bool wide = s->width > s->height;
    double step = l->range[SPEC_WIDTH].step;
    double longer = wide ? s->width : s->height, shorter = wide ? s->height : s->width;
    double up;

    if (longer <= shorter * l->aspect_max) return 0;
    fail_field(f, ERR_BAD_FIELD, wide ? "height" : "width", "%dx%d is longer than %g:1", s->width,
               s->height, l->aspect_max);
    up = ceil(longer / l->aspect_max / step) * step;
    return fail_advise(f, "Use a %s of %.0f or more, or a %s of %.0f or less.",
                       wide ? "height" : "width", up, wide ? "width" : "height",
                       shorter * l->aspect_max);
}

static int check_field(const struct spec *s, const struct spec_field *row,
                       const struct spec_range *r, struct fail *f)
{
    switch (row->type) {
    case SPEC_TEXT: return check_text(row, r, *text_of(s, row), f);
    case SPEC_PICTURES:
    case SPEC_JOB: return 0; /* whether there is such a job is not known here */
    default: return check_number(row, r, number_of(s, row), f);
    }
}

int spec_check(const struct spec *s, const struct spec_limits *l, struct fail *f)
{
    struct fail unwanted;

    if (!f) f = &unwanted;
    for (int i = 0; i < SPEC_FIELDS; i++) {
        int err = check_field(s, &SPEC_TABLE[i], &l->range[i], f);

        if (err) return err;
    }
    return spec_check_sides(s, l, f);
}

/* ---- decoding ---- */

static const char *json_type_name(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "an array";
    case JSON_STRING: return "a string";
    case JSON_TRUE:
    case JSON_FALSE: return "true or false";
    case JSON_NULL: return "null";
    default: return "a number";
    }
}

/* What the value of a field has to be. */
static int fail_type(const struct spec_field *row, const struct spec_range *r, const json_t *v,
                     struct fail *f)
{
    bool quoted = row->type == SPEC_TEXT || row->type == SPEC_NAME || row->type == SPEC_JOB;
    char all[RANGE_TEXT];

    fail_field(f, ERR_BAD_FIELD, row->name, "%s must be %s, not %s", row->name,
               quoted ? "a string" : "a number", json_type_name(v));
    switch (row->type) {
    case SPEC_TEXT: return fail_advise(f, "Put the %s in quotes.", row->name);
    case SPEC_NAME: return fail_advise(f, "Use %s, in quotes.", names_text(row, r, all));
    case SPEC_JOB: return fail_advise(f, "Use the 16 hex digits of a job, in quotes.");
    default: return fail_advise(f, "Use %s, without quotes.", range_text(r, all));
    }
}

static int decode_number(struct spec *out, const struct spec_field *row, const struct spec_range *r,
                         double number, struct fail *f)
{
    int err = check_number(row, r, number, f);

    if (!err) number_set(out, row, number);
    return err;
}

static int decode_text(struct spec *out, const struct spec_field *row, const struct spec_range *r,
                       const char *s, struct fail *f)
{
    int err = check_text(row, r, s, f);

    if (err) return err;
    *text_of(out, row) = strdup(s);
    return *text_of(out, row) ? 0 : fail_set(f, ERR_OUT_OF_MEMORY, "no memory for %s", row->name);
}

static int decode_name(struct spec *out, const struct spec_field *row, const struct spec_range *r,
                       const char *s, struct fail *f)
{
    char all[RANGE_TEXT];

    for (int i = (int)r->min; i <= (int)r->max; i++) {
        if (strcmp(row->names[i], s) != 0) continue;
        number_set(out, row, i);
        return 0;
    }
    fail_field(f, ERR_BAD_FIELD, row->name, "there is no %s \"%.40s\"", row->name, s);
    return fail_advise(f, "Use %s.", names_text(row, r, all));
}

static int decode_job(struct spec *out, const struct spec_field *row, const char *s, struct fail *f)
{
    if (id_parse(s, job_of(out, row))) return 0;
    fail_field(f, ERR_BAD_FIELD, row->name, "%s is not a job's id", row->name);
    return fail_advise(f, "Use the 16 hex digits that `accepted` gave as job.");
}

static int decode_images(struct spec *out, const json_t *v, const struct spec_limits *l,
                         struct fail *f)
{
    const int most = l->no_images ? LIMIT_IMAGES : (int)l->range[SPEC_IMAGES].max;
    const int n = spec_images_decode(out->image, v, most, f);

    if (n > 0 && l->no_images) return spec_images_refuse(l->no_images, f);
    out->images = n > 0 ? n : 0;
    return n < 0 ? n : 0;
}

int spec_decode_value(struct spec *out, int id, const json_t *v, const struct spec_limits *l,
                      struct fail *f)
{
    const struct spec_field *row = &SPEC_TABLE[id];
    const struct spec_range *r = &l->range[id];

    if (row->type == SPEC_TEXT && json_is_string(v))
        return decode_text(out, row, r, json_string_value(v), f);
    if (row->type == SPEC_NAME && json_is_string(v))
        return decode_name(out, row, r, json_string_value(v), f);
    if (row->type == SPEC_JOB && json_is_string(v))
        return decode_job(out, row, json_string_value(v), f);
    if (row->type == SPEC_PICTURES) return decode_images(out, v, l, f);
    if (row->type != SPEC_TEXT && row->type != SPEC_NAME && row->type != SPEC_JOB
        && json_is_number(v))
        return decode_number(out, row, r, json_number_value(v), f);
    return fail_type(row, r, v, f);
}

int spec_field_parse(const char *name)
{
    for (int i = 0; i < SPEC_FIELDS; i++)
        if (strcmp(SPEC_TABLE[i].name, name) == 0) return i;
    return -1;
}

int spec_fail_unknown(struct fail *f, const char *name)
{
    char all[256] = "";
    size_t len = 0;

    for (int i = 0; i < SPEC_FIELDS; i++)
        len += (size_t)snprintf(all + len, sizeof all - len, "%s%s", i ? ", " : "",
                                SPEC_TABLE[i].name);
    fail_field(f, ERR_BAD_FIELD, name, "a spec has no field \"%.60s\"", name);
    return fail_advise(f, "The fields are %s.", all);
}

#define SIDES (1U << SPEC_WIDTH | 1U << SPEC_HEIGHT)

static int decode_members(struct spec *out, const json_t *object, unsigned swept,
                          const struct spec_limits *l, struct fail *f)
{
    bool given[SPEC_FIELDS] = {false};
    const char *name;
    json_t *v;

    json_object_foreach((json_t *)(uintptr_t)object, name, v)
    {
        int id = spec_field_parse(name);
        int err = id < 0 ? spec_fail_unknown(f, name) : spec_decode_value(out, id, v, l, f);

        if (err) return err;
        given[id] = true;
    }
    for (int i = 0; i < SPEC_FIELDS; i++) {
        if (given[i] || !SPEC_TABLE[i].required || swept & 1U << i) continue;
        fail_field(f, ERR_BAD_FIELD, SPEC_TABLE[i].name, "%s is missing", SPEC_TABLE[i].name);
        return fail_advise(f, "Give \"%s\". %s", SPEC_TABLE[i].name, SPEC_TABLE[i].doc);
    }
    return swept & SIDES ? 0 : spec_check_sides(out, l, f);
}

int spec_decode_but(struct spec *out, const json_t *object, unsigned swept,
                    const struct spec_limits *l, struct fail *f)
{
    struct fail unwanted;
    int err;

    if (!f) f = &unwanted;
    if (!json_is_object(object)) {
        memset(out, 0, sizeof *out);
        fail_field(f, ERR_BAD_FIELD, "spec", "spec must be an object, not %s",
                   json_type_name(object));
        return fail_advise(f, "Send \"spec\": {\"prompt\": \"...\"}.");
    }
    spec_defaults(out, l);
    err = decode_members(out, object, swept, l, f);
    if (err) spec_free(out);
    return err;
}

int spec_decode(struct spec *out, const json_t *object, const struct spec_limits *l, struct fail *f)
{
    return spec_decode_but(out, object, 0, l, f);
}

int spec_parse(struct spec *out, const char *text, size_t len, const struct spec_limits *l,
               struct fail *f)
{
    struct fail unwanted;
    json_t *object;
    int err;

    if (!f) f = &unwanted;
    memset(out, 0, sizeof *out);
    object = text_parse(text, len, CANONICAL_MAX, f);
    if (!object) return f->code;
    err = spec_decode(out, object, l, f);
    json_decref(object);
    return err;
}

/* ---- lifetime ---- */

void spec_defaults(struct spec *out, const struct spec_limits *l)
{
    memset(out, 0, sizeof *out);
    for (int i = 0; i < SPEC_FIELDS; i++)
        if (!SPEC_TABLE[i].required && SPEC_TABLE[i].type < SPEC_JOB)
            number_set(out, &SPEC_TABLE[i], l->range[i].def);
}

void spec_seeds(struct spec *s)
{
    if (s->noise_seed == s->seed) s->noise_seed = SPEC_SEED_PICK;
}

int spec_copy(struct spec *out, const struct spec *from)
{
    *out = *from;
    if (!from->prompt) return 0;
    out->prompt = strdup(from->prompt);
    if (out->prompt) return 0;
    memset(out, 0, sizeof *out);
    return ERR_OUT_OF_MEMORY;
}

void spec_free(struct spec *s)
{
    free(s->prompt);
    memset(s, 0, sizeof *s);
}

static void borrow_images(struct spec *s, const struct spec *from)
{
    s->images = from->images;
    memcpy(s->image, from->image, sizeof s->image);
}

bool spec_same_images(const struct spec *a, const struct spec *b)
{
    return spec_images_same(a->image, a->images, b->image, b->images);
}

void spec_borrow(struct spec *s, int field, const struct spec *from)
{
    const struct spec_field *row = &SPEC_TABLE[field];

    if (row->type == SPEC_TEXT)
        *text_of(s, row) = *text_of(from, row);
    else if (row->type == SPEC_JOB)
        *job_of(s, row) = *job_of(from, row);
    else if (row->type == SPEC_PICTURES)
        borrow_images(s, from);
    else
        number_set(s, row, number_of(from, row));
}

/* ---- writing ---- */

/* Bytes of s, at most max, that end between two characters. */
static size_t cut_at(const char *s, size_t max)
{
    size_t len = strnlen(s, max + 1);

    if (len <= max) return len;
    for (len = max; len && ((unsigned char)s[len] & 0xc0) == 0x80;)
        len--;
    return len;
}

static bool is_usual(const struct spec *s, const struct spec_field *row)
{
    if (row->type == SPEC_JOB) return *job_of(s, row) == 0;
    if (row->type == SPEC_PICTURES) return s->images == 0;
    return !(number_of(s, row) < row->usual) && !(number_of(s, row) > row->usual);
}

static bool write_text(const struct spec *s, const struct spec_field *row, struct text *out,
                       const char *key, size_t max)
{
    const char *value = *text_of(s, row) ? *text_of(s, row) : "";
    size_t len = cut_at(value, max);

    text_chars(out, key, value, len);
    return value[len] != '\0';
}

/* Write a field's value; true: its text was cut to max bytes. */
static bool write_value(const struct spec *s, const struct spec_field *row, struct text *out,
                        const char *key, size_t max)
{
    switch (row->type) {
    case SPEC_TEXT: return write_text(s, row, out, key, max);
    case SPEC_NAME: text_string(out, key, row->names[(int)number_of(s, row)]); break;
    case SPEC_JOB: text_id(out, key, *job_of(s, row)); break;
    case SPEC_PICTURES: spec_images_write(s->image, s->images, out, key); break;
    default: text_real(out, key, number_of(s, row));
    }
    return false;
}

static bool write_field(const struct spec *s, const struct spec_field *row, struct text *out,
                        size_t max)
{
    if (row->quiet && is_usual(s, row)) return false;
    return write_value(s, row, out, row->name, max);
}

void spec_write_value(const struct spec *s, int field, struct text *out)
{
    write_value(s, &SPEC_TABLE[field], out, NULL, LIMIT_PROMPT_BYTES);
}

bool spec_write_cut(const struct spec *s, struct text *out, const char *key, size_t max)
{
    bool cut = false;

    text_open(out, key, '{');
    for (int i = 0; i < SPEC_FIELDS; i++)
        cut |= write_field(s, &SPEC_TABLE[i], out, max);
    text_close(out, '}');
    return cut;
}

void spec_write_picture(const struct spec *s, int steps_done, struct text *out, const char *key)
{
    text_open(out, key, '{');
    for (int i = 0; i < SPEC_FIELDS; i++)
        if (!SPEC_TABLE[i].service) write_field(s, &SPEC_TABLE[i], out, LIMIT_PROMPT_BYTES);
    if (steps_done < s->steps) text_int(out, "steps_done", steps_done);
    text_close(out, '}');
}

void spec_write(const struct spec *s, struct text *out, const char *key)
{
    spec_write_cut(s, out, key, LIMIT_PROMPT_BYTES);
}

static int digest_of(struct text *t, uint8_t out[SPEC_DIGEST_BYTES])
{
    int err = text_check(t, NULL);

    if (!err) crypto_generichash(out, SPEC_DIGEST_BYTES, (const uint8_t *)t->at, t->len, NULL, 0);
    text_free(t);
    return err;
}

int spec_digest(const struct spec *s, uint8_t out[SPEC_DIGEST_BYTES])
{
    struct text t;

    text_init(&t, 0, CANONICAL_MAX);
    spec_write(s, &t, NULL);
    return digest_of(&t, out);
}

int spec_picture_digest(const struct spec *s, uint8_t out[SPEC_DIGEST_BYTES])
{
    struct text t;

    text_init(&t, 0, CANONICAL_MAX);
    spec_write_picture(s, s->steps, &t, NULL);
    return digest_of(&t, out);
}

/* The values that a field may have, and the one that is taken when it is absent. */
static void write_range(const struct spec_field *row, const struct spec_range *r, struct text *out)
{
    if (row->type == SPEC_JOB) return;
    if (row->type == SPEC_PICTURES) {
        text_real(out, "max", r->max);
        return;
    }
    if (row->type == SPEC_NAME) {
        text_open(out, "values", '[');
        for (int i = (int)r->min; i <= (int)r->max; i++)
            text_string(out, NULL, row->names[i]);
        text_close(out, ']');
        text_string(out, "default", row->names[(int)r->def]);
        return;
    }
    text_real(out, "min", r->min);
    text_real(out, "max", r->max);
    if (r->step > 0) text_real(out, "step", r->step);
    if (!row->required) text_real(out, "default", r->def);
}

void spec_write_fields(const struct spec_limits *l, struct text *out, const char *key)
{
    static const char *const TYPE[] = {"string", "integer", "integer", "number",
                                       "string", "string",  "array"};

    text_open(out, key, '[');
    for (int i = 0; i < SPEC_FIELDS; i++) {
        const struct spec_field *row = &SPEC_TABLE[i];

        if (row->type == SPEC_PICTURES && l->no_images) continue;
        text_open(out, NULL, '{');
        text_string(out, "name", row->name);
        text_string(out, "type", TYPE[row->type]);
        if (row->unit) text_string(out, "unit", row->unit);
        text_bool(out, "required", row->required);
        write_range(row, &l->range[i], out);
        text_string(out, "doc", row->doc);
        text_close(out, '}');
    }
    text_close(out, ']');
}

/* Quiet fields are not among them: their default is in hello.fields. */
void spec_write_defaults(const struct spec_limits *l, struct text *out, const char *key)
{
    text_open(out, key, '{');
    for (int i = 0; i < SPEC_FIELDS; i++)
        if (!SPEC_TABLE[i].required && !SPEC_TABLE[i].quiet)
            text_real(out, SPEC_TABLE[i].name, l->range[i].def);
    text_close(out, '}');
}

/* What the field may be: "64 to 2048 in steps of 32 pixels". */
static void doc_range(const struct spec_field *row, const struct spec_range *r, struct text *out)
{
    char all[RANGE_TEXT];

    switch (row->type) {
    case SPEC_JOB: text_raw(out, "a job"); return;
    case SPEC_PICTURES: text_printf(out, "up to %d pictures", (int)r->max); return;
    case SPEC_NAME: text_raw(out, names_text(row, r, all)); return;
    default: break;
    }
    text_printf(out, "%s%s%s%s", row->type == SPEC_REAL ? "any number, " : "", range_text(r, all),
                row->unit ? " " : "", row->unit ? row->unit : "");
}

void spec_write_doc(const struct spec_limits *l, struct text *out)
{
    text_raw(out, "| field | range | default | |\n|---|---|---|---|\n");
    for (int i = 0; i < SPEC_FIELDS; i++) {
        const struct spec_field *row = &SPEC_TABLE[i];
        const struct spec_range *r = &l->range[i];
        char number[TEXT_NUMBER];
        const char *def = row->type == SPEC_NAME  ? row->names[(int)r->def]
                          : row->type >= SPEC_JOB ? "none"
                                                  : number;

        text_number(r->def, number);
        text_printf(out, "| `%s` | ", row->name);
        doc_range(row, r, out);
        text_printf(out, " | %s | %s |\n", row->required ? "required" : def, row->doc);
    }
}
