/* reader - what the readers of the three formats share: the file's bytes, and how one says that
 * they are no picture.
 *
 * Each reader has a _look and a _decode, which do what those of image.h do for its format, without
 * the limits. Thread: any. */
#ifndef SERVER_DECODER_READER_H
#define SERVER_DECODER_READER_H

#include "proto/fail.h"
#include "server/decoder/facts.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct file_bytes {
    const uint8_t *at;
    size_t len;
};

static inline uint32_t read_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline bool begins_with(struct file_bytes b, const char *with, size_t n)
{
    return b.len >= n && !__builtin_memcmp(b.at, with, n);
}

/* "The image WHAT." */
int reader_refuse(struct fail *, const char *what);
int reader_no_memory(struct fail *);

#endif
