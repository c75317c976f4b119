/* request - what a spec asks of the engine. Thread: any, no state. */
#ifndef SERVER_WORKER_REQUEST_H
#define SERVER_WORKER_REQUEST_H

#include "kernels/glm.h"
#include "proto/spec.h"

/* The prompt and the room for its images are borrowed; the images have sizes, but no pixels. */
void request_of(const struct spec *, struct glm_image images[LIMIT_IMAGES], struct glm_req *out);

#endif
