/* pattern - rewrite an Oniguruma expression for PCRE2, compile it, match. */
#include "weights/pattern.h"

#include "proto/fail.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <ctype.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JIT_STACK_MAX (1 << 20)
/* A greedy \s* over a megabyte of blanks backtracks once a byte; the library's 10 million would do
 * for that and end a runaway expression, but not for the largest texts. */
#define MATCH_LIMIT   (1u << 30)

struct pattern {
    pcre2_code *code;
};

struct pattern_scratch {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack; /* NULL: PCRE2's own 32 KB */
};

/* ---- rewriting ---- */

struct rewrite {
    const char *in, *end;
    char *out; /* 40 bytes a byte: the longest rewriting, of \w, has 34 for two */
    size_t n;
    bool in_class;
    const char *wrong; /* what cannot be said, or NULL */
};

static void emit(struct rewrite *r, const char *s, size_t n)
{
    memcpy(r->out + r->n, s, n);
    r->n += n;
}

static void emit_text(struct rewrite *r, const char *s)
{
    emit(r, s, strlen(s));
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

/* After a backslash. */
static void rewrite_escape(struct rewrite *r)
{
    if (r->in == r->end) {
        r->wrong = "a backslash at its end";
        return;
    }
    char c = *r->in++;
    switch (c) {
    case 's': emit_text(r, "\\p{White_Space}"); return;
    case 'S': emit_text(r, "\\P{White_Space}"); return;
    case 'v': emit_text(r, "\\x{0b}"); return;
    case 'u': rewrite_unicode(r); return;
    case 'w':
        emit_text(r, r->in_class ? "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"
                                 : "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}]");
        return;
    case 'W':
        if (r->in_class) r->wrong = "\\W in a class";
        emit_text(r, "[^\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}]");
        return;
    default: break;
    }
    if (isalnum((unsigned char)c) && !strchr("rntfaedDpPbBAzx", c)) r->wrong = "an unusual escape";
    emit(r, (const char[]){'\\', c}, 2);
    if (!strchr("pPx", c) || r->in == r->end || *r->in != '{') return;
    while (r->in < r->end && r->in[-1] != '}')
        emit(r, r->in++, 1); /* its name, as it is */
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

static int compile(struct pattern *p, const char *text, size_t len, uint32_t options, char *why,
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

int pattern_open(struct pattern **out, const char *text, size_t len, bool literal, char *why,
                 size_t why_size)
{
    int rc = ERR_OUT_OF_MEMORY;
    struct pattern *p = calloc(1, sizeof *p);
    struct rewrite r = {.in = text, .end = text + len, .out = malloc(40 * len + 64)};
    snprintf(why, why_size, "no memory");
    *out = NULL;
    if (!p || !r.out) goto out;
    if (!literal) rewrite(&r);
    if (r.wrong) {
        snprintf(why, why_size, "it has %s", r.wrong);
        rc = ERR_MODEL;
    } else if (literal) {
        rc = compile(p, text, len, PCRE2_UTF | PCRE2_LITERAL, why, why_size);
    } else {
        rc = compile(p, r.out, r.n, PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, why, why_size);
    }
out:
    free(r.out);
    if (rc)
        pattern_close(p);
    else
        *out = p;
    return rc;
}

void pattern_close(struct pattern *p)
{
    if (!p) return;
    pcre2_code_free(p->code);
    free(p);
}

/* ---- matching ---- */

struct pattern_scratch *pattern_scratch_new(const struct pattern *p)
{
    struct pattern_scratch *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->data = pcre2_match_data_create_from_pattern(p->code, NULL);
    s->context = pcre2_match_context_create(NULL);
    s->stack = pcre2_jit_stack_create(32 << 10, JIT_STACK_MAX, NULL);
    if (!s->data || !s->context) {
        pattern_scratch_free(s);
        return NULL;
    }
    pcre2_set_match_limit(s->context, MATCH_LIMIT);
    if (s->stack) pcre2_jit_stack_assign(s->context, NULL, s->stack);
    return s;
}

void pattern_scratch_free(struct pattern_scratch *s)
{
    if (!s) return;
    pcre2_match_data_free(s->data);
    pcre2_match_context_free(s->context);
    pcre2_jit_stack_free(s->stack);
    free(s);
}

int pattern_find(const struct pattern *p, struct pattern_scratch *s, const char *text, size_t n,
                 size_t from, size_t *at, size_t *end)
{
    /* the text was validated once; checking it again at every match would be quadratic */
    uint32_t options = PCRE2_NO_UTF_CHECK;
    int rc = pcre2_match(p->code, (PCRE2_SPTR)text, n, from, options, s->data, s->context);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
        rc = pcre2_match(p->code, (PCRE2_SPTR)text, n, from, options | PCRE2_NO_JIT, s->data,
                         s->context);
    if (rc == PCRE2_ERROR_NOMATCH) return 0;
    if (rc < 0) return ERR_INTERNAL;
    const size_t *v = pcre2_get_ovector_pointer(s->data);
    *at = v[0];
    *end = v[1];
    return 1;
}
