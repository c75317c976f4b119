/* suggestions - three JSON files of a model's folder, without what is no suggestion. */
#include "weights/suggestions.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static json_t *read_json(const char *dir, const char *name)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", dir, name), fd;
    json_t *root;

    if (n >= (int)sizeof path) return NULL;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a fifo must not block */
    root = fd < 0 ? NULL : json_loadfd(fd, 0, NULL);
    if (fd >= 0) close(fd);
    return root;
}

static void read_sizes(struct suggestions *s, const char *dir)
{
    json_t *list = read_json(dir, "sizes.json"), *one;
    size_t i;

    json_array_foreach(list, i, one)
    {
        json_int_t w = json_integer_value(json_array_get(one, 0));
        json_int_t h = json_integer_value(json_array_get(one, 1));

        if (s->sizes == SUGGESTIONS_SIZES) break;
        if (w < 1 || w > LIMIT_SIDE_MAX || h < 1 || h > LIMIT_SIDE_MAX) continue;
        s->size[s->sizes][0] = (int)w;
        s->size[s->sizes++][1] = (int)h;
    }
    json_decref(list);
}

static void read_prompts(struct suggestions *s, const char *dir)
{
    json_t *list = read_json(dir, "examples.json"), *one;
    size_t i;

    json_array_foreach(list, i, one)
    {
        const char *text = json_string_value(one);
        char *copy;

        if (!text || strlen(text) > LIMIT_PROMPT_BYTES || s->prompts == LIMIT_EXAMPLES) continue;
        copy = strdup(text);
        if (copy) s->prompt[s->prompts++] = copy;
    }
    json_decref(list);
}

static void read_no_images(struct suggestions *s, const char *dir)
{
    json_t *list = read_json(dir, "no_images.json");
    const char *text = json_string_value(json_array_get(list, 0));

    if (text && strlen(text) <= LIMIT_PROMPT_BYTES) s->no_images = strdup(text);
    json_decref(list);
}

void suggestions_load(struct suggestions *s, const char *dir)
{
    memset(s, 0, sizeof *s);
    read_sizes(s, dir);
    read_prompts(s, dir);
    read_no_images(s, dir);
}

void suggestions_free(struct suggestions *s)
{
    while (s->prompts)
        free(s->prompt[--s->prompts]);
    free(s->no_images);
    s->no_images = NULL;
    s->sizes = 0;
}
