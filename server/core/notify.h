/* notify - posts events on a job's board, and marks places and numbers as changed. Thread: the
 * loop's. */
#ifndef SERVER_CORE_NOTIFY_H
#define SERVER_CORE_NOTIFY_H

#include "server/core/core.h"

/* Write an event on the job's board and wake those that follow it. */
void notify_post(struct hub *, int64_t now, struct job *, const struct event *);
/* Where its run stands. */
void notify_progress(struct hub *, int64_t now, struct job *, enum glm_phase, int done, int total);
/* Places or states have changed: they are pushed when it is time (forecast_push). */
void notify_touch(struct hub *);
/* Tell everybody (NULL), or all connections of one account; hello has what holds. */
void notify_notice(struct hub *, int64_t now, struct account *, const struct notice *);
int64_t notify_unix_ms(const struct hub *, int64_t now);
/* A time of the clock as milliseconds from now; -1: unknown. */
int64_t notify_eta_ms(int64_t now, int64_t at_us);

#endif
