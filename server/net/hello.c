/* hello - presets are what the model's folder names; else ratios of the model's own size, so
 * they suit a small model and the released one. */
#include "server/net/hello.h"

#include "proto/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void hello_init(struct hello *h)
{
    memset(h, 0, sizeof *h);
    spec_limits_init(&h->limits);
}

static void drop_made(struct hello *h)
{
    blob_unref(h->made);
    h->made = NULL;
}

void hello_changed(struct hello *h)
{
    drop_made(h);
}

static void drop_examples(struct hello *h)
{
    while (h->n_examples)
        free(h->examples[--h->n_examples]);
}

void hello_free(struct hello *h)
{
    drop_made(h);
    drop_examples(h);
}

static bool drawable(int w, int h, int side_max)
{
    int longest = w > h ? w : h, shortest = w < h ? w : h;

    return shortest >= LIMIT_SIDE_MIN && longest <= side_max
           && longest <= shortest * LIMIT_ASPECT_MAX && !(w % LIMIT_SIDE_STEP)
           && !(h % LIMIT_SIDE_STEP);
}

int hello_sizes(int width, int height, int side_max, struct answer_size out[HELLO_SIZES])
{
    static const struct {
        int w, h; /* halves of the model's own size */
    } ratios[] = {{2, 2}, {3, 2}, {2, 3}, {4, 2}, {2, 4}, {4, 4}};
    int n = 0;

    for (size_t i = 0; i < sizeof ratios / sizeof *ratios && n < HELLO_SIZES; i++) {
        int w = width * ratios[i].w / 2, h = height * ratios[i].h / 2;

        if (drawable(w, h, side_max)) out[n++] = (struct answer_size){w, h};
    }
    return n;
}

/* The sizes that the model's folder names, if it names one that can be drawn. */
static void take_sizes(struct hello *h, int side_max, const struct glm_info *info)
{
    int n = 0;

    for (int i = 0; i < info->n_sizes && n < HELLO_SIZES; i++) {
        const int *size = info->sizes[i];

        if (drawable(size[0], size[1], side_max))
            h->sizes[n++] = (struct answer_size){size[0], size[1]};
    }
    if (n) h->n_sizes = n;
}

/* Copies: the engine may close before the last connection asks for them. */
static void take_examples(struct hello *h, const struct glm_info *info)
{
    for (int i = 0; i < info->n_examples && h->n_examples < LIMIT_EXAMPLES; i++) {
        char *copy = strdup(info->examples[i]);

        if (copy) h->examples[h->n_examples++] = copy;
    }
}

void hello_model(struct hello *h, const struct glm_info *info)
{
    int side =
        info->default_width > info->default_height ? info->default_width : info->default_height;
    int side_max;

    drop_made(h);
    drop_examples(h);
    spec_limits_init(&h->limits);
    spec_limits_model(&h->limits, info->side_max, side, info->default_steps);
    h->limits.range[SPEC_WIDTH].def = info->default_width;
    h->limits.range[SPEC_HEIGHT].def = info->default_height;
    h->limits.range[SPEC_GUIDANCE].def = info->default_guidance;
    h->limits.range[SPEC_IMAGES].max = info->images;
    snprintf(h->no_images, sizeof h->no_images, "%s", info->images ? "" : info->no_images);
    h->limits.no_images = info->images ? NULL : h->no_images;
    side_max = (int)h->limits.range[SPEC_WIDTH].max;
    h->n_sizes = hello_sizes(info->default_width, info->default_height, side_max, h->sizes);
    take_sizes(h, side_max, info);
    take_examples(h, info);
}

static struct blob *write_hello(const struct hello *h, struct answer_hello *say)
{
    const char *examples[LIMIT_EXAMPLES];
    struct text t;

    for (int i = 0; i < h->n_examples; i++)
        examples[i] = h->examples[i];
    say->limits = &h->limits;
    say->sizes = h->sizes;
    say->n_sizes = h->n_sizes;
    say->examples = examples;
    say->n_examples = h->n_examples;
    text_init(&t, BLOB_HEAD, 2 * LIMIT_EXAMPLES * LIMIT_PROMPT_BYTES);
    answer_hello(say, &t);
    return blob_from_text(&t);
}

/* A copy of the last one with this time; NULL when that does not fit or there is no memory. */
static struct blob *copy_made(const struct hello *h, int64_t time_ms)
{
    struct blob *b = blob_copy(h->made->data, h->made->len);
    char digits[24], *at = b ? b->memory + BLOB_HEAD + h->time_at : NULL;
    int n = snprintf(digits, sizeof digits, "%lld", (long long)time_ms);

    if (b && n > 0 && strspn(at, "0123456789") == (size_t)n) {
        memcpy(at, digits, (size_t)n);
        return b;
    }
    blob_unref(b);
    return NULL;
}

struct blob *hello_blob(struct hello *h, struct answer_hello *say)
{
    static const char key[] = "\"time_ms\":";
    uint32_t user = say->user ? say->user->id : 0;
    bool same = h->made && h->made_cap == say->concurrency->cap && h->made_user == user
                && h->made_notice_seq == say->notice_seq
                && h->made_cap_seq == say->concurrency->seq;
    struct blob *b = same ? copy_made(h, say->time_ms) : NULL;
    const char *at;

    if (b) return b;
    drop_made(h);
    b = write_hello(h, say);
    at = b ? memmem(b->data, b->len, key, sizeof key - 1) : NULL;
    if (!at) return b;
    h->made = blob_ref(b);
    h->time_at = (size_t)(at - (const char *)b->data) + sizeof key - 1;
    h->made_cap = say->concurrency->cap;
    h->made_cap_seq = say->concurrency->seq;
    h->made_user = user;
    h->made_notice_seq = say->notice_seq;
    return b;
}
