/* preview_fit - the preview colours of a model, from the file in `cache` or from the model itself.
 *
 * A few ordinary pictures, drawn in few steps, give the map of latents; pictures whose codes are
 * given, all codes shuffled, give every code its colour. All within a budget of FLOPs; what does
 * not fit (the released model on a CPU) is left out in this order: ordinary pictures for given
 * codes, their size, codes. Thread: the worker. */
#ifndef KERNELS_ENGINE_PREVIEW_FIT_H
#define KERNELS_ENGINE_PREVIEW_FIT_H

#include "kernels/glm.h"

/* Fills the engine's colours from the file, or prepares a fit. */
int preview_fit_open(struct glm *, const char *cache, struct fail *);
/* The next picture of the fit; behind the last the file is written (a folder that cannot be is no
 * failure). Latents have passable colours after the first picture. As glm_preview_fit. */
int preview_fit_step(struct glm *, struct fail *);
void preview_fit_close(struct glm *);

#endif
