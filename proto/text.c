/* text - bounded JSON writer and strict JSON reader. */
#include "proto/text.h"

#include "proto/id.h"
#include "proto/limits.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_init(struct text *t, size_t head, size_t max)
{
    *t = (struct text){.head = head, .max = max};
}

void text_free(struct text *t)
{
    free(t->at);
    *t = (struct text){.head = t->head, .max = t->max};
}

int text_check(const struct text *t, struct fail *f)
{
    if (t->code == ERR_TOO_LARGE)
        return fail_set(f, t->code, "the message would be longer than %zu bytes", t->max);
    if (t->code) return fail_set(f, t->code, "no memory for a message");
    return 0;
}

char *text_take(struct text *t, size_t *len)
{
    char *at;

    text_bytes(t, "", 0); /* an empty text is a buffer too */
    if (t->code) return NULL;
    at = t->at;
    *len = t->len;
    *t = (struct text){.head = t->head, .max = t->max};
    return at;
}

/* Room for len more bytes and a NUL. */
static bool grow(struct text *t, size_t len)
{
    size_t need, cap;
    char *at;

    if (t->code) return false;
    if (len > t->max - t->len) {
        t->code = ERR_TOO_LARGE;
        return false;
    }
    need = t->head + t->len + len + 1;
    if (need <= t->cap) return true;
    cap = need < 256 ? 256 : need + need / 2;
    at = realloc(t->at, cap);
    if (!at) {
        t->code = ERR_OUT_OF_MEMORY;
        return false;
    }
    t->at = at;
    t->cap = cap;
    return true;
}

void text_bytes(struct text *t, const void *bytes, size_t len)
{
    char *end;

    if (!grow(t, len)) return;
    end = t->at + t->head + t->len;
    if (len) memcpy(end, bytes, len);
    end[len] = 0;
    t->len += len;
}

void text_raw(struct text *t, const char *chars)
{
    text_bytes(t, chars, strlen(chars));
}

void text_printf(struct text *t, const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0 || !grow(t, (size_t)len)) return;
    va_start(args, format);
    vsnprintf(t->at + t->head + t->len, (size_t)len + 1, format, args);
    va_end(args);
    t->len += (size_t)len;
}

size_t text_utf8(const char *chars, size_t len)
{
    const unsigned char *s = (const unsigned char *)chars;
    size_t n;

    if (len == 0) return 0;
    if (s[0] < 0x80) return 1;
    n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || n > len) return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    if (s[0] == 0xe0 && s[1] < 0xa0) return 0; /* overlong */
    if (s[0] == 0xed && s[1] > 0x9f) return 0; /* surrogate */
    if (s[0] == 0xf0 && s[1] < 0x90) return 0; /* overlong */
    if (s[0] == 0xf4 && s[1] > 0x8f) return 0; /* above U+10FFFF */
    return n;
}

static void put_quoted(struct text *t, const char *s, size_t len)
{
    static const char SHORT[] = "btn\vfr"; /* for 8 to 13; \v has no short form */

    text_bytes(t, "\"", 1);
    for (size_t i = 0, n; i < len; i += n) {
        unsigned char c = (unsigned char)s[i];

        n = text_utf8(s + i, len - i);
        if (n == 0) {
            text_raw(t, "\xef\xbf\xbd");
            n = 1;
        } else if (c == '"' || c == '\\') {
            text_bytes(t, (char[]){'\\', (char)c}, 2);
        } else if (c >= 8 && c <= 13 && c != 11) {
            text_bytes(t, (char[]){'\\', SHORT[c - 8]}, 2);
        } else if (c < 0x20) {
            text_printf(t, "\\u%04x", c);
        } else {
            text_bytes(t, s + i, n);
        }
    }
    text_bytes(t, "\"", 1);
}

/* A comma unless this is the first thing inside its brackets; then the key. */
static void begin(struct text *t, const char *key)
{
    if (t->len && !strchr("{[", t->at[t->head + t->len - 1])) text_bytes(t, ",", 1);
    if (!key) return;
    put_quoted(t, key, strlen(key));
    text_bytes(t, ":", 1);
}

void text_open(struct text *t, const char *key, char bracket)
{
    begin(t, key);
    text_bytes(t, &bracket, 1);
}

void text_close(struct text *t, char bracket)
{
    text_bytes(t, &bracket, 1);
}

void text_chars(struct text *t, const char *key, const char *value, size_t len)
{
    begin(t, key);
    put_quoted(t, value, len);
}

void text_string(struct text *t, const char *key, const char *value)
{
    if (value)
        text_chars(t, key, value, strlen(value));
    else
        text_null(t, key);
}

void text_int(struct text *t, const char *key, int64_t value)
{
    begin(t, key);
    text_printf(t, "%" PRId64, value);
}

void text_real(struct text *t, const char *key, double value)
{
    char number[TEXT_NUMBER] = "null";

    if (isfinite(value)) text_number(value, number);
    begin(t, key);
    text_raw(t, number);
}

void text_bool(struct text *t, const char *key, bool value)
{
    begin(t, key);
    text_raw(t, value ? "true" : "false");
}

void text_null(struct text *t, const char *key)
{
    begin(t, key);
    text_raw(t, "null");
}

void text_id(struct text *t, const char *key, uint64_t id)
{
    char hex[ID_TEXT];

    id_format(id, hex);
    text_string(t, key, hex);
}

void text_json(struct text *t, const char *key, const char *json)
{
    begin(t, key);
    text_raw(t, json);
}

void text_ms(struct text *t, const char *key, int64_t ms)
{
    if (ms < 0)
        text_null(t, key);
    else
        text_int(t, key, ms);
}

/* The shortest digits that read back as value > 0: value = 0.DIGITS * 10^return. */
static int shortest(double value, char digits[TEXT_NUMBER], int *count)
{
    char e[TEXT_NUMBER] = "";
    int n = 0;
    int k = 0;
    const char *s = e;

    do {
        snprintf(e, sizeof e, "%.*e", n++, value);
    } while (n < 17 && strtod(e, NULL) != value);
    for (; *s != 'e'; s++)
        if (*s >= '0' && *s <= '9') digits[k++] = *s;
    *count = k;
    return (int)strtol(s + 1, NULL, 10) + 1;
}

/* ECMAScript's Number::toString. */
void text_number(double value, char out[TEXT_NUMBER])
{
    char d[TEXT_NUMBER];
    int k, n;
    const char *sign = value < 0 ? "-" : "";

    if (value == 0) {
        snprintf(out, TEXT_NUMBER, "0");
        return;
    }
    n = shortest(fabs(value), d, &k);
    if (k <= n && n <= 21)
        snprintf(out, TEXT_NUMBER, "%s%.*s%.*s", sign, k, d, n - k, "00000000000000000000");
    else if (0 < n && n <= 21)
        snprintf(out, TEXT_NUMBER, "%s%.*s.%.*s", sign, n, d, k - n, d + n);
    else if (-6 < n && n <= 0)
        snprintf(out, TEXT_NUMBER, "%s0.%.*s%.*s", sign, -n, "00000", k, d);
    else
        snprintf(out, TEXT_NUMBER, "%s%c%s%.*se%+d", sign, d[0], k > 1 ? "." : "", k - 1, d + 1,
                 n - 1);
}

/* Deepest nesting of brackets outside strings, found without recursion. */
static int depth_of(const char *text, size_t len)
{
    int depth = 0, deepest = 0;
    bool quoted = false;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (quoted) {
            if (c == '\\') i++;
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++depth > deepest) deepest = depth;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return deepest;
}

/* "duplicate object key near '"width"'": name the key. */
static int fail_duplicate(struct fail *f, const char *reason)
{
    char key[sizeof f->field] = "";
    const char *from = strstr(reason, "near '\"");
    char *end;

    if (from) snprintf(key, sizeof key, "%s", from + 7);
    end = strrchr(key, '"');
    if (end) *end = 0;
    fail_field(f, ERR_BAD_FIELD, key, "%s is there twice", *key ? key : "a member");
    return fail_advise(f, "Send each member once.");
}

/* The member whose value ends at byte `at`: the last key before it. Empty when `at` is in a key. */
static void name_member(struct fail *f, const char *text, size_t len, size_t at)
{
    for (size_t i = 0; i < len && i < at; i++) {
        size_t from, colon;

        if (text[i] != '"') continue;
        from = ++i;
        while (i < len && text[i] != '"')
            i += text[i] == '\\' ? 2 : 1;
        colon = i + 1;
        while (colon < len && strchr(" \t\r\n", text[colon]))
            colon++;
        if (colon >= len || text[colon] != ':') continue;
        snprintf(f->field, sizeof f->field, "%.*s", colon < at ? (int)(i - from) : 0, text + from);
    }
}

static int fail_json(struct fail *f, const json_error_t *e)
{
    if (!*e->text) return fail_set(f, ERR_OUT_OF_MEMORY, "no memory to read JSON");
    switch (json_error_code(e)) {
    case json_error_duplicate_key: return fail_duplicate(f, e->text);
    case json_error_invalid_utf8:
        return fail_set(f, ERR_BAD_UTF8, "not UTF-8 at byte %d", e->position);
    case json_error_null_character:
    case json_error_null_byte_in_key:
        fail_set(f, ERR_BAD_FIELD, "U+0000 inside a string, near byte %d", e->position);
        return fail_advise(f, "Leave the character U+0000 out.");
    case json_error_numeric_overflow:
        fail_set(f, ERR_BAD_FIELD, "a number is too large: %s", e->text);
        return fail_advise(f, "Send numbers within the ranges of hello.fields.");
    default: break;
    }
    if (strstr(e->text, "invalid Unicode")) {
        fail_set(f, ERR_BAD_UTF8, "half a surrogate pair near byte %d: %s", e->position, e->text);
        return fail_advise(f, "Cut text between characters, not inside one.");
    }
    return fail_set(f, ERR_BAD_REQUEST, "not valid JSON at byte %d: %s", e->position, e->text);
}

json_t *text_parse(const char *text, size_t len, size_t max, struct fail *f)
{
    json_error_t e;
    json_t *root;

    if (len > max) {
        fail_set(f, ERR_TOO_LARGE, "the message has %zu bytes, the most is %zu", len, max);
        return NULL;
    }
    if (depth_of(text, len) > LIMIT_JSON_DEPTH) {
        fail_set(f, ERR_BAD_REQUEST, "JSON nested more than %d deep", LIMIT_JSON_DEPTH);
        return NULL;
    }
    root = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &e);
    if (!root) {
        if (fail_json(f, &e) != ERR_BAD_REQUEST && f && !*f->field)
            name_member(f, text, len, (size_t)e.position);
        return NULL;
    }
    if (json_is_object(root)) return root;
    json_decref(root);
    fail_set(f, ERR_BAD_REQUEST, "the message is not a JSON object");
    return NULL;
}
