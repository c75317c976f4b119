/* reserve - a list; what was taken is replaced when there is memory again. */
#include "server/base/reserve.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

enum { LAST_WORDS_SECONDS = 2 };

/* There is no memory for a line of the log either. */
static void last_words(void)
{
    static const char line[] =
        "darkroom: there is no memory for an answer that a client waits for; the process ends so "
        "that it can be started again (accepted jobs are kept)\n";

    alarm(LAST_WORDS_SECONDS); /* the pipe of the log may be full: SIGALRM ends the process, too */
    if (write(STDERR_FILENO, line, sizeof line - 1) < 0) alarm(0);
}

void reserve_fill(struct reserve *r)
{
    assert(r->bytes >= sizeof(struct msg));
    while (r->n < RESERVE_MESSAGES) {
        struct msg *m = calloc(1, r->bytes);

        if (!m) return;
        m->next = r->first;
        r->first = m;
        r->n++;
    }
}

void *reserve_take(struct reserve *r)
{
    struct msg *m;

    reserve_fill(r);
    m = r->first;
    if (!m) {
        last_words();
        abort();
    }
    r->first = m->next;
    r->n--;
    m->next = NULL;
    return m;
}

void reserve_free(struct reserve *r)
{
    while (r->first) {
        struct msg *m = r->first;

        r->first = m->next;
        free(m);
    }
    r->n = 0;
}
