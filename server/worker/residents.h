/* residents - the runs on one device, in order of arrival. Thread: the worker's. */
#ifndef SERVER_WORKER_RESIDENTS_H
#define SERVER_WORKER_RESIDENTS_H

#include "kernels/glm.h"
#include "proto/limits.h"
#include "proto/spec.h"
#include "server/core/batcher.h"
#include "server/core/effects.h"

#include <stdbool.h>

struct resident {
    uint64_t job;
    struct spec spec;
    struct glm_cost cost; /* as planned */
    double place;         /* in the device's order (order.h) */
    struct glm_run *run;
    struct preview_demand demand;
    int64_t shown_us; /* when its last preview was drawn */
    /* its checkpoints (saver.h): whether there are any, and the newest until it has been written;
     * when that was taken and how far the run was, at first when and where it began */
    bool keep;
    struct blob *saved;
    int64_t saved_us;
    double saved_overall;
};

struct residents {
    struct resident at[LIMIT_BATCH];
    struct batcher_run served[LIMIT_BATCH]; /* of the same index */
    int n;
};

/* Takes spec and run. There must be room. */
void residents_add(struct residents *, const struct resident *);
/* Read where one is now: it was moved by other means than a quantum. */
void residents_look(struct residents *, int i);
int residents_find(const struct residents *, uint64_t job); /* its index, or -1 */
void residents_remove(struct residents *, int i);           /* its run is freed */
void residents_clear(struct residents *);
/* A quantum of the picked ones took elapsed_us: read where they are now. */
void residents_advance(struct residents *, const int *picked, int n, int64_t elapsed_us);

/* The batch of this phase holds all that decode, none denoises and others wait for the prior. The
 * decoder is small: while it works, the weights of the prior can be loaded. */
bool residents_last_decode(const struct residents *, enum glm_phase);
bool residents_watched(const struct residents *); /* previews of one are demanded */

#endif
