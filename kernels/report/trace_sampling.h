/* trace_sampling - the sampling rule by itself: what rows of logits are sampled from. */
#ifndef KERNELS_REPORT_TRACE_SAMPLING_H
#define KERNELS_REPORT_TRACE_SAMPLING_H

#include "weights/config.h"

#include <stdint.h>

/* probs [rows, n]: what each row of logits [rows, n] is sampled from by the reference's rule, 0 for
 * what it removes; kept [rows] (or NULL): how many are left. */
int trace_sampling_probs(float *probs, int64_t *kept, const float *logits, int64_t rows, int n,
                         const struct sample_config *, struct fail *);

#endif
