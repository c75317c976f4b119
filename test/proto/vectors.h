/* vectors - read a file of proto/vectors for a test: cases and their bytes. */
#ifndef TEST_PROTO_VECTORS_H
#define TEST_PROTO_VECTORS_H

#include "proto/spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

static inline json_t *vectors_load(const char *name)
{
    char path[128];
    json_error_t e;
    json_t *root;

    snprintf(path, sizeof path, "proto/vectors/%s", name);
    root = json_load_file(path, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &e);
    if (!root) fail_msg("%s: %s", path, e.text);
    return root;
}

/* The limits that all vectors are made for: a model of at most 512, 256 and 20 steps by default. */
static inline struct spec_limits vectors_limits(void)
{
    struct spec_limits l;

    spec_limits_init(&l);
    spec_limits_model(&l, 512, 256, 20);
    return l;
}

static inline const char *vectors_string(const json_t *c, const char *key)
{
    const char *s = json_string_value(json_object_get(c, key));

    return s ? s : "";
}

static inline char *vectors_unhex(const char *hex, size_t *len)
{
    char *out;

    *len = strlen(hex) / 2;
    out = malloc(*len + 1);
    assert_non_null(out);
    for (size_t i = 0; i < *len; i++) {
        char two[3] = {hex[2 * i], hex[2 * i + 1], 0};

        out[i] = (char)strtol(two, NULL, 16);
    }
    return out;
}

static inline char *vectors_repeat(const json_t *r, size_t *len)
{
    const char *before = vectors_string(r, "before"), *unit = vectors_string(r, "unit");
    const char *after = vectors_string(r, "after");
    size_t count = (size_t)json_number_value(json_object_get(r, "count"));
    size_t b = strlen(before), u = strlen(unit), a = strlen(after);
    char *out = malloc(b + u * count + a + 1);

    assert_non_null(out);
    memcpy(out, before, b);
    for (size_t i = 0; i < count; i++)
        memcpy(out + b + u * i, unit, u);
    memcpy(out + b + u * count, after, a);
    *len = b + u * count + a;
    return out;
}

/* The bytes of a case, in memory of exactly their size, so that a sanitizer sees a read beyond. */
static inline char *vectors_bytes(const json_t *c, size_t *len)
{
    const json_t *hex = json_object_get(c, "hex"), *repeat = json_object_get(c, "repeat");
    char *made = repeat ? vectors_repeat(repeat, len)
                 : hex  ? vectors_unhex(json_string_value(hex), len)
                        : NULL;
    const json_t *text = json_object_get(c, "text");
    char *out;

    if (!made) *len = json_string_length(text);
    out = malloc(*len ? *len : 1);
    assert_non_null(out);
    memcpy(out, made ? made : json_string_value(text), *len);
    free(made);
    return out;
}

#endif
