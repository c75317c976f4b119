/* test_bpe - ids equal those of the reference's tokenizers package; what is not implemented is
 * refused. */
#include "weights/tokenizer/bpe.h"

#include "test/weights/scratch.h"

#include <jansson.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HERE "test/weights"

static struct bpe *open_bpe(const char *name)
{
    struct bpe *b;
    struct fail f = {0};

    if (bpe_open(&b, HERE, name, &f)) fail_msg("%s", f.message);
    return b;
}

/* ---- the strings of bpe_vectors.py ---- */

static uint64_t below(uint64_t *s, uint64_t n)
{
    uint64_t z = *s += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % n;
}

struct text {
    char s[2048];
    size_t n;
};

static void put_char(struct text *t, uint32_t c)
{
    if (c >= 0xd800 && c < 0xe000) c -= 0x1000;
    if (c < 0x80) {
        t->s[t->n++] = (char)c;
    } else if (c < 0x800) {
        t->s[t->n++] = (char)(0xc0 | c >> 6);
    } else if (c < 0x10000) {
        t->s[t->n++] = (char)(0xe0 | c >> 12);
        t->s[t->n++] = (char)(0x80 | (c >> 6 & 63));
    } else {
        t->s[t->n++] = (char)(0xf0 | c >> 18);
        t->s[t->n++] = (char)(0x80 | (c >> 12 & 63));
        t->s[t->n++] = (char)(0x80 | (c >> 6 & 63));
    }
    if (c >= 0x80) t->s[t->n++] = (char)(0x80 | (c & 63));
}

static void put_range(struct text *t, const json_t *range, uint64_t *r)
{
    uint64_t lo = (uint64_t)json_integer_value(json_array_get(range, 0));
    uint64_t hi = (uint64_t)json_integer_value(json_array_get(range, 1));

    for (uint64_t k = 1 + below(r, 6); k; k--)
        put_char(t, (uint32_t)(lo + below(r, hi - lo + 1)));
}

static void make_text(struct text *t, const json_t *v, uint64_t i)
{
    const json_t *words = json_object_get(v, "words"), *ranges = json_object_get(v, "ranges");
    uint64_t r = (uint64_t)json_integer_value(json_object_get(v, "seed")) + i;

    t->n = 0;
    for (uint64_t pieces = below(&r, 13); pieces; pieces--) {
        uint64_t kind = below(&r, 10);

        if (kind < 5) {
            const json_t *w = json_array_get(words, below(&r, json_array_size(words)));

            memcpy(t->s + t->n, json_string_value(w), json_string_length(w));
            t->n += json_string_length(w);
        } else if (kind < 9) {
            put_range(t, json_array_get(ranges, below(&r, json_array_size(ranges))), &r);
        } else {
            put_char(t, (uint32_t)below(&r, 0x110000));
        }
    }
}

static unsigned digest(const struct token_list *ids)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < ids->n; i++)
        h = (h ^ (uint64_t)ids->v[i]) * 0x100000001b3u;
    return (unsigned)((h ^ h >> 16 ^ h >> 32 ^ h >> 48) & 0xffff);
}

static void compare(const json_t *v, const char *name)
{
    struct bpe *b = open_bpe(name);
    const char *hex = json_string_value(json_object_get(json_object_get(v, "ids"), name));
    uint64_t count = (uint64_t)json_integer_value(json_object_get(v, "count")), wrong = 0;

    assert_true(hex && count >= 10000 && strlen(hex) == 4 * count);
    for (uint64_t i = 0; i < count; i++) {
        struct text t;
        struct token_list ids;
        struct fail f = {0};
        char want[5] = "", got[5];

        make_text(&t, v, i);
        token_list_init(&ids, 100000);
        if (bpe_encode(b, t.s, t.n, true, &ids, &f)) fail_msg("string %d: %s", (int)i, f.message);
        memcpy(want, hex + 4 * i, 4);
        snprintf(got, sizeof got, "%04x", digest(&ids));
        if (strcmp(want, got) != 0 && wrong++ == 0)
            print_message("%s: string %d differs: %.*s\n", name, (int)i, (int)t.n, t.s);
        token_list_free(&ids);
    }
    bpe_close(b);
    assert_int_equal(wrong, 0);
}

/* catches: any difference from the reference on 10,000 strings of thirteen scripts, emoji, control
 * characters and special-token literals, with three kinds of tokenizer.json */
static void ids_equal_the_reference(void **state)
{
    json_t *v = json_load_file(HERE "/bpe_vectors.json", 0, NULL);

    (void)state;
    assert_non_null(v);
    compare(v, "strings.json");
    compare(v, "template.json");
    compare(v, "flags.json");
    json_decref(v);
}

/* ---- by hand ---- */

static void encodes(const struct bpe *b, const char *text, bool special, size_t n,
                    const int32_t *want)
{
    struct token_list ids;
    struct fail f = {0};

    token_list_init(&ids, 1000);
    if (bpe_encode(b, text, strlen(text), special, &ids, &f)) fail_msg("%s", f.message);
    assert_int_equal(ids.n, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(ids.v[i], want[i]);
    token_list_free(&ids);
}

/* catches: the template applied when it is not wanted, or left out; literals that stay text */
static void template_and_literals(void **state)
{
    struct bpe *b = open_bpe("template.json");
    int32_t gmask = bpe_id(b, "[gMASK]"), sop = bpe_id(b, "<sop>"),
            dit = bpe_id(b, "<|dit_token_7|>");

    (void)state;
    assert_true(gmask > 0 && sop > 0);
    assert_int_equal(dit, 7);
    encodes(b, "", true, 2, (const int32_t[]){gmask, sop});
    encodes(b, "", false, 0, NULL);
    encodes(b, "<sop><|dit_token_7|>", false, 2, (const int32_t[]){sop, 7});
    assert_int_equal(bpe_id(b, "no such token"), -1);
    assert_true(bpe_max_id(b) >= sop);
    bpe_close(b);
}

/* catches: bad UTF-8 tokenised, a list that overflows, ids written after a failure is known */
static void refuses_bad_texts(void **state)
{
    struct bpe *b = open_bpe("strings.json");
    struct token_list ids;
    struct fail f = {0};

    (void)state;
    token_list_init(&ids, 3);
    assert_int_equal(bpe_encode(b, "a\xff", 2, false, &ids, &f), ERR_BAD_UTF8);
    assert_int_equal(ids.n, 0);
    assert_int_equal(bpe_encode(b, "q1w2e3", 6, false, &ids, &f), ERR_TOO_LARGE);
    assert_int_equal(ids.n, 3);
    token_list_free(&ids);
    bpe_close(b);
}

/* catches: work that grows with the square of a run: this would take hours, not milliseconds */
static void long_runs(void **state)
{
    static const char *const unit[] = {"a", " ", "\n ", "!", "\xe4\xb8\xad", "<", "<|dit_token_",
                                       "1"};
    const size_t size = 1 << 20;
    struct bpe *b[2] = {open_bpe("strings.json"), open_bpe("flags.json")};
    char *text = malloc(size);

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < sizeof unit / sizeof *unit; i++) {
        size_t k = strlen(unit[i]), n = 0;

        for (; n + k < size; n += k)
            memcpy(text + n, unit[i], k);
        text[n++] = 'x';
        for (int j = 0; j < 2; j++) {
            struct token_list ids;
            struct fail f = {0};

            token_list_init(&ids, 2 * size);
            if (bpe_encode(b[j], text, n, false, &ids, &f)) fail_msg("%s: %s", unit[i], f.message);
            assert_true(ids.n > 0);
            token_list_free(&ids);
        }
    }
    free(text);
    bpe_close(b[0]);
    bpe_close(b[1]);
}

/* One thread's work: the same text many times must give the same ids. */
static void *encode_often(void *arg)
{
    static const char text[] =
        "a cat <sop> 12345  \xe4\xb8\xad\xe6\x96\x87 it's\n\n \"OPEN DAILY\"";
    unsigned first = 0;

    for (int i = 0; i < 200; i++) {
        struct token_list ids;
        unsigned again;

        token_list_init(&ids, 1000);
        if (bpe_encode(arg, text, strlen(text), true, &ids, NULL)) return arg;
        if (i == 0) first = digest(&ids);
        again = digest(&ids);
        token_list_free(&ids);
        if (again != first) return arg;
    }
    return NULL;
}

/* catches: scratch that two threads share (the thread sanitizer sees more) */
static void threads_share_a_tokenizer(void **state)
{
    struct bpe *b = open_bpe("template.json");
    pthread_t t[4];
    void *bad;

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, encode_often, b), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(t[i], &bad), 0);
        assert_null(bad);
    }
    bpe_close(b);
}

/* ---- files ---- */

/* Open strings.json with one key changed. */
static int open_with(const char *path, const char *value, struct fail *f)
{
    struct scratch s;
    struct bpe *b;
    json_t *root = json_load_file(HERE "/strings.json", 0, NULL), *at = root;
    const char *dot = strchr(path, '.');
    char *text;
    int err;

    assert_non_null(root);
    assert_int_equal(scratch_new(&s), 0);
    if (dot) at = json_object_get(root, "model");
    json_object_set_new(at, dot ? dot + 1 : path, json_loads(value, JSON_DECODE_ANY, NULL));
    text = json_dumps(root, 0);
    assert_int_equal(scratch_write(&s, "t.json", text, strlen(text)), 0);
    err = bpe_open(&b, s.dir, "t.json", f);
    if (!err) bpe_close(b);
    assert_true(!err || !b);
    free(text);
    json_decref(root);
    scratch_free(&s);
    return err;
}

#define SPLIT(pattern, how)                                                              \
    "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":" pattern \
    ",\"behavior\":\"" how "\",\"invert\":false},{\"type\":\"ByteLevel\",\"use_regex\":false}]}"

/* catches: each row is a tokenizer that would give other ids than the reference */
static void refuses_other_tokenizers(void **state)
{
    static const char *const bad[][3] = {
        {"normalizer", "{\"type\":\"NFC\"}", "normalizer"},
        {"model.type", "\"Unigram\"", "model.type is \"Unigram\"; only \"BPE\""},
        {"model.dropout", "0.1", "model.dropout"},
        {"model.unk_token", "\"<unk>\"", "model.unk_token"},
        {"model.byte_fallback", "true", "model.byte_fallback"},
        {"model.end_of_word_suffix", "\"</w>\"", "model.end_of_word_suffix"},
        {"model.continuing_subword_prefix", "\"##\"", "model.continuing_subword_prefix"},
        {"model.vocab", "[]", "model.vocab is not an object"},
        {"model.vocab", "{\"a\":-1}", "gives \"a\" no id"},
        {"model.vocab", "{\"a\":1.5}", "gives \"a\" no id"},
        {"model.merges", "{}", "model.merges is not an array"},
        {"model.merges", "[\"a b c\"]", "entry 0 is no pair"},
        {"model.merges", "[\"ab\"]", "entry 0 is no pair"},
        {"model.merges", "[[\"a\"]]", "entry 0 is no pair"},
        {"model.merges", "[[\"a\",3]]", "entry 0 is no pair"},
        {"model.merges", "[[\"zz\",\"qq\"]]", "not in the vocabulary"},
        {"added_tokens", "{}", "added_tokens is not an array"},
        {"added_tokens", "[{}]", "entry 0 has no content"},
        {"pre_tokenizer", "null", "pre_tokenizer"},
        {"pre_tokenizer", "{\"type\":\"Whitespace\"}", "the step Whitespace"},
        {"pre_tokenizer", "{\"type\":\"Sequence\",\"pretokenizers\":[]}", "the step Sequence"},
        {"pre_tokenizer", SPLIT("{\"Regex\":\"a\"}", "MergedWithNext"), "splits by MergedWithNext"},
        {"pre_tokenizer", SPLIT("{}", "Isolated"), "without a pattern"},
        {"pre_tokenizer", SPLIT("{\"Regex\":\"(\"}", "Isolated"), "cannot be used"},
        {"pre_tokenizer", SPLIT("{\"Regex\":\"[a&&b]\"}", "Isolated"), "an intersection"},
        {"post_processor", "{\"type\":\"BertProcessing\"}", "the step BertProcessing"},
        {"post_processor", "{\"type\":\"TemplateProcessing\",\"single\":[]}",
         "exactly one sequence"},
        {"post_processor",
         "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"x\"}}]}",
         "unknown token x"},
    };
    struct fail f = {0};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int err = open_with(bad[i][0], bad[i][1], &f);

        if (err != ERR_MODEL || !strstr(f.message, bad[i][2]) || !strstr(f.message, "t.json"))
            fail_msg("%s = %s: %d \"%s\"", bad[i][0], bad[i][1], err, f.message);
    }
    assert_int_equal(open_with("model.end_of_word_suffix", "\"\"", &f), 0);
    assert_int_equal(open_with("post_processor", "null", &f), 0);
    assert_int_equal(open_with("pre_tokenizer", SPLIT("{\"String\":\"(\"}", "Removed"), &f), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_equal_the_reference),   cmocka_unit_test(template_and_literals),
        cmocka_unit_test(refuses_bad_texts),         cmocka_unit_test(long_runs),
        cmocka_unit_test(threads_share_a_tokenizer), cmocka_unit_test(refuses_other_tokenizers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
