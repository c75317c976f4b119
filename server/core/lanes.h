/* lanes - the order in which jobs wait: by lane, and inside a lane so that users share the devices.
 *
 * Inside a lane it is start-time fair queueing (Goyal, Vin, Cheng 1996) over device-seconds: each
 * waiting job of a user begins, in virtual time, where that user's job before it ends, and the job
 * that begins first is the next. A job takes its device-seconds divided by the user's weight; the
 * virtual time of a lane is the beginning of the job that started last, and a user who comes with
 * nothing waiting begins there: what it did not use before is not saved up. So of two users with
 * work waiting, neither has started more than one job's device-seconds (by weight) beyond the
 * other, and one user's jobs are first come, first served.
 *
 * What a job takes is estimated when it comes to wait, counted when it starts, and put right when
 * it ends. These numbers stand on the jobs, so that the queue is sorted once and not searched at
 * every turn. Thread: the loop's. */
#ifndef SERVER_CORE_LANES_H
#define SERVER_CORE_LANES_H

#include "proto/user.h"
#include "server/core/dispatch.h"
#include "server/core/eta.h"
#include "server/core/job.h"
#include "server/core/queue.h"

#include <stdbool.h>

struct lanes {
    const struct eta *eta;
    double now[LANES]; /* virtual seconds */
    double passed_s;   /* as dispatch has it */
    bool stale;        /* the places of some account's jobs are no longer what follows from it */
};

/* A new job waits, on disk or on its way there: give it its place. The queue has room for it. */
void lanes_join(struct lanes *, struct queue *, struct job *);
/* It is on disk, and may start. */
void lanes_ready(struct lanes *, struct job *);
/* One whose run was lost or suspended waits again: first of its user's, as it came before them. */
void lanes_return(struct lanes *, struct queue *, struct job *);
/* It waits no more. */
void lanes_start(struct lanes *, struct queue *, struct job *);
void lanes_leave(struct lanes *, struct queue *, struct job *);
/* It is held, and no more: then it stands where its rank puts it. */
void lanes_hold(struct lanes *, struct queue *, struct job *);
void lanes_release(struct lanes *, struct queue *, struct job *);
/* Its rank is another than its order, or than it was. */
void lanes_ranked(struct lanes *, const struct job *);
/* It is off the device for ever: what it took is known. */
void lanes_end(struct lanes *, const struct job *);
/* What waiting jobs will take, or their users' weights, are other than they were. */
void lanes_changed(struct lanes *, struct accounts *);
/* Sort what has become stale. True: places may have changed. */
bool lanes_settle(struct lanes *, struct queue *, struct accounts *);

/* A waiting job as dispatch_next() wants it. */
struct dispatch_job lanes_turn(const struct lanes *, const struct job *);
/* One more job of this account as it would stand in the queue. */
struct dispatch_job lanes_next(const struct lanes *, const struct account *, enum user_lane);
/* Where one that begins there would stand: 0 .. q->n. */
int lanes_place(const struct queue *, const struct dispatch_job *);

#endif
