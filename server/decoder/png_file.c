/* png_file - libspng is fed the chunks that make the picture and no others.
 *
 * Texts and profiles, which may be large or unpack to what is, never reach the library. Of the
 * chunks that it does not see, EXIF's is read here, and that there is a profile or an animation. */
#include "server/decoder/png_file.h"

#include "server/decoder/canvas.h"
#include "server/decoder/exif.h"

#include <spng.h>
#include <stdlib.h>
#include <string.h>

enum { SIGNATURE = 8, AROUND = 12 /* length, name and checksum of a chunk */ };

struct chunk {
    const uint8_t *name, *data;
    size_t len;
};

struct chunks {
    struct file_bytes file;
    size_t at;           /* where the next chunk begins */
    const uint8_t *give; /* what the library has not read yet of a chunk */
    size_t left;
};

bool png_file_is(struct file_bytes b)
{
    return begins_with(b, "\x89PNG\r\n\x1a\n", SIGNATURE);
}

static bool is(const struct chunk *c, const char *name)
{
    return !memcmp(c->name, name, 4);
}

static bool next_chunk(struct chunks *s, struct chunk *c)
{
    const size_t rest = s->file.len - s->at;
    const uint8_t *p = s->file.at + s->at;

    if (rest < AROUND || read_be32(p) > rest - AROUND) return false;
    *c = (struct chunk){p + 4, p + 8, read_be32(p)};
    s->at += AROUND + c->len;
    return true;
}

static bool makes_picture(const struct chunk *c)
{
    /* a capital letter: it must not be skipped, so that the library is to refuse it */
    return !(*c->name & 0x20) || is(c, "tRNS");
}

static int give_bytes(spng_ctx *png, void *arg, void *to, size_t n)
{
    struct chunks *s = arg;
    struct chunk c;
    uint8_t *out = to;

    (void)png;
    while (n) {
        const size_t now = n < s->left ? n : s->left;

        if (now) memcpy(out, s->give, now);
        s->give += now, s->left -= now;
        out += now, n -= now;
        if (!n) break;
        if (!next_chunk(s, &c)) return SPNG_IO_EOF;
        if (!makes_picture(&c)) continue;
        s->give = c.name - 4;
        s->left = AROUND + c.len;
    }
    return 0;
}

static spng_ctx *open_png(struct chunks *s, struct file_bytes b)
{
    spng_ctx *png = spng_ctx_new(0);

    *s = (struct chunks){.file = b, .at = SIGNATURE, .give = b.at, .left = SIGNATURE};
    if (!png) return NULL;
    spng_set_crc_action(png, SPNG_CRC_ERROR, SPNG_CRC_ERROR);
    spng_set_png_stream(png, give_bytes, s);
    return png;
}

static void look_at_chunks(struct file_bytes b, struct image_facts *facts)
{
    struct chunks s = {.file = b, .at = SIGNATURE};
    struct chunk c;
    bool pixels = false;

    while (next_chunk(&s, &c) && !is(&c, "IEND")) {
        if (is(&c, "IDAT")) pixels = true;
        if (is(&c, "eXIf")) facts->orientation = exif_orientation(c.data, c.len);
        if (is(&c, "iCCP") || is(&c, "cICP")) facts->changes |= 1U << IMAGE_PROFILE_IGNORED;
        if (is(&c, "acTL") && !pixels) facts->changes |= 1U << IMAGE_FIRST_FRAME;
    }
}

int png_file_look(struct file_bytes b, struct image_facts *facts, struct fail *f)
{
    struct chunks s;
    struct spng_ihdr head;
    spng_ctx *png = open_png(&s, b);
    int err;

    if (!png) return reader_no_memory(f);
    err = spng_get_ihdr(png, &head) ? reader_refuse(f, "is a damaged PNG") : 0;
    spng_ctx_free(png);
    if (err) return err;
    facts->file_width = (int)head.width; /* at most 2^31 - 1, as libspng sees to */
    facts->file_height = (int)head.height;
    if (head.bit_depth == 16) facts->changes |= 1U << IMAGE_FROM_16_BIT;
    look_at_chunks(b, facts);
    return 0;
}

/* An interlaced picture comes in seven passes: it is whole only at the end. */
static int decode_whole(spng_ctx *png, const struct image_facts *facts, struct canvas *c)
{
    const int w = facts->file_width, h = facts->file_height;
    const size_t bytes = 4 * (size_t)w * (size_t)h;
    uint8_t *rgba = malloc(bytes);
    int err =
        rgba ? spng_decode_image(png, rgba, bytes, SPNG_FMT_RGBA8, SPNG_DECODE_TRNS) : SPNG_EMEM;

    for (int y = 0; y < h && !err; y++)
        canvas_rgba(c, 0, y, rgba + 4 * (size_t)w * (size_t)y, w);
    free(rgba);
    return err;
}

static int decode_rows(spng_ctx *png, const struct image_facts *facts, struct canvas *c)
{
    const int w = facts->file_width, h = facts->file_height;
    uint8_t *row = malloc(4 * (size_t)w);
    int err = row ? spng_decode_image(png, NULL, 0, SPNG_FMT_RGBA8,
                                      SPNG_DECODE_TRNS | SPNG_DECODE_PROGRESSIVE)
                  : SPNG_EMEM;

    for (int y = 0; y < h && !err; y++) {
        err = spng_decode_row(png, row, 4 * (size_t)w);
        if (err == SPNG_EOI && y == h - 1) err = 0;
        if (!err) canvas_rgba(c, 0, y, row, w);
    }
    free(row);
    return err;
}

int png_file_decode(struct file_bytes b, struct image_facts *facts, uint8_t *rgb, struct fail *f)
{
    struct chunks s;
    struct canvas c;
    struct spng_ihdr head;
    spng_ctx *png = open_png(&s, b);
    int err;

    if (!png) return reader_no_memory(f);
    canvas_init(&c, rgb, facts);
    err = spng_get_ihdr(png, &head);
    if (!err)
        err = head.interlace_method ? decode_whole(png, facts, &c) : decode_rows(png, facts, &c);
    /* to the end of the file, for what is behind the last row has the data's checksum */
    if (!err) err = spng_decode_chunks(png);
    spng_ctx_free(png);
    if (c.transparent) facts->changes |= 1U << IMAGE_ON_WHITE;
    if (err == SPNG_EMEM) return reader_no_memory(f);
    return err ? reader_refuse(f, "is a damaged PNG") : 0;
}
