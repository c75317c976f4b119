/* webp_file - the first frame, which of a picture that stands still is the only one. */
#include "server/decoder/webp_file.h"

#include "server/decoder/canvas.h"
#include "server/decoder/exif.h"

#include <stdlib.h>
#include <string.h>
#include <webp/decode.h>
#include <webp/demux.h>

bool webp_file_is(struct file_bytes b)
{
    return begins_with(b, "RIFF", 4) && b.len >= 12 && !memcmp(b.at + 8, "WEBP", 4);
}

static WebPDemuxer *open_webp(struct file_bytes b)
{
    return WebPDemux(&(WebPData){b.at, b.len}); /* NULL also where the file is not whole */
}

static int orientation_of(const WebPDemuxer *d)
{
    WebPChunkIterator c;
    int o = 1;

    if (WebPDemuxGetChunk(d, "EXIF", 1, &c)) {
        o = exif_orientation(c.chunk.bytes, c.chunk.size);
        WebPDemuxReleaseChunkIterator(&c);
    }
    return o;
}

int webp_file_look(struct file_bytes b, struct image_facts *facts, struct fail *f)
{
    WebPDemuxer *d = open_webp(b);
    uint32_t flags;

    if (!d) return reader_refuse(f, "is a damaged WebP");
    facts->file_width = (int)WebPDemuxGetI(d, WEBP_FF_CANVAS_WIDTH); /* 24 bits each */
    facts->file_height = (int)WebPDemuxGetI(d, WEBP_FF_CANVAS_HEIGHT);
    flags = WebPDemuxGetI(d, WEBP_FF_FORMAT_FLAGS);
    if (flags & ICCP_FLAG) facts->changes |= 1U << IMAGE_PROFILE_IGNORED;
    if (flags & ANIMATION_FLAG) facts->changes |= 1U << IMAGE_FIRST_FRAME;
    facts->orientation = orientation_of(d);
    WebPDemuxDelete(d);
    return 0;
}

static int decode_frame(const WebPIterator *frame, struct canvas *c, struct fail *f)
{
    const int w = frame->width, h = frame->height, each = frame->has_alpha ? 4 : 3;
    const size_t row = (size_t)each * (size_t)w, bytes = row * (size_t)h;
    uint8_t *to = malloc(bytes);
    const uint8_t *done = NULL;

    if (!to) return reader_no_memory(f);
    if (each == 4)
        done = WebPDecodeRGBAInto(frame->fragment.bytes, frame->fragment.size, to, bytes, (int)row);
    else
        done = WebPDecodeRGBInto(frame->fragment.bytes, frame->fragment.size, to, bytes, (int)row);
    for (int y = 0; y < h && done; y++) {
        if (each == 4)
            canvas_rgba(c, frame->x_offset, frame->y_offset + y, to + row * (size_t)y, w);
        else
            canvas_rgb(c, frame->x_offset, frame->y_offset + y, to + row * (size_t)y, w);
    }
    free(to);
    return done ? 0 : reader_refuse(f, "is a damaged WebP");
}

/* A frame may be smaller than the picture; the rest of it is transparent. */
static void clear(const WebPIterator *frame, const struct image_facts *facts, struct canvas *c)
{
    if (frame->width == facts->file_width && frame->height == facts->file_height) return;
    memset(c->rgb, 255, 3 * (size_t)facts->width * (size_t)facts->height);
    c->transparent = true;
}

static bool fits(const WebPIterator *frame, const struct image_facts *facts)
{
    return frame->width <= facts->file_width - frame->x_offset
           && frame->height <= facts->file_height - frame->y_offset && frame->complete;
}

int webp_file_decode(struct file_bytes b, struct image_facts *facts, uint8_t *rgb, struct fail *f)
{
    struct canvas c;
    WebPIterator frame;
    WebPDemuxer *d = open_webp(b);
    int err = 0;

    canvas_init(&c, rgb, facts);
    if (!d || !WebPDemuxGetFrame(d, 1, &frame)) {
        WebPDemuxDelete(d);
        return reader_refuse(f, "is a damaged WebP");
    }
    if (!fits(&frame, facts)) err = reader_refuse(f, "is a damaged WebP");
    if (!err) clear(&frame, facts, &c);
    if (!err) err = decode_frame(&frame, &c, f);
    if (c.transparent) facts->changes |= 1U << IMAGE_ON_WHITE;
    WebPDemuxReleaseIterator(&frame);
    WebPDemuxDelete(d);
    return err;
}
