/* fair - when each resident of a device would end if all had equal shares of its time.
 *
 * The schedule is only imagined, beside what the device really does: the device has so many places,
 * and each of the n jobs in them gets an n-th of its time (processor sharing). The batcher serves
 * the resident that ends first here (fair sojourn protocol: Friedman, Henderson 2003). So each
 * really ends no later than here, as long as costs are as planned, most end much earlier, and one
 * that comes later delays only those that would end after it.
 *
 * Work is planned work (glm_cost.work), and so is virtual time: what a job that came at 0 and never
 * waited would have had of the device by then. As it is planned and not measured, two equal jobs
 * cost the same and never change places. A virtual end is the beginning plus the cost, however many
 * come later, so it is computed once. Jobs really leave earlier than here, so one may find a place
 * on the device and none here: then it begins where the first of those here ends.
 *
 * Both schedules have done as much work at any moment, and this says what virtual time it is: the
 * one at which as much is left here as the residents really have left. Pure; thread: the loop's. */
#ifndef SERVER_CORE_FAIR_H
#define SERVER_CORE_FAIR_H

#include "server/core/ledger.h"

struct fair {
    double now;
    double begin; /* of the one that came last: where one is cancelled, none begins before others */
    double
        end[LEDGER_MAX]; /* of the places that are taken: of the last job in each; in any order */
    int n;
};

/* One comes with so much work, to residents that have so much left in all; places: the device's
 * cap, 1 .. LEDGER_MAX. Its virtual end; of two with the same one that of the later is later. */
double fair_join(struct fair *, int places, double left, double cost);
/* The one that ends there is off the device, and what it has left will not be done there. */
void fair_leave(struct fair *, double end, double left);

#endif
