/* visible - a table of what shows nothing, and a search in it. */
#include "proto/visible.h"

#include "proto/text.h"

#include <stdint.h>

/* Code points that show nothing: white space, controls, what Unicode calls ignorable by default,
 * the empty braille cell and the marks of interlinear notes. In order, first to last. */
static const uint32_t INVISIBLE[][2] = {
    {0x0, 0x20},        {0x7f, 0xa0},       {0xad, 0xad},     {0x34f, 0x34f},   {0x61c, 0x61c},
    {0x115f, 0x1160},   {0x1680, 0x1680},   {0x17b4, 0x17b5}, {0x180b, 0x180f}, {0x2000, 0x200f},
    {0x2028, 0x202f},   {0x205f, 0x206f},   {0x2800, 0x2800}, {0x3000, 0x3000}, {0x3164, 0x3164},
    {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0}, {0xfff0, 0xfffb}, {0x1bca0, 0x1bca3},
    {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
};

/* The code point of the n bytes at s, which text_utf8 found valid. */
static uint32_t code_point(const char *s, size_t n)
{
    static const unsigned char FIRST[] = {0, 0x7f, 0x1f, 0xf, 7};
    uint32_t c = (unsigned char)s[0] & FIRST[n];

    for (size_t i = 1; i < n; i++)
        c = c << 6 | ((unsigned char)s[i] & 0x3f);
    return c;
}

static bool is_visible(uint32_t c)
{
    for (size_t i = 0; i < sizeof INVISIBLE / sizeof *INVISIBLE; i++)
        if (c <= INVISIBLE[i][1]) return c < INVISIBLE[i][0];
    return true;
}

bool visible_text(const char *s, size_t len)
{
    for (size_t i = 0, n; i < len; i += n) {
        n = text_utf8(s + i, len - i);
        if (n == 0) return false;
        if (is_visible(code_point(s + i, n))) return true;
    }
    return false;
}
