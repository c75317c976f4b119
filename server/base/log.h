/* log - lines on stderr with a level, escaped and rate-limited, so that a flood cannot fill a disk.
 *
 * Owned by main, passed to all that log; a NULL log writes nothing. Each source (ours, the socket
 * library's) has a budget of its own: a burst, then a steady rate; what is dropped, also because a
 * pipe is full, is counted and the count is written with the next line that passes. Never blocks.
 *
 * A line is `time level text`, or {"time":"..","level":"info","text":".."} with "dropped":N when
 * lines were dropped before it. A request is `time access from user method path status bytes`, in
 * JSON with the level `access` and a field for each. No control byte of a text is written as it is,
 * nor any other character that a terminal obeys; of what looks like a token only `dr_` is left.
 * The newest lines are kept, but for requests (log_tail).
 * Thread: any. */
#ifndef SERVER_BASE_LOG_H
#define SERVER_BASE_LOG_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_source { LOG_OURS, LOG_LIBRARY, LOG_REQUESTS, LOG_SOURCES };

#define LOG_LINE_BYTES 1024 /* longer lines are cut */

#define LOG_KEPT       200
#define LOG_KEPT_BYTES 512 /* of a kept line, with its NUL: UTF-8, without control bytes */

/* A line that is kept: as it was written, but cut. */
struct log_kept {
    uint64_t seq; /* from 1, grows by 1 */
    int64_t unix_ms;
    enum log_level level;
    char text[LOG_KEPT_BYTES];
};

/* Lines that may pass: tokens in thousandths of a line. Pure: time is an argument. */
struct log_bucket {
    int64_t tokens, last_ms;
    int64_t burst, per_second;
    uint64_t dropped;
};
void log_bucket_init(struct log_bucket *, int64_t burst, int64_t per_second);
/* -1: drop the line. Otherwise it passes, and the result is how many were dropped before it. */
int64_t log_bucket_take(struct log_bucket *, int64_t now_ms);

struct log {
    pthread_mutex_t lock;
    int fd;            /* where lines go; not closed */
    bool json;         /* set before other threads log: each line is one JSON object */
    bool access;       /* as json: requests are logged, too */
    _Atomic int level; /* the last enum log_level that is written */
    struct log_bucket bucket[LOG_SOURCES];
    struct log_kept kept[LOG_KEPT]; /* a ring */
    uint64_t lines;                 /* that were kept; older ones are overwritten */
};

void log_init(struct log *, int fd, enum log_level level);
void log_set_level(struct log *, enum log_level); /* any thread */
void log_destroy(struct log *);

/* A line of ours; a format and its arguments, without a newline. */
void log_line(struct log *, enum log_level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define log_error(l, ...) log_line(l, LOG_ERROR, __VA_ARGS__)
#define log_warn(l, ...)  log_line(l, LOG_WARN, __VA_ARGS__)
#define log_info(l, ...)  log_line(l, LOG_INFO, __VA_ARGS__)
#define log_debug(l, ...) log_line(l, LOG_DEBUG, __VA_ARGS__)
/* A line that a library wrote. */
void log_library(struct log *, enum log_level, const char *line);

/* A request that was answered, of a client that may be a user; only with `access`. The query is
 * left out, as it may hold what is not for a log. */
struct log_request {
    const char *from, *user; /* address; name, "": none is known */
    const char *method, *path;
    int status; /* 101: it became a WebSocket */
    int64_t bytes;
};
void log_request(struct log *, const struct log_request *);

/* The newest of the kept lines whose number is greater than `after`, at most max, the oldest first.
 * How many; a NULL log has none. */
int log_tail(struct log *, uint64_t after, struct log_kept *out, int max);

/* What came from elsewhere, as it may be shown on a terminal: UTF-8, and no byte that it obeys. */
void log_harmless(char *text);
const char *log_level_name(enum log_level);
/* "error" "warn" "info" "debug"; -1 when the name is none of them. */
int log_level_parse(const char *name);

#endif
