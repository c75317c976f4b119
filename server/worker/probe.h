/* probe - measures a quantum of each kind while there is nothing to draw.
 *
 * Before anything was measured every estimate is a guess. A picture of the model's own size with
 * one denoising step is drawn and thrown away, quantum by quantum, each reported as RATE_MEASURED.
 * It ends as soon as a job arrives, with the last quantum, or after PROBE_US.
 * Thread: the worker's. */
#ifndef SERVER_WORKER_PROBE_H
#define SERVER_WORKER_PROBE_H

#include "kernels/glm.h"
#include "server/worker/post.h"

enum { PROBE_US = 20000000 };

struct probe {
    struct glm_run *run; /* NULL: none is under way */
    struct glm_cost cost;
    int pixels;
    int64_t until_us;
};

/* Without memory or a plan there is none. 0, or ERR_DEVICE with the reason. */
int probe_begin(struct probe *, struct glm *, struct fail *);
/* One quantum. 0, or an error of the device: it has failed as with any other quantum. */
int probe_step(struct probe *, struct glm *, const struct post *, struct fail *);
void probe_end(struct probe *);

#endif
