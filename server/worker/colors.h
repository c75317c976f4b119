/* colors - when the worker fits the colours of previews, which a model's first start has not got.
 *
 * While nothing is drawn, at once. While there are jobs, the first time as soon as somebody watches
 * one, which makes passable previews; the rest then has a fifth of the time, since the jobs were
 * forecast without it. Thread: the worker's. */
#ifndef SERVER_WORKER_COLORS_H
#define SERVER_WORKER_COLORS_H

#include "server/base/log.h"
#include "server/worker/residents.h"

struct colors {
    bool missing;           /* to be fitted */
    int64_t us, drawing_us; /* on them, and on jobs meanwhile */
};

void colors_begin(struct colors *); /* an engine was opened */
bool colors_due(const struct colors *, const struct residents *);
/* One picture of the fit. 0, or ERR_DEVICE: the device failed. */
int colors_step(struct colors *, struct glm *, struct log *, struct fail *);

#endif
