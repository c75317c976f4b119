/* json - typed getters over jansson; the first failure sticks and names file and key. */
#include "weights/json.h"

#include "proto/limits.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The whole file, or NULL with the failure set. */
static char *slurp(struct json_doc *d, const char *path, size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a fifo must not block */
    FILE *f = fd < 0 ? NULL : fdopen(fd, "rb");
    struct stat st;
    char *text = NULL;

    if (fd >= 0 && !f) close(fd);
    if (!f || fstat(fileno(f), &st) || !S_ISREG(st.st_mode)) {
        d->err = fail_set(d->fail, ERR_MODEL, "%s is missing or cannot be read", d->name);
    } else if (st.st_size > LIMIT_CONFIG_BYTES) {
        d->err = fail_set(d->fail, ERR_MODEL, "%s has %lld bytes; at most %d are read", d->name,
                          (long long)st.st_size, LIMIT_CONFIG_BYTES);
    } else if (!(text = malloc((size_t)st.st_size + 1))) {
        d->err = fail_set(d->fail, ERR_OUT_OF_MEMORY, "no memory for %s", d->name);
    } else if (fread(text, 1, (size_t)st.st_size, f) != (size_t)st.st_size) {
        d->err = fail_set(d->fail, ERR_MODEL, "%s cannot be read", d->name);
        free(text);
        text = NULL;
    } else {
        *size = (size_t)st.st_size;
    }
    if (f) fclose(f);
    return text;
}

bool json_twice(const char *text, const json_error_t *e, char *key, size_t bytes)
{
    const char *end, *from;

    if (json_error_code(e) != json_error_duplicate_key || e->position < 0) return false;
    end = memrchr(text, '"', (size_t)e->position);
    from = end ? memrchr(text, '"', (size_t)(end - text)) : NULL;
    snprintf(key, bytes, "%.*s", from ? (int)(end - from) - 1 : 0, from ? from + 1 : "");
    return true;
}

int json_open(struct json_doc *d, const char *dir, const char *name, struct fail *f)
{
    size_t size = 0;
    char path[4096], *text, twice[256];
    json_error_t e;

    *d = (struct json_doc){.fail = f};
    snprintf(d->name, sizeof d->name, "%s", name);
    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
        return d->err = fail_set(f, ERR_MODEL, "the path of %s is too long", name);
    text = slurp(d, path, &size);
    if (!text) return d->err;
    d->root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &e);
    if (!d->root && json_twice(text, &e, twice, sizeof twice))
        d->err = fail_set(f, ERR_MODEL, "%s: %s is there twice", name, twice);
    else if (!d->root)
        d->err = fail_set(f, ERR_MODEL, "%s is not JSON: line %d: %s", name, e.line, e.text);
    else if (!json_is_object(d->root))
        d->err = fail_set(f, ERR_MODEL, "%s is not a JSON object", name);
    free(text);
    return d->err;
}

void json_close(struct json_doc *d)
{
    json_decref(d->root);
    d->root = NULL;
}

json_t *json_at(const struct json_doc *d, const char *path)
{
    json_t *v = d->root;

    while (v && *path) {
        size_t n = strcspn(path, ".");
        char key[128];

        if (n >= sizeof key) return NULL;
        memcpy(key, path, n);
        key[n] = 0;
        v = json_object_get(v, key);
        path += n + (path[n] == '.');
    }
    return json_is_null(v) ? NULL : v;
}

int json_refuse(struct json_doc *d, const char *path, const char *format, ...)
{
    char text[300];
    va_list ap;

    if (d->err) return d->err;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    return d->err = fail_field(d->fail, ERR_MODEL, path, "%s: %s %s", d->name, path, text);
}

/* A value in short JSON, for an error message. */
static const char *shown(const json_t *v, char *buf, size_t size)
{
    size_t n = json_dumpb(v, buf, size - 1, JSON_ENCODE_ANY | JSON_COMPACT);

    if (n >= size) {
        snprintf(buf, size, "%s", json_is_object(v) ? "an object" : "a long value");
    } else {
        buf[n] = 0;
    }
    return buf;
}

static void refuse_value(struct json_doc *d, const char *path, const char *wanted)
{
    char buf[64];
    const json_t *v = json_at(d, path);

    if (v)
        json_refuse(d, path, "is %s; expected %s", shown(v, buf, sizeof buf), wanted);
    else
        json_refuse(d, path, "is missing; expected %s", wanted);
}

static bool as_int(const json_t *v, int64_t *out)
{
    double r;

    if (json_is_integer(v)) {
        *out = json_integer_value(v);
        return true;
    }
    r = json_real_value(v); /* 0 when it is no real */
    if (!json_is_real(v) || r != floor(r) || !(fabs(r) < 9e15)) return false;
    *out = (int64_t)r;
    return true;
}

int64_t json_get_int(struct json_doc *d, const char *path, int64_t min, int64_t max)
{
    int64_t i;
    char wanted[80];

    if (d->err) return min;
    if (as_int(json_at(d, path), &i) && i >= min && i <= max) return i;
    snprintf(wanted, sizeof wanted, "an integer from %lld to %lld", (long long)min, (long long)max);
    refuse_value(d, path, wanted);
    return min;
}

int64_t json_get_int_or(struct json_doc *d, const char *path, int64_t min, int64_t max, int64_t def)
{
    return json_at(d, path) ? json_get_int(d, path, min, max) : def;
}

double json_get_real(struct json_doc *d, const char *path, double min, double max)
{
    const json_t *v;
    double r;
    char wanted[80];

    if (d->err) return min;
    v = json_at(d, path);
    r = json_number_value(v);
    if (json_is_number(v) && r >= min && r <= max) return r;
    snprintf(wanted, sizeof wanted, "a number from %g to %g", min, max);
    refuse_value(d, path, wanted);
    return min;
}

double json_get_real_or(struct json_doc *d, const char *path, double min, double max, double def)
{
    return json_at(d, path) ? json_get_real(d, path, min, max) : def;
}

bool json_get_bool_or(struct json_doc *d, const char *path, bool def)
{
    const json_t *v = json_at(d, path);

    if (d->err || !v) return def;
    if (!json_is_boolean(v)) refuse_value(d, path, "true or false");
    return json_is_boolean(v) ? json_is_true(v) : def;
}

const char *json_get_text(struct json_doc *d, const char *path)
{
    const char *s;

    if (d->err) return "";
    s = json_string_value(json_at(d, path));
    if (!s) refuse_value(d, path, "a string");
    return s ? s : "";
}

/* The array at path if its length is in range, else NULL with the failure set. */
static json_t *get_array(struct json_doc *d, const char *path, int min_n, int max_n)
{
    json_t *v;
    size_t n;
    char wanted[80];

    if (d->err) return NULL;
    v = json_at(d, path);
    n = json_array_size(v);
    if (json_is_array(v) && n >= (size_t)min_n && n <= (size_t)max_n) return v;
    if (min_n == max_n)
        snprintf(wanted, sizeof wanted, "an array of %d numbers", min_n);
    else
        snprintf(wanted, sizeof wanted, "an array of %d to %d numbers", min_n, max_n);
    if (json_is_array(v))
        json_refuse(d, path, "has %zu entries; expected %s", n, wanted);
    else
        refuse_value(d, path, wanted);
    return NULL;
}

int json_get_ints(struct json_doc *d, const char *path, int64_t min, int64_t max, int min_n,
                  int max_n, int *out)
{
    json_t *a = get_array(d, path, min_n, max_n);
    size_t n = json_array_size(a);

    for (size_t i = 0; i < n; i++) {
        int64_t v;

        if (!as_int(json_array_get(a, i), &v) || v < min || v > max) {
            json_refuse(d, path, "entry %zu is not an integer from %lld to %lld", i, (long long)min,
                        (long long)max);
            return 0;
        }
        out[i] = (int)v;
    }
    return (int)n;
}

int json_get_reals(struct json_doc *d, const char *path, int min_n, int max_n, float *out)
{
    json_t *a = get_array(d, path, min_n, max_n);
    size_t n = json_array_size(a);

    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(a, i);
        float x = (float)json_number_value(v);

        if (!json_is_number(v) || !isfinite(x)) {
            json_refuse(d, path, "entry %zu is not a finite number", i);
            return 0;
        }
        out[i] = x;
    }
    return (int)n;
}

/* "is X; only Y is implemented" when the condition for Y does not hold. */
static void only(struct json_doc *d, const char *path, bool good, const char *wanted)
{
    char buf[64];
    const json_t *v;

    if (d->err || good) return;
    v = json_at(d, path);
    json_refuse(d, path, "is %s; only %s is implemented", v ? shown(v, buf, sizeof buf) : "absent",
                wanted);
}

void json_only_text(struct json_doc *d, const char *path, const char *value, bool absent_good)
{
    const json_t *v = json_at(d, path);
    const char *s = json_string_value(v);
    char wanted[80];

    snprintf(wanted, sizeof wanted, "\"%s\"", value);
    only(d, path, v ? s && !strcmp(s, value) : absent_good, wanted);
}

void json_only_bool(struct json_doc *d, const char *path, bool value, bool absent_good)
{
    const json_t *v = json_at(d, path);

    only(d, path, v ? json_is_boolean(v) && json_is_true(v) == value : absent_good,
         value ? "true" : "false");
}

void json_only_number(struct json_doc *d, const char *path, double value, bool absent_good)
{
    const json_t *v = json_at(d, path);
    char wanted[40];

    snprintf(wanted, sizeof wanted, "%g", value);
    only(d, path, v ? json_is_number(v) && json_number_value(v) == value : absent_good, wanted);
}

void json_only_null(struct json_doc *d, const char *path)
{
    only(d, path, !json_at(d, path), "null");
}
