/* trace_sampling - what the two halves of `darkroom trace` share. */
#ifndef KERNELS_REPORT_TRACE_SAMPLING_H
#define KERNELS_REPORT_TRACE_SAMPLING_H

#include "kernels/glm.h"
#include "weights/config.h"
#include "weights/safetensors/safetensors.h"

/* probs [rows, n]: what each row of logits [rows, n] is sampled from by the reference's rule, 0 for what it
 * removes; kept [rows] (or NULL): how many are left. */
int trace_probs(float *probs, int64_t *kept, const float *logits, int64_t rows, int n,
                const struct sample_config *, struct fail *);

/* Open a file that is named on the command line and is no part of the model. */
int trace_open(struct safetensors **out, const char *path, struct fail *);

#endif
