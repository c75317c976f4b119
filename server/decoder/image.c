/* image - tells the format, holds the head against the limits, calls the format's reader. */
#include "server/decoder/image.h"

#include "proto/limits.h"
#include "server/decoder/jpeg_file.h"
#include "server/decoder/png_file.h"
#include "server/decoder/webp_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
    bool (*is)(struct file_bytes);
    int (*look)(struct file_bytes, struct image_facts *, struct fail *);
    int (*decode)(struct file_bytes, struct image_facts *, uint8_t *rgb, struct fail *);
} FORMATS[IMAGE_FORMATS] = {
    [IMAGE_PNG] = {png_file_is, png_file_look, png_file_decode},
    [IMAGE_JPEG] = {jpeg_file_is, jpeg_file_look, jpeg_file_decode},
    [IMAGE_WEBP] = {webp_file_is, webp_file_look, webp_file_decode},
};

/* What pictures often are that are not read here. */
static const struct {
    size_t at, len;
    const char *magic, *name;
} OTHERS[] = {
    {0, 4, "GIF8", "GIF"},
    {0, 2, "BM", "BMP"},
    {4, 8, "ftypavif", "AVIF"},
    {4, 8, "ftypheic", "HEIC"},
    {4, 8, "ftypmif1", "HEIF"},
    {4, 8, "ftypheix", "HEIC"},
    {0, 4, "II*\0", "TIFF"},
    {0, 4, "MM\0*", "TIFF"},
    {0, 4, "\0\0\1\0", "ICO"},
    {0, 4, "%PDF", "PDF"},
    {0, 4, "8BPS", "Photoshop"},
    {0, 2, "\xff\x0a", "JPEG XL"},
    {4, 8, "JXL \r\n\x87\n", "JPEG XL"},
    {4, 4, "jP  ", "JPEG 2000"},
    {0, 4, "<svg", "SVG"},
    {0, 5, "<?xml", "XML or SVG"},
};

void image_limits_init(struct image_limits *l)
{
    *l = (struct image_limits){.bytes = LIMIT_IMAGE_BYTES,
                               .pixels = LIMIT_IMAGE_PIXELS,
                               .side_min = LIMIT_IMAGE_SIDE_MIN,
                               .aspect_max = LIMIT_ASPECT_MAX};
}

static int refuse_format(struct file_bytes b, struct fail *f)
{
    char what[64];

    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) {
        if (b.len < OTHERS[i].at + OTHERS[i].len
            || memcmp(b.at + OTHERS[i].at, OTHERS[i].magic, OTHERS[i].len) != 0)
            continue;
        snprintf(what, sizeof what, "is a file of %s", OTHERS[i].name);
        return reader_refuse(f, what);
    }
    return reader_refuse(f, b.len ? "is neither a PNG nor a JPEG nor a WebP" : "is an empty file");
}

static int check_size(const struct image_facts *facts, const struct image_limits *l, struct fail *f)
{
    const int w = facts->file_width, h = facts->file_height;
    const int shorter = w < h ? w : h, longer = w < h ? h : w;

    if (shorter < l->side_min) {
        fail_field(f, ERR_BAD_IMAGE, "image", "The image has %dx%d pixels.", w, h);
        return fail_advise(f, "Each side needs at least %d.", l->side_min);
    }
    if ((int64_t)longer > (int64_t)shorter * l->aspect_max) {
        fail_field(f, ERR_BAD_IMAGE, "image", "The image has %dx%d pixels.", w, h);
        return fail_advise(f, "Cut it, so that its longer side is at most %d times the other.",
                           l->aspect_max);
    }
    if ((int64_t)w * h > l->pixels) {
        fail_field(f, ERR_BAD_IMAGE, "image", "The image has %dx%d pixels.", w, h);
        return fail_advise(f, "Use one of at most %" PRId64 " megapixels.", l->pixels / 1000000);
    }
    return 0;
}

static void turn(struct image_facts *facts)
{
    const bool sideways = facts->orientation > 4;

    facts->width = sideways ? facts->file_height : facts->file_width;
    facts->height = sideways ? facts->file_width : facts->file_height;
    if (facts->orientation != 1) facts->changes |= 1U << IMAGE_ORIENTED;
}

int image_check_bytes(size_t len, const struct image_limits *l, struct fail *f)
{
    if (len <= l->bytes) return 0;
    fail_field(f, ERR_TOO_LARGE, "image", "The image's file has %zu bytes.", len);
    return fail_advise(f, "Use one of at most %zu MiB.", l->bytes >> 20);
}

int image_look(const uint8_t *file, size_t len, const struct image_limits *l,
               struct image_facts *facts, struct fail *f)
{
    const struct file_bytes b = {file, len};
    int i = 0, err = image_check_bytes(len, l, f);

    memset(facts, 0, sizeof *facts);
    if (err) return err;
    while (i < IMAGE_FORMATS && !FORMATS[i].is(b))
        i++;
    if (i == IMAGE_FORMATS) return refuse_format(b, f);
    facts->format = (enum image_format)i;
    facts->orientation = 1;
    err = FORMATS[i].look(b, facts, f);
    if (!err) err = check_size(facts, l, f);
    if (!err) turn(facts);
    return err;
}

int image_decode(const uint8_t *file, size_t len, struct image_facts *facts, uint8_t *rgb,
                 struct fail *f)
{
    return FORMATS[facts->format].decode((struct file_bytes){file, len}, facts, rgb, f);
}
