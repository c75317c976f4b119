/* folder - a copy of a model's JSON files in which a test changes one key. */
#ifndef TEST_WEIGHTS_FOLDER_H
#define TEST_WEIGHTS_FOLDER_H

#include "test/weights/scratch.h"

#include <jansson.h>

static const char *const folder_files[] = {
    "model_index.json",
    "vision_language_encoder/config.json",
    "vision_language_encoder/generation_config.json",
    "text_encoder/config.json",
    "transformer/config.json",
    "scheduler/scheduler_config.json",
    "vae/config.json",
    "processor/preprocessor_config.json",
    "processor/tokenizer_config.json",
};

/* The object that holds the last key of a dotted path; the key itself in *last. */
static inline json_t *folder_parent(json_t *root, const char *path, const char **last)
{
    const char *dot;

    while ((dot = strchr(path, '.'))) {
        char key[80];
        json_t *next;

        snprintf(key, sizeof key, "%.*s", (int)(dot - path), path);
        next = json_object_get(root, key);
        if (!next) json_object_set_new(root, key, next = json_object());
        root = next;
        path = dot + 1;
    }
    *last = path;
    return root;
}

/* Copy `from`'s files; in `file` set the key at `path` to `value` (JSON text; NULL removes it).
 * file NULL: an exact copy. Returns 0 or -1. */
static inline int folder_copy(const struct scratch *to, const char *from, const char *file,
                              const char *path, const char *value)
{
    for (size_t i = 0; i < sizeof folder_files / sizeof *folder_files; i++) {
        char source[512];
        const char *key;
        json_t *root;
        char *text;
        int bad;

        snprintf(source, sizeof source, "%s/%s", from, folder_files[i]);
        root = json_load_file(source, 0, NULL);
        if (!root) return -1;
        if (file && !strcmp(file, folder_files[i])) {
            json_t *parent = folder_parent(root, path, &key);

            if (value)
                json_object_set_new(parent, key, json_loads(value, JSON_DECODE_ANY, NULL));
            else
                json_object_del(parent, key);
        }
        text = json_dumps(root, 0);
        bad = !text || scratch_write(to, folder_files[i], text, strlen(text));
        free(text);
        json_decref(root);
        if (bad) return -1;
    }
    return 0;
}

#endif
