/* spec_images - the pictures that a request begins with: an array of digests, or of jobs whose
 * results they are. Thread: any. */
#ifndef PROTO_SPEC_IMAGES_H
#define PROTO_SPEC_IMAGES_H

#include "proto/fail.h"
#include "proto/limits.h"
#include "proto/text.h"

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#define SPEC_DIGEST_BYTES 32
#define SPEC_DIGEST_TEXT  (2 * SPEC_DIGEST_BYTES + 1) /* hex, with its NUL */

/* A picture that another one begins with. */
struct spec_image {
    uint8_t digest[SPEC_DIGEST_BYTES]; /* of its file; all zero while `job` is set */
    uint64_t job; /* whose result it is, as a client may name it; 0: `digest` counts */
    /* not on the wire: its pixels, 0 until the hub has looked it up; and the size at which the
     * engine reads it, 0 while no model is open */
    int width, height, used_width, used_height;
};

/* 64 lower-case hex digits. false: they are none. */
bool spec_digest_parse(const char *text, uint8_t out[SPEC_DIGEST_BYTES]);
void spec_digest_text(const uint8_t digest[SPEC_DIGEST_BYTES], char out[SPEC_DIGEST_TEXT]);

/* Decode the value of `images`, of at most `most`: how many there are. ERR_BAD_FIELD. */
int spec_images_decode(struct spec_image out[LIMIT_IMAGES], const json_t *, int most,
                       struct fail *);
/* There are some, but the model reads none, for this reason. ERR_BAD_FIELD. */
int spec_images_refuse(const char *why, struct fail *);
void spec_images_write(const struct spec_image *, int n, struct text *out, const char *key);
/* The members of the next one, into the object that is open. */
void spec_image_members(const struct spec_image *, struct text *out);
/* One with its size, and `used` where the engine reads it at another one. */
void spec_image_write(const struct spec_image *, struct text *out, const char *key);
bool spec_images_same(const struct spec_image *, int n, const struct spec_image *, int m);

#endif
