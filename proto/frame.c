/* frame - the 32 bytes in front of a binary message's image. */
#include "proto/frame.h"

#include "proto/limits.h"

#include <assert.h>
#include <string.h>

#define PHASES_MAX 4 /* glyph prior denoise decode */

static void put(uint8_t *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get(const uint8_t *at, int bytes)
{
    uint64_t value = 0;

    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << 8 * i;
    return value;
}

/* The member that is out of range, or NULL. */
static const char *wrong(const struct frame *h)
{
    if (h->kind != FRAME_PREVIEW) return "kind";
    if (h->format != FRAME_JPEG && h->format != FRAME_PNG) return "format";
    if (h->phase < 0 || h->phase >= PHASES_MAX) return "phase";
    if (h->job == 0) return "job";
    if (h->seq == 0 || h->seq > LIMIT_SEQ_MAX) return "seq";
    if (h->width < 1 || h->width > LIMIT_PREVIEW_PX_MAX) return "width";
    if (h->height < 1 || h->height > LIMIT_PREVIEW_PX_MAX) return "height";
    if (h->bytes < 1 || h->bytes > LIMIT_FRAME_BYTES) return "bytes";
    return NULL;
}

void frame_encode(const struct frame *h, uint8_t out[FRAME_HEADER])
{
    assert(!wrong(h));
    memcpy(out, "DRKM", 4);
    out[4] = FRAME_VERSION;
    out[5] = (uint8_t)h->kind;
    out[6] = (uint8_t)h->format;
    out[7] = (uint8_t)h->phase;
    put(out + 8, h->job, 8);
    put(out + 16, h->seq, 8);
    put(out + 24, (uint64_t)h->width, 2);
    put(out + 26, (uint64_t)h->height, 2);
    put(out + 28, h->bytes, 4);
}

int frame_decode(const void *message, size_t len, struct frame *out, struct fail *f)
{
    const uint8_t *at = message;
    struct frame h;
    const char *field;

    memset(out, 0, sizeof *out);
    if (len < FRAME_HEADER)
        return fail_set(f, ERR_BAD_REQUEST, "a frame of %zu bytes has no header", len);
    if (memcmp(at, "DRKM", 4) != 0)
        return fail_field(f, ERR_BAD_REQUEST, "magic", "the frame does not begin with DRKM");
    if (at[4] != FRAME_VERSION)
        return fail_field(f, ERR_BAD_REQUEST, "version", "frame version %d is not known", at[4]);
    h = (struct frame){.kind = (enum frame_kind)at[5],
                       .format = (enum frame_format)at[6],
                       .phase = at[7],
                       .job = get(at + 8, 8),
                       .seq = get(at + 16, 8),
                       .width = (int)get(at + 24, 2),
                       .height = (int)get(at + 26, 2),
                       .bytes = (uint32_t)get(at + 28, 4)};
    field = wrong(&h);
    if (field)
        return fail_field(f, ERR_BAD_REQUEST, field, "the frame's %s is out of range", field);
    if (len - FRAME_HEADER != h.bytes)
        return fail_field(f, ERR_BAD_REQUEST, "bytes", "the frame announces %u bytes and has %zu",
                          h.bytes, len - FRAME_HEADER);
    *out = h;
    return 0;
}

const char *frame_format_name(enum frame_format format)
{
    static const char *const NAME[] = {"none", "jpeg", "png"};

    assert(format >= FRAME_NONE && format <= FRAME_PNG);
    return NAME[format];
}
