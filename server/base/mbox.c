/* mbox - the list is cut off in one piece, so that a receiver never holds the lock while it
 * works. */
#include "server/base/mbox.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

void mbox_init(struct mbox *b, void (*wake)(void *), void *arg)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->filled, &attr);
    pthread_condattr_destroy(&attr);
    b->head = NULL;
    b->tail = &b->head;
    b->wake = wake;
    b->arg = arg;
}

void mbox_destroy(struct mbox *b)
{
    assert(!b->head);
    pthread_cond_destroy(&b->filled);
    pthread_mutex_destroy(&b->lock);
}

void mbox_push(struct mbox *b, struct msg *m)
{
    bool was_empty;

    m->next = NULL;
    pthread_mutex_lock(&b->lock);
    was_empty = !b->head;
    *b->tail = m;
    b->tail = &m->next;
    if (was_empty) pthread_cond_signal(&b->filled);
    pthread_mutex_unlock(&b->lock);
    if (was_empty && b->wake) b->wake(b->arg);
}

static struct msg *cut(struct mbox *b)
{
    struct msg *list = b->head;

    b->head = NULL;
    b->tail = &b->head;
    return list;
}

struct msg *mbox_take(struct mbox *b)
{
    struct msg *list;

    pthread_mutex_lock(&b->lock);
    list = cut(b);
    pthread_mutex_unlock(&b->lock);
    return list;
}

static struct timespec deadline(int timeout_ms)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += timeout_ms / 1000;
    t.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_nsec -= 1000000000;
        t.tv_sec++;
    }
    return t;
}

struct msg *mbox_wait(struct mbox *b, int timeout_ms)
{
    struct timespec until = deadline(timeout_ms < 0 ? 0 : timeout_ms);
    int err = 0;
    struct msg *list;

    pthread_mutex_lock(&b->lock);
    while (!b->head && err != ETIMEDOUT)
        err = timeout_ms < 0 ? pthread_cond_wait(&b->filled, &b->lock)
                             : pthread_cond_timedwait(&b->filled, &b->lock, &until);
    list = cut(b);
    pthread_mutex_unlock(&b->lock);
    return list;
}
