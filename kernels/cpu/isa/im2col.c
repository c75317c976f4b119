/* im2col - blocks of A for the product: rows of a matrix, or the neighbourhoods of pixels. */
#include "kernels/cpu/isa/activation.h"
#include "kernels/cpu/isa/names.h"

/* n stored values to the form of A: copied, or widened to floats. */
INLINE void move(char *to, const char *from, int64_t n, enum pack pack)
{
    int64_t bytes = n * (pack == PACK_DP ? 2 : 4);

    if (pack == PACK_BF) {
        for (int64_t i = 0; i < n; i += VW)
            set(to, i, get(from, i, lanes(i, n), 1), lanes(i, n), 0);
        return;
    }
    for (; bytes >= 4 * VW; bytes -= 4 * VW, to += 4 * VW, from += 4 * VW)
        vstore((float *)(void *)to, vload((const float *)(const void *)from));
    if (bytes) memcpy(to, from, (size_t)bytes);
}

INLINE void clear(char *to, int64_t bytes)
{
    memset(to, 0, (size_t)bytes);
}

/* Where the values [k0, k0 + k) of every pixel begin: a tap and a channel of it. */
struct origin {
    int64_t y, x, at, k;
};

INLINE struct origin origin_of(const struct im2col *g, int64_t k0, int64_t k)
{
    const int64_t tap = g->side ? k0 / g->channels : 0;

    return (struct origin){.y = g->side ? tap / g->side : 0,
                           .x = g->side ? tap % g->side : 0,
                           .at = k0 - tap * g->channels,
                           .k = k};
}

/* One pixel's values from t on: taps row by row, channels inside. Taps side by side in the picture
 * are side by side in memory too, unless it is enlarged or has gaps. Nothing is divided here: it
 * would take longer than the copy. */
INLINE void pixel(const struct im2col *g, char *to, int64_t py, int64_t px, struct origin t,
                  enum pack pack)
{
    const int64_t side = g->side, ch = g->channels, size = pack == PACK_F32 ? 4 : 2;
    const int64_t each = pack == PACK_DP ? 2 : 4, high = (int64_t)g->height << g->up;
    const int64_t wide = (int64_t)g->width << g->up, back = g->half ? 0 : side / 2;
    const int64_t top = (py << g->half) - back, left = (px << g->half) - back;
    const int run = !g->up && g->ld == ch && left >= 0 && left + side <= wide;

    while (t.k > 0) {
        const int64_t y = top + t.y, x = left + t.x;
        const int64_t end = (run ? (side - t.x) * ch : ch) - t.at, n = end < t.k ? end : t.k;

        if (y < 0 || x < 0 || y >= high || x >= wide)
            clear(to, n * each);
        else
            move(to,
                 (const char *)g->x
                     + (((y >> g->up) * g->width + (x >> g->up)) * g->ld + t.at) * size,
                 n, pack);
        to += n * each;
        t.k -= n;
        t.at = 0;
        if (run || ++t.x == side) t.x = 0, t.y++;
    }
}

INLINE void im2col(const struct im2col *g, char *a, int64_t row, int64_t rows, int64_t k0,
                   int64_t k, enum pack pack)
{
    const int64_t wide = (int64_t)g->width << g->up >> g->half, size = pack == PACK_F32 ? 4 : 2;
    const struct origin t = origin_of(g, k0, k);
    int64_t y = g->side ? row / wide : 0, x = g->side ? row % wide : 0;

    for (int64_t r = 0; r < rows; r++, a += GEMM_STRIDE * 4) {
        if (g->side)
            pixel(g, a, y, x, t, pack);
        else
            move(a, (const char *)g->x + ((row + r) * g->ld + k0) * size, k, pack);
        if (pack == PACK_DP && k % 2) clear(a + k * 2, 2);
        if (++x == wide) x = 0, y++;
    }
}

void NAME(im2col)(const struct im2col *g, void *a, int64_t row, int64_t rows, int64_t k0, int64_t k,
                  enum pack pack)
{
    switch (pack) {
    case PACK_F32: im2col(g, a, row, rows, k0, k, PACK_F32); break;
    case PACK_BF: im2col(g, a, row, rows, k0, k, PACK_BF); break;
    case PACK_DP: im2col(g, a, row, rows, k0, k, PACK_DP); break;
    }
}

/* n pixels of line y from x on, which may lie outside the picture. */
INLINE void line(const struct im2col *g, float *to, int64_t y, int64_t x, int64_t n, enum pack pack)
{
    const int64_t ch = g->channels, size = pack == PACK_F32 ? 4 : 2;
    const int64_t wide = (int64_t)g->width << g->up, end = x + n < wide ? x + n : wide;
    const int64_t first = x < 0 ? 0 : x, together = !g->up && g->ld == ch ? end - first : 1;
    const char *from = (const char *)g->x + (y >> g->up) * g->width * g->ld * size;

    clear((char *)to, (first - x) * ch * 4);
    clear((char *)(to + (end - x) * ch), (x + n - end) * ch * 4);
    for (int64_t i = first; i < end; i += together)
        move((char *)(to + (i - x) * ch), from + (i >> g->up) * g->ld * size, together * ch, pack);
}

INLINE void lines(const struct im2col *g, float *a, int64_t row, int64_t n, enum pack pack)
{
    const int64_t wide = (int64_t)g->width << g->up >> g->half, back = g->half ? 0 : g->side / 2;
    const int64_t top = (row / wide << g->half) - back, left = (row % wide << g->half) - back;
    const int64_t pixels = lines_wide(g, n), high = (int64_t)g->height << g->up;

    for (int64_t y = top; y < top + g->side; y++, a += pixels * g->channels)
        if (y < 0 || y >= high)
            clear((char *)a, pixels * g->channels * 4);
        else
            line(g, a, y, left, pixels, pack);
}

void NAME(lines)(const struct im2col *g, float *a, int64_t row, int64_t n, enum pack pack)
{
    if (pack == PACK_BF)
        lines(g, a, row, n, PACK_BF);
    else
        lines(g, a, row, n, PACK_F32);
}
