/* frame - the fixed 32-byte header in front of the image in every binary message. Little endian.
 *
 *   0  4  magic   'D' 'R' 'K' 'M'
 *   4  1  version 1
 *   5  1  kind    1 preview
 *   6  1  format  1 jpeg, 2 png
 *   7  1  phase   0 glyph, 1 prior (a grid of tokens), 2 denoise (the picture so far), 3 decode
 *   8  8  job     the 64 bits whose hex form is "job" in JSON
 *  16  8  seq     the event's sequence number, below 2^53
 *  24  2  width   pixels of the image that follows
 *  26  2  height
 *  28  4  bytes   of the image that follows: the message has exactly 32 + bytes */
#ifndef PROTO_FRAME_H
#define PROTO_FRAME_H

#include "proto/fail.h"

#include <stddef.h>
#include <stdint.h>

#define FRAME_HEADER  32
#define FRAME_VERSION 1

enum frame_kind { FRAME_PREVIEW = 1 };
enum frame_format { FRAME_NONE = 0, FRAME_JPEG = 1, FRAME_PNG = 2 }; /* NONE: never in a frame */

struct frame {
    enum frame_kind kind;
    enum frame_format format;
    int phase;         /* enum event_phase */
    uint64_t job, seq; /* never 0 */
    int width, height; /* 1 .. LIMIT_PREVIEW_PX_MAX */
    uint32_t bytes;    /* 1 .. LIMIT_FRAME_BYTES */
};

/* Write the header. The frame's values must be in range (assert). */
void frame_encode(const struct frame *, uint8_t out[FRAME_HEADER]);

/* Read the header of a message of len bytes; the image is what follows it. Every field is checked,
 * bytes against len too. 0, or ERR_BAD_REQUEST with the reason. */
int frame_decode(const void *message, size_t len, struct frame *out, struct fail *f);

const char *frame_format_name(enum frame_format); /* "none" "jpeg" "png" */

#endif
