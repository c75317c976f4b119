/* image - a PNG, JPEG or WebP file in memory becomes 8-bit RGB: its head against the limits first,
 * then its pixels.
 *
 * The format is what the first bytes are, whatever the file is called; what follows the picture in
 * the file is ignored. The pixels are those of Pillow's Image.convert("RGB"), with two decisions of
 * our own, each told in the facts: the orientation of EXIF is applied (as its exif_transpose does,
 * but not from XMP), and what is transparent is laid on white.
 *
 * These functions run libspng, libjpeg-turbo and libwebp over the bytes of strangers: a service
 * calls them in a process without privileges only (helper.h). Memory beside the result: at most 8
 * bytes a pixel, asked of malloc(). No state. Thread: any. */
#ifndef SERVER_DECODER_IMAGE_H
#define SERVER_DECODER_IMAGE_H

#include "proto/fail.h"
#include "server/decoder/facts.h"

#include <stddef.h>
#include <stdint.h>

struct image_limits {
    size_t bytes;
    int64_t pixels;
    int side_min, aspect_max; /* aspect: longest / shortest side */
};
void image_limits_init(struct image_limits *); /* those of proto/limits.h */

/* ERR_TOO_LARGE; image_look() asks this, too. */
int image_check_bytes(size_t len, const struct image_limits *, struct fail *f);

/* Reads the file's head. 0: the file may be decoded into facts->width * height * 3 bytes; the facts
 * are those that the head tells. ERR_TOO_LARGE: the file's bytes; ERR_BAD_IMAGE, with the field
 * "image": of another format, damaged, or beyond a limit. */
int image_look(const uint8_t *file, size_t len, const struct image_limits *,
               struct image_facts *facts, struct fail *f);
/* rgb [height, width, 3], packed rows. The facts of image_look() for the same bytes; changes that
 * only the pixels tell are added. ERR_BAD_IMAGE, also where memory does not suffice; rgb then holds
 * parts of the picture. */
int image_decode(const uint8_t *file, size_t len, struct image_facts *facts, uint8_t *rgb,
                 struct fail *f);

#endif
