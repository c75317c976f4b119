/* forecast - places and expected times: pushed when they change, at most four times a second; and
 * quotes.
 *
 * A job that has just come to wait gets its place at once, the rest of the news can wait.
 * Thread: the loop's. */
#ifndef SERVER_CORE_FORECAST_H
#define SERVER_CORE_FORECAST_H

#include "server/core/core.h"

/* Push what is due: places, times, statistics. True: it was due. */
bool forecast_push(struct hub *, int64_t now);
int64_t forecast_due(const struct hub *); /* when that is; INT64_MAX: nothing has changed */
/* Play the queue forward: one item for each waiting job, in their order, valid until the next call.
 * NULL: nothing can be said now, or no memory. */
const struct timeline_item *forecast_queue(struct hub *);
/* A job is on its way to the disk: others' quotes count it from now on. */
void forecast_added(struct hub *, int64_t now, struct job *);
/* The same of several. */
void forecast_added_some(struct hub *, int64_t now);
/* It has just come to wait, and its first estimate is due. */
void forecast_accepted(struct hub *, int64_t now, struct job *);
/* What is told of a job's times, from now; -1: not known. */
struct forecast_times {
    int64_t start_ms, eta_ms;
    int64_t lo_ms, hi_ms; /* nine of ten jobs end within them */
};

/* Has a job's expected end moved so far from the one that was sent that it is sent again? */
bool forecast_moved(const struct job *, int64_t now);
/* Of a job that waits or runs. */
void forecast_job(const struct hub *, int64_t now, const struct job *, struct forecast_times *out);
/* Of n more jobs, planned, in the queue's order, in the places that their turns give them: when the
 * first of them starts and the last one ends. */
void forecast_quote(struct hub *, int64_t now, struct timeline_item *more, int n,
                    struct forecast_times *out);
/* When a submit that the full queue refuses should be sent again, each refused one after the next
 * place; with some spread, so that they do not all come at once. Constant time. */
int64_t forecast_retry_ms(struct hub *, int64_t now);
/* When the first waiting job of this account starts, at least 100 ms. */
int64_t forecast_free_ms(const struct hub *, int64_t now, const struct account *);

#endif
