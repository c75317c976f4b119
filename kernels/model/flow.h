/* flow - the flow-matching schedule and the sinusoids that tell the DiT time and size.
 *
 * Host arithmetic, every rounding where the reference has it. Source:
 * FlowMatchEulerDiscreteScheduler (time_shift_type linear), GlmImagePipeline.calculate_shift,
 * get_timestep_embedding. Thread: any. */
#ifndef KERNELS_MODEL_FLOW_H
#define KERNELS_MODEL_FLOW_H

#include "weights/config.h"

/* sqrt(patches / base_len) max_shift + base_shift. */
double flow_mu(const struct flow_config *, int64_t patches);

/* timestep[steps]: whole numbers, falling from train_steps; the DiT gets timestep - 1.
 * sigma[steps + 1]: shifted noise levels 1 .. 0. */
void flow_schedule(const struct flow_config *, int64_t patches, int steps, float *timestep,
                   float *sigma);

/* out[n]: cos(v w_i), then sin(v w_i), w_i = 10000^(-i / (n/2)); an odd n ends in 0. */
void flow_sinusoid(float *out, int n, float v);

/* out[4 n]: the sinusoids of crop top, crop left (both 0), height and width in pixels. */
void flow_size_sinusoid(float *out, int n, int height, int width);

#endif
