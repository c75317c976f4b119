/* byt5 - find the quoted texts of a prompt and make byte ids of them. */
#include "weights/tokenizer/byt5.h"

#include "weights/tokenizer/utf8.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAD = 0, END = 1, UNKNOWN = 2, BYTES = 3, SENTINELS = 259, N_SENTINELS = 125 };

/* ---- quoted texts ---- */

/* Marks in UTF-8. Where both are the same the next one closes; else a second opening starts
 * over. */
static const struct {
    const char *open, *close;
} quotes[] = {
    {"'", "'"},
    {"\xe2\x80\x9c", "\xe2\x80\x9d"}, /* U+201C, U+201D */
    {"\"", "\""},
    {"\xe3\x80\x8c", "\xe3\x80\x8d"}, /* U+300C, U+300D */
};

static bool starts(const char *s, size_t n, const char *mark)
{
    size_t k = strlen(mark);

    return n >= k && !memcmp(s, mark, k);
}

/* The end of the quoted text that opens at s[at], or 0. *next is where the search goes on. */
static size_t closing(const char *s, size_t n, size_t at, const char *open, const char *close,
                      size_t *next)
{
    for (size_t i = at + strlen(open); i < n; i++) {
        if (starts(s + i, n - i, close)) {
            *next = i + strlen(close);
            return i;
        }
        if (starts(s + i, n - i, open)) {
            *next = i;
            return 0;
        }
    }
    *next = n;
    return 0;
}

/* The quoted texts between one kind of marks, stored from out[found] on. Returns the new count. */
static size_t spans_of(size_t kind, const char *s, size_t n, struct byt5_span *out, size_t found,
                       size_t max)
{
    const char *open = quotes[kind].open;

    for (size_t i = 0; i < n;) {
        size_t begin, end;

        if (!starts(s + i, n - i, open)) {
            i++;
            continue;
        }
        begin = i + strlen(open);
        end = closing(s, n, i, open, quotes[kind].close, &i);
        if (!end) continue;
        if (found < max) out[found] = (struct byt5_span){begin, end - begin};
        found++;
    }
    return found;
}

size_t byt5_spans(const char *s, size_t n, struct byt5_span *out, size_t max)
{
    size_t found = 0;

    for (size_t q = 0; q < sizeof quotes / sizeof *quotes; q++)
        found = spans_of(q, s, n, out, found, max);
    return found;
}

/* ---- ids of one text ---- */

/* A literal special token at the start of s: its id and length, or -1. */
static int32_t special(const char *s, size_t n, int vocab, size_t *len)
{
    static const char *const plain[] = {[PAD] = "<pad>", [END] = "</s>", [UNKNOWN] = "<unk>"};

    if (!n || *s != '<') return -1;
    for (int i = 0; i < 3; i++) {
        *len = strlen(plain[i]);
        if (starts(s, n, plain[i])) return i;
    }
    for (int i = 0; i < N_SENTINELS && SENTINELS + i < vocab; i++) {
        char name[24];

        *len = (size_t)snprintf(name, sizeof name, "<extra_id_%d>", i);
        if (starts(s, n, name)) return SENTINELS + i;
    }
    return -1;
}

static int put_bytes(struct token_list *out, const char *s, size_t n)
{
    int err = token_list_reserve(out, n);

    for (size_t i = 0; !err && i < n; i++)
        err = token_list_push(out, (unsigned char)s[i] + BYTES);
    return err;
}

/* Pad, end and unknown remove the white space on both sides (Python's str.isspace). */
static int put_text(struct token_list *out, const char *s, size_t n, int vocab)
{
    size_t done = 0, len;
    int err = 0;

    for (size_t i = 0; i < n && !err;) {
        int32_t id = special(s + i, n - i, vocab, &len);
        size_t stop;

        if (id < 0) {
            i++;
            continue;
        }
        stop = i;
        if (id < BYTES) stop -= utf8_space_after(s + done, i - done, true);
        err = put_bytes(out, s + done, stop - done);
        if (!err) err = token_list_push(out, id);
        i += len;
        if (id < BYTES) i += utf8_space_before(s + i, n - i, true);
        done = i;
    }
    return err ? err : put_bytes(out, s + done, n - done);
}

int byt5_encode(struct token_list *out, const char *s, size_t n, int vocab)
{
    struct token_list all;
    int err;

    token_list_init(&all, n + 1);
    err = put_text(&all, s, n, vocab);
    if (all.n >= LIMIT_GLYPH_TOKENS) all.n = LIMIT_GLYPH_TOKENS - 1;
    if (!err && (!all.n || all.v[all.n - 1] != END)) err = token_list_push(&all, END);
    if (!err) err = token_list_reserve(out, all.n);
    for (size_t i = 0; !err && i < all.n; i++)
        err = token_list_push(out, all.v[i]);
    token_list_free(&all);
    return err;
}

/* ---- a prompt ---- */

static int put_all(struct byt5 *b, const char *prompt, const struct byt5_span *span, int vocab)
{
    int err = 0;

    for (int i = 0; !err && i < b->n; i++) {
        b->start[i] = b->ids.n;
        if (b->n % 2 == 0) err = token_list_push(&b->ids, PAD);
        if (!err) err = byt5_encode(&b->ids, prompt + span[i].at, span[i].len, vocab);
    }
    b->start[b->n] = b->ids.n;
    return err;
}

/* Apostrophes inside words are marks too (the model's rule): the user may have quoted nothing. */
static int fail_too_many(const char *prompt, size_t len, size_t n, struct fail *f)
{
    size_t apostrophes = spans_of(0, prompt, len, NULL, 0, 0);

    if (!apostrophes) {
        fail_field(f, ERR_BAD_PROMPT, "prompt", "the prompt has %zu quoted texts", n);
        return fail_advise(f, "Quote at most %d texts.", LIMIT_GLYPH_TEXTS);
    }
    fail_field(f, ERR_BAD_PROMPT, "prompt",
               "the prompt has %zu quoted texts, %zu of them between apostrophes: the model takes "
               "every two ' for quotation marks, also inside words",
               n, apostrophes);
    return fail_advise(f, "Quote at most %d texts, and write \u2019 for an apostrophe.",
                       LIMIT_GLYPH_TEXTS);
}

int byt5_prompt(struct byt5 *b, const char *prompt, size_t len, int vocab, struct fail *f)
{
    struct byt5_span span[LIMIT_GLYPH_TEXTS] = {{0, 0}};
    size_t n;

    memset(b, 0, sizeof *b);
    if (!utf8_valid(prompt, len)) return fail_set(f, ERR_BAD_UTF8, "the prompt is not UTF-8");
    n = byt5_spans(prompt, len, span, LIMIT_GLYPH_TEXTS);
    if (n > LIMIT_GLYPH_TEXTS) return fail_too_many(prompt, len, n, f);
    b->n = n ? (int)n : 1; /* none: one empty text */
    token_list_init(&b->ids, (size_t)b->n * (LIMIT_GLYPH_TOKENS + 1));
    if (!put_all(b, prompt, span, vocab)) return 0;
    byt5_free(b);
    return fail_set(f, ERR_OUT_OF_MEMORY, "no memory for the quoted texts");
}

void byt5_free(struct byt5 *b)
{
    token_list_free(&b->ids);
    memset(b, 0, sizeof *b);
}
