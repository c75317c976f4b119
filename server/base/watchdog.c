/* watchdog - the last words are written without a lock, as the stopped thread may hold any. */
#include "server/base/watchdog.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { STATUS = 70, LAST_WORDS_SECONDS = 2 }; /* 70: EX_SOFTWARE of sysexits.h */

/* What was seen of one pulse. */
struct seen {
    unsigned moved;
    unsigned naps;  /* slept through since, while it had work */
    unsigned quiet; /* without work */
};

struct watchdog {
    struct watchdog_conf conf;
    struct seen seen[WATCHDOG_PULSES];
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;
};

void pulse_due(struct pulse *p)
{
    atomic_store(&p->busy, true);
}

void pulse_begin(struct pulse *p)
{
    atomic_store(&p->busy, true);
    atomic_fetch_add(&p->moved, 1);
}

void pulse_end(struct pulse *p)
{
    atomic_store(&p->busy, false);
    atomic_fetch_add(&p->moved, 1);
}

static void last_words(const struct watchdog *w, const struct pulse *p, unsigned naps)
{
    char line[256];
    int n = snprintf(line, sizeof line,
                     "darkroom: the %s has not moved for %u s; the process ends so that it can be "
                     "started again (accepted jobs are kept)\n",
                     p->name, (unsigned)((uint64_t)naps * (unsigned)w->conf.nap_ms / 1000));

    alarm(LAST_WORDS_SECONDS); /* the pipe of the log may be full: SIGALRM ends the process, too */
    if (n > 0 && write(w->conf.fd, line, (size_t)n) < 0) n = 0;
    alarm(0);
    w->conf.end(STATUS);
}

/* Called after each nap. */
static void look(struct watchdog *w)
{
    for (int i = 0; i < WATCHDOG_PULSES && w->conf.pulses[i]; i++) {
        struct pulse *p = w->conf.pulses[i];
        struct seen *s = &w->seen[i];
        unsigned moved = atomic_load(&p->moved);
        bool busy = atomic_load(&p->busy);

        s->naps = busy && s->moved == moved ? s->naps + 1 : 0;
        s->moved = moved;
        if (s->naps > p->naps_max) last_words(w, p, s->naps);
        s->quiet = busy ? 0 : s->quiet + 1;
        if (busy || !p->ask || s->quiet < WATCHDOG_ASK) continue;
        s->quiet = 0;
        pulse_due(p);
        p->ask(p->arg);
    }
}

static void *run(void *arg)
{
    struct watchdog *w = arg;

    pthread_setname_np(pthread_self(), "watchdog");
    pthread_mutex_lock(&w->lock);
    while (!w->stopping) {
        struct timespec until;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += w->conf.nap_ms / 1000;
        until.tv_nsec += (long)(w->conf.nap_ms % 1000) * 1000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
            until.tv_sec++;
        }
        if (pthread_cond_timedwait(&w->wake, &w->lock, &until) == ETIMEDOUT) look(w);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static int start(struct watchdog *w, struct fail *f)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&w->lock, NULL);
    if (!pthread_create(&w->thread, NULL, run, w)) return 0;
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    return fail_set(f, ERR_INTERNAL, "Cannot start the watchdog's thread.");
}

int watchdog_new(struct watchdog **out, const struct watchdog_conf *conf, struct fail *f)
{
    struct watchdog *w = calloc(1, sizeof *w);

    *out = NULL;
    if (!w) return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the watchdog.");
    w->conf = *conf;
    if (start(w, f)) {
        free(w);
        return ERR_INTERNAL;
    }
    *out = w;
    return 0;
}

void watchdog_free(struct watchdog *w)
{
    if (!w) return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
