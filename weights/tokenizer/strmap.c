/* strmap - open addressing with linear probing, at most half full. */
#include "weights/tokenizer/strmap.h"

#include "proto/fail.h"

#include <stdlib.h>
#include <string.h>

struct strmap_slot {
    size_t at;
    uint32_t len, hash;
    int32_t id; /* -1: free */
};

static uint32_t hash_of(const char *key, size_t len)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)key[i]) * 0x100000001b3u;
    return (uint32_t)(h ^ h >> 32);
}

/* The key's slot, or the free one where it would go. There is always a free one. */
static struct strmap_slot *probe(const struct strmap *m, const char *key, size_t len, uint32_t hash)
{
    for (size_t i = hash;; i++) {
        struct strmap_slot *s = &m->slot[i & (m->slots - 1)];

        if (s->id < 0) return s;
        if (s->hash == hash && s->len == len && !memcmp(m->keys + s->at, key, len)) return s;
    }
}

static int grow_slots(struct strmap *m)
{
    struct strmap old = *m;

    m->slots = old.slots ? 2 * old.slots : 1024;
    m->slot = malloc(m->slots * sizeof *m->slot);
    if (!m->slot) {
        *m = old;
        return ERR_OUT_OF_MEMORY;
    }
    for (size_t i = 0; i < m->slots; i++)
        m->slot[i].id = -1;
    for (size_t i = 0; i < old.slots; i++) {
        const struct strmap_slot *s = &old.slot[i];

        if (s->id >= 0) *probe(m, m->keys + s->at, s->len, s->hash) = *s;
    }
    free(old.slot);
    return 0;
}

static int grow_keys(struct strmap *m, size_t more)
{
    size_t cap;
    char *keys;

    if (more <= m->keys_cap - m->keys_n) return 0;
    cap = 2 * m->keys_cap + more + 4096;
    keys = realloc(m->keys, cap);
    if (!keys) return ERR_OUT_OF_MEMORY;
    m->keys = keys;
    m->keys_cap = cap;
    return 0;
}

int strmap_set(struct strmap *m, const char *key, size_t len, int32_t id)
{
    uint32_t hash = hash_of(key, len);
    struct strmap_slot *s;

    if (2 * m->n >= m->slots && grow_slots(m)) return ERR_OUT_OF_MEMORY;
    s = probe(m, key, len, hash);
    if (s->id < 0) {
        if (grow_keys(m, len)) return ERR_OUT_OF_MEMORY;
        memcpy(m->keys + m->keys_n, key, len);
        *s = (struct strmap_slot){.at = m->keys_n, .len = (uint32_t)len, .hash = hash};
        m->keys_n += len;
        m->n++;
    }
    s->id = id;
    return 0;
}

int32_t strmap_get(const struct strmap *m, const char *key, size_t len)
{
    return m->n ? probe(m, key, len, hash_of(key, len))->id : -1;
}

void strmap_free(struct strmap *m)
{
    free(m->slot);
    free(m->keys);
    *m = (struct strmap){0};
}
