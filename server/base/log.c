/* log - one write(2) a line: time, level, text with control characters made harmless. */
#include "server/base/log.h"

#include "proto/text.h"
#include "server/base/clock.h"

#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What a pipe that has room takes at once (PIPE_BUF). */
enum { JSON_BYTES = 4096, STAMP_BYTES = 40, PATH_BYTES = 601, METHOD_BYTES = 65 };
enum { TOKEN_PART = 16 }; /* letters and digits behind dr_ that are taken for a token's */

static const char *const NAMES[] = {"error", "warn", "info", "debug"};

const char *log_level_name(enum log_level level)
{
    return NAMES[level];
}

int log_level_parse(const char *name)
{
    for (int i = 0; i <= LOG_DEBUG; i++)
        if (strcmp(NAMES[i], name) == 0) return i;
    return -1;
}

void log_bucket_init(struct log_bucket *g, int64_t burst, int64_t per_second)
{
    *g = (struct log_bucket){.tokens = burst * 1000, .burst = burst, .per_second = per_second};
}

int64_t log_bucket_take(struct log_bucket *g, int64_t now_ms)
{
    int64_t dropped;

    if (now_ms > g->last_ms) {
        int64_t room = g->burst * 1000 - g->tokens, gap = now_ms - g->last_ms;
        int64_t add = gap > 1000000 ? room : gap * g->per_second;

        g->tokens += add < room ? add : room;
        g->last_ms = now_ms;
    }
    if (g->tokens < 1000) {
        g->dropped++;
        return -1;
    }
    g->tokens -= 1000;
    dropped = (int64_t)g->dropped;
    g->dropped = 0;
    return dropped;
}

void log_init(struct log *l, int fd, enum log_level level)
{
    pthread_mutex_init(&l->lock, NULL);
    l->fd = fd;
    l->json = l->access = false;
    l->lines = 0;
    log_set_level(l, level);
    log_bucket_init(&l->bucket[LOG_OURS], 400, 100);
    log_bucket_init(&l->bucket[LOG_REQUESTS], 400, 100);
    log_bucket_init(&l->bucket[LOG_LIBRARY], 50, 5);
}

void log_set_level(struct log *l, enum log_level level)
{
    atomic_store(&l->level, (int)level);
}

void log_destroy(struct log *l)
{
    pthread_mutex_destroy(&l->lock);
}

/* A stopped terminal, or a full pipe, must not block the loop. */
static bool has_room(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};

    return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT);
}

/* How many bytes at s a terminal may obey although they are no control bytes: U+0080 to U+009F,
 * line separators, and what turns the direction of text. 0: none. */
static int obeyed(const unsigned char *s)
{
    if (s[0] == 0xc2 && s[1] >= 0x80 && s[1] <= 0x9f) return 2;
    if (s[0] == 0xe2 && s[1] == 0x80 && s[2] >= 0xa8 && s[2] <= 0xae) return 3;
    return s[0] == 0xe2 && s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9 ? 3 : 0;
}

/* A line may hold a client's text: no escape sequence of it may reach a terminal. JSON escapes the
 * control bytes itself, but for DEL. */
static void sanitize(char *s, bool json)
{
    for (; *s; s++) {
        int n = obeyed((unsigned char *)s);

        if (n) {
            memset(s, '?', (size_t)n);
            s += n - 1;
        } else if (*s == 0x7f || ((unsigned char)*s < 0x20 && !json))
            *s = '?';
    }
}

/* Tokens that came where none belongs (a path, a header that is named in a warning) are hidden. */
static void redact(char *s)
{
    static const char set[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    while ((s = strstr(s, "dr_"))) {
        size_t n = strspn(s += 3, set);

        if (n >= TOKEN_PART) memset(s, '*', n);
        s += n;
    }
}

static bool write_json(struct text *t, const char *stamp, enum log_level level, const char *text,
                       int64_t dropped)
{
    text_init(t, 0, JSON_BYTES);
    text_open(t, NULL, '{');
    text_string(t, "time", stamp);
    text_string(t, "level", NAMES[level]);
    text_string(t, "text", text);
    if (dropped) text_int(t, "dropped", dropped);
    text_close(t, '}');
    text_printf(t, "\n");
    if (!t->code) return true;
    text_free(t);
    return false;
}

/* A text of control bytes is six times as long in JSON: then they are made harmless instead. */
static void emit_json(struct log *l, const char *stamp, enum log_level level, char *text,
                      int64_t dropped)
{
    struct text t;

    sanitize(text, true);
    if (!write_json(&t, stamp, level, text, dropped)) {
        sanitize(text, false);
        if (!write_json(&t, stamp, level, text, dropped)) return; /* no memory */
    }
    if (write(l->fd, t.at, t.len) < 0) dropped = 0; /* there is no other place to report it */
    text_free(&t);
}

static void emit_plain(struct log *l, const char *stamp, const char *level, char *text,
                       int64_t dropped)
{
    char more[48] = "", line[LOG_LINE_BYTES + 128];
    int n;

    if (dropped) snprintf(more, sizeof more, " (%lld lines dropped before)", (long long)dropped);
    sanitize(text, false);
    n = snprintf(line, sizeof line, "%s %-5s %s%s\n", stamp, level, text, more);
    if (n > 0 && write(l->fd, line, (size_t)n) < 0)
        return; /* there is no other place to report it */
}

/* Whether a line may pass: how many were dropped before it, and the time. -1: it may not. */
static int64_t pass(struct log *l, enum log_source source, char stamp[STAMP_BYTES])
{
    struct timespec now;
    int64_t dropped;
    char second[32];
    struct tm tm;

    clock_gettime(CLOCK_REALTIME, &now);
    pthread_mutex_lock(&l->lock);
    dropped = -1;
    if (has_room(l->fd))
        dropped = log_bucket_take(&l->bucket[source], clock_us() / 1000);
    else
        l->bucket[source].dropped++;
    pthread_mutex_unlock(&l->lock);
    gmtime_r(&now.tv_sec, &tm);
    strftime(second, sizeof second, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(stamp, STAMP_BYTES, "%s.%03dZ", second, (int)(now.tv_nsec / 1000000));
    return dropped;
}

/* Not in the middle of a character, and no byte that is none. */
static void keep_utf8(char *s)
{
    for (size_t left = strlen(s), n; left; s += n, left -= n) {
        n = text_utf8(s, left);
        if (n) continue;
        *s = '?';
        n = 1;
    }
}

void log_harmless(char *text)
{
    sanitize(text, false);
    keep_utf8(text);
}

static void keep(struct log *l, enum log_level level, const char *text)
{
    struct log_kept *k;

    pthread_mutex_lock(&l->lock);
    k = &l->kept[l->lines++ % LOG_KEPT];
    *k = (struct log_kept){.seq = l->lines, .unix_ms = clock_unix_ms(), .level = level};
    snprintf(k->text, sizeof k->text, "%s", text);
    log_harmless(k->text);
    pthread_mutex_unlock(&l->lock);
}

int log_tail(struct log *l, uint64_t after, struct log_kept *out, int max)
{
    uint64_t first;
    int n = 0;

    if (!l) return 0;
    pthread_mutex_lock(&l->lock);
    first = l->lines > LOG_KEPT ? l->lines - LOG_KEPT : 0;
    if (first < after) first = after;
    if (l->lines > (uint64_t)max && first < l->lines - (uint64_t)max)
        first = l->lines - (uint64_t)max;
    while (first < l->lines)
        out[n++] = l->kept[first++ % LOG_KEPT];
    pthread_mutex_unlock(&l->lock);
    return n;
}

static void emit(struct log *l, enum log_source source, enum log_level level, char *text)
{
    char stamp[STAMP_BYTES];
    int64_t dropped = pass(l, source, stamp);

    if (dropped < 0) return;
    redact(text);
    keep(l, level, text);
    if (l->json)
        emit_json(l, stamp, level, text, dropped);
    else
        emit_plain(l, stamp, NAMES[level], text, dropped);
}

static void clean(const char *from, char *out, size_t bytes)
{
    snprintf(out, bytes, "%s", from);
    redact(out);
    sanitize(out, true);
}

static void request_json(struct log *l, const char *stamp, const struct log_request *r,
                         int64_t dropped)
{
    char path[PATH_BYTES], method[METHOD_BYTES];
    struct text t;

    clean(r->path, path, sizeof path);
    clean(r->method, method, sizeof method);
    text_init(&t, 0, JSON_BYTES);
    text_open(&t, NULL, '{');
    text_string(&t, "time", stamp);
    text_string(&t, "level", "access");
    text_string(&t, "from", r->from);
    text_string(&t, "user", *r->user ? r->user : NULL);
    text_string(&t, "method", method);
    text_string(&t, "path", path);
    text_int(&t, "status", r->status);
    text_int(&t, "bytes", r->bytes);
    if (dropped) text_int(&t, "dropped", dropped);
    text_close(&t, '}');
    text_printf(&t, "\n");
    if (!t.code && write(l->fd, t.at, t.len) < 0) dropped = 0; /* there is no other place */
    text_free(&t);
}

void log_request(struct log *l, const struct log_request *r)
{
    char stamp[STAMP_BYTES], text[LOG_LINE_BYTES];
    int64_t dropped;

    if (!l || !l->access) return;
    dropped = pass(l, LOG_REQUESTS, stamp);
    if (dropped < 0) return;
    if (l->json) {
        request_json(l, stamp, r, dropped);
        return;
    }
    snprintf(text, sizeof text, "%s %s %s %.800s %d %" PRId64, r->from, *r->user ? r->user : "-",
             r->method, r->path, r->status, r->bytes);
    redact(text);
    emit_plain(l, stamp, "access", text, dropped);
}

void log_line(struct log *l, enum log_level level, const char *format, ...)
{
    char text[LOG_LINE_BYTES];
    va_list args;

    if (!l || (int)level > atomic_load_explicit(&l->level, memory_order_relaxed)) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    emit(l, LOG_OURS, level, text);
}

void log_library(struct log *l, enum log_level level, const char *line)
{
    char text[LOG_LINE_BYTES];
    size_t n;

    if (!l || (int)level > atomic_load_explicit(&l->level, memory_order_relaxed)) return;
    n = strcspn(line, "\n");
    snprintf(text, sizeof text, "%.*s", (int)(n < sizeof text ? n : sizeof text - 1), line);
    emit(l, LOG_LIBRARY, level, text);
}
