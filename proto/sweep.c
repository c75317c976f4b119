/* sweep - axes of values, and the cell of each combination. */
#include "proto/sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

/* Of each prompt and each of its bytes as \u00xx; a message has no more prompts than bytes. */
#define CANONICAL_MAX (2 * 6 * LIMIT_MESSAGE_BYTES + 65536)

/* --- decoding --------------------------------------------------------------------------------- */

static bool counts(int field)
{
    return field == SPEC_SEED || field == SPEC_NOISE_SEED;
}

static int fail_count(const char *field, struct fail *f)
{
    fail_field(f, ERR_BAD_FIELD, field, "sweep.%s has no value that can be taken", field);
    return fail_advise(
        f, "Give a list of 1 to %d values%s.", LIMIT_CELLS,
        counts(spec_field_parse(field)) ? ", or the number of seeds that follow one another" : "");
}

static int fail_cells(struct fail *f)
{
    fail_field(f, ERR_TOO_LARGE, "sweep", "The sweep has more than %d pictures", LIMIT_CELLS);
    return fail_advise(f, "Give fewer values, or several sweeps.");
}

/* A chosen seed only: -1 in a list would not say which cells differ. */
static int check_seed(const struct spec *s, int field, struct fail *f)
{
    const char *name = SPEC_TABLE[field].name;

    if ((field == SPEC_SEED ? s->seed : s->noise_seed) != SPEC_SEED_PICK) return 0;
    fail_field(f, ERR_BAD_FIELD, name, "%s is -1 in a list of seeds", name);
    return fail_advise(f, "Name each seed, or give the number of seeds: \"%s\": 4.", name);
}

static int add_axis(struct sweep *s, int field, int n, bool seeds, struct fail *f)
{
    if ((s->cells ? s->cells : 1) * n > LIMIT_CELLS) return fail_cells(f);
    s->cells = (s->cells ? s->cells : 1) * n;
    s->axis[s->axes++] =
        (struct sweep_axis){.field = field, .n = n, .first = s->values, .seeds = seeds};
    return 0;
}

static int decode_list(struct sweep *s, int field, const json_t *list,
                       const struct spec_limits *limits, struct fail *f)
{
    int n = (int)json_array_size(list), err;
    struct spec *more;

    if (n < 1) return fail_count(SPEC_TABLE[field].name, f);
    err = json_array_size(list) > LIMIT_CELLS ? fail_cells(f) : add_axis(s, field, n, false, f);
    if (err) return err;
    more = realloc(s->value, (size_t)(s->values + n) * sizeof *more);
    if (!more) return fail_set(f, ERR_OUT_OF_MEMORY, "no memory for the sweep");
    s->value = more;
    for (int i = 0; i < n && !err; i++) {
        struct spec *at = &s->value[s->values++];

        memset(at, 0, sizeof *at);
        err = spec_decode_value(at, field, json_array_get(list, (size_t)i), limits, f);
        if (!err && counts(field)) err = check_seed(at, field, f);
    }
    return err;
}

static int decode_seeds(struct sweep *s, int field, double n, struct fail *f)
{
    if (!(n >= 1) || n != floor(n)) return fail_count(SPEC_TABLE[field].name, f);
    if (n > LIMIT_CELLS) return fail_cells(f);
    return add_axis(s, field, (int)n, true, f);
}

static int fail_kept(struct fail *f)
{
    fail_field(f, ERR_BAD_FIELD, "prior_from", "A sweep keeps one composition");
    return fail_advise(f, "Name its job in the spec.");
}

static int decode_axis(struct sweep *s, const char *name, const json_t *v,
                       const struct spec_limits *limits, struct fail *f)
{
    int field = spec_field_parse(name);

    if (field < 0) return spec_fail_unknown(f, name);
    if (field == SPEC_PRIOR_FROM) return fail_kept(f);
    if (json_is_array(v)) return decode_list(s, field, v, limits, f);
    if (counts(field) && json_is_number(v)) return decode_seeds(s, field, json_number_value(v), f);
    return fail_count(name, f);
}

static int decode_axes(struct sweep *s, const json_t *object, const struct spec_limits *limits,
                       struct fail *f)
{
    const char *name;
    json_t *v;
    int err = 0;

    json_object_foreach((json_t *)(uintptr_t)object, name, v)
    {
        err = decode_axis(s, name, v, limits, f);
        if (err) return err;
    }
    if (s->axes) return 0;
    fail_field(f, ERR_BAD_FIELD, "sweep", "sweep has no field");
    return fail_advise(f, "Send \"sweep\": {\"steps\": [10, 20]}, or leave it out.");
}

/* One more axis, the fastest. */
static int add_pictures(struct sweep *s, int field, int pictures, struct fail *f)
{
    for (int i = 0; i < s->axes; i++) {
        if (s->axis[i].field != field) continue;
        fail_field(f, ERR_BAD_FIELD, "n", "n has no meaning beside a sweep over seeds");
        return fail_advise(f, "Leave \"n\" out.");
    }
    return add_axis(s, field, pictures, true, f);
}

int sweep_decode(struct sweep *out, const json_t *object, int pictures, bool kept,
                 const struct spec_limits *limits, struct fail *f)
{
    struct fail unwanted;
    int err = 0;

    if (!f) f = &unwanted;
    memset(out, 0, sizeof *out);
    if (object && !json_is_object(object)) {
        fail_field(f, ERR_BAD_FIELD, "sweep", "sweep is not an object");
        return fail_advise(f, "Send \"sweep\": {\"steps\": [10, 20]}.");
    }
    if (object) err = decode_axes(out, object, limits, f);
    if (!err && pictures > 1)
        err = add_pictures(out, kept ? SPEC_NOISE_SEED : SPEC_SEED, pictures, f);
    if (err) sweep_free(out);
    return err;
}

void sweep_free(struct sweep *s)
{
    for (int i = 0; i < s->values; i++)
        spec_free(&s->value[i]);
    free(s->value);
    memset(s, 0, sizeof *s);
}

unsigned sweep_fields(const json_t *object)
{
    unsigned fields = 0;
    const char *name;
    json_t *v;

    if (!json_is_object(object)) return 0;
    json_object_foreach((json_t *)(uintptr_t)object, name, v)
    {
        int field = spec_field_parse(name);

        if (field >= 0) fields |= 1U << field;
    }
    return fields;
}

/* --- cells ------------------------------------------------------------------------------------ */

/* Of the two, the one that an axis counts. */
static int64_t *seed_of(struct spec *s, int field)
{
    return field == SPEC_SEED ? &s->seed : &s->noise_seed;
}

void sweep_cell(const struct sweep *s, const struct spec *base, int cell, struct spec *out,
                struct sweep_place *place)
{
    int rest = cell;

    *out = *base;
    if (place) *place = (struct sweep_place){.cell = cell, .axes = s->axes};
    for (int a = s->axes - 1; a >= 0; a--) {
        const struct sweep_axis *axis = &s->axis[a];
        int at = rest % axis->n;

        rest /= axis->n;
        if (place) place->at[a] = (uint8_t)at;
        if (!axis->seeds)
            spec_borrow(out, axis->field, &s->value[axis->first + at]);
        else if (*seed_of(out, axis->field) != SPEC_SEED_PICK)
            *seed_of(out, axis->field) += at;
    }
}

static int64_t first_seed(const struct spec *base, int field)
{
    return field == SPEC_SEED ? base->seed : base->noise_seed;
}

static int check_seeds(const struct sweep *s, const struct spec *base, struct fail *f)
{
    for (int a = 0; a < s->axes; a++) {
        int64_t first = first_seed(base, s->axis[a].field);

        if (!s->axis[a].seeds || first <= LIMIT_SEED_MAX - (s->axis[a].n - 1)) continue;
        fail_field(f, ERR_BAD_FIELD, SPEC_TABLE[s->axis[a].field].name,
                   "There are no %d seeds from %lld on", s->axis[a].n, (long long)first);
        return fail_advise(f, "Use a smaller seed, or -1.");
    }
    return 0;
}

int sweep_join(const struct sweep *s, struct spec *base, const struct spec_limits *limits,
               struct fail *f)
{
    struct spec first, cell;
    int err = check_seeds(s, base, f);

    for (int i = 0; i < s->cells && !err; i++) {
        sweep_cell(s, base, i, &cell, NULL);
        err = spec_check_sides(&cell, limits, f);
    }
    if (err || s->cells == 0) return err;
    sweep_cell(s, base, 0, &cell, NULL);
    if (spec_copy(&first, &cell) != 0)
        return fail_set(f, ERR_OUT_OF_MEMORY, "no memory for the sweep");
    spec_free(base);
    *base = first;
    return 0;
}

bool sweep_counts(const struct sweep *s, int field)
{
    for (int a = 0; a < s->axes; a++)
        if (s->axis[a].seeds && s->axis[a].field == field) return true;
    return false;
}

/* --- writing ---------------------------------------------------------------------------------- */

static void write_axis(const struct sweep *s, const struct sweep_axis *axis,
                       const struct spec *base, struct text *out)
{
    const char *name = SPEC_TABLE[axis->field].name;
    int64_t first = first_seed(base, axis->field);

    if (axis->seeds && first == SPEC_SEED_PICK) {
        text_int(out, name, axis->n);
        return;
    }
    text_open(out, name, '[');
    for (int i = 0; i < axis->n; i++)
        if (axis->seeds)
            text_int(out, NULL, first + i);
        else
            spec_write_value(&s->value[axis->first + i], axis->field, out);
    text_close(out, ']');
}

void sweep_write(const struct sweep *s, const struct spec *base, struct text *out, const char *key)
{
    text_open(out, key, '{');
    for (int a = 0; a < s->axes; a++)
        write_axis(s, &s->axis[a], base, out);
    text_close(out, '}');
}

int sweep_digest(const struct sweep *s, const struct spec *base, uint8_t out[SPEC_DIGEST_BYTES])
{
    struct text t;
    int err;

    text_init(&t, 0, CANONICAL_MAX);
    text_open(&t, NULL, '[');
    spec_write(base, &t, NULL);
    sweep_write(s, base, &t, NULL);
    text_close(&t, ']');
    err = text_check(&t, NULL);
    if (!err) crypto_generichash(out, SPEC_DIGEST_BYTES, (const uint8_t *)t.at, t.len, NULL, 0);
    text_free(&t);
    return err;
}
