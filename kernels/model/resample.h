/* resample - 8-bit pictures to another size, to the byte as Pillow 13 does it.
 *
 * Two passes, one a direction, each rounded to 8 bits; taps are whole numbers of 1 / 2^22. The
 * vertical pass comes first for pictures that lose much more height than width: it shows in the
 * bytes. A direction whose size stays is not touched. Source: Pillow, src/libImaging/Resample.c.
 * Thread: any. */
#ifndef KERNELS_MODEL_RESAMPLE_H
#define KERNELS_MODEL_RESAMPLE_H

#include "proto/fail.h"

#include <stdint.h>

enum resample_filter { RESAMPLE_BICUBIC, RESAMPLE_LANCZOS };

struct resample_size {
    int w, h; /* pixels, at least 1 */
};

/* to [to_size.h, to_size.w, 3] from [from_size.h, from_size.w, 3], rows packed; they do not
 * overlap. 0 or ERR_OUT_OF_MEMORY. */
int resample(uint8_t *to, struct resample_size to_size, const uint8_t *from,
             struct resample_size from_size, enum resample_filter, struct fail *);

#endif
