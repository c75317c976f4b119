/* hello - presets are ratios of the model's own size, so they suit a small model and the released one. */
#include "server/hello.h"

#include "proto/limits.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

void hello_init(struct hello *h)
{
    memset(h, 0, sizeof *h);
    spec_limits_init(&h->limits);
}

static void drop_examples(struct hello *h)
{
    while (h->n_examples)
        free(h->examples[--h->n_examples]);
}

void hello_free(struct hello *h)
{
    drop_examples(h);
}

int hello_sizes(int width, int height, int side_max, struct answer_size out[HELLO_SIZES])
{
    static const struct {
        int w, h; /* halves of the model's own size */
    } ratios[] = {{2, 2}, {3, 2}, {2, 3}, {4, 2}, {2, 4}, {4, 4}, {1, 1}};
    int n = 0;
    for (size_t i = 0; i < sizeof ratios / sizeof *ratios && n < HELLO_SIZES; i++) {
        int w = width * ratios[i].w / 2, h = height * ratios[i].h / 2;
        int longest = w > h ? w : h, shortest = w < h ? w : h;
        if (w % LIMIT_SIDE_STEP || h % LIMIT_SIDE_STEP || longest > side_max) continue;
        if (shortest < LIMIT_SIDE_MIN || longest > shortest * LIMIT_ASPECT_MAX) continue;
        out[n++] = (struct answer_size){w, h};
    }
    return n;
}

static void read_examples(struct hello *h, const char *folder)
{
    char path[4096];
    json_t *list = NULL, *one;
    size_t i;
    if (snprintf(path, sizeof path, "%s/examples.json", folder) < (int)sizeof path)
        list = json_load_file(path, 0, NULL);
    json_array_foreach(list, i, one)
    {
        const char *text = json_string_value(one);
        if (!text || strlen(text) > LIMIT_PROMPT_BYTES || h->n_examples == LIMIT_EXAMPLES) continue;
        char *copy = strdup(text);
        if (copy) h->examples[h->n_examples++] = copy;
    }
    json_decref(list);
}

void hello_model(struct hello *h, const struct glm_info *info, const char *folder)
{
    int side =
        info->default_width > info->default_height ? info->default_width : info->default_height;
    drop_examples(h);
    spec_limits_init(&h->limits);
    spec_limits_model(&h->limits, info->side_max, side, info->default_steps);
    h->limits.range[SPEC_WIDTH].def = info->default_width;
    h->limits.range[SPEC_HEIGHT].def = info->default_height;
    h->limits.range[SPEC_GUIDANCE].def = info->default_guidance;
    int side_max = (int)h->limits.range[SPEC_WIDTH].max;
    h->n_sizes = hello_sizes(info->default_width, info->default_height, side_max, h->sizes);
    read_examples(h, folder);
}

struct blob *hello_blob(const struct hello *h, struct answer_hello *say)
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
