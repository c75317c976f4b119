/* waker - how the hub tells one of its clients that a message waits: WebSockets and requests are
 * woken through the same callback. It is the first member of what is woken, whose owner it has.
 * Thread: the loop's. */
#ifndef SERVER_BASE_WAKER_H
#define SERVER_BASE_WAKER_H

struct waker {
    void (*wake)(struct waker *);
};

/* struct hub_out: wake, for hubs whose clients were all opened with a struct waker. */
static inline void waker_wake(void *arg, void *waker)
{
    (void)arg;
    ((struct waker *)waker)->wake(waker);
}

#endif
