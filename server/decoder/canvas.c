/* canvas - three steps through memory say all of an orientation. */
#include "server/decoder/canvas.h"

/* Source: EXIF 2.32, tag 274. */
void canvas_init(struct canvas *c, uint8_t *rgb, const struct image_facts *facts)
{
    const ptrdiff_t w = facts->file_width, h = facts->file_height;
    const struct {
        ptrdiff_t origin, right, down;
    } steps[9] = {
        [1] = {0, 1, w},           [2] = {w - 1, -1, w},
        [3] = {w * h - 1, -1, -w}, [4] = {(h - 1) * w, 1, -w},
        [5] = {0, h, 1},           [6] = {h - 1, h, -1},
        [7] = {w * h - 1, -h, -1}, [8] = {(w - 1) * h, -h, 1},
    };
    const int o = facts->orientation;

    *c = (struct canvas){rgb, steps[o].origin, steps[o].right, steps[o].down, false};
}

static uint8_t *place(struct canvas *c, int x, int y)
{
    return c->rgb + 3 * (c->origin + x * c->right + y * c->down);
}

void canvas_rgb(struct canvas *c, int x, int y, const uint8_t *rgb, int n)
{
    uint8_t *out = place(c, x, y);

    for (int i = 0; i < n; i++, out += 3 * c->right, rgb += 3) {
        out[0] = rgb[0];
        out[1] = rgb[1];
        out[2] = rgb[2];
    }
}

static uint8_t on_white(int colour, int alpha)
{
    return (uint8_t)((colour * alpha + 255 * (255 - alpha) + 127) / 255);
}

void canvas_rgba(struct canvas *c, int x, int y, const uint8_t *rgba, int n)
{
    uint8_t *out = place(c, x, y);

    for (int i = 0; i < n; i++, out += 3 * c->right, rgba += 4) {
        for (int k = 0; k < 3; k++)
            out[k] = on_white(rgba[k], rgba[3]);
        if (rgba[3] < 255) c->transparent = true;
    }
}

/* a * b / 255, rounded; Pillow's MULDIV255. */
static int product(int a, int b)
{
    const int t = a * b + 128;

    return ((t >> 8) + t) >> 8;
}

/* Source: Pillow's cmyk2rgb, which reads inks that are not inverted. */
void canvas_cmyk(struct canvas *c, int x, int y, const uint8_t *cmyk, int n)
{
    uint8_t *out = place(c, x, y);

    for (int i = 0; i < n; i++, out += 3 * c->right, cmyk += 4)
        for (int k = 0; k < 3; k++)
            out[k] = (uint8_t)(cmyk[3] - product(255 - cmyk[k], cmyk[3]));
}
