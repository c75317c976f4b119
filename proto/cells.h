/* cells - what a sweep's row on disk, and its `end`, hold of each cell: a JSON array of objects.
 *
 *   while it goes on   {"job": ID, "cost": SECONDS}            cost: what it is planned to take
 *   when it is over    {"job": ID, "state": "done", "url": "/i/.."}  url: of a picture
 *
 * Thread: any, no state. */
#ifndef PROTO_CELLS_H
#define PROTO_CELLS_H

#include "proto/event.h"
#include "proto/limits.h"
#include "proto/url.h"

struct cell {
    uint64_t job;
    double cost;             /* > 0; not written when it is over */
    int state;               /* enum event_state, -1: it is not over */
    char digest[URL_DIGEST]; /* of its picture; "" none */
};

/* Write the array, on its own. */
void cells_write(const struct cell *, int n, struct text *out);
/* Read what cells_write() wrote. The number of cells, 1 .. LIMIT_CELLS, or -1: it is damaged, or
 * memory is short. */
int cells_parse(const char *json, struct cell out[LIMIT_CELLS]);

#endif
