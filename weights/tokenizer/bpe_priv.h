/* bpe_priv - the tokenizer as bpe.c loads it and bpe_encode.c reads it; private to the two. */
#ifndef WEIGHTS_TOKENIZER_BPE_PRIV_H
#define WEIGHTS_TOKENIZER_BPE_PRIV_H

#include "weights/tokenizer/regex.h"
#include "weights/tokenizer/strmap.h"
#include "weights/tokenizer/token_list.h"

#include <stdbool.h>

#define BPE_STEPS_MAX 8

/* One added token. */
struct bpe_added {
    int32_t id;
    bool lstrip, rstrip, single_word;
};

/* Bytes of added tokens, leftmost longest match. Node 0 is unused; first[b] is the root's child. */
struct bpe_trie {
    struct bpe_node {
        unsigned char byte;
        int32_t child, sibling;
        int32_t token; /* index into bpe.added, -1: no token ends here */
    } * node;
    int32_t n, cap;
    int32_t first[256];
};

/* One step of the pre-tokenizer. The last one is always the byte level. */
struct bpe_step {
    struct regex *regex; /* NULL: no split */
    bool drop_match;     /* behaviour "Removed" */
    bool drop_gap;       /* the same, inverted */
    bool prefix_space;
};

/* (left id, right id) -> rank; open addressing, at most half full. */
struct bpe_pairs {
    struct bpe_pair {
        int32_t left, right; /* left -1: free */
        uint32_t rank;
    } * slot;
    size_t slots;
    int32_t *made; /* the id that a rank's merge makes */
    size_t n;
};

struct bpe {
    struct strmap vocab;  /* as spelt in the file: bytes as printable characters */
    struct strmap names;  /* added tokens by content */
    int32_t byte_id[256]; /* ids of single bytes, -1 when the vocabulary lacks one */
    struct bpe_pairs pairs;
    bool ignore_merges;
    struct bpe_added *added;
    size_t n_added;
    struct bpe_trie raw, normalized; /* flag `normalized` false: searched first */
    struct regex *word;              /* one word character */
    struct bpe_step step[BPE_STEPS_MAX];
    int steps;
    struct token_list prefix, suffix; /* of the post-processor's template */
    int32_t max_id;
};

/* The character that stands for a byte in byte-level spelling (GPT-2's table). */
uint32_t bpe_char_of(unsigned char byte);

/* The slot of a pair, or the free one where it goes; there is always a free one. */
size_t bpe_pair_slot(const struct bpe_pairs *, int32_t left, int32_t right);

/* The merge of two ids: its rank, or UINT32_MAX. */
uint32_t bpe_rank(const struct bpe_pairs *, int32_t left, int32_t right);

#endif
