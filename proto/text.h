/* text - JSON text: a strict reader with exact errors, and a bounded writer that is exact to the
 * byte.
 *
 * The writer puts bytes as JavaScript's JSON.stringify does (shortest numbers that read back the
 * same, short escapes), so that every client can compare and digest them. Its first failure (limit
 * or memory) sticks: write on, ask once at the end. Thread: any; a struct text has one owner. */
#ifndef PROTO_TEXT_H
#define PROTO_TEXT_H

#include "proto/fail.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#define TEXT_NUMBER 32 /* bytes of the longest number with its NUL */

struct text {
    char *at;      /* malloc'ed; the text starts at at + head */
    size_t head;   /* bytes left free in front, for the sender (LWS_PRE) */
    size_t len;    /* bytes of text, without head */
    size_t cap;    /* bytes allocated */
    size_t max;    /* bytes of text allowed */
    enum err code; /* 0, or the first failure: ERR_TOO_LARGE, ERR_OUT_OF_MEMORY */
};

/* Start an empty text of at most max bytes behind `head` free bytes. Allocates nothing yet. */
void text_init(struct text *, size_t head, size_t max);
void text_free(struct text *);

/* 0 or the sticky failure, with its reason in f. */
int text_check(const struct text *, struct fail *f);
/* Transfer the buffer: the caller frees it with free(); *len is the text's, without head. The bytes
 * start at head and are followed by a NUL that *len does not count. NULL after a failure. */
char *text_take(struct text *, size_t *len);

void text_bytes(struct text *, const void *bytes, size_t len);
void text_raw(struct text *, const char *chars); /* already JSON, or Markdown */
void text_printf(struct text *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Values. Commas and colons are inserted. `key` is NULL inside an array and at the top.
 * A string's bytes that are not UTF-8 become U+FFFD; a NULL string, a NaN and an infinity null. */
void text_open(struct text *, const char *key, char bracket); /* '{' or '[' */
void text_close(struct text *, char bracket);                 /* '}' or ']' */
void text_string(struct text *, const char *key, const char *value);
void text_chars(struct text *, const char *key, const char *value, size_t len);
void text_int(struct text *, const char *key, int64_t value);
void text_real(struct text *, const char *key, double value);
void text_bool(struct text *, const char *key, bool value);
void text_null(struct text *, const char *key);
void text_id(struct text *, const char *key, uint64_t id);
/* A value that is JSON already. */
void text_json(struct text *, const char *key, const char *json);
/* A time that may be unknown: null when negative. */
void text_ms(struct text *, const char *key, int64_t ms);

/* Read one JSON object of at most max bytes. Refused: other top-level values, duplicate
 * keys, bad UTF-8, lone surrogates, U+0000, nesting past LIMIT_JSON_DEPTH (checked before any
 * parser sees it), bytes after the object. All numbers come back as reals (json_real_value), as in
 * JavaScript. The caller owns the object (json_decref). NULL on failure: ERR_TOO_LARGE,
 * ERR_BAD_UTF8, ERR_BAD_FIELD (a key twice, U+0000, a number past all doubles) with the member's
 * name, ERR_BAD_REQUEST, ERR_OUT_OF_MEMORY. */
json_t *text_parse(const char *text, size_t len, size_t max, struct fail *f);

/* Write a finite number as JavaScript does: the shortest digits that read back the same. */
void text_number(double value, char out[TEXT_NUMBER]);

/* Length of the UTF-8 sequence at s (1..4), 0 when it is not valid or crosses `len`. */
size_t text_utf8(const char *s, size_t len);

#endif
