/* preview - draws what is known of a picture, as often as its viewers ask and the device's time
 * allows.
 * Thread: the worker's. */
#ifndef SERVER_WORKER_PREVIEW_H
#define SERVER_WORKER_PREVIEW_H

#include "server/base/log.h"
#include "server/worker/pixels.h"
#include "server/worker/residents.h"

struct preview {
    struct pixels pixels;
    struct mbox *encoder;
    struct log *log;
    int64_t busy_us, preview_us; /* device time of quanta, of previews */
    unsigned missed;             /* without a free slot, not reported yet */
};

/* Into a free slot and on to the encoder; without one it is skipped: the next quantum shows more.
 * computed_us: when the quantum that it shows ended. ERR_DEVICE: the device failed; else 0. */
int preview_draw(struct preview *, struct resident *, enum glm_phase, int64_t computed_us,
                 struct fail *f);

#endif
