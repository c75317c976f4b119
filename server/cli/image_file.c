/* image_file - reading a file, telling its format, decoding. */
#include "server/cli/image_file.h"

#include <errno.h>
#include <spng.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

#define FILE_MOST  ((size_t)64 << 20)
#define PIXEL_MOST ((size_t)64 << 20)

struct bytes {
    uint8_t *data;
    size_t len;
};

static int refuse(const char *path, const char *why, struct fail *f)
{
    fail_set(f, ERR_USAGE, "%.200s %s.", path, why);
    return fail_advise(f, "Use a PNG or JPEG of at most 64 megapixels.");
}

static int no_memory(struct fail *f)
{
    return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for a picture.");
}

static int read_file(const char *path, struct bytes *b, struct fail *f)
{
    FILE *in = fopen(path, "rbe");
    bool bad;

    b->data = malloc(FILE_MOST + 1);
    if (!b->data) {
        if (in) fclose(in);
        return no_memory(f);
    }
    b->len = in ? fread(b->data, 1, FILE_MOST + 1, in) : 0;
    bad = !in || ferror(in);
    if (bad) fail_set(f, ERR_IO, "Cannot read %.200s: %s.", path, strerror(errno));
    if (in) fclose(in);
    if (bad) return ERR_IO;
    return b->len > FILE_MOST ? refuse(path, "has more than 64 MB", f) : 0;
}

static int take_size(const char *path, uint64_t w, uint64_t h, struct image_file *out,
                     struct fail *f)
{
    if (!w || !h || w > PIXEL_MOST || h > PIXEL_MOST || w * h > PIXEL_MOST)
        return refuse(path, "has more than 64 megapixels, or none", f);
    out->width = (int)w;
    out->height = (int)h;
    out->rgb = malloc(3 * (size_t)(w * h));
    return out->rgb ? 0 : no_memory(f);
}

/* Colour over white. */
static void lay_on_white(struct image_file *out, const uint8_t *rgba, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const int a = rgba[4 * i + 3];

        for (size_t c = 0; c < 3; c++)
            out->rgb[3 * i + c] = (uint8_t)((rgba[4 * i + c] * a + 255 * (255 - a) + 127) / 255);
        if (a < 255) out->note = "its transparent pixels are laid on white";
    }
}

static int decode_png(spng_ctx *png, const char *path, struct image_file *out, struct fail *f)
{
    struct spng_ihdr head;
    uint8_t *rgba;
    size_t n;
    int err;

    if (spng_get_ihdr(png, &head)) return refuse(path, "is a damaged PNG", f);
    err = take_size(path, head.width, head.height, out, f);
    if (err) return err;
    n = (size_t)out->width * (size_t)out->height;
    rgba = malloc(4 * n);
    if (!rgba) return no_memory(f);
    /* to the end of the file, for what is behind the last row has the data's checksum */
    if (spng_decode_image(png, rgba, 4 * n, SPNG_FMT_RGBA8, SPNG_DECODE_TRNS)
        || spng_decode_chunks(png))
        err = refuse(path, "is a damaged PNG", f);
    else
        lay_on_white(out, rgba, n);
    free(rgba);
    return err;
}

static int read_png(const struct bytes *b, const char *path, struct image_file *out, struct fail *f)
{
    spng_ctx *png = spng_ctx_new(0);
    int err;

    if (!png) return no_memory(f);
    spng_set_crc_action(png, SPNG_CRC_ERROR, SPNG_CRC_ERROR);
    spng_set_png_buffer(png, b->data, b->len);
    err = decode_png(png, path, out, f);
    spng_ctx_free(png);
    return err;
}

static int read_jpeg(const struct bytes *b, const char *path, struct image_file *out,
                     struct fail *f)
{
    tjhandle jpeg = tjInitDecompress();
    int w = 0, h = 0, sampling, space = 0, err;

    if (!jpeg) return no_memory(f);
    if (tjDecompressHeader3(jpeg, b->data, b->len, &w, &h, &sampling, &space))
        err = refuse(path, "is a damaged JPEG", f);
    else if (space == TJCS_CMYK || space == TJCS_YCCK)
        err = refuse(path, "is a JPEG in four inks", f);
    else
        err = take_size(path, (uint64_t)w, (uint64_t)h, out, f);
    if (!err && tjDecompress2(jpeg, b->data, b->len, out->rgb, w, 3 * w, h, TJPF_RGB, 0)
        && tjGetErrorCode(jpeg) != TJERR_WARNING)
        err = refuse(path, "is a damaged JPEG", f);
    tjDestroy(jpeg);
    return err;
}

static int begins(const struct bytes *b, const char *with, size_t n)
{
    return b->len >= n && !memcmp(b->data, with, n);
}

int image_file_read(const char *path, struct image_file *out, struct fail *f)
{
    struct bytes b = {0};
    int err;

    memset(out, 0, sizeof *out);
    err = read_file(path, &b, f);
    if (!err && begins(&b, "\x89PNG\r\n\x1a\n", 8))
        err = read_png(&b, path, out, f);
    else if (!err && begins(&b, "\xff\xd8\xff", 3))
        err = read_jpeg(&b, path, out, f);
    else if (!err)
        err = refuse(path, "is neither a PNG nor a JPEG", f);
    free(b.data);
    if (err) free(out->rgb);
    if (err) out->rgb = NULL;
    return err;
}
