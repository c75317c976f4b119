/* blob - an immutable, reference counted message. */
#include "server/base/blob.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct blob *blob_adopt(char *memory, size_t len)
{
    struct blob *b = malloc(sizeof *b);

    if (!b) {
        free(memory);
        return NULL;
    }
    atomic_init(&b->refs, 1);
    b->len = len;
    b->computed_us = b->posted_us = 0;
    b->memory = memory;
    b->data = (const uint8_t *)memory + BLOB_HEAD;
    return b;
}

struct blob *blob_copy(const void *bytes, size_t len)
{
    char *memory = malloc(BLOB_HEAD + len + 1);

    if (!memory) return NULL;
    if (len) memcpy(memory + BLOB_HEAD, bytes, len);
    memory[BLOB_HEAD + len] = '\0';
    return blob_adopt(memory, len);
}

struct blob *blob_from_text(struct text *t)
{
    size_t len = 0;
    char *memory;

    assert(t->head == BLOB_HEAD);
    memory = text_take(t, &len);
    return memory ? blob_adopt(memory, len) : NULL;
}

struct blob *blob_ref(struct blob *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void blob_unref(struct blob *b)
{
    if (!b) return;
    if (atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) > 1) return;
    free(b->memory);
    free(b);
}

bool blob_alone(const struct blob *b)
{
    return atomic_load_explicit(&b->refs, memory_order_acquire) == 1;
}
