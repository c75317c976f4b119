/* words - what the model reads in a prompt: its tokens, and the texts that are drawn as
 * lettering. */
#include "kernels/engine/engine.h"

#include "weights/tokenizer/byt5.h"

#include <string.h>

int glm_words(const struct glm *g, const char *prompt, size_t len, struct glm_words *out,
              struct fail *f)
{
    struct byt5_span span[LIMIT_GLYPH_TEXTS];
    struct token_list ids;
    size_t n;
    int err;

    memset(out, 0, sizeof *out);
    token_list_init(&ids, len);
    err = bpe_encode(g->model.bpe, prompt, len, false, &ids, f);
    out->tokens = (int)ids.n;
    token_list_free(&ids);
    if (err) return err;
    n = byt5_spans(prompt, len, span, LIMIT_GLYPH_TEXTS);
    out->texts = n < LIMIT_GLYPH_TEXTS ? (int)n : LIMIT_GLYPH_TEXTS;
    for (int i = 0; i < out->texts; i++) {
        out->text[i].at = (int)span[i].at;
        out->text[i].len = (int)span[i].len;
    }
    return 0;
}
