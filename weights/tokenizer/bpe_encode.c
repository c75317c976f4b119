/* bpe_encode - text to ids: added tokens, pre-tokenizer, merges. */
#include "weights/tokenizer/bpe.h"
#include "weights/tokenizer/bpe_priv.h"

#include "weights/tokenizer/utf8.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX ((size_t)1 << 30)

/* One symbol of the piece that is being merged. */
struct symbol {
    int32_t id; /* -1: merged into its left neighbour */
    int32_t prev, next;
};

/* A growing buffer that is freed at the end of the call. */
struct buffer {
    void *p;
    size_t bytes;
};

/* What one bpe_encode call owns. */
struct call {
    const struct bpe *b;
    struct token_list *out;
    struct regex_scratch *step[BPE_STEPS_MAX];
    struct regex_scratch *word;
    struct buffer symbols, heap, mapped, prefixed;
};

static void *room(struct buffer *b, size_t bytes)
{
    size_t want;
    void *p;

    if (bytes <= b->bytes) return b->p;
    want = bytes + bytes / 2;
    p = realloc(b->p, want);
    if (!p) return NULL;
    *b = (struct buffer){p, want};
    return p;
}

/* ---- merging one piece ---- */

/* A binary heap of rank << 32 | position: the lowest rank first, the leftmost of equals. */
struct heap {
    uint64_t *v;
    size_t n;
};

static void heap_push(struct heap *h, uint64_t x)
{
    size_t i = h->n++;

    while (i && h->v[(i - 1) / 2] > x) {
        h->v[i] = h->v[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    h->v[i] = x;
}

static uint64_t heap_pop(struct heap *h)
{
    uint64_t top = h->v[0], x = h->v[--h->n];
    size_t i = 0;

    for (;;) {
        size_t c = 2 * i + 1;

        if (c >= h->n) break;
        if (c + 1 < h->n && h->v[c + 1] < h->v[c]) c++;
        if (h->v[c] >= x) break;
        h->v[i] = h->v[c];
        i = c;
    }
    h->v[i] = x;
    return top;
}

static void offer(const struct bpe *b, struct heap *h, const struct symbol *s, int32_t at)
{
    uint32_t rank;

    if (at < 0 || s[at].next < 0) return;
    rank = bpe_rank(&b->pairs, s[at].id, s[s[at].next].id);
    if (rank != UINT32_MAX) heap_push(h, (uint64_t)rank << 32 | (uint32_t)at);
}

/* Repeatedly the lowest-ranked pair. An entry whose pair changed since it was pushed is used only
 * if it still makes the same token, as in the reference. */
static void merge(const struct bpe *b, struct symbol *s, int32_t n, struct heap *h)
{
    h->n = 0;
    for (int32_t i = 0; i < n; i++)
        offer(b, h, s, i);
    while (h->n) {
        uint64_t top = heap_pop(h);
        int32_t at = (int32_t)(uint32_t)top, made = b->pairs.made[top >> 32], right = s[at].next;
        uint32_t rank;

        if (s[at].id < 0 || right < 0) continue;
        rank = bpe_rank(&b->pairs, s[at].id, s[right].id);
        if (rank == UINT32_MAX || b->pairs.made[rank] != made) continue;
        s[at].id = made;
        s[at].next = s[right].next;
        s[right].id = -1;
        if (s[at].next >= 0) s[s[at].next].prev = at;
        offer(b, h, s, s[at].prev);
        offer(b, h, s, at);
    }
}

/* The id of the whole piece when the vocabulary has it, else -1. */
static int32_t whole(struct call *c, const char *s, size_t n)
{
    char *m = room(&c->mapped, 2 * n);
    size_t k = 0;

    if (!m) return -1;
    for (size_t i = 0; i < n; i++)
        k += utf8_put(bpe_char_of((unsigned char)s[i]), m + k);
    return strmap_get(&c->b->vocab, m, k);
}

/* Symbols of the bytes that the vocabulary has; others are dropped, as in the reference. */
static int32_t symbols_of(const struct bpe *b, const char *p, size_t n, struct symbol *s)
{
    int32_t k = 0;

    for (size_t i = 0; i < n; i++) {
        int32_t id = b->byte_id[(unsigned char)p[i]];

        if (id < 0) continue;
        s[k] = (struct symbol){id, k - 1, k + 1};
        k++;
    }
    if (k) s[k - 1].next = -1;
    return k;
}

static int encode_piece(struct call *c, const char *p, size_t n)
{
    int32_t id;
    int err = 0;
    struct symbol *s;
    struct heap h;
    int32_t k;

    if (!n) return 0;
    if (c->b->ignore_merges && (id = whole(c, p, n)) >= 0) return token_list_push(c->out, id);
    /* a merge pops one entry and pushes at most two */
    s = room(&c->symbols, n * sizeof *s);
    h = (struct heap){.v = room(&c->heap, 2 * n * sizeof *h.v)};
    if (!s || !h.v) return ERR_OUT_OF_MEMORY;
    k = symbols_of(c->b, p, n, s);
    merge(c->b, s, k, &h);
    for (int32_t i = k ? 0 : -1; !err && i >= 0; i = s[i].next)
        err = token_list_push(c->out, s[i].id);
    return err;
}

/* ---- pre-tokenizer ---- */

static int split(struct call *c, const char *p, size_t n, int step);

/* Cut a piece by the step's pattern and hand matches and gaps to the next step. */
static int split_by(struct call *c, const char *p, size_t n, int step)
{
    const struct bpe_step *s = &c->b->step[step];
    size_t done = 0, from = 0, at, end;
    int err = 0, found = 1;

    while (!err && from <= n) {
        found = regex_find(s->regex, c->step[step], p, n, from, &at, &end);
        if (found <= 0) break;
        if (at > done && !s->drop_gap) err = split(c, p + done, at - done, step + 1);
        if (!err && end > at && !s->drop_match) err = split(c, p + at, end - at, step + 1);
        done = from = end;
        if (end == at && from < n) { /* an empty match: go on after the next character */
            size_t k;

            utf8_next(p + from, n - from, &k);
            from += k;
        } else if (end == at) {
            break;
        }
    }
    if (err || found < 0) return err ? err : found;
    return done < n && !s->drop_gap ? split(c, p + done, n - done, step + 1) : 0;
}

static int split(struct call *c, const char *p, size_t n, int step)
{
    const struct bpe_step *s;

    if (step == c->b->steps) return encode_piece(c, p, n);
    s = &c->b->step[step];
    if (s->prefix_space && *p != ' ') {
        char *q = room(&c->prefixed, n + 1);

        if (!q) return ERR_OUT_OF_MEMORY;
        q[0] = ' ';
        memcpy(q + 1, p, n++);
        p = q;
    }
    return s->regex ? split_by(c, p, n, step) : split(c, p, n, step + 1);
}

/* ---- added tokens ---- */

/* The longest token of the trie that starts at s; its length in *len, -1 when there is none. */
static int32_t trie_match(const struct bpe_trie *t, const char *s, size_t n, size_t *len)
{
    int32_t best = -1, at = n ? t->first[(unsigned char)*s] : 0;

    for (size_t i = 1; at; i++) {
        int32_t c;

        if (t->node[at].token >= 0) {
            best = t->node[at].token;
            *len = i;
        }
        c = i < n ? t->node[at].child : 0;
        while (c && t->node[c].byte != (unsigned char)s[i])
            c = t->node[c].sibling;
        at = c;
    }
    return best;
}

/* Is the character of s[0..n) at its start, or at its end, part of a word? */
static bool is_word(struct call *c, const char *s, size_t n, bool last)
{
    size_t k, at, end;

    if (!n) return false;
    if (last) {
        k = utf8_last(s, n);
        s += n - k;
    } else {
        utf8_next(s, n, &k);
    }
    return regex_find(c->b->word, c->word, s, k, 0, &at, &end) == 1;
}

typedef int (*between)(struct call *, const char *, size_t);

/* Emit the trie's tokens of s[0..n) and give everything between them to `rest`. */
static int cut(struct call *c, const struct bpe_trie *t, const char *s, size_t n, between rest)
{
    size_t done = 0, len = 0;
    int err = 0;

    for (size_t i = 0; i < n && !err;) {
        int32_t token = trie_match(t, s + i, n - i, &len);
        const struct bpe_added *a;
        size_t start, stop;

        if (token < 0) {
            i++;
            continue;
        }
        a = &c->b->added[token];
        start = i;
        stop = i + len;
        i = stop;
        if (a->single_word && (is_word(c, s, start, true) || is_word(c, s + stop, n - stop, false)))
            continue;
        if (a->lstrip) start -= utf8_space_after(s, start, false);
        if (start < done) start = done; /* the token before took that white space */
        if (a->rstrip) stop += utf8_space_before(s + stop, n - stop, false);
        if (start > done) err = rest(c, s + done, start - done);
        if (!err) err = token_list_push(c->out, a->id);
        done = stop;
    }
    if (!err && done < n) err = rest(c, s + done, n - done);
    return err;
}

static int plain(struct call *c, const char *s, size_t n)
{
    return split(c, s, n, 0);
}

static int after_raw(struct call *c, const char *s, size_t n)
{
    return cut(c, &c->b->normalized, s, n, plain);
}

/* ---- the call ---- */

static int append(struct token_list *out, const struct token_list *more)
{
    int err = 0;

    for (size_t i = 0; !err && i < more->n; i++)
        err = token_list_push(out, more->v[i]);
    return err;
}

static int prepare(struct call *c)
{
    for (int i = 0; i < c->b->steps; i++) {
        if (!c->b->step[i].regex) continue;
        if (!(c->step[i] = regex_scratch_new(c->b->step[i].regex))) return ERR_OUT_OF_MEMORY;
    }
    c->word = regex_scratch_new(c->b->word);
    return c->word ? 0 : ERR_OUT_OF_MEMORY;
}

static void release(struct call *c)
{
    for (int i = 0; i < c->b->steps; i++)
        regex_scratch_free(c->step[i]);
    regex_scratch_free(c->word);
    free(c->symbols.p);
    free(c->heap.p);
    free(c->mapped.p);
    free(c->prefixed.p);
}

static int explain(int err, const struct token_list *out, struct fail *f)
{
    if (err == ERR_TOO_LARGE)
        return fail_set(f, ERR_TOO_LARGE, "the text has more than %zu tokens", out->max);
    if (err == ERR_OUT_OF_MEMORY) return fail_set(f, ERR_OUT_OF_MEMORY, "no memory for the text");
    return err ? fail_set(f, ERR_INTERNAL, "the tokenizer's pattern gave up on this text") : 0;
}

int bpe_encode(const struct bpe *b, const char *text, size_t len, bool add_special,
               struct token_list *out, struct fail *f)
{
    struct call c = {.b = b, .out = out};
    int err;

    if (len > TEXT_MAX) return fail_set(f, ERR_TOO_LARGE, "the text has %zu bytes", len);
    if (!utf8_valid(text, len)) return fail_set(f, ERR_BAD_UTF8, "the text is not UTF-8");
    err = prepare(&c);
    if (!err && add_special) err = append(out, &b->prefix);
    if (!err) err = cut(&c, &b->raw, text, len, after_raw);
    if (!err && add_special) err = append(out, &b->suffix);
    release(&c);
    return explain(err, out, f);
}
