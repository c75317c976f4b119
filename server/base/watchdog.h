/* watchdog - a thread that ends the process when another one has stopped: a service manager
 * starts it again, and accepted jobs are on disk.
 *
 * Each watched thread has a pulse. A thread with a mailbox marks when it begins and ends a piece of
 * work, and who gives it work marks that first; one that sleeps in poll() is asked for a sign now
 * and then. Time is counted in the watchdog's own naps, not read from a clock: a process that is
 * stopped (Ctrl+Z, a frozen container, a sleeping laptop) naps as little as it works, so nothing is
 * late when it goes on. */
#ifndef SERVER_BASE_WATCHDOG_H
#define SERVER_BASE_WATCHDOG_H

#include "proto/fail.h"

#include <stdatomic.h>

enum {
    WATCHDOG_NAP_MS = 1000,
    WATCHDOG_PULSES = 4,
    WATCHDOG_ASK = 5 /* naps between two questions: an idle process is to sleep */
};

struct watchdog;

/* One watched thread; the atomics are its own and the watchdog's, the rest stays as it was made. */
struct pulse {
    const char *name;       /* "network loop" */
    unsigned naps_max;      /* longest piece of work, in naps */
    void (*ask)(void *arg); /* make it call pulse_end() soon; NULL: it marks its work itself */
    void *arg;
    atomic_bool busy;       /* it has work, or is about to be given some */
    _Atomic unsigned moved; /* counts its signs of life */
};

struct watchdog_conf {
    struct pulse *pulses[WATCHDOG_PULSES]; /* up to the first NULL; they outlive the watchdog */
    int nap_ms;                            /* WATCHDOG_NAP_MS, less in tests */
    int fd;                                /* where the last words go */
    void (*end)(int status);               /* _exit(), another one in tests */
};

/* Starts the thread. ERR_OUT_OF_MEMORY, ERR_INTERNAL. */
int watchdog_new(struct watchdog **out, const struct watchdog_conf *, struct fail *f);
void watchdog_free(struct watchdog *); /* NULL is fine */

/* Any thread, before it gives the watched one some work. */
void pulse_due(struct pulse *);
/* The watched thread: a piece of work begins, or the next one does; there is no more. */
void pulse_begin(struct pulse *);
void pulse_end(struct pulse *);

#endif
