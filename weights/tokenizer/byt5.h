/* byt5 - the quoted texts of a prompt and their byte ids for the glyph encoder.
 *
 * A quoted text stands between '…', “…”, "…" or 「…」; the four kinds are searched one after another
 * over the whole prompt and the results joined in that order (not by position). None: one empty
 * text. Its ids are UTF-8 byte + 3, with literal <pad>, </s>, <unk>, <extra_id_n> taken as special
 * tokens (the first three remove the white space around them), cut to LIMIT_GLYPH_TOKENS - 1, then
 * the end id 1 unless it is there already. When the number of texts is even, every text gets one id
 * 0 in front: it counts as a normal token.  Source: GLM-Image pipeline, get_glyph_texts,
 * ByT5Tokenizer. */
#ifndef WEIGHTS_TOKENIZER_BYT5_H
#define WEIGHTS_TOKENIZER_BYT5_H

#include "weights/tokenizer/token_list.h"

#include "proto/fail.h"
#include "proto/limits.h"

#include <stddef.h>
#include <stdint.h>

/* n texts; text i has the ids ids.v[start[i] .. start[i+1]). start[n] is L, the rows of text that
 * the DiT sees. ids.v points into the struct's own allocation: free with byt5_free. */
struct byt5 {
    struct token_list ids;
    int n;
    size_t start[LIMIT_GLYPH_TEXTS + 1];
};

/* One quoted text: bytes [at, at + len) of the prompt. */
struct byt5_span {
    size_t at, len;
};

/* Find the quoted texts in the order above. Returns how many there are; stores the first `max`. */
size_t byt5_spans(const char *prompt, size_t len, struct byt5_span *out, size_t max);

/* All texts of a prompt. `vocab` is the encoder's vocab_size: sentinels past it stay plain bytes.
 * ERR_BAD_PROMPT for more than LIMIT_GLYPH_TEXTS texts, ERR_BAD_UTF8, ERR_OUT_OF_MEMORY. */
int byt5_prompt(struct byt5 *, const char *prompt, size_t len, int vocab, struct fail *);
void byt5_free(struct byt5 *);

/* Append the ids of one text (no parity pad). */
int byt5_encode(struct token_list *out, const char *text, size_t len, int vocab);

#endif
