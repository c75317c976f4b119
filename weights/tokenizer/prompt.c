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

/* Everything around the prompt's text. */
struct around {
    const struct grid *image;
    int images, cells; /* cells of all images */
    char before[LIMIT_IMAGES * 3 * LIMIT_TOKEN_BYTES + 1], after[SUFFIX_MAX];
};

static void make_before(struct around *f, const struct token_config *t)
{
    size_t n = 0;

    for (int i = 0; i < f->images; i++)
        n += (size_t)snprintf(f->before + n, sizeof f->before - n, "%s%s%s", t->bos, t->image_text,
                              t->eos);
}

static void make_after(struct around *f, const struct prompt *p, const struct token_config *t)
{
    int n = snprintf(f->after, sizeof f->after, "%s%d %d%s", t->grid_bos, p->large.rows,
                     p->large.cols, t->grid_eos);

    if (!f->images)
        n += snprintf(f->after + n, sizeof f->after - (size_t)n, "%s%d %d%s", t->grid_bos,
                      p->preview.rows, p->preview.cols, t->grid_eos);
    snprintf(f->after + n, sizeof f->after - (size_t)n, "%s", t->bos);
}

/* One placeholder becomes as many as its image has cells. */
static int expand(struct token_list *ids, const struct around *f, int32_t placeholder,
                  struct fail *fail)
{
    struct token_list all;
    int image = 0, err = 0;

    if (!f->images) return 0;
    token_list_init(&all, ids->n + (size_t)f->cells);
    for (size_t i = 0; i < ids->n && !err; i++) {
        const int is = ids->v[i] == placeholder && image < f->images;
        const int n = is ? f->image[image].rows * f->image[image].cols : 1;

        image += is;
        for (int k = 0; k < n && !err; k++)
            err = token_list_push(&all, ids->v[i]);
    }
    token_list_free(ids);
    *ids = all;
    if (!err) return 0;
    return fail_set(fail, ERR_OUT_OF_MEMORY, "no memory for the prompt");
}

/* The text and what stands around it are encoded as one string, as the reference does. */
static int encode(struct prompt *p, const struct bpe *b, const struct model_config *c,
                  const char *text, size_t len, struct around *around, struct fail *f)
{
    size_t before, after, total;
    char *all;
    int err;

    make_before(around, &c->token);
    make_after(around, p, &c->token);
    before = strlen(around->before);
    after = strlen(around->after);
    total = before + len + after;
    all = malloc(total + 1);
    if (!all) return fail_set(f, ERR_OUT_OF_MEMORY, "no memory for the prompt");
    memcpy(all, around->before, before);
    memcpy(all + before, text, len);
    memcpy(all + before + len, around->after, after + 1);
    token_list_init(&p->ids, total + TEMPLATE_MAX);
    err = bpe_encode(b, all, total, !around->images, &p->ids, f);
    free(all);
    return err ? err : expand(&p->ids, around, c->token.image, f);
}

/* Without a tokenizer, for plans: the largest number of ids, all 0. */
static int count(struct prompt *p, size_t len, const struct around *around, struct fail *f)
{
    enum { SUFFIX_IDS = 16 };
    const size_t n = len + SUFFIX_IDS + (size_t)(around->cells + 2 * around->images);

    token_list_init(&p->ids, n);
    for (size_t i = 0; i < n; i++)
        if (token_list_push(&p->ids, 0))
            return fail_set(f, ERR_OUT_OF_MEMORY, "no memory for a prompt");
    return 0;
}

int prompt_with_images(struct prompt *p, const struct bpe *b, const struct model_config *c,
                       const char *text, size_t len, int height, int width,
                       const struct grid *image, int n, bool user, struct fail *f)
{
    struct around around = {.image = image, .images = n};
    int err;

    for (int i = 0; i < n; i++)
        around.cells += image[i].rows * image[i].cols;
    memset(p, 0, sizeof *p);
    p->large = prompt_large(height, width);
    if (!n) p->preview = prompt_preview(p->large);
    p->tokens = p->large.rows * p->large.cols + p->preview.rows * p->preview.cols;
    err = b ? check_text(b, c, text, len, user, f) : count(p, len, &around, f);
    if (!err && b) err = encode(p, b, c, text, len, &around, f);
    if (err) prompt_free(p);
    return err;
}

int prompt_text_to_image(struct prompt *p, const struct bpe *b, const struct model_config *c,
                         const char *text, size_t len, int height, int width, bool user,
                         struct fail *f)
{
    return prompt_with_images(p, b, c, text, len, height, width, NULL, 0, user, f);
}

void prompt_free(struct prompt *p)
{
    token_list_free(&p->ids);
    memset(p, 0, sizeof *p);
}
