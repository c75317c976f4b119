/* request - what a submit or a quote asks for: one picture, or the cells of a sweep, each with its
 * plan. Thread: the loop's. */
#ifndef SERVER_CORE_REQUEST_H
#define SERVER_CORE_REQUEST_H

#include "server/core/core.h"
#include "server/core/forecast.h"

#include "proto/command.h"

struct request {
    int n; /* pictures */
    bool planned;
    struct spec spec[LIMIT_CELLS]; /* borrowed from the command */
    struct job_plan plan[LIMIT_CELLS];
    double seconds[LIMIT_CELLS]; /* of device time, each alone; planned only */
};

/* The pictures of a command, planned when there is a model. 0, or why one of them cannot be drawn:
 * what capacity_plan() gives, ERR_TIMEOUT when it would take longer than a job may; f names the
 * cell. */
int request_plan(struct hub *, const struct command *, struct request *out, struct fail *f);
/* May this account draw each of them? 0 or ERR_FORBIDDEN. */
int request_allowed(const struct account *, const struct command *, struct fail *f);
/* Whether this client has not asked for too much lately; it counts. 0 or ERR_RATE_LIMITED. */
int request_often(struct hub *, int64_t now, struct client *, struct fail *f);
/* When they would start and end, together, if they were submitted now; only when planned. */
void request_times(struct hub *, int64_t now, const struct account *, const struct request *,
                   struct forecast_times *out);
/* Device-seconds of all together, and the most bytes that one needs while it runs. */
double request_seconds(const struct request *);
int64_t request_bytes(const struct request *);

#endif
