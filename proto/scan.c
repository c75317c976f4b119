/* scan - a state machine over single bytes. */
#include "proto/scan.h"

#include <string.h>

void scan_init(struct scan *s)
{
    memset(s, 0, sizeof *s);
}

/* A byte of a string of the outermost object. */
static void add(struct scan *s, char c)
{
    if (s->n == SCAN_WORD) return;
    if (c <= ' ' || c > '~' || s->n == SCAN_WORD - 1)
        s->n = SCAN_WORD;
    else
        s->word[s->n++] = c;
}

static void keep(const struct scan *s, const char *name, char out[SCAN_WORD])
{
    if (strcmp(s->key, name) == 0 && !*out) memcpy(out, s->word, SCAN_WORD);
}

/* A string of the outermost object is over: a key, or a value that may be looked for. */
static void end_word(struct scan *s)
{
    if (s->n == SCAN_WORD) s->n = 0;
    s->word[s->n] = 0;
    if (!s->value) {
        memcpy(s->key, s->word, SCAN_WORD);
        return;
    }
    keep(s, "type", s->type);
    keep(s, "ref", s->ref);
    keep(s, "job", s->job);
}

static void in_string(struct scan *s, char c)
{
    if (s->escaped) {
        s->escaped = false;
        return;
    }
    s->escaped = c == '\\';
    if (c == '"') {
        s->quoted = false;
        if (s->depth == 1) end_word(s);
    } else if (s->escaped) {
        s->n = SCAN_WORD; /* none of the words needs one */
    } else {
        add(s, c);
    }
}

static void outside(struct scan *s, char c)
{
    switch (c) {
    case '"':
        s->quoted = true;
        s->n = 0;
        break;
    case '{':
    case '[': s->depth++; break;
    case '}':
    case ']': s->depth--; break;
    case ':': s->value |= s->depth == 1; break;
    case ',':
        if (s->depth != 1) break;
        s->value = false;
        *s->key = 0;
        break;
    default: break;
    }
}

void scan_feed(struct scan *s, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (s->quoted)
            in_string(s, bytes[i]);
        else
            outside(s, bytes[i]);
}
