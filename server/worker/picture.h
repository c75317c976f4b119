/* picture - takes a finished picture off the device. Thread: the worker's. */
#ifndef SERVER_WORKER_PICTURE_H
#define SERVER_WORKER_PICTURE_H

#include "server/worker/pixels.h"
#include "server/worker/residents.h"

/* *out becomes the caller's and takes the resident's spec. On failure *out is NULL and the
 * resident as it was: ERR_DEVICE (it can be drawn again when the device is back),
 * ERR_OUT_OF_MEMORY. */
int picture_take(struct resident *, struct pixels_picture **out, struct fail *f);

#endif
