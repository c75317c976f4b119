/* images - what the fuzzers of the three formats of images share. They decode in their own process:
 * the one of the product, with its filter, is what test_mutants is for. */
#ifndef TEST_FUZZ_IMAGES_H
#define TEST_FUZZ_IMAGES_H

#include "server/decoder/image.h"

#include <stdlib.h>
#include <string.h>

/* -1: of another format, which is not to be tried further. */
static inline int images_try(const uint8_t *data, size_t len, enum image_format format)
{
    /* few pixels, so that many files are tried */
    const struct image_limits limits = {
        .bytes = 1 << 20, .pixels = 1 << 16, .side_min = 1, .aspect_max = 1 << 16};
    struct image_facts facts;
    struct fail f = {0};
    uint8_t *rgb;
    size_t bytes;
    int err = image_look(data, len, &limits, &facts, &f);

    if (err && (err != ERR_BAD_IMAGE || !*f.message || !*f.hint)) abort();
    if (!facts.orientation || facts.format != format) return -1; /* 0: of no format */
    if (err) return 0;
    if (facts.orientation < 1 || facts.orientation > 8 || facts.width < 1 || facts.height < 1
        || facts.width * facts.height > 1 << 16)
        abort();
    bytes = 3 * (size_t)facts.width * (size_t)facts.height;
    rgb = malloc(bytes);
    if (!rgb) return 0;
    err = image_decode(data, len, &facts, rgb, &f);
    if (err && (err != ERR_BAD_IMAGE || !*f.message)) abort();
    if (facts.changes >= 1U << IMAGE_CHANGES) abort();
    free(rgb);
    return 0;
}

#endif
