/* utf8 - validate and walk UTF-8 text. */
#include "weights/tokenizer/utf8.h"

/* Length by the first byte, 0 for what cannot start a character. */
static size_t length_of(unsigned char c)
{
    if (c < 0x80) return 1;
    if (c < 0xc2) return 0;
    if (c < 0xe0) return 2;
    if (c < 0xf0) return 3;
    return c < 0xf5 ? 4 : 0;
}

uint32_t utf8_next(const char *s, size_t n, size_t *len)
{
    const unsigned char *p = (const unsigned char *)s;
    static const unsigned char mask[5] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    size_t k = length_of(*p);
    uint32_t c;

    if (k == 0 || k > n) k = 1;
    c = *p & mask[k];
    for (size_t i = 1; i < k; i++)
        c = c << 6 | (p[i] & 0x3f);
    *len = k;
    return c;
}

bool utf8_valid(const char *s, size_t n)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};

    for (size_t i = 0; i < n;) {
        size_t k = length_of((unsigned char)s[i]), len;
        uint32_t c;

        if (k == 0 || k > n - i) return false;
        for (size_t j = 1; j < k; j++)
            if (((unsigned char)s[i + j] & 0xc0) != 0x80) return false;
        c = utf8_next(s + i, n - i, &len);
        if (c < least[k] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return false;
        i += k;
    }
    return true;
}

size_t utf8_last(const char *s, size_t n)
{
    size_t k = 1;

    while (k < n && k < 4 && ((unsigned char)s[n - k] & 0xc0) == 0x80)
        k++;
    return k;
}

size_t utf8_put(uint32_t c, char out[2])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    out[0] = (char)(0xc0 | c >> 6);
    out[1] = (char)(0x80 | (c & 0x3f));
    return 2;
}

bool utf8_is_space(uint32_t c, bool controls)
{
    if (c < 0x80) return (c >= 9 && c <= 13) || c == 32 || (controls && c >= 0x1c && c <= 0x1f);
    return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028
           || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

size_t utf8_space_before(const char *s, size_t n, bool controls)
{
    size_t i = 0, k;

    while (i < n && utf8_is_space(utf8_next(s + i, n - i, &k), controls))
        i += k;
    return i;
}

size_t utf8_space_after(const char *s, size_t n, bool controls)
{
    size_t end = n, ignored;

    while (end > 0) {
        size_t k = utf8_last(s, end);

        if (!utf8_is_space(utf8_next(s + end - k, k, &ignored), controls)) break;
        end -= k;
    }
    return n - end;
}
