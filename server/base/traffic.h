/* traffic - what the network counts: connections, answers by status, how late previews are. Pure;
 * one owner: the loop's. */
#ifndef SERVER_BASE_TRAFFIC_H
#define SERVER_BASE_TRAFFIC_H

#include "server/base/histogram.h"

#include <stdint.h>

enum { TRAFFIC_STATUS_MIN = 100, TRAFFIC_STATUS_MAX = 599 };

struct traffic {
    int connections, websockets; /* that are open; those among them */
    int connections_max;         /* that may be open */
    /* connections that a limit has refused: on all, on an address's, on a user's */
    uint64_t refused, refused_address, refused_user;
    uint64_t answered[TRAFFIC_STATUS_MAX - TRAFFIC_STATUS_MIN + 1]; /* requests, by status */
    struct histogram frame_lag; /* from the end of a quantum to its preview frame in the socket */
};

/* A request was answered with this status; 101: it became a WebSocket. */
void traffic_answered(struct traffic *, int status);

#endif
