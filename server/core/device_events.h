/* device_events - handles the devices' events: quanta, the ends of runs, failures; and the
 * watchdog for their silence. Thread: the loop's. */
#ifndef SERVER_CORE_DEVICE_EVENTS_H
#define SERVER_CORE_DEVICE_EVENTS_H

#include "server/core/core.h"

/* Every entry of the hub calls this, those that look at the time before all else. While a device
 * works the hub is called at least every HUB_LOOK_US; a much longer gap means that the process was
 * stopped (Ctrl+Z, a frozen container, a sleeping machine), which is no silence of a device and no
 * work of a job. */
void device_events_awake(struct hub *, int64_t now);
void device_events_apply(struct hub *, int64_t now, const struct device_event *);
/* A busy device that was silent for too long counts as stuck: its jobs end or wait again. */
void device_events_watch(struct hub *, int64_t now);
/* When the watchdog wants to look next; INT64_MAX: not at all. */
int64_t device_events_due(const struct hub *);

#endif
