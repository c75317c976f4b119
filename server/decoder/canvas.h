/* canvas - takes the rows of a file as they are decoded and writes their pixels where the picture's
 * orientation wants them.
 *
 * So a picture is turned without a second copy of it. Rows come in the file's order and width; each
 * pixel is written once. Thread: any; a canvas belongs to its caller. */
#ifndef SERVER_DECODER_CANVAS_H
#define SERVER_DECODER_CANVAS_H

#include "server/decoder/facts.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct canvas {
    uint8_t *rgb;
    ptrdiff_t origin, right, down; /* in pixels: of (0, 0), to the next column, to the next row */
    bool transparent;              /* a pixel was not opaque */
};

/* rgb [facts->height, facts->width, 3]. */
void canvas_init(struct canvas *, uint8_t *rgb, const struct image_facts *facts);
/* n pixels of row y from column x on. */
void canvas_rgb(struct canvas *, int x, int y, const uint8_t *rgb, int n);
void canvas_rgba(struct canvas *, int x, int y, const uint8_t *rgba, int n);
/* Inks as Adobe's programs store them, inverted: 255 is none. */
void canvas_cmyk(struct canvas *, int x, int y, const uint8_t *cmyk, int n);

#endif
