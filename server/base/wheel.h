/* wheel - timers of thousands of connections: to set, move and stop one costs the same for any
 * number.
 *
 * A ring of lists, one for each second; a timer stands in the list of the second in which it is
 * due, so it fires up to a second late and never early. Times that are further away than one
 * turn wait in the last list and are put in again. No thread, no clock: time is an argument
 * (clock_us()).
 * Owner: the struct that embeds it; a timer is part of what it is for and is stopped before that is
 * freed. */
#ifndef SERVER_BASE_WHEEL_H
#define SERVER_BASE_WHEEL_H

#include <stdint.h>

enum { WHEEL_SLOTS = 64 };

struct timer {
    struct timer *next, **self; /* self is NULL while it is stopped */
    int64_t at_us;
};

struct wheel {
    struct timer *slot[WHEEL_SLOTS];
    int64_t second; /* all lists before this second are empty */
    int n;          /* timers that are set */
};

void wheel_init(struct wheel *, int64_t now_us);
/* Set it anew; a time that is past is due at once. */
void wheel_set(struct wheel *, struct timer *, int64_t at_us);
void wheel_stop(struct wheel *, struct timer *); /* a stopped one is fine */

/* Take out a timer that is due, NULL: none is. Call until it says NULL. */
struct timer *wheel_due(struct wheel *, int64_t now_us);
/* When wheel_due() is to be asked next; INT64_MAX: nothing is set. */
int64_t wheel_next(const struct wheel *);

#endif
