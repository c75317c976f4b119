/* post - a worker's messages to the loop: device events, and that the model cannot be opened.
 *
 * None may be lost, as the hub would wait for it for ever: without memory for a message the
 * thread waits until there is some. Thread: any, no state. */
#ifndef SERVER_WORKER_POST_H
#define SERVER_WORKER_POST_H

#include "server/events.h"

/* Where they go, and the number of the device that sends them. */
struct post {
    struct mbox *loop;
    int device;
};

/* An event to be filled in and sent. */
struct loop_device_event *post_new(enum device_event_kind, uint64_t job);
void post_send(const struct post *, struct loop_device_event *);
/* An event that needs no more than its kind and job. */
void post_event(const struct post *, enum device_event_kind, uint64_t job);
void post_failed(const struct post *, uint64_t job, const struct fail *why);
void post_fatal(const struct post *, const struct fail *why);

#endif
