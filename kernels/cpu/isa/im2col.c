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

/* One pixel's values [k0, k0 + k): taps row by row, channels inside. Taps side by side in the
 * picture are side by side in memory too, unless it is enlarged or has gaps. */
INLINE void pixel(const struct im2col *g, char *to, int64_t py, int64_t px, int64_t k0, int64_t k,
                  enum pack pack)
{
    const int64_t side = g->side, ch = g->channels, size = pack == PACK_F32 ? 4 : 2;
    const int64_t each = pack == PACK_DP ? 2 : 4, high = (int64_t)g->height << g->up;
    const int64_t wide = (int64_t)g->width << g->up, back = g->half ? 0 : side / 2;
    const int64_t top = (py << g->half) - back, left = (px << g->half) - back;
    const int run = !g->up && g->ld == ch && left >= 0 && left + side <= wide;

    while (k > 0) {
        const int64_t tap = k0 / ch, ty = tap / side, tx = tap % side;
        const int64_t y = top + ty, x = left + tx;
        const int64_t at = k0 - tap * ch, end = run ? (side - tx) * ch : ch;
        const int64_t n = end - at < k ? end - at : k;

        if (y < 0 || x < 0 || y >= high || x >= wide)
            clear(to, n * each);
        else
            move(to,
                 (const char *)g->x
                     + (((y >> g->up) * g->width + (x >> g->up)) * g->ld + at) * size,
                 n, pack);
        to += n * each;
        k0 += n;
        k -= n;
    }
}

INLINE void im2col(const struct im2col *g, char *a, int64_t row, int64_t rows, int64_t k0,
                   int64_t k, enum pack pack)
{
    const int64_t wide = (int64_t)g->width << g->up >> g->half, size = pack == PACK_F32 ? 4 : 2;
    int64_t y = g->side ? row / wide : 0, x = g->side ? row % wide : 0;

    for (int64_t r = 0; r < rows; r++, a += GEMM_STRIDE * 4) {
        if (g->side)
            pixel(g, a, y, x, k0, k, pack);
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
