/* exif - one tag of one directory; each offset is compared with the length before it is used. */
#include "server/decoder/exif.h"

#include <stdbool.h>
#include <string.h>

enum { TAG_ORIENTATION = 274, TYPE_SHORT = 3, TYPE_LONG = 4, ENTRY_BYTES = 12 };

struct tiff {
    const uint8_t *at;
    size_t len;
    bool little;
};

static uint32_t read_16(const struct tiff *t, size_t at)
{
    const uint8_t *p = t->at + at;

    return t->little ? (uint32_t)p[1] << 8 | p[0] : (uint32_t)p[0] << 8 | p[1];
}

static uint32_t read_32(const struct tiff *t, size_t at)
{
    const uint32_t a = read_16(t, at), b = read_16(t, at + 2);

    return t->little ? b << 16 | a : a << 16 | b;
}

static uint32_t value_of(const struct tiff *t, size_t entry)
{
    switch (read_16(t, entry + 2)) {
    case TYPE_SHORT: return read_16(t, entry + 8);
    case TYPE_LONG: return read_32(t, entry + 8);
    default: return 0;
    }
}

static uint32_t find(const struct tiff *t)
{
    size_t at = t->len >= 8 ? read_32(t, 4) : 0, n;

    if (at < 8 || at > t->len - 2) return 0;
    n = read_16(t, at);
    at += 2;
    for (size_t i = 0; i < n && t->len - at >= ENTRY_BYTES; i++, at += ENTRY_BYTES)
        if (read_16(t, at) == TAG_ORIENTATION) return value_of(t, at);
    return 0;
}

int exif_orientation(const uint8_t *data, size_t len)
{
    struct tiff t = {data, len, false};
    uint32_t value;

    if (t.len >= 6 && !memcmp(t.at, "Exif\0", 6)) t.at += 6, t.len -= 6;
    if (t.len < 4 || (memcmp(t.at, "II*\0", 4) != 0 && memcmp(t.at, "MM\0*", 4) != 0)) return 1;
    t.little = *t.at == 'I';
    value = find(&t);
    return value >= 1 && value <= 8 ? (int)value : 1;
}
