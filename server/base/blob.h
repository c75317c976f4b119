/* blob - an immutable, reference counted message: the third of the three lifetimes.
 *
 * Written once, then only read; a holder of a reference may pass it to another thread. The bytes
 * are preceded by BLOB_HEAD bytes that the one sending thread may overwrite (libwebsockets'
 * LWS_PRE), so one blob goes to any number of connections without a copy.
 * Thread: any; the count is atomic. */
#ifndef SERVER_BASE_BLOB_H
#define SERVER_BASE_BLOB_H

#include "proto/text.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOB_HEAD 32

struct blob {
    atomic_int refs;
    size_t len;          /* bytes of the message */
    const uint8_t *data; /* the message; data[-BLOB_HEAD .. -1] may be written by the sender */
    char *memory;        /* what is freed; data begins BLOB_HEAD bytes into it */
    /* a preview: when the quantum that it shows ended, and when it was posted; else 0 */
    int64_t computed_us, posted_us;
};

/* All three give one reference, or NULL when memory is short. */
struct blob *blob_copy(const void *bytes, size_t len);
/* Takes the buffer: malloc'ed, len bytes of message behind BLOB_HEAD free ones. On failure the
 * buffer is freed. */
struct blob *blob_adopt(char *memory, size_t len);
/* Takes what was written into a text begun with text_init(t, BLOB_HEAD, max); leaves t empty. NULL
 * also when the text failed. */
struct blob *blob_from_text(struct text *t);

struct blob *blob_ref(struct blob *); /* returns its argument */
void blob_unref(struct blob *);       /* the last one frees; NULL is fine */
/* The caller's reference is the only one: all others are done with it. */
bool blob_alone(const struct blob *);

#endif
