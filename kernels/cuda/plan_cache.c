/* plan_cache - a file a place: key, size and sum, then the text. */
#include "kernels/cuda/plan_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct header {
    uint64_t key, size, sum;
};

static uint64_t sum_of(const char *text, size_t size)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < size; i++)
        h = (h ^ (unsigned char)text[i]) * 0x100000001b3u;
    return h;
}

void plan_cache_open(struct plan_cache *c, const char *cache, size_t version, const char *model)
{
    int n;

    *c = (struct plan_cache){0};
    if (!cache) return;
    n = snprintf(c->stem, sizeof c->stem, "%s/cudnn-%zu-%s", cache, version, model);
    if (n < 0 || (size_t)n >= sizeof c->stem) c->stem[0] = 0;
}

/* The name of a key's file, with an ending. */
static void name_of(const struct plan_cache *c, uint64_t key, const char *end, char out[600])
{
    /* the low bits of a key are alike: one is always set */
    snprintf(out, 600, "%s-%02u%s", c->stem, (unsigned)((key >> 8) % PLAN_CACHE_FILES), end);
}

static char *read_text(FILE *f, uint64_t key, size_t *size)
{
    struct header h;
    char *text;

    if (fread(&h, sizeof h, 1, f) != 1 || h.key != key || h.size > PLAN_CACHE_BYTES) return NULL;
    text = malloc((size_t)h.size + 1);
    if (!text) return NULL;
    *size = fread(text, 1, (size_t)h.size, f);
    text[*size] = 0;
    if (*size == h.size && sum_of(text, *size) == h.sum) return text;
    free(text);
    return NULL;
}

char *plan_cache_read(const struct plan_cache *c, uint64_t key, size_t *size)
{
    char name[600], *text;
    FILE *f;

    if (!c->stem[0]) return NULL;
    name_of(c, key, ".plan", name);
    f = fopen(name, "rbe");
    if (!f) return NULL;
    text = read_text(f, key, size);
    fclose(f);
    return text;
}

void plan_cache_write(const struct plan_cache *c, uint64_t key, const char *text, size_t size)
{
    const struct header h = {.key = key, .size = size, .sum = sum_of(text, size)};
    char name[600], new[600], end[32];
    FILE *f;
    int well;

    if (!c->stem[0] || size > PLAN_CACHE_BYTES) return;
    snprintf(end, sizeof end, ".%ld.new", (long)getpid());
    name_of(c, key, ".plan", name);
    name_of(c, key, end, new);
    f = fopen(new, "wbe");
    if (!f) return;
    well = fwrite(&h, sizeof h, 1, f) == 1 && fwrite(text, 1, size, f) == size;
    if (fclose(f) || !well || rename(new, name)) remove(new);
}
