/* phases - an engine's phase as clients are told it. Thread: any. */
#ifndef SERVER_CORE_PHASES_H
#define SERVER_CORE_PHASES_H

#include "kernels/glm.h"
#include "proto/event.h"

static inline enum event_phase phases_wire(enum glm_phase phase)
{
    static const enum event_phase WIRE[GLM_PHASES] = {
        [GLM_GLYPH] = PHASE_GLYPH, [GLM_VISION] = PHASE_VISION,   [GLM_ENCODE] = PHASE_ENCODE,
        [GLM_PRIOR] = PHASE_PRIOR, [GLM_DENOISE] = PHASE_DENOISE, [GLM_DECODE] = PHASE_DECODE};

    return WIRE[phase];
}

#endif
