/* json - read a model's JSON files with errors that name the file and the key.
 *
 * A file is loaded whole (at most LIMIT_CONFIG_BYTES, duplicate keys refused) and read through
 * typed getters. A getter takes a path of keys such as "text_config.rope_parameters.rope_theta";
 * where a default is given, an absent key or null yields it; a value of the wrong type, or out of
 * range, fails with ERR_MODEL naming `file: key`, what was found and what was expected.
 * The first failure sticks in the document: later getters return their default and change nothing,
 * so a reader calls all getters and checks doc.err once. Thread: one at a time. */
#ifndef WEIGHTS_JSON_H
#define WEIGHTS_JSON_H

#include "proto/fail.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct json_doc {
    json_t *root;
    char name[256];    /* in error messages: "vae/config.json" */
    struct fail *fail; /* never NULL after json_open */
    int err;           /* 0, or the first failure */
};

/* Load dir/name; errors show `name`. `f` must not be NULL and must live as long as the document.
 * ERR_MODEL when the file is missing, too large or not a JSON object. */
int json_open(struct json_doc *, const char *dir, const char *name, struct fail *f);
void json_close(struct json_doc *);

/* Whether text was refused for a duplicate key; then its name, which jansson cuts off. */
bool json_twice(const char *text, const json_error_t *, char *key, size_t bytes);

/* NULL when absent or null; `path` has keys separated by dots. */
json_t *json_at(const struct json_doc *, const char *path);

/* Integers in [min, max]; a JSON real with an integer value is taken too. */
int64_t json_get_int(struct json_doc *, const char *path, int64_t min, int64_t max);
int64_t json_get_int_or(struct json_doc *, const char *path, int64_t min, int64_t max, int64_t def);
/* Finite numbers in [min, max]. */
double json_get_real(struct json_doc *, const char *path, double min, double max);
double json_get_real_or(struct json_doc *, const char *path, double min, double max, double def);
bool json_get_bool_or(struct json_doc *, const char *path, bool def);
/* Borrowed until json_close. Never NULL: "" after a failure. */
const char *json_get_text(struct json_doc *, const char *path);
/* Array lengths in [min_n, max_n]; returns how many were stored (0 after a failure). */
int json_get_ints(struct json_doc *, const char *path, int64_t min, int64_t max, int min_n,
                  int max_n, int *out);
int json_get_reals(struct json_doc *, const char *path, int min_n, int max_n, float *out);

/* Refuse what is not implemented: the key must have this one value, else "`file`: `key` is X; only
 * Y is implemented". An absent key or null is good when the reference's default is that value. */
void json_only_text(struct json_doc *, const char *path, const char *value, bool absent_good);
void json_only_bool(struct json_doc *, const char *path, bool value, bool absent_good);
void json_only_number(struct json_doc *, const char *path, double value, bool absent_good);
void json_only_null(struct json_doc *, const char *path);

/* Fail at this key by printf rules: "`file`: `path` ...". Returns ERR_MODEL. */
int json_refuse(struct json_doc *, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
