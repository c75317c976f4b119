/* traffic - counters by status; what is no status is not counted. */
#include "server/base/traffic.h"

void traffic_answered(struct traffic *t, int status)
{
    if (status < TRAFFIC_STATUS_MIN || status > TRAFFIC_STATUS_MAX) return;
    t->answered[status - TRAFFIC_STATUS_MIN]++;
}
