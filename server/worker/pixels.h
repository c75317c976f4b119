/* pixels - raw pictures on their way from the worker to the encoder: previews in slots, results
 * in one piece.
 *
 * The slots bound what waits for the encoder: with none free the worker skips a preview.
 * Thread: any; the pool has a lock. */
#ifndef SERVER_WORKER_PIXELS_H
#define SERVER_WORKER_PIXELS_H

#include "proto/event.h"
#include "proto/limits.h"
#include "proto/spec.h"
#include "server/base/mbox.h"

#include <pthread.h>
#include <stdint.h>

enum { PIXELS_PREVIEW, PIXELS_PICTURE, PIXELS_STOP };

struct pixels;

/* One preview on its way to the encoder: rgb is width x height pixels of three bytes. */
struct pixels_preview {
    struct msg m; /* kind PIXELS_PREVIEW */
    struct pixels *owner;
    uint64_t job;
    enum event_phase phase;
    uint32_t classes; /* of board.h, as bits */
    int width, height;
    int64_t computed_us; /* end of the quantum that it shows */
    uint8_t *rgb;
    struct pixels_preview *next_free;
};

/* A finished picture on its way to the encoder, which frees it. */
struct pixels_picture {
    struct msg m; /* kind PIXELS_PICTURE */
    uint64_t job;
    struct spec spec;
    int steps; /* of denoising that were done */
    int width, height;
    bool bare; /* its file says nothing of the request */
    uint8_t *rgb;
};

struct pixels {
    pthread_mutex_t lock;
    struct pixels_preview slot[LIMIT_PREVIEW_SLOTS], *free_slots;
};

/* p is all zero. ERR_OUT_OF_MEMORY: nothing is held. */
int pixels_init(struct pixels *p, struct fail *f);
/* No slot may be with the encoder any more. */
void pixels_destroy(struct pixels *);

/* A free slot for LIMIT_PREVIEW_PX_MAX squared pixels, or NULL. */
struct pixels_preview *pixels_take(struct pixels *);
void pixels_release(struct pixels_preview *);
void pixels_picture_free(struct pixels_picture *); /* NULL is fine */

#endif
