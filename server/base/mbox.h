/* mbox - a mailbox between threads: push under a lock, wake only when it was empty, take the
 * whole list.
 *
 * A message is a struct that begins with `struct msg`; pushing gives it away, the receiver owns
 * it and handles it outside the lock. Two kinds of receiver: a thread that sleeps in mbox_wait,
 * or a loop that is woken by the callback given to mbox_init (called outside the lock).
 * Thread: push from any; take and wait from the one receiver. */
#ifndef SERVER_BASE_MBOX_H
#define SERVER_BASE_MBOX_H

#include <pthread.h>

struct msg {
    struct msg *next;
    int kind; /* the receiver's own enum */
};

struct mbox {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct msg *head, **tail;
    void (*wake)(void *);
    void *arg;
};

/* wake may be NULL (the receiver uses mbox_wait). */
void mbox_init(struct mbox *, void (*wake)(void *), void *arg);
/* The box must be empty: what is left in it would leak. */
void mbox_destroy(struct mbox *);

void mbox_push(struct mbox *, struct msg *);
/* All messages in the order of their pushes, linked by next; NULL when there are none. */
struct msg *mbox_take(struct mbox *);
/* The same, but sleeps until there is one, at most timeout_ms (< 0: for ever). */
struct msg *mbox_wait(struct mbox *, int timeout_ms);

#endif
