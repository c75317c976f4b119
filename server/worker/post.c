/* post - each message is allocated by its sender and freed by the loop. */
#include "server/worker/post.h"

#include <stdlib.h>
#include <time.h>

struct loop_device_event *post_new(enum device_event_kind kind, uint64_t job)
{
    struct loop_device_event *m;

    while (!(m = calloc(1, sizeof *m)))
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    m->m.kind = LOOP_DEVICE_EVENT;
    m->event.kind = kind;
    m->event.job = job;
    return m;
}

void post_send(const struct post *p, struct loop_device_event *m)
{
    m->event.device = p->device;
    mbox_push(p->loop, &m->m);
}

void post_event(const struct post *p, enum device_event_kind kind, uint64_t job)
{
    post_send(p, post_new(kind, job));
}

void post_failed(const struct post *p, uint64_t job, const struct fail *why)
{
    struct loop_device_event *m = post_new(RUN_FAILED, job);

    m->event.fail = *why;
    post_send(p, m);
}

void post_fatal(const struct post *p, const struct fail *why)
{
    struct loop_fatal *m;

    while (!(m = calloc(1, sizeof *m)))
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    m->m.kind = LOOP_FATAL;
    m->why = *why;
    mbox_push(p->loop, &m->m);
}
