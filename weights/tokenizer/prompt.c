/* prompt - the prior's ids and grids of a text-to-image request. */
#include "weights/tokenizer/prompt.h"

#include "proto/limits.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of five token texts and four numbers. */
#define SUFFIX_MAX   (5 * LIMIT_TOKEN_BYTES + 64)
/* Ids that a post-processor may add. */
#define TEMPLATE_MAX 2048

struct grid prompt_large(int height, int width)
{
    return (struct grid){height / CONFIG_AR_PIXELS, width / CONFIG_AR_PIXELS};
}

struct grid prompt_preview(struct grid large)
{
    double ratio = (double)large.rows / (double)large.cols;

    return (struct grid){(int)(sqrt(ratio) * CONFIG_PREVIEW_SIDE),
                         (int)(sqrt(1 / ratio) * CONFIG_PREVIEW_SIDE)};
}

/* The text of an image token. */
static const char *spelling(int32_t id, const struct token_config *t, char buf[32])
{
    if (id == t->image) return t->image_text;
    if (id == t->image_start) return t->bos;
    if (id == t->image_end) return t->eos;
    snprintf(buf, 32, "<|dit_token_%d|>", (int)id);
    return buf;
}

/* Refuse an image token in a prompt (see the header). */
static int refuse(int32_t id, const struct token_config *t, struct fail *f)
{
    char buf[32];
    const char *text = spelling(id, t, buf);

    fail_field(f, ERR_BAD_PROMPT, "prompt", "the prompt contains the image token %.80s", text);
    fail_advise(f, "Take %.80s out of the prompt; it is reserved for pictures.", text);
    return ERR_BAD_PROMPT;
}

static int check_text(const struct bpe *b, const struct model_config *c, const char *text,
                      size_t len, bool user, struct fail *f)
{
    const struct token_config *t = &c->token;
    struct token_list ids;
    int err;

    token_list_init(&ids, len);
    err = bpe_encode(b, text, len, false, &ids, f);
    for (size_t i = 0; !err && i < ids.n; i++) {
        int32_t id = ids.v[i];
        bool frame = id == t->image_start || id == t->image_end || id == t->image;

        if (frame || (user && id < c->ar.rows)) err = refuse(id, t, f);
    }
    token_list_free(&ids);
    return err;
}

/* The text and the suffix are encoded as one string, as the reference does. */
static int encode(struct prompt *p, const struct bpe *b, const struct token_config *t,
                  const char *text, size_t len, struct fail *f)
{
    char suffix[SUFFIX_MAX];
    int n = snprintf(suffix, sizeof suffix, "%s%d %d%s%s%d %d%s%s", t->grid_bos, p->large.rows,
                     p->large.cols, t->grid_eos, t->grid_bos, p->preview.rows, p->preview.cols,
                     t->grid_eos, t->bos);
    size_t total = len + (size_t)n;
    char *all = malloc(total + 1);
    int err;

    if (!all) return fail_set(f, ERR_OUT_OF_MEMORY, "no memory for the prompt");
    memcpy(all, text, len);
    memcpy(all + len, suffix, (size_t)n + 1);
    token_list_init(&p->ids, total + TEMPLATE_MAX);
    err = bpe_encode(b, all, total, true, &p->ids, f);
    free(all);
    return err;
}

/* Without a tokenizer, for plans: the largest number of ids, all 0. */
static int count(struct prompt *p, size_t len, struct fail *f)
{
    enum { SUFFIX_IDS = 16 };

    token_list_init(&p->ids, len + SUFFIX_IDS);
    for (size_t i = 0; i < len + SUFFIX_IDS; i++)
        if (token_list_push(&p->ids, 0))
            return fail_set(f, ERR_OUT_OF_MEMORY, "no memory for a prompt");
    return 0;
}

int prompt_text_to_image(struct prompt *p, const struct bpe *b, const struct model_config *c,
                         const char *text, size_t len, int height, int width, bool user,
                         struct fail *f)
{
    int err;

    memset(p, 0, sizeof *p);
    p->large = prompt_large(height, width);
    p->preview = prompt_preview(p->large);
    p->tokens = p->large.rows * p->large.cols + p->preview.rows * p->preview.cols;
    err = b ? check_text(b, c, text, len, user, f) : count(p, len, f);
    if (!err && b) err = encode(p, b, &c->token, text, len, f);
    if (err) prompt_free(p);
    return err;
}

void prompt_free(struct prompt *p)
{
    token_list_free(&p->ids);
    memset(p, 0, sizeof *p);
}
