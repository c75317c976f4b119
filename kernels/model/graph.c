/* graph - naming the tensors that a trace watches. */
#include "kernels/model/graph.h"

#include "weights/safetensors/dtype.h"

#include <stdarg.h>
#include <stdio.h>

enum { NAME_MAX_BYTES = 96 };

static void see(const struct graph *g, tensor t, enum tap_shape shape, int h, int w,
                const char *format, va_list ap)
{
    char name[NAME_MAX_BYTES];

    vsnprintf(name, sizeof name, format, ap);
    g->tap->see(g->tap->ctx, name, t, shape, h, w);
}

void tap(const struct graph *g, tensor t, const char *format, ...)
{
    va_list ap;

    if (!g->tap) return;
    va_start(ap, format);
    see(g, t, TAP_ROWS, 0, 0, format, ap);
    va_end(ap);
}

void tap_vector(const struct graph *g, tensor t, const char *format, ...)
{
    va_list ap;

    if (!g->tap) return;
    va_start(ap, format);
    see(g, t, TAP_VECTOR, 0, 0, format, ap);
    va_end(ap);
}

void tap_planes(const struct graph *g, tensor t, int h, int w, const char *format, ...)
{
    va_list ap;

    if (!g->tap) return;
    va_start(ap, format);
    see(g, t, TAP_PLANES, h, w, format, ap);
    va_end(ap);
}

void tap_picture(const struct graph *g, tensor t, int h, int w, const char *format, ...)
{
    va_list ap;

    if (!g->tap) return;
    va_start(ap, format);
    see(g, t, TAP_PICTURE, h, w, format, ap);
    va_end(ap);
}

void graph_put(struct dev *d, tensor t, float *v)
{
    if (t.type == DT_BF16) {
        uint16_t *half = (uint16_t *)v; /* in place: element i is written after it was read */

        for (int64_t i = 0; i < t.rows * t.cols; i++)
            half[i] = f32_to_bf16(v[i]);
    }
    d->ops->put(d, t, v);
}
