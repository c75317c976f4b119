/* bpe - the byte-level BPE of a Hugging Face tokenizer.json.
 *
 * Taken from the file: vocabulary, merges (strings or pairs), ignore_merges, the pre-tokenizer's
 * Split pattern (PCRE2 with JIT) and ByteLevel flags, added tokens with their flags, the
 * post-processor. Unsupported settings (another model type, a normalizer, dropout, unk_token,
 * byte_fallback ...) are refused by key with ERR_MODEL.
 * bpe_encode takes time linear in the text times the logarithm of the longest piece, and allocates
 * its own scratch; the tokenizer is immutable after opening, any thread may encode.
 * Source: tokenizers 0.22 (models/bpe, pre_tokenizers/byte_level, added_vocabulary). */
#ifndef WEIGHTS_TOKENIZER_BPE_H
#define WEIGHTS_TOKENIZER_BPE_H

#include "weights/tokenizer/token_list.h"

#include "proto/fail.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bpe;

/* Load dir/name, a tokenizer.json. ERR_MODEL names `name` and the key. */
int bpe_open(struct bpe **out, const char *dir, const char *name, struct fail *);
void bpe_close(struct bpe *);

/* Append the ids of text[0..len), UTF-8, to `out`. `add_special` applies the post-processor's
 * template (on for text-to-image, off for image-to-image). ERR_BAD_UTF8, ERR_TOO_LARGE when `out`
 * is full, ERR_OUT_OF_MEMORY. */
int bpe_encode(const struct bpe *, const char *text, size_t len, bool add_special,
               struct token_list *out, struct fail *);

/* The id of an added token or vocabulary entry by its exact content (byte-level spelling for
 * vocabulary entries), -1 when there is none. */
int32_t bpe_id(const struct bpe *, const char *content);

int32_t bpe_max_id(const struct bpe *); /* the largest id that encode can produce */

#endif
