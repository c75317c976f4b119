/* query - one pair at a time; what a member's value is as JSON follows from the tables of
 * command.h and spec.h. */
#include "server/http/query.h"

#include "proto/spec.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* The byte that "41" means; -1: none, and 0 is none. */
static int escaped(const char *in, size_t left)
{
    int high = left >= 2 ? hex(in[0]) : -1, low = high < 0 ? -1 : hex(in[1]);

    return low < 0 || !(high | low) ? -1 : high << 4 | low;
}

/* Decode n bytes; false: a wrong escape, or it does not fit. */
static bool decode(const char *in, size_t n, char *out, size_t bytes)
{
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        int c = in[i] == '+' ? ' ' : in[i];

        if (c == '%') {
            c = escaped(in + i + 1, n - i - 1);
            i += 2;
        }
        if (c == -1 || len + 1 >= bytes) return false;
        out[len++] = (char)c;
    }
    out[len] = 0;
    return true;
}

bool query_next(const char **at, struct query_pair *out)
{
    size_t n, name;

    *at += strspn(*at, "&");
    if (!**at) return false;
    n = strcspn(*at, "&");
    name = strcspn(*at, "=&");
    if (!decode(*at, name, out->name, sizeof out->name)) *out->name = 0;
    if (name < n) name++;
    if (!decode(*at + name, n - name, out->value, sizeof out->value)) {
        *at = NULL;
        return false;
    }
    *at += n;
    return true;
}

bool query_value(const char *query, const char *name, char *out, size_t bytes)
{
    struct query_pair p;

    while (query_next(&query, &p)) {
        size_t n = strlen(p.value);

        if (strcmp(p.name, name) != 0) continue;
        if (n < bytes)
            memcpy(out, p.value, n + 1);
        else
            *out = 0;
        return true;
    }
    return false;
}

/* --- what stands there ------------------------------------------------------------------------ */

static bool is_listed(const char *const *names, const char *name)
{
    for (; *names; names++)
        if (strcmp(*names, name) == 0) return true;
    return false;
}

bool query_truth(const char *text, size_t n, bool *out)
{
    static const char *const words[] = {"false", "true", "0", "1", "no", "yes", "off", "on"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        *out = i % 2;
        if (strlen(words[i]) == n && strncasecmp(text, words[i], n) == 0) return true;
    }
    return false;
}

int query_true(const char *query, const char *name, bool *out, struct fail *f)
{
    char value[8];

    *out = false;
    if (!query_value(query, name, value, sizeof value)) return 0;
    if (query_truth(value, strlen(value), out)) return 0;
    fail_field(f, ERR_BAD_FIELD, name, "%s is neither true nor false", name);
    return fail_advise(f, "Write %s=true, or leave it out.", name);
}

/* Is it one of the n names? */
static bool is_among(const char names[][QUERY_NAME], int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

int query_check(const char *query, struct fail *f)
{
    char names[QUERY_PAIRS][QUERY_NAME];
    struct query_pair p;
    int n = 0;

    while (query_next(&query, &p)) {
        if (n == QUERY_PAIRS) {
            fail_set(f, ERR_BAD_REQUEST, "The address has more than %d parameters", QUERY_PAIRS);
            return fail_advise(f, "Send fewer.");
        }
        if (is_among(names, n, p.name)) {
            fail_field(f, ERR_BAD_FIELD, p.name, "The parameter %s stands twice", p.name);
            return fail_advise(f, "Send each parameter once.");
        }
        if (*p.name) memcpy(names[n++], p.name, QUERY_NAME);
    }
    if (query) return 0;
    fail_set(f, ERR_BAD_REQUEST, "The query of the address holds a wrong escape");
    return fail_advise(f, "Write a percent sign as %%25.");
}

int query_only(const char *query, const char *const *names, struct fail *f)
{
    struct query_pair p;

    while (query_next(&query, &p)) {
        if (is_listed(names, p.name)) continue;
        fail_field(f, ERR_BAD_FIELD, p.name, "There is no parameter \"%s\" here", p.name);
        return fail_advise(f, "See HTTP.md for those that there are.");
    }
    return 0;
}

int query_whole(const char *query, const char *name, int64_t min, int64_t max, int64_t def,
                int64_t *out, struct fail *f)
{
    char value[24];
    size_t digits;

    *out = def;
    if (!query_value(query, name, value, sizeof value)) return 0;
    digits = strspn(value, "0123456789");
    *out = digits && digits <= 18 && !value[digits] ? strtoll(value, NULL, 10) : -1;
    if (*out >= min && *out <= max) return 0;
    return fail_field(f, ERR_BAD_FIELD, name, "%s is not a whole number from %lld to %lld", name,
                      (long long)min, (long long)max);
}

/* --- as a command ----------------------------------------------------------------------------- */

static const struct spec_field *spec_field(const char *name)
{
    for (int i = 0; i < SPEC_FIELDS; i++)
        if (strcmp(SPEC_TABLE[i].name, name) == 0) return &SPEC_TABLE[i];
    return NULL;
}

/* A number, true, false or null as JSON writes it; else the text itself, so that the decoder says
 * what is wrong with it. */
static json_t *value_of(const char *text, bool is_text)
{
    json_t *v = is_text ? NULL : json_loads(text, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);

    if (json_is_number(v) || json_is_boolean(v) || json_is_null(v)) return v;
    json_decref(v);
    return json_string(text);
}

static json_t *spec_of(json_t *object)
{
    json_t *spec = json_object_get(object, "spec");

    if (!spec) json_object_set_new(object, "spec", json_object());
    return json_object_get(object, "spec");
}

/* Where this name belongs, and its value's form. NULL: nowhere. */
static json_t *place(json_t *object, enum command_kind kind, const char *name, bool *is_text)
{
    bool spec = command_has(kind, "spec");
    const struct spec_field *field = spec ? spec_field(name) : NULL;

    if (field) {
        *is_text = field->type == SPEC_TEXT || field->type == SPEC_NAME;
        return spec_of(object);
    }
    if (strcmp(name, "spec") == 0 || !command_has(kind, name)) return NULL;
    *is_text = command_text(name);
    return object;
}

static int put(json_t *object, enum command_kind kind, const struct query_pair *p, struct fail *f)
{
    bool is_text = false;
    json_t *in = place(object, kind, p->name, &is_text);

    if (!in) {
        fail_field(f, ERR_BAD_FIELD, p->name, "%s has no parameter \"%.60s\"",
                   command_kind_name(kind), p->name);
        return fail_advise(f, "See HTTP.md for those that it has.");
    }
    if (json_object_set_new(in, p->name, value_of(p->value, is_text)) == 0) return 0;
    return fail_field(f, ERR_BAD_UTF8, p->name, "The parameter %s is not UTF-8", p->name);
}

int query_command(const char *query, enum command_kind kind, const char *const *others,
                  json_t *object, struct fail *f)
{
    struct query_pair p;
    int err = 0;

    while (!err && query_next(&query, &p))
        if (!is_listed(others, p.name)) err = put(object, kind, &p, f);
    return err;
}
