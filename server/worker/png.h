/* png - a finished picture as a PNG file in memory, with its words in text chunks, and its digest.
 *
 * Same pixels and texts give the same bytes, hence the same digest and URL: nothing that differs
 * between two runs (time, job, machine) may go in. Thread: any, no state. */
#ifndef SERVER_WORKER_PNG_H
#define SERVER_WORKER_PNG_H

#include "kernels/glm.h"
#include "proto/fail.h"
#include "proto/spec.h"

#include <stddef.h>
#include <stdint.h>

#define PNG_DIGEST_BYTES 32
#define PNG_DIGEST_TEXT  65 /* hex digits with NUL */

struct png_text {
    const char *key;   /* Latin letters, at most 79 */
    const char *value; /* UTF-8: ASCII goes into tEXt, anything else into iTXt */
};

/* rgb [height, width, 3], rows packed. On success *out is malloc'ed, *len bytes, the caller's.
 * ERR_OUT_OF_MEMORY. */
int png_encode(const uint8_t *rgb, int width, int height, const struct png_text *texts, int n_texts,
               uint8_t **out, size_t *len, struct fail *f);

/* A result's file: the picture with prompt, parameters (canonical JSON), model and version. steps:
 * those that were done, which the parameters have as `steps_done` where they are fewer. */
int png_encode_spec(const struct glm_picture *, const struct spec *, int steps, const char *model,
                    const char *version, uint8_t **out, size_t *len, struct fail *f);

/* BLAKE2b-256 in hex. */
void png_digest(const void *bytes, size_t len, char out[PNG_DIGEST_TEXT]);

#endif
