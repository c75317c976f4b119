/* chunk - a part of an upload: the only binary message that clients send. A header as frame.h's,
 * little endian, and bytes of the file.
 *
 *   0  4  magic   'D' 'R' 'K' 'M'
 *   4  1  version 1
 *   5  1  kind    2 a part of an upload
 *   6  2  0
 *   8  8  upload  the 64 bits whose hex form is "upload" in JSON
 *  16  8  at      the first of these bytes in the file
 *  24  4  0
 *  28  4  bytes   that follow: the message has exactly 32 + bytes
 *
 * Thread: any, no state. */
#ifndef PROTO_CHUNK_H
#define PROTO_CHUNK_H

#include "proto/fail.h"
#include "proto/frame.h"

#include <stddef.h>
#include <stdint.h>

enum { CHUNK_KIND = 2 };

struct file_part {
    uint64_t upload, at;
    const uint8_t *data; /* in the message */
    size_t bytes;        /* 1 .. LIMIT_CHUNK_BYTES */
};

/* Every field is checked. 0, or ERR_BAD_REQUEST with the reason. */
int chunk_decode(const void *message, size_t len, struct file_part *out, struct fail *f);

#endif
