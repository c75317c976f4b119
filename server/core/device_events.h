/* device_events - what the devices tell: quanta, the ends of runs, failures; and the watchdog for
 * their silence. Thread: the loop's. */
#ifndef SERVER_CORE_DEVICE_EVENTS_H
#define SERVER_CORE_DEVICE_EVENTS_H

#include "server/core/core.h"

void device_events_apply(struct hub *, int64_t now, const struct device_event *);
/* A busy device that was silent for too long counts as stuck: its jobs end or wait again. */
void device_events_watch(struct hub *, int64_t now);
/* When the watchdog wants to look next; INT64_MAX: not at all. */
int64_t device_events_due(const struct hub *);

#endif
