/* sweeps - a sweep is a job whose pictures are drawn by other jobs, its cells.
 *
 * It stands in the table of jobs as any other, with a state, a board, an owner and a row, but in no
 * queue, on no device and in no count: those have its cells. What happens to these is noted each
 * time the hub settles: a `cell` event for each that has another state, one place and end for those
 * that wait, one progress weighed by what each was planned to take when it was accepted, and the
 * end when the last of them is over. A cell that is over stays in memory until that is noted; then
 * the sweep knows all it needs of it. Thread: the loop's. */
#ifndef SERVER_CORE_SWEEPS_H
#define SERVER_CORE_SWEEPS_H

#include "server/core/core.h"

/* Make a job a sweep with these cells; axes: JSON, copied. 0 or ERR_OUT_OF_MEMORY. */
int sweeps_make(struct job *, const char *axes, const struct cell *, int n);
/* The job of one of its cells: it is noted until it is over. */
void sweeps_own(struct job *sweep, int cell, struct job *);
/* In a sweep that was over: what became of a cell, which sweeps_make() was given. */
void sweeps_recall(struct job *sweep, int cell);
/* It is on disk, and so are its cells. After a restart each is told anew. */
void sweeps_begin(struct hub *, struct job *sweep);
/* Note what happened to cells; pushed: places and times were made anew just now. */
void sweeps_settle(struct hub *, int64_t now, bool pushed);

/* Its cell that ends last, by the forecast; NULL: not known. */
const struct job *sweeps_last(const struct job *sweep);

/* What a command about a sweep does to those of its cells that it can be done to: how many. */
int sweeps_cancel(struct hub *, struct job *sweep);
int sweeps_hold(struct hub *, int64_t now, struct job *sweep);
int sweeps_release(struct hub *, struct job *sweep);

#endif
