/* regex - rewrite an Oniguruma expression for PCRE2, compile it, match. */
#include "weights/tokenizer/regex.h"

#include "weights/tokenizer/unicode.h"

#include "proto/fail.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <ctype.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JIT_STACK_MAX (1 << 20)
/* A greedy \s* over a megabyte of blanks backtracks once a byte; the library's limit of
 * 10 million stops a runaway expression, but also this in the largest texts. */
#define MATCH_LIMIT   (1u << 30)

struct regex {
    pcre2_code *code;
};

struct regex_scratch {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack; /* NULL: PCRE2's own 32 KB */
};

/* ---- rewriting ---- */

struct rewrite {
    const char *in, *end;
    char *out;
    size_t n, cap;
    bool in_class;
    const char *wrong; /* what cannot be translated, or NULL */
};

/* Oniguruma's \w beyond letters, marks, decimal digits and connectors: Alphabetic, and superscripts
 * and fractions of Latin-1. */
#define WORD_TOO "\\p{Alphabetic}\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}"

static const char no_room[] = "no memory";

static void emit(struct rewrite *r, const char *s, size_t n)
{
    if (n > r->cap - r->n) {
        size_t cap = 2 * r->cap + n + 256;
        char *out = realloc(r->out, cap);

        if (!out) r->wrong = no_room;
        if (!out) return;
        r->out = out;
        r->cap = cap;
    }
    memcpy(r->out + r->n, s, n);
    r->n += n;
}

static void emit_text(struct rewrite *r, const char *s)
{
    emit(r, s, strlen(s));
}

/* A general category such as L or Lo, with what newer Unicode added to it. */
static void emit_category(struct rewrite *r, const char *name)
{
    size_t n, len = strlen(name);
    const struct unicode_range *t = unicode_new(&n);
    char text[40];

    snprintf(text, sizeof text, "\\p{%s}", name);
    emit_text(r, text);
    for (size_t i = 0; i < n; i++) {
        if (strncmp(t[i].category, name, len) != 0) continue;
        snprintf(text, sizeof text, "\\x{%x}-\\x{%x}", (unsigned)t[i].lo, (unsigned)t[i].hi);
        emit_text(r, text);
    }
}

/* Categories as a class of their own, or as a part of the one that is open. */
static void emit_class(struct rewrite *r, bool negated, const char *const *names, const char *more)
{
    if (negated && r->in_class) r->wrong = "a negated property in a class";
    if (!r->in_class) emit_text(r, negated ? "[^" : "[");
    for (; *names; names++)
        emit_category(r, *names);
    emit_text(r, more);
    if (!r->in_class) emit_text(r, "]");
}

/* \uHHHH becomes \x{HHHH}. */
static void rewrite_unicode(struct rewrite *r)
{
    if (r->end - r->in < 4) {
        r->wrong = "a cut-off \\u";
        return;
    }
    emit_text(r, "\\x{");
    emit(r, r->in, 4);
    emit_text(r, "}");
    r->in += 4;
}

/* The name after \p or \P: a letter or {Name}. */
static void rewrite_property(struct rewrite *r, bool negated)
{
    static const char *const binary[] = {"White_Space", "Alphabetic", "Join_Control"};
    char name[24] = "", text[40];
    const char *close =
        r->in < r->end && *r->in == '{' ? memchr(r->in, '}', (size_t)(r->end - r->in)) : NULL;
    const char *from = close ? r->in + 1 : r->in;
    size_t n = close ? (size_t)(close - from) : (size_t)(r->in < r->end);
    bool known = false;

    if (n && *from == '^') {
        negated = !negated;
        from++;
        n--;
    }
    if (n < sizeof name) memcpy(name, from, n);
    r->in = close ? close + 1 : from + n;
    if (n == 1 || n == 2) {
        emit_class(r, negated, (const char *const[]){name, NULL}, "");
        return;
    }
    for (size_t i = 0; i < sizeof binary / sizeof *binary; i++)
        known |= !strcmp(name, binary[i]);
    if (!known) r->wrong = "an unusual property";
    snprintf(text, sizeof text, "\\%c{%s}", negated ? 'P' : 'p', name);
    emit_text(r, text);
}

/* After a backslash. */
static void rewrite_escape(struct rewrite *r)
{
    static const char *const word[] = {"L", "M", "Nd", "Pc", NULL}, *const digit[] = {"Nd", NULL};
    char c;

    if (r->in == r->end) {
        r->wrong = "a backslash at its end";
        return;
    }
    c = *r->in++;
    switch (c) {
    case 's': emit_text(r, "\\p{White_Space}"); return;
    case 'S': emit_text(r, "\\P{White_Space}"); return;
    case 'w':
    case 'W': emit_class(r, c == 'W', word, WORD_TOO); return;
    case 'd':
    case 'D': emit_class(r, c == 'D', digit, ""); return;
    case 'p':
    case 'P': rewrite_property(r, c == 'P'); return;
    case 'v': emit_text(r, "\\x{0b}"); return;
    case 'u': rewrite_unicode(r); return;
    default: break;
    }
    if (isalnum((unsigned char)c) && !strchr("rntfaebBAzx", c)) r->wrong = "an unusual escape";
    emit(r, (const char[]){'\\', c}, 2);
    if (c != 'x' || r->in == r->end || *r->in != '{') return;
    while (r->in < r->end && r->in[-1] != '}')
        emit(r, r->in++, 1); /* not a quantifier */
}

static void rewrite_group(struct rewrite *r)
{
    emit_text(r, "(");
    if (r->end - r->in < 2 || r->in[0] != '?' || strchr(":=!><", r->in[1])) return;
    for (const char *p = r->in + 1; p < r->end && *p != ':' && *p != ')'; p++)
        if (*p != 'i' && *p != '-') r->wrong = "an inline flag other than i";
}

static void rewrite_class(struct rewrite *r, char c)
{
    if (c == '[') r->wrong = "a class inside a class";
    if (c == '&' && r->in < r->end && *r->in == '&') r->wrong = "an intersection of classes";
    if (c == ']') r->in_class = false;
    emit(r, &c, 1);
}

static void rewrite_open_class(struct rewrite *r)
{
    emit_text(r, "[");
    if (r->in < r->end && *r->in == '^') emit(r, r->in++, 1);
    if (r->in < r->end && *r->in == ']') r->wrong = "a class that starts with ]";
    r->in_class = true;
}

static void rewrite(struct rewrite *r)
{
    while (r->in < r->end && !r->wrong) {
        char c = *r->in++;

        if (c == '\\') {
            rewrite_escape(r);
        } else if (r->in_class) {
            rewrite_class(r, c);
        } else if (c == '[') {
            rewrite_open_class(r);
        } else if (c == '(') {
            rewrite_group(r);
        } else {
            if (c == '}' && r->in < r->end && *r->in == '+') r->wrong = "a possessive {}";
            emit(r, &c, 1);
        }
    }
}

/* ---- compiling ---- */

static int compile(struct regex *p, const char *text, size_t len, uint32_t options, char *why,
                   size_t why_size)
{
    int code;
    size_t at;
    pcre2_compile_context *c = pcre2_compile_context_create(NULL);

    if (!c) return ERR_OUT_OF_MEMORY;
    pcre2_set_newline(c, PCRE2_NEWLINE_LF);
    p->code = pcre2_compile((PCRE2_SPTR)text, len, options, &code, &at, c);
    pcre2_compile_context_free(c);
    if (p->code) {
        pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE); /* without it the interpreter runs */
        return 0;
    }
    pcre2_get_error_message(code, (PCRE2_UCHAR *)why, why_size);
    return ERR_MODEL;
}

int regex_open(struct regex **out, const char *text, size_t len, bool literal, char *why,
               size_t why_size)
{
    int err = ERR_OUT_OF_MEMORY;
    struct regex *p = calloc(1, sizeof *p);
    struct rewrite r = {.in = text, .end = text + len};

    snprintf(why, why_size, "no memory");
    *out = NULL;
    if (!p) goto out;
    if (!literal) rewrite(&r);
    if (r.wrong == no_room) goto out;
    if (r.wrong) {
        snprintf(why, why_size, "it has %s", r.wrong);
        err = ERR_MODEL;
    } else if (literal) {
        err = compile(p, text, len, PCRE2_UTF | PCRE2_LITERAL, why, why_size);
    } else {
        err = compile(p, r.out, r.n, PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, why, why_size);
    }
out:
    free(r.out);
    if (err)
        regex_close(p);
    else
        *out = p;
    return err;
}

void regex_close(struct regex *p)
{
    if (!p) return;
    pcre2_code_free(p->code);
    free(p);
}

/* ---- matching ---- */

struct regex_scratch *regex_scratch_new(const struct regex *p)
{
    struct regex_scratch *s = calloc(1, sizeof *s);

    if (!s) return NULL;
    s->data = pcre2_match_data_create_from_pattern(p->code, NULL);
    s->context = pcre2_match_context_create(NULL);
    s->stack = pcre2_jit_stack_create(32 << 10, JIT_STACK_MAX, NULL);
    if (!s->data || !s->context) {
        regex_scratch_free(s);
        return NULL;
    }
    pcre2_set_match_limit(s->context, MATCH_LIMIT);
    if (s->stack) pcre2_jit_stack_assign(s->context, NULL, s->stack);
    return s;
}

void regex_scratch_free(struct regex_scratch *s)
{
    if (!s) return;
    pcre2_match_data_free(s->data);
    pcre2_match_context_free(s->context);
    pcre2_jit_stack_free(s->stack);
    free(s);
}

int regex_find(const struct regex *p, struct regex_scratch *s, const char *text, size_t n,
               size_t from, size_t *at, size_t *end)
{
    /* the text was validated once; checking it again at every match would be quadratic */
    uint32_t options = PCRE2_NO_UTF_CHECK;
    int err = pcre2_match(p->code, (PCRE2_SPTR)text, n, from, options, s->data, s->context);
    const size_t *v;

    if (err == PCRE2_ERROR_JIT_STACKLIMIT)
        err = pcre2_match(p->code, (PCRE2_SPTR)text, n, from, options | PCRE2_NO_JIT, s->data,
                          s->context);
    if (err == PCRE2_ERROR_NOMATCH) return 0;
    if (err < 0) return ERR_INTERNAL;
    v = pcre2_get_ovector_pointer(s->data);
    *at = v[0];
    *end = v[1];
    return 1;
}
