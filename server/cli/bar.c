/* bar - one line that is written again on a terminal. */
#include "server/cli/bar.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BAR_CELLS = 32 };

struct bar bar_begin(void)
{
    return (struct bar){.terminal = isatty(STDERR_FILENO) != 0};
}

void bar_show(struct bar *b, const char *phase, int done, int total, double overall)
{
    char cells[3 * BAR_CELLS + 1] = "";
    int full = (int)(overall * BAR_CELLS + 0.5);

    if (!b->terminal) {
        if (strcmp(phase, b->phase) != 0)
            fprintf(stderr, "%s: %d to do, %.0f %% done\n", phase, total, 100 * overall);
        snprintf(b->phase, sizeof b->phase, "%s", phase);
        return;
    }
    for (int i = 0, n = 0; i < BAR_CELLS; i++, n += 3)
        memcpy(cells + n, i < full ? "\u2588" : "\u2591", 4);
    fprintf(stderr, "\r\033[K%-8s %s %3.0f %%  %d/%d", phase, cells, 100 * overall, done, total);
    fflush(stderr);
}

void bar_wait(struct bar *b, int place)
{
    fprintf(stderr, b->terminal ? "\r\033[Kwaiting, place %d" : "waiting, place %d\n", place);
    b->phase[0] = '\0';
    fflush(stderr);
}

void bar_clear(const struct bar *b)
{
    if (b->terminal) fputs("\r\033[K", stderr);
}
