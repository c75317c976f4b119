/* reserve - messages that are kept for when memory is short.
 *
 * A question that another thread is to answer, but for which there is no memory, must be answered
 * nevertheless, as its client waits. What answers it then is taken from here. Thread: any, one at a
 * time. */
#ifndef SERVER_BASE_RESERVE_H
#define SERVER_BASE_RESERVE_H

#include "server/base/mbox.h"

#include <stddef.h>

struct reserve {
    size_t bytes; /* of each message */
    int n;
    struct msg *first;
};

/* How many refusals in a row are answered while there is no memory at all. */
enum { RESERVE_MESSAGES = 16 };

/* Fill it, at the start. */
void reserve_fill(struct reserve *);
/* One of them, all zero, malloc'ed: the caller's; it is replaced with the next one that is taken
 * when there is memory again. Ends the process when it is empty, with a line on stderr: without an
 * answer a job would hang for ever, while after a restart all that was accepted is there. */
void *reserve_take(struct reserve *);
void reserve_free(struct reserve *);

#endif
