/* helper - a socket of datagrams, so that an answer is whole or none. */
#include "server/decoder/helper.h"

#include "server/base/clock.h"
#include "server/decoder/helper_main.h"
#include "server/decoder/image.h"
#include "server/decoder/launch.h"
#include "server/decoder/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    CPU_MS = 10000,
    CLOCK_MS = 60000,
    START_MS = 60000,     /* a busy machine may take its time to load a program */
    LIFE_MS = 60000,      /* half of what sandbox.h gives it, as the last file takes some */
    LOOK_MS = 250,        /* between two looks at its processor time */
    DEATHS_FREE = 3,      /* in a row, without a pause */
    DEATH_PAUSE_MS = 100, /* for each further one */
    DEATH_PAUSE_MAX_MS = 1000,
    START_PAUSE_MS = 1000, /* doubled with each start that failed */
    START_PAUSE_MAX_MS = 60000
};

enum wait_end { WAIT_ANSWER, WAIT_DEAD, WAIT_LATE, WAIT_STOP };

static int64_t min_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* --- its life --------------------------------------------------------------------------------- */

/* The status as waitpid() has it, -1 when it is not known. */
static int bury(struct helper *h)
{
    int status = -1;

    if (h->socket >= 0) close(h->socket);
    h->socket = -1;
    if (!h->pid) return -1;
    while (waitpid(h->pid, &status, 0) < 0)
        if (errno != EINTR) {
            status = -1;
            break;
        }
    h->pid = 0;
    return status;
}

static void end(struct helper *h)
{
    if (h->pid) kill(h->pid, SIGKILL);
    bury(h);
}

static int64_t cpu_ms(const struct helper *h)
{
    clockid_t clock;
    struct timespec t;

    if (clock_getcpuclockid(h->pid, &clock) || clock_gettime(clock, &t)) return 0;
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int helper_open(struct helper *h, const struct helper_conf *conf, struct fail *f)
{
    *h = (struct helper){.conf = *conf, .socket = -1, .memory_fd = -1};
    if (!h->conf.cpu_ms) h->conf.cpu_ms = CPU_MS;
    if (!h->conf.clock_ms) h->conf.clock_ms = CLOCK_MS;
    if (!h->conf.life_ms) h->conf.life_ms = LIFE_MS;
    if (!h->conf.word) h->conf.word = HELPER_WORD;
    h->memory_fd = launch_memory(WIRE_BYTES, &h->memory);
    if (h->memory_fd >= 0) return 0;
    return fail_set(f, ERR_OUT_OF_MEMORY, "No memory to decode images in: %s.", strerror(errno));
}

void helper_close(struct helper *h)
{
    end(h);
    if (h->memory) munmap(h->memory, WIRE_BYTES);
    if (h->memory_fd >= 0) close(h->memory_fd);
    h->memory = NULL;
    h->memory_fd = -1;
}

void helper_clear(struct helper *h)
{
    madvise(h->memory, WIRE_BYTES, MADV_REMOVE);
}

/* --- waiting ---------------------------------------------------------------------------------- */

static enum wait_end look(struct helper *h, int timeout_ms)
{
    struct pollfd fds[2] = {{h->socket, POLLIN, 0}, {h->conf.stop_fd, POLLIN, 0}};

    if (poll(fds, 2, timeout_ms) <= 0) return WAIT_LATE;
    if (fds[1].revents) return WAIT_STOP;
    return fds[0].revents & POLLIN ? WAIT_ANSWER : WAIT_DEAD;
}

/* Until a datagram of this size is there. */
static enum wait_end receive(struct helper *h, void *to, size_t n, int64_t clock_most_ms,
                             int64_t cpu_most_ms)
{
    const int64_t until = clock_us() + clock_most_ms * 1000, cpu = cpu_ms(h) + cpu_most_ms;

    for (;;) {
        const int64_t left = (until - clock_us()) / 1000;
        const enum wait_end w = look(h, left < 0 ? 0 : (int)min_of(left + 1, LOOK_MS));

        if (w == WAIT_ANSWER)
            return recv(h->socket, to, n, MSG_DONTWAIT | MSG_TRUNC) == (ssize_t)n ? WAIT_ANSWER
                                                                                  : WAIT_DEAD;
        if (w != WAIT_LATE) return w;
        if (left <= 0 || cpu_ms(h) > cpu) return WAIT_LATE;
    }
}

static int stopping(struct fail *f)
{
    return fail_set(f, ERR_SHUTTING_DOWN, "The server stops.");
}

/* --- starting --------------------------------------------------------------------------------- */

static int cannot_start(struct helper *h, const char *why, struct fail *f)
{
    const int shift = h->failed_starts < 6 ? h->failed_starts : 6;
    const int64_t pause = min_of((int64_t)START_PAUSE_MS << shift, START_PAUSE_MAX_MS);

    end(h);
    h->failed_starts++;
    h->start_us = clock_us() + pause * 1000;
    if (h->conf.log)
        log_error(h->conf.log, "images: the process that decodes them cannot be started: %s", why);
    fail_set(f, ERR_INTERNAL, "Images cannot be read: %s.", why);
    if (f) f->retry_after_ms = pause;
    return fail_advise(f, "Ask the administrator, or try again later.");
}

static const char *reason(int error)
{
    switch (error) {
    case ENOSYS:
    case EINVAL: return "this system has no seccomp filters, by which they are kept apart";
    default: return strerror(error);
    }
}

static int meet(struct helper *h, struct fail *f)
{
    struct wire_hello hello;
    char why[120];

    switch (receive(h, &hello, sizeof hello, START_MS, START_MS)) {
    case WAIT_ANSWER:
        if (hello.error) return cannot_start(h, reason(hello.error), f);
        h->failed_starts = 0;
        return 0;
    case WAIT_STOP: end(h); return stopping(f);
    case WAIT_LATE: return cannot_start(h, "it took too long", f);
    default: break;
    }
    snprintf(why, sizeof why, "it ended at once (status 0x%x)", (unsigned)bury(h));
    return cannot_start(h, why, f);
}

/* Sleeps until a start is allowed, where that is soon. */
static int pause_before(struct helper *h, struct fail *f)
{
    const int64_t left = (h->start_us - clock_us()) / 1000;
    struct pollfd stop = {h->conf.stop_fd, POLLIN, 0};

    if (left <= 0) return 0;
    if (h->failed_starts) {
        fail_set(f, ERR_INTERNAL, "Images cannot be read: the process for it does not start.");
        if (f) f->retry_after_ms = left;
        return fail_advise(f, "Ask the administrator, or try again later.");
    }
    return poll(&stop, 1, (int)left) > 0 ? stopping(f) : 0;
}

int helper_start(struct helper *h, struct fail *f)
{
    int err;

    if (h->pid && look(h, 0) != WAIT_LATE) end(h); /* it has died, or says what it was not asked */
    if (h->pid && cpu_ms(h) > h->conf.life_ms) end(h);
    if (h->pid) return 0;
    err = pause_before(h, f);
    if (err) return err;
    h->pid = launch_process(h->conf.word, h->memory_fd, &h->socket);
    h->starts++;
    if (!h->pid) return cannot_start(h, strerror(errno), f);
    return meet(h, f);
}

/* --- a file ----------------------------------------------------------------------------------- */

static int refuse(struct fail *f, const char *message, const char *hint)
{
    fail_field(f, ERR_BAD_IMAGE, "image", "%s", message);
    return fail_advise(f, "%s", hint);
}

static void count_death(struct helper *h)
{
    const int64_t pause = (int64_t)DEATH_PAUSE_MS * (++h->deaths - DEATHS_FREE);

    if (pause > 0) h->start_us = clock_us() + 1000 * min_of(pause, DEATH_PAUSE_MAX_MS);
}

static int died(struct helper *h, size_t len, struct fail *f)
{
    const int status = bury(h);
    const bool by_system = status != -1 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;

    count_death(h);
    if (h->conf.log)
        log_warn(h->conf.log, "images: a file of %zu bytes ended the process that decodes (%s %d)",
                 len, WIFSIGNALED(status) ? "signal" : "status",
                 WIFSIGNALED(status) ? WTERMSIG(status) : status);
    if (by_system) {
        fail_field(f, ERR_OUT_OF_MEMORY, "image",
                   "The system ended the process that reads images.");
        if (f) f->retry_after_ms = 1000;
        return fail_advise(f, "Use a smaller image, or try again later.");
    }
    return refuse(f, "The image is damaged in a way that brings its decoder down.",
                  "Save it anew as a PNG, JPEG or WebP and use that.");
}

static int took_too_long(struct helper *h, size_t len, struct fail *f)
{
    end(h);
    count_death(h);
    if (h->conf.log) log_warn(h->conf.log, "images: a file of %zu bytes took too long", len);
    return refuse(f, "The image takes too long to decode.",
                  "Use a smaller one, or save it anew as a plain PNG or JPEG.");
}

/* What a process that has been taken over could say is not believed. */
static bool is_possible(const struct image_facts *a)
{
    const bool sideways = a->orientation > 4;

    return (unsigned)a->format < IMAGE_FORMATS && a->width > 0 && a->height > 0
           && (int64_t)a->width * a->height <= LIMIT_IMAGE_PIXELS && a->orientation >= 1
           && a->orientation <= 8 && a->changes < 1U << IMAGE_CHANGES
           && a->file_width == (sideways ? a->height : a->width)
           && a->file_height == (sideways ? a->width : a->height);
}

/* Letters that a message may have. */
static void make_plain(char *text, size_t size)
{
    text[size - 1] = '\0';
    for (char *p = text; *p; p++)
        if (*p < ' ' || *p > '~') *p = '?';
}

static int take(struct helper *h, size_t len, struct wire_answer *a, struct image_facts *facts,
                struct fail *f)
{
    const int err = a->why.code;

    if ((err && err != ERR_BAD_IMAGE && err != ERR_TOO_LARGE)
        || (!err && !is_possible(&a->facts))) {
        end(h);
        return died(h, len, f);
    }
    h->deaths = 0;
    *facts = a->facts;
    if (!err) return 0;
    make_plain(a->why.message, sizeof a->why.message);
    make_plain(a->why.hint, sizeof a->why.hint);
    fail_field(f, (enum err)err, "image", "%s", a->why.message);
    return fail_advise(f, "%s", a->why.hint);
}

int helper_decode(struct helper *h, const uint8_t *file, size_t len, struct image_facts *facts,
                  const uint8_t **rgb, struct fail *f)
{
    const struct wire_request ask = {len};
    struct wire_answer answer;
    struct image_limits limits;
    int err;

    image_limits_init(&limits);
    err = image_check_bytes(len, &limits, f);
    if (!err) err = helper_start(h, f);
    if (err) return err;
    memcpy(h->memory, file, len);
    *rgb = h->memory + WIRE_PIXELS;
    if (send(h->socket, &ask, sizeof ask, MSG_NOSIGNAL) != sizeof ask) return died(h, len, f);
    switch (receive(h, &answer, sizeof answer, h->conf.clock_ms, h->conf.cpu_ms)) {
    case WAIT_ANSWER: return take(h, len, &answer, facts, f);
    case WAIT_STOP: end(h); return stopping(f);
    case WAIT_LATE: return took_too_long(h, len, f);
    default: return died(h, len, f);
    }
}
