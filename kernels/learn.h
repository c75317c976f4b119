/* learn - the preview maps of a model, from the file in `cache` or from the model itself.
 *
 * Draws a few pictures whose codes are given (all codes, shuffled, as far as the budget goes), with two
 * steps and no guidance, decodes them, and fits. Bounded work: LEARN_FLOPS. Thread: the worker. */
#ifndef KERNELS_LEARN_H
#define KERNELS_LEARN_H

#include "kernels/glm.h"

/* Fills the engine's maps and writes the file. A folder that cannot be written is no failure. */
int learn_maps(struct glm *, const char *cache, struct fail *);

#endif
