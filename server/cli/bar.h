/* bar - how far a picture is: a bar on a terminal, elsewhere a line for each phase. On stderr.
 * Thread: main's. */
#ifndef SERVER_CLI_BAR_H
#define SERVER_CLI_BAR_H

#include <stdbool.h>

struct bar {
    bool terminal;
    char phase[16]; /* the one that a line was printed for */
};

struct bar bar_begin(void);
/* done of total in this phase; overall from 0 to 1. */
void bar_show(struct bar *, const char *phase, int done, int total, double overall);
/* The job waits at this place. */
void bar_wait(struct bar *, int place);
void bar_clear(const struct bar *);

#endif
