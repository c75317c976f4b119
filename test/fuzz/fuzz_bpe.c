/* fuzz_bpe - any bytes as a prompt: bad UTF-8 is refused; ids are in range, the same again, and
 * split where special tokens do. */
#include "weights/tokenizer/bpe.h"
#include "weights/tokenizer/byt5.h"
#include "weights/tokenizer/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(x) ((x) ? (void)0 : (fprintf(stderr, "%s\n", #x), abort()))
#define FILES   3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct bpe *open_file(int i)
{
    static const char *const name[FILES] = {"strings.json", "template.json", "flags.json"};
    struct bpe *b;
    struct fail f;

    if (bpe_open(&b, "test/weights", name[i], &f)) {
        fprintf(stderr, "%s\n", f.message);
        abort();
    }
    return b;
}

/* The ids of text; their number in *n is 0 when it was refused. To be freed. */
static struct token_list encode(const struct bpe *b, const char *text, size_t size, bool valid)
{
    struct token_list ids;
    struct fail f;
    int err;

    token_list_init(&ids, 4 * size + 64);
    err = bpe_encode(b, text, size, false, &ids, &f);
    MUST(err == (valid ? 0 : ERR_BAD_UTF8));
    MUST(valid || ids.n == 0);
    for (size_t i = 0; i < ids.n; i++)
        MUST(ids.v[i] >= 0 && ids.v[i] <= bpe_max_id(b));
    return ids;
}

/* A token that strips nothing cuts the text: what stands before it is encoded alone. */
static void cuts(const struct bpe *b, const char *text, size_t size, const struct token_list *alone)
{
    static const char sop[] = "<sop>";
    char *joined = malloc(size + sizeof sop);
    struct token_list both;

    MUST(joined);
    memcpy(joined, text, size);
    memcpy(joined + size, sop, sizeof sop);
    both = encode(b, joined, size + strlen(sop), true);
    MUST(both.n == alone->n + 1 && both.v[alone->n] == bpe_id(b, sop));
    MUST(!alone->n || !memcmp(both.v, alone->v, alone->n * sizeof *alone->v));
    token_list_free(&both);
    free(joined);
}

static void glyphs(const char *text, size_t size, bool valid)
{
    struct byt5 g;
    struct fail why;
    int err = byt5_prompt(&g, text, size, 384, &why);

    MUST(err == 0 || err == (valid ? ERR_BAD_PROMPT : ERR_BAD_UTF8));
    if (err) return;
    for (int i = 0; i < g.n; i++)
        MUST(g.start[i + 1] > g.start[i] && g.ids.v[g.start[i + 1] - 1] == 1);
    for (size_t i = 0; i < g.ids.n; i++)
        MUST(g.ids.v[i] >= 0 && g.ids.v[i] < 384);
    byt5_free(&g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bpe *b[FILES]; /* opened once; the fuzzer calls from one thread */
    const char *text = (const char *)data;
    bool valid = utf8_valid(text, size);

    for (int i = 0; i < FILES; i++) {
        struct token_list ids;

        if (!b[i]) b[i] = open_file(i);
        ids = encode(b[i], text, size, valid);
        if (valid && i < 2) cuts(b[i], text, size, &ids);
        token_list_free(&ids);
    }
    glyphs(text, size, valid);
    return 0;
}
