/* strmap - a hash table from byte strings to ids that only grows.
 *
 * Keys are copied into one block. Thread: one while it is built, then any. */
#ifndef WEIGHTS_TOKENIZER_STRMAP_H
#define WEIGHTS_TOKENIZER_STRMAP_H

#include <stddef.h>
#include <stdint.h>

struct strmap {
    struct strmap_slot *slot; /* open addressing, a power of two of them */
    size_t slots, n;
    char *keys;
    size_t keys_n, keys_cap;
};

/* Set a key's id, replacing an earlier one. 0 or ERR_OUT_OF_MEMORY. */
int strmap_set(struct strmap *, const char *key, size_t len, int32_t id);
/* -1 when there is none. */
int32_t strmap_get(const struct strmap *, const char *key, size_t len);
void strmap_free(struct strmap *);

#endif
