/* source - the pictures that a job begins with, as pixels for the engine.
 *
 * They are files of this server, PNGs that it has written itself; what a client sent is decoded
 * elsewhere (decoder/). Thread: the worker's. */
#ifndef SERVER_WORKER_SOURCE_H
#define SERVER_WORKER_SOURCE_H

#include "kernels/glm.h"
#include "server/worker/work.h"

/* Pixels that live until source_free(). */
struct source_pixels {
    uint8_t *rgb[LIMIT_IMAGES];
};
/* Where the files are that the work has not: the caller gets a reference, or NULL. */
struct source_files {
    struct blob *(*read)(void *arg, const char *digest);
    void *arg;
};

/* Gives the images of a request their pixels: from the blobs of the work, or from the disk.
 * ERR_NOT_FOUND: a picture is gone or damaged. On failure source_free() is still due. */
int source_read(struct source_pixels *, const struct source_files *, const struct work *,
                struct glm_image images[LIMIT_IMAGES], struct fail *f);
void source_free(struct source_pixels *);

#endif
