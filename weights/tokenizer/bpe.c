/* bpe - load tokenizer.json: vocabulary, merges, added tokens, splitting, template. */
#include "weights/tokenizer/bpe.h"
#include "weights/tokenizer/bpe_priv.h"

#include "weights/json.h"
#include "weights/tokenizer/utf8.h"

#include "proto/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_MAX (1 << 24)
/* Splits as GPT-2's byte level does when use_regex is on. */
#define GPT2_PATTERN \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

static int no_memory(struct json_doc *d)
{
    if (!d->err)
        d->err = fail_set(d->fail, ERR_OUT_OF_MEMORY, "no memory for the tokenizer %s", d->name);
    return d->err;
}

/* ---- vocabulary and merges ---- */

static int note_id(struct bpe *b, int32_t id)
{
    if (id > b->max_id) b->max_id = id;
    return id;
}

static int load_vocab(struct bpe *b, struct json_doc *d)
{
    json_t *vocab = json_at(d, "model.vocab"), *v;
    const char *key;
    size_t len;

    if (!json_is_object(vocab)) return json_refuse(d, "model.vocab", "is not an object");
    json_object_keylen_foreach(vocab, key, len, v)
    {
        json_int_t id = json_integer_value(v);

        if (!json_is_integer(v) || id < 0 || id >= ID_MAX)
            return json_refuse(d, "model.vocab", "gives \"%.60s\" no id below %d", key, ID_MAX);
        if (strmap_set(&b->vocab, key, len, note_id(b, (int32_t)id))) return no_memory(d);
    }
    for (int i = 0; i < 256; i++) {
        char c[2];
        size_t n = utf8_put(bpe_char_of((unsigned char)i), c);

        b->byte_id[i] = strmap_get(&b->vocab, c, n);
    }
    return 0;
}

/* The two halves of a merge in either spelling; 0 when it has none. */
static int merge_halves(const json_t *m, const char **a, size_t *na, const char **c, size_t *nc)
{
    const char *s, *blank;

    if (json_is_array(m)) {
        const json_t *l = json_array_get(m, 0), *r = json_array_get(m, 1);

        if (json_array_size(m) != 2 || !json_is_string(l) || !json_is_string(r)) return 0;
        *a = json_string_value(l);
        *na = json_string_length(l);
        *c = json_string_value(r);
        *nc = json_string_length(r);
        return 1;
    }
    s = json_string_value(m);
    blank = s ? strchr(s, ' ') : NULL;
    if (!blank || strchr(blank + 1, ' ')) return 0;
    *a = s;
    *na = (size_t)(blank - s);
    *c = blank + 1;
    *nc = json_string_length(m) - *na - 1;
    return 1;
}

/* One merge of the list. `joined` has room for any key of the vocabulary. */
static int load_merge(struct bpe *b, struct json_doc *d, const json_t *m, uint32_t rank,
                      char joined[LIMIT_TOKEN_BYTES])
{
    const char *l, *r;
    size_t nl, nr;
    int32_t left, right, made;
    struct bpe_pair *s;

    if (!merge_halves(m, &l, &nl, &r, &nr))
        return json_refuse(d, "model.merges", "entry %u is no pair", rank);
    if (nl + nr > LIMIT_TOKEN_BYTES)
        return json_refuse(d, "model.merges", "entry %u is too long", rank);
    memcpy(joined, l, nl);
    memcpy(joined + nl, r, nr);
    left = strmap_get(&b->vocab, l, nl);
    right = strmap_get(&b->vocab, r, nr);
    made = strmap_get(&b->vocab, joined, nl + nr);
    if (left < 0 || right < 0 || made < 0)
        return json_refuse(d, "model.merges",
                           "entry %u, \"%.40s\" and \"%.40s\", is not in the vocabulary", rank, l,
                           r);
    s = &b->pairs.slot[bpe_pair_slot(&b->pairs, left, right)];
    *s = (struct bpe_pair){left, right, rank}; /* of equal pairs the last one is used */
    b->pairs.made[rank] = made;
    return 0;
}

static int load_merges(struct bpe *b, struct json_doc *d)
{
    json_t *merges = json_at(d, "model.merges"), *m;
    struct bpe_pairs *p = &b->pairs;
    size_t n = json_array_size(merges), i;
    char joined[LIMIT_TOKEN_BYTES];

    if (!json_is_array(merges) || n > ID_MAX)
        return json_refuse(d, "model.merges", "is not an array of at most %d", ID_MAX);
    for (p->slots = 64; p->slots < 2 * n + 2;)
        p->slots *= 2;
    p->n = n;
    p->slot = malloc(p->slots * sizeof *p->slot);
    p->made = malloc((n + 1) * sizeof *p->made);
    if (!p->slot || !p->made) return no_memory(d);
    for (i = 0; i < p->slots; i++)
        p->slot[i].left = -1;
    json_array_foreach(merges, i, m) if (load_merge(b, d, m, (uint32_t)i, joined)) return d->err;
    return 0;
}

static int load_model(struct bpe *b, struct json_doc *d)
{
    static const char *const affixes[] = {"model.continuing_subword_prefix",
                                          "model.end_of_word_suffix"};

    json_only_text(d, "model.type", "BPE", true);
    json_only_null(d, "model.dropout");
    json_only_null(d, "model.unk_token");
    json_only_bool(d, "model.byte_fallback", false, true);
    b->ignore_merges = json_get_bool_or(d, "model.ignore_merges", false);
    for (int i = 0; i < 2; i++) /* some converters write "" for none */
        if (json_at(d, affixes[i])) json_only_text(d, affixes[i], "", true);
    if (!d->err && !load_vocab(b, d)) load_merges(b, d);
    return d->err;
}

/* ---- added tokens ---- */

static int32_t trie_node(struct bpe_trie *t, unsigned char byte)
{
    if (t->n == t->cap) {
        int32_t cap = t->cap ? 2 * t->cap : 1024;
        struct bpe_node *node = realloc(t->node, (size_t)cap * sizeof *node);

        if (!node) return 0;
        t->node = node;
        t->cap = cap;
        if (!t->n) t->n = 1;
    }
    t->node[t->n] = (struct bpe_node){.byte = byte, .token = -1};
    return t->n++;
}

/* The child of `parent` (0: the root) with this byte, made when missing; 0 when out of memory. */
static int32_t trie_step(struct bpe_trie *t, int32_t parent, unsigned char byte)
{
    int32_t c = parent ? t->node[parent].child : t->first[byte];

    while (c && t->node[c].byte != byte)
        c = t->node[c].sibling;
    if (c || !(c = trie_node(t, byte))) return c;
    if (!parent) {
        t->first[byte] = c;
    } else {
        t->node[c].sibling = t->node[parent].child;
        t->node[parent].child = c;
    }
    return c;
}

static int trie_add(struct bpe_trie *t, const char *s, size_t n, int32_t token)
{
    int32_t at = 0;

    for (size_t i = 0; i < n; i++)
        if (!(at = trie_step(t, at, (unsigned char)s[i]))) return ERR_OUT_OF_MEMORY;
    t->node[at].token = token;
    return 0;
}

static bool flag(const json_t *o, const char *key, bool def)
{
    const json_t *v = json_object_get(o, key);

    return v ? json_is_true(v) : def;
}

/* The id that the tokenizers library gives: the vocabulary's, or the next free one. The `id` in the
 * file is not read, as the library does not. */
static int32_t added_id(const struct bpe *b, const char *s, size_t n, int32_t max_added)
{
    int32_t id = strmap_get(&b->names, s, n);
    int32_t size;

    if (id < 0) id = strmap_get(&b->vocab, s, n);
    if (id >= 0) return id;
    size = (int32_t)b->vocab.n;
    return max_added >= size ? max_added + 1 : size;
}

static int load_added(struct bpe *b, struct json_doc *d)
{
    json_t *list = json_at(d, "added_tokens"), *v;
    size_t i, n = json_array_size(list);
    int32_t max_added = -1;

    if (list && (!json_is_array(list) || n > ID_MAX))
        return json_refuse(d, "added_tokens", "is not an array");
    if (!(b->added = calloc(n + 1, sizeof *b->added))) return no_memory(d);
    json_array_foreach(list, i, v)
    {
        const json_t *content = json_object_get(v, "content");
        const char *s = json_string_value(content);
        size_t len = json_string_length(content);
        struct bpe_added *a;
        bool normalized;

        if (!s || len > LIMIT_TOKEN_BYTES)
            return json_refuse(d, "added_tokens", "entry %zu has no content of at most %d bytes", i,
                               LIMIT_TOKEN_BYTES);
        if (!len) continue;
        a = &b->added[b->n_added];
        *a = (struct bpe_added){.id = added_id(b, s, len, max_added),
                                .lstrip = flag(v, "lstrip", false),
                                .rstrip = flag(v, "rstrip", false),
                                .single_word = flag(v, "single_word", false)};
        normalized = flag(v, "normalized", !flag(v, "special", false));
        if (trie_add(normalized ? &b->normalized : &b->raw, s, len, (int32_t)b->n_added++)
            || strmap_set(&b->names, s, len, note_id(b, a->id)))
            return no_memory(d);
        if (a->id > max_added) max_added = a->id;
    }
    return 0;
}

/* ---- pre-tokenizer ---- */

static int add_regex(struct bpe_step *s, struct json_doc *d, const char *text, size_t len,
                     bool literal)
{
    char why[160];
    int err = regex_open(&s->regex, text, len, literal, why, sizeof why);

    if (err == ERR_OUT_OF_MEMORY) return no_memory(d);
    return err ? json_refuse(d, "pre_tokenizer", "has a pattern that cannot be used: %s", why) : 0;
}

static int load_split(struct bpe_step *s, struct json_doc *d, const json_t *o)
{
    const json_t *p = json_object_get(o, "pattern");
    const json_t *regex = json_object_get(p, "Regex"), *literal = json_object_get(p, "String");
    const char *how = json_string_value(json_object_get(o, "behavior"));
    bool removed = how && !strcmp(how, "Removed"), invert = flag(o, "invert", false);
    const json_t *text = regex ? regex : literal;

    if (!removed && (!how || strcmp(how, "Isolated") != 0))
        return json_refuse(d, "pre_tokenizer",
                           "splits by %s; only Isolated and Removed are "
                           "implemented",
                           how ? how : "nothing");
    s->drop_match = removed && !invert;
    s->drop_gap = removed && invert;
    if (!json_is_string(text))
        return json_refuse(d, "pre_tokenizer", "has a Split without a pattern");
    return add_regex(s, d, json_string_value(text), json_string_length(text), !regex);
}

static int load_step(struct bpe *b, struct json_doc *d, const json_t *o, bool last)
{
    const char *type = json_string_value(json_object_get(o, "type"));
    struct bpe_step *s;

    if (b->steps == BPE_STEPS_MAX)
        return json_refuse(d, "pre_tokenizer", "has more than %d steps", BPE_STEPS_MAX);
    s = &b->step[b->steps++];
    if (type && !strcmp(type, "Split") && !last) return load_split(s, d, o);
    if (!type || strcmp(type, "ByteLevel") != 0 || !last)
        return json_refuse(
            d, "pre_tokenizer",
            "has the step %s; only Split steps and then one ByteLevel are implemented",
            type ? type : "without a type");
    s->prefix_space = flag(o, "add_prefix_space", true);
    if (!flag(o, "use_regex", true)) return 0;
    return add_regex(s, d, GPT2_PATTERN, strlen(GPT2_PATTERN), false);
}

static int load_steps(struct bpe *b, struct json_doc *d)
{
    json_t *p = json_at(d, "pre_tokenizer"), *v;
    json_t *list = json_object_get(p, "pretokenizers");
    size_t i, n = json_array_size(list);

    if (!n) return load_step(b, d, p, true);
    json_array_foreach(list, i, v) if (load_step(b, d, v, i + 1 == n)) return d->err;
    return 0;
}

/* ---- post-processor ---- */

/* Append a template token's ids. */
static int add_special(struct token_list *to, struct json_doc *d, const json_t *table,
                       const char *name)
{
    json_t *list = json_object_get(json_object_get(table, name ? name : ""), "ids"), *v;
    size_t i;

    if (!json_array_size(list))
        return json_refuse(d, "post_processor", "names the unknown token %s", name ? name : "");
    json_array_foreach(list, i, v)
    {
        json_int_t id = json_integer_value(v);

        if (!json_is_integer(v) || id < 0 || id >= ID_MAX)
            return json_refuse(d, "post_processor", "gives %s an id that is none", name);
        if (token_list_push(to, (int32_t)id)) return no_memory(d);
    }
    return 0;
}

/* The special tokens before and after the one sequence. */
static int load_template(struct bpe *b, struct json_doc *d, const json_t *o)
{
    json_t *single = json_object_get(o, "single"), *table = json_object_get(o, "special_tokens");
    json_t *v;
    size_t i;
    int sequences = 0;

    if (b->prefix.n || b->suffix.n)
        return json_refuse(d, "post_processor", "has a second template");
    json_array_foreach(single, i, v)
    {
        const json_t *special = json_object_get(v, "SpecialToken");

        if (!special)
            sequences += json_object_get(v, "Sequence") != NULL;
        else if (add_special(sequences ? &b->suffix : &b->prefix, d, table,
                             json_string_value(json_object_get(special, "id"))))
            return d->err;
    }
    if (sequences == 1) return 0;
    return json_refuse(d, "post_processor", "has a template without exactly one sequence");
}

static int load_post(struct bpe *b, struct json_doc *d, const json_t *o, int depth)
{
    const char *type = json_string_value(json_object_get(o, "type"));
    json_t *list, *v;
    size_t i;

    if (!o || json_is_null(o)) return 0;
    if (type && !strcmp(type, "ByteLevel"))
        return 0; /* trims offsets, which are not computed here */
    if (type && !strcmp(type, "TemplateProcessing")) return load_template(b, d, o);
    if (!type || strcmp(type, "Sequence") != 0 || depth == 4)
        return json_refuse(d, "post_processor",
                           "has the step %s; only ByteLevel, TemplateProcessing "
                           "and Sequence are implemented",
                           type ? type : "without a type");
    list = json_object_get(o, "processors");
    json_array_foreach(list, i, v) if (load_post(b, d, v, depth + 1)) return d->err;
    return 0;
}

/* ---- open and close ---- */

static int load(struct bpe *b, struct json_doc *d)
{
    static const char word[] = "[\\p{L}\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]";
    char why[160];

    json_only_null(d, "normalizer");
    if (d->err || load_model(b, d) || load_added(b, d) || load_steps(b, d)) return d->err;
    if (load_post(b, d, json_at(d, "post_processor"), 0)) return d->err;
    if (regex_open(&b->word, word, strlen(word), false, why, sizeof why)) return no_memory(d);
    for (size_t i = 0; i < b->prefix.n; i++)
        note_id(b, b->prefix.v[i]);
    for (size_t i = 0; i < b->suffix.n; i++)
        note_id(b, b->suffix.v[i]);
    return 0;
}

int bpe_open(struct bpe **out, const char *dir, const char *name, struct fail *f)
{
    struct fail own;
    struct json_doc d;
    struct bpe *b = calloc(1, sizeof *b);

    *out = NULL;
    if (!b) return fail_set(f, ERR_OUT_OF_MEMORY, "no memory for the tokenizer");
    b->max_id = -1;
    token_list_init(&b->prefix, 1024);
    token_list_init(&b->suffix, 1024);
    if (!json_open(&d, dir, name, f ? f : &own)) load(b, &d);
    json_close(&d);
    if (d.err)
        bpe_close(b);
    else
        *out = b;
    return d.err;
}

void bpe_close(struct bpe *b)
{
    if (!b) return;
    strmap_free(&b->vocab);
    strmap_free(&b->names);
    free(b->pairs.slot);
    free(b->pairs.made);
    free(b->added);
    free(b->raw.node);
    free(b->normalized.node);
    for (int i = 0; i < b->steps; i++)
        regex_close(b->step[i].regex);
    regex_close(b->word);
    token_list_free(&b->prefix);
    token_list_free(&b->suffix);
    free(b);
}

int32_t bpe_id(const struct bpe *b, const char *content)
{
    int32_t id = strmap_get(&b->names, content, strlen(content));

    return id >= 0 ? id : strmap_get(&b->vocab, content, strlen(content));
}

int32_t bpe_max_id(const struct bpe *b)
{
    return b->max_id;
}
