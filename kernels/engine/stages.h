/* stages - all stages of the model bound to one device: its weights and what is computed from them
 * once.
 *
 * Bound twice: to the device that draws, and to the dry device that plans. Immutable after
 * stages_prepare.
 * Thread: made and freed by the device's worker; the dry one may be read by any thread. */
#ifndef KERNELS_ENGINE_STAGES_H
#define KERNELS_ENGINE_STAGES_H

#include "kernels/model/dit.h"
#include "kernels/model/glyph.h"
#include "kernels/model/prior.h"
#include "kernels/model/vae.h"
#include "kernels/model/vae_encoder.h"
#include "kernels/model/vision.h"
#include "weights/model.h"

struct stages {
    struct dev *dev;
    struct offload *offload; /* NULL: all weights stay on the device */
    struct weight_list list;
    void *mem; /* constants: the glyph encoder's bias */
    size_t mem_bytes;
    struct glyph glyph;
    struct prior prior;
    struct dit dit;
    struct vae vae;
    int conditions; /* 1: what condition images need is bound, too: */
    struct vision vision;
    struct vae_encoder encoder;
};

/* offload: where groups of weights are, or NULL. conditions 1: with what condition images need, if
 * the device can. Pack all weights, then compute the unconditional
 * branch's rows. dev.scratch must hold what that needs: on a dry device it is measured
 * (dev.scratch.peak). The model must outlive the stages. */
int stages_bind(struct stages *, struct dev *, const struct model *, struct offload *,
                int conditions, struct fail *);
int stages_prepare(struct stages *, const struct model *, struct fail *);
void stages_close(struct stages *);

size_t stages_bytes(const struct stages *); /* weights and constants on the device */

/* The device's scratch, made or made larger; it must be empty. */
int scratch_reserve(struct dev *, size_t bytes, struct fail *);
void scratch_free(struct dev *);

#endif
