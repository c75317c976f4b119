/* client - submits over /v1, follows the job's server-sent events, fetches its file; one request a
 * connection, HTTP/1.0, so that a body ends with it. A lost connection is made again, and goes on
 * behind the last event that was read. */
#include "server/cli/client.h"

#include "server/base/clock.h"
#include "server/cli/bar.h"
#include "server/cli/output.h"

#include "proto/limits.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* A stream of events has a comment every 15 s, so a longer silence is a broken connection. A
 * picture that has had no viewer for a while, as after Ctrl-C, is cancelled. */
enum { SILENCE_S = 60, ABANDONED_MS = 30000, PICTURE_BYTES_MAX = 64 << 20 };
/* So long a lost connection is tried again, with pauses that grow; a server that starts anew takes
 * its time. */
enum { LOST_S = 60, PAUSE_MS = 200, PAUSE_MS_MAX = 3200 };

/* The parts of --server: http://HOST[:PORT][/PATH], or with [IPV6]. */
struct server {
    char host[256], port[8], path[256];
    const char *token; /* NULL: none */
};

struct result {
    char state[16], url[256];
    int width, height;
    int64_t seed, bytes;
    double seconds;
    uint64_t seq; /* of the newest event */
};

static int read_server(struct server *s, const struct options *o, struct fail *f)
{
    const char *at = o->server;
    int n = 0;

    *s = (struct server){.port = "80", .token = o->token && *o->token ? o->token : NULL};
    if (strncmp(at, "http://", 7) != 0) {
        fail_set(f, ERR_USAGE, "--server must begin with http://, not '%.100s'.", at);
        return fail_advise(f, "Encrypted connections are not made: use ssh -L, or a script of "
                              "proto/examples.");
    }
    at += 7;
    if (sscanf(at, "[%255[0-9a-fA-F:.]]%n", s->host, &n) != 1 || !n)
        if (sscanf(at, "%255[^]/:?#@ []%n", s->host, &n) != 1)
            return fail_set(f, ERR_USAGE, "--server '%.100s' names no host.", o->server);
    at += n;
    n = 0;
    if (*at == ':' && (sscanf(at, ":%5[0-9]%n", s->port, &n) != 1 || !n))
        return fail_set(f, ERR_USAGE, "--server '%.100s' has no right port.", o->server);
    at += n;
    if ((*at && *at != '/') || strlen(at) >= sizeof s->path || strpbrk(at, " \r\n"))
        return fail_set(f, ERR_USAGE, "--server '%.100s' is no address.", o->server);
    snprintf(s->path, sizeof s->path, "%s", at);
    for (size_t end = strlen(s->path); end && s->path[end - 1] == '/'; end--)
        s->path[end - 1] = '\0';
    return 0;
}

/* --- one request ------------------------------------------------------------------------------ */

static int connect_one(const struct addrinfo *a)
{
    const struct timeval silence = {.tv_sec = SILENCE_S};
    int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);

    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof silence);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &silence, sizeof silence); /* of connect(), too */
    if (!connect(fd, a->ai_addr, a->ai_addrlen)) return fd;
    close(fd);
    return -1;
}

static int connect_to(const struct server *s, int *fd, struct fail *f)
{
    const struct addrinfo want = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int err = getaddrinfo(s->host, s->port, &want, &found);

    *fd = -1;
    if (err) {
        fail_set(f, ERR_IO, "There is no %s: %s.", s->host, gai_strerror(err));
        return fail_advise(f, "Name the server with --server http://HOST:PORT.");
    }
    for (const struct addrinfo *a = found; a && *fd < 0; a = a->ai_next)
        *fd = connect_one(a);
    freeaddrinfo(found);
    if (*fd >= 0) return 0;
    fail_set(f, ERR_IO, "Cannot reach %s port %s: %s.", s->host, s->port, strerror(errno));
    return fail_advise(f, "Start it with `darkroom serve`, or name another with --server.");
}

static int send_all(int fd, const char *bytes, size_t n)
{
    while (n) {
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return ERR_IO;
        bytes += sent;
        n -= (size_t)sent;
    }
    return 0;
}

/* What is sent behind a head. */
struct sent {
    const char *type;
    const void *bytes;
    size_t len;
};

static int send_request(const struct server *s, int fd, const char *request, const char *path,
                        const struct sent *body, struct fail *f)
{
    bool v6 = strchr(s->host, ':') != NULL;
    char head[2048], length[96] = "";
    int n;

    if (body)
        snprintf(length, sizeof length, "Content-Type: %s\r\nContent-Length: %zu\r\n", body->type,
                 body->len);
    n = snprintf(head, sizeof head, "%s %s%s HTTP/1.0\r\nHost: %s%s%s:%s\r\n%s%s%s%s\r\n", request,
                 s->path, path, v6 ? "[" : "", s->host, v6 ? "]" : "", s->port,
                 s->token ? "Authorization: Bearer " : "", s->token ? s->token : "",
                 s->token ? "\r\n" : "", length);
    if (n >= (int)sizeof head) return fail_set(f, ERR_USAGE, "The token is too long.");
    if (send_all(fd, head, (size_t)n) || (body && send_all(fd, body->bytes, body->len)))
        return fail_set(f, ERR_IO, "%s does not read the request: %s.", s->host, strerror(errno));
    return 0;
}

/* What the server wrote about its refusal. */
static int refused(const struct server *s, FILE *in, int status, struct fail *f)
{
    json_t *o = json_loadf(in, JSON_DISABLE_EOF_CHECK, NULL);
    const char *code = json_string_value(json_object_get(o, "code")),
               *message = json_string_value(json_object_get(o, "message")),
               *hint = json_string_value(json_object_get(o, "hint"));

    if (code && message)
        fail_set(f, fail_from_wire(code), "%s", message);
    else
        fail_set(f, ERR_IO, "%s answers with status %d.", s->host, status);
    if (hint) fail_advise(f, "%s", hint);
    if (f->code == ERR_UNAUTHORIZED)
        fail_advise(f, "Give a user's token: --token dr_.., or DARKROOM_TOKEN in the environment.");
    json_decref(o);
    return f->code;
}

/* *in: behind the head of an answer with status 200, 201 or 202. */
static int ask(const struct server *s, const char *request, const char *path,
               const struct sent *body, FILE **in, struct fail *f)
{
    char line[1024];
    int fd, status = 0, err = connect_to(s, &fd, f);

    *in = NULL;
    if (err) return err;
    err = send_request(s, fd, request, path, body, f);
    *in = fdopen(fd, "r");
    if (!*in) close(fd);
    if (!*in && !err) err = fail_set(f, ERR_OUT_OF_MEMORY, "No memory for a connection.");
    if (!err && (!fgets(line, sizeof line, *in) || sscanf(line, "HTTP/%*s %d", &status) != 1))
        err = fail_set(f, ERR_IO, "%s does not answer as an HTTP server.", s->host);
    while (!err && fgets(line, sizeof line, *in) && strcmp(line, "\r\n") != 0)
        continue;
    if (!err && status != 200 && status != 201 && status != 202) err = refused(s, *in, status, f);
    if (err && *in) {
        fclose(*in);
        *in = NULL;
    }
    return err;
}

/* --- lost connections ------------------------------------------------------------------------- */

struct loss {
    int64_t until_us; /* it is not tried any more; 0: no connection is lost */
    int pause_ms;
};

/* Is it of use to ask again? Also while the server, or what is behind a proxy, starts anew. */
static bool is_lost(const struct fail *f)
{
    return f->code == ERR_IO || fail_status(f->code) == 503;
}

/* Wait before the next try. moved: something came since the last one. False: it is given up. */
static bool wait_again(struct loss *l, const struct server *s, bool moved, uint64_t seq)
{
    struct timespec pause;

    if (moved || !l->until_us) {
        *l = (struct loss){clock_us() + LOST_S * INT64_C(1000000), PAUSE_MS};
        fprintf(stderr,
                "darkroom: the connection to %s was lost behind event %" PRIu64
                "; trying again for %d s\n",
                s->host, seq, LOST_S);
    }
    if (clock_us() >= l->until_us) return false;
    pause = (struct timespec){l->pause_ms / 1000, l->pause_ms % 1000 * 1000000L};
    nanosleep(&pause, NULL);
    if (l->pause_ms < PAUSE_MS_MAX) l->pause_ms *= 2;
    return true;
}

/* --- pictures that it begins with ------------------------------------------------------------- */

/* The whole file; the caller frees. */
static int read_file(const char *path, struct sent *out, struct fail *f)
{
    FILE *in = fopen(path, "rbe");
    char *bytes = in ? malloc(LIMIT_IMAGE_BYTES + 1) : NULL;
    int err = 0;

    if (bytes) out->len = fread(bytes, 1, LIMIT_IMAGE_BYTES + 1, in);
    if (!in || (bytes && ferror(in)))
        err = fail_set(f, ERR_IO, "Cannot read %.200s: %s.", path, strerror(errno));
    else if (!bytes)
        err = fail_set(f, ERR_OUT_OF_MEMORY, "No memory for a picture.");
    else if (out->len > LIMIT_IMAGE_BYTES)
        err = fail_set(f, ERR_USAGE, "%.200s has more than %d MB.", path, LIMIT_IMAGE_BYTES >> 20);
    if (in) fclose(in);
    out->bytes = bytes;
    return err;
}

/* What the server did to it, for people. */
static void tell_kept(const char *path, const json_t *kept)
{
    const json_t *used = json_object_get(kept, "used"), *word;
    char shown[200];
    size_t i;

    if (used)
        fprintf(stderr, "%s: %dx%d is read at %dx%d\n", path,
                (int)json_integer_value(json_object_get(kept, "width")),
                (int)json_integer_value(json_object_get(kept, "height")),
                (int)json_integer_value(json_object_get(used, "width")),
                (int)json_integer_value(json_object_get(used, "height")));
    json_array_foreach(json_object_get(kept, "changed"), i, word)
    {
        snprintf(shown, sizeof shown, "%s", json_is_string(word) ? json_string_value(word) : "");
        log_harmless(shown);
        fprintf(stderr, "%s: %s\n", path, shown);
    }
}

static int upload(const struct server *s, const char *path, json_t *images, struct fail *f)
{
    struct sent file = {.type = "application/octet-stream"};
    FILE *in = NULL;
    json_t *kept = NULL;
    const char *digest;
    int err = read_file(path, &file, f);

    if (!err) err = ask(s, "POST", "/v1/images", &file, &in, f);
    free((void *)(uintptr_t)file.bytes);
    if (err) return err;
    kept = json_loadf(in, JSON_DISABLE_EOF_CHECK, NULL);
    fclose(in);
    digest = json_string_value(json_object_get(kept, "digest"));
    if (digest) {
        tell_kept(path, kept);
        json_array_append_new(images, json_string(digest));
    } else
        err = fail_set(f, ERR_IO, "%s is no darkroom server.", s->host);
    json_decref(kept);
    return err;
}

/* Those of --image, one in a line. */
static int upload_all(const struct server *s, const char *list, json_t *images, struct fail *f)
{
    char path[PATH_MAX];
    int err = 0;

    while (list && *list && !err) {
        const size_t n = strcspn(list, "\n");

        snprintf(path, sizeof path, "%.*s", (int)n, list);
        err = upload(s, path, images, f);
        list += n + (list[n] == '\n');
    }
    return err;
}

/* --- a job ------------------------------------------------------------------------------------ */

/* The members of the spec that were given: the server has defaults for the others. */
static char *make_body(const struct options *o, json_t *images)
{
    json_t *spec = json_pack("{s:s}", "prompt", o->prompt);
    char *text;

    if (o->width) json_object_set_new(spec, "width", json_integer(o->width));
    if (o->height) json_object_set_new(spec, "height", json_integer(o->height));
    if (o->steps) json_object_set_new(spec, "steps", json_integer(o->steps));
    if (o->guidance >= 0) json_object_set_new(spec, "guidance", json_real(o->guidance));
    if (o->seed >= 0) json_object_set_new(spec, "seed", json_integer(o->seed));
    if (o->noise_seed >= 0) json_object_set_new(spec, "noise_seed", json_integer(o->noise_seed));
    if (json_array_size(images)) json_object_set(spec, "images", images);
    spec =
        json_pack("{s:o, s:{s:i}}", "spec", spec, "on_disconnect", "cancel_after_ms", ABANDONED_MS);
    text = spec ? json_dumps(spec, JSON_COMPACT) : NULL;
    json_decref(spec);
    return text;
}

static int submit(const struct server *s, const struct options *o, json_t *images, char job[32],
                  struct fail *f)
{
    char *body = make_body(o, images);
    const struct sent sent = {"application/json", body, body ? strlen(body) : 0};
    FILE *in = NULL;
    json_t *row;
    const char *name;
    int err;

    if (!body) {
        fail_set(f, ERR_BAD_UTF8, "The prompt is no UTF-8 text.");
        return ERR_BAD_UTF8;
    }
    err = ask(s, "POST", "/v1/jobs", &sent, &in, f);
    free(body);
    if (err) return err;
    row = json_loadf(in, JSON_DISABLE_EOF_CHECK, NULL);
    fclose(in);
    name = json_string_value(json_object_get(row, "job"));
    snprintf(job, 32, "%s", name ? name : "");
    json_decref(row);
    return name ? 0 : fail_set(f, ERR_IO, "%s is no darkroom server.", s->host);
}

static void on_progress(struct bar *bar, json_t *event)
{
    const char *phase = "";
    char shown[24];
    int done = 0, total = 0;
    double overall = 0;

    json_unpack(event, "{s?s, s?i, s?i, s?F}", "phase", &phase, "done", &done, "total", &total,
                "overall", &overall);
    snprintf(shown, sizeof shown, "%s", phase);
    log_harmless(shown);
    bar_show(bar, shown, done, total, overall >= 0 && overall <= 1 ? overall : 0);
}

static void on_result(struct result *r, json_t *event)
{
    const char *url = "";
    json_int_t seed = 0, bytes = 0;

    json_unpack(event, "{s?s, s?i, s?i, s?I, s?I, s?F}", "url", &url, "width", &r->width, "height",
                &r->height, "seed", &seed, "bytes", &bytes, "seconds", &r->seconds);
    snprintf(r->url, sizeof r->url, "%s", url);
    r->seed = seed;
    r->bytes = bytes;
}

/* end or error: what went wrong is in f when it did. */
static int on_end(struct result *r, json_t *event, struct fail *f)
{
    json_t *error = json_object_get(event, "error");
    const char *state = json_string_value(json_object_get(event, "state")), *code, *message, *hint;

    if (!error) error = event;
    code = json_string_value(json_object_get(error, "code"));
    message = json_string_value(json_object_get(error, "message"));
    hint = json_string_value(json_object_get(error, "hint"));
    snprintf(r->state, sizeof r->state, "%s", state ? state : "failed");
    if (strcmp(r->state, "done") == 0) return 0;
    if (strcmp(r->state, "cancelled") == 0)
        return fail_set(f, ERR_CANCELLED, "The picture was cancelled.");
    fail_set(f, code ? fail_from_wire(code) : ERR_IO, "%s", message ? message : "It failed.");
    return hint ? fail_advise(f, "%s", hint) : (int)f->code;
}

/* An error that is no end: the job goes on when the server is there again. */
static bool is_stopping(const json_t *event)
{
    const char *code = json_string_value(json_object_get(event, "code"));

    return code && fail_from_wire(code) == ERR_SHUTTING_DOWN;
}

static int on_event(struct bar *bar, struct result *r, json_t *event, struct fail *f)
{
    const char *type = json_string_value(json_object_get(event, "type"));

    if (!type) return 0;
    if (strcmp(type, "queue") == 0)
        bar_wait(bar, (int)json_integer_value(json_object_get(event, "position")));
    if (strcmp(type, "progress") == 0) on_progress(bar, event);
    if (strcmp(type, "result") == 0) on_result(r, event);
    if (is_stopping(event)) return fail_set(f, ERR_SHUTTING_DOWN, "The server stops.");
    if (strcmp(type, "end") == 0 || strcmp(type, "error") == 0) return on_end(r, event, f);
    return 0;
}

/* Over one connection, from behind r->seq on. 0: r->state says how it ended. */
static int read_events(const struct server *s, const char *job, struct bar *bar, struct result *r,
                       struct fail *f)
{
    char path[96], *line = NULL;
    size_t room = 0;
    FILE *in;
    int err;

    snprintf(path, sizeof path, "/v1/jobs/%s/events?seq=%" PRIu64, job, r->seq);
    err = ask(s, "GET", path, NULL, &in, f);
    while (!err && !*r->state && getline(&line, &room, in) > 0) {
        json_t *event;

        if (strncmp(line, "data: ", 6) != 0) continue;
        event = json_loads(line + 6, 0, NULL);
        if (json_object_get(event, "seq"))
            r->seq = (uint64_t)json_number_value(json_object_get(event, "seq"));
        err = on_event(bar, r, event, f);
        json_decref(event);
    }
    free(line);
    if (in) fclose(in);
    if (!err && !*r->state)
        err = fail_set(f, ERR_IO, "The connection to %s ended before the picture was there.",
                       s->host);
    return err;
}

static int follow(const struct server *s, const char *job, struct result *r, struct fail *f)
{
    struct bar bar = bar_begin();
    struct loss loss = {0};
    uint64_t before;
    bool again;
    int err;

    do {
        before = r->seq;
        err = read_events(s, job, &bar, r, f);
        again = err && !*r->state && is_lost(f);
        if (again || !err) bar_clear(&bar);
        if (again) again = wait_again(&loss, s, r->seq != before, r->seq);
    } while (again);
    bar_clear(&bar);
    if (err && !*r->state && is_lost(f))
        fail_advise(f, "The job is %s; unless it is watched again, it is cancelled.", job);
    return err;
}

/* The whole file in *bytes, which the caller frees. */
static int fetch(const struct server *s, const struct result *r, char **bytes, struct fail *f)
{
    const size_t len = (size_t)r->bytes;
    FILE *in;
    int err = ask(s, "GET", r->url, NULL, &in, f);

    if (err) return err;
    *bytes = r->bytes > 0 && r->bytes <= PICTURE_BYTES_MAX ? malloc(len) : NULL;
    if (!*bytes)
        err = fail_set(f, ERR_OUT_OF_MEMORY, "No memory for a picture of %zu bytes.", len);
    else if (fread(*bytes, 1, len, in) != len)
        err = fail_set(f, ERR_IO, "The picture ends in the middle: fetch %.200s.", r->url);
    fclose(in);
    return err;
}

static int save(const struct server *s, const struct result *r, const char *out, struct fail *f)
{
    char name[64], *bytes = NULL;
    struct loss loss = {0};
    int err = fetch(s, r, &bytes, f);

    while (err && is_lost(f) && wait_again(&loss, s, false, r->seq)) {
        free(bytes);
        bytes = NULL;
        err = fetch(s, r, &bytes, f);
    }

    snprintf(name, sizeof name, "%dx%d-seed%" PRId64 ".png", r->width, r->height, r->seed);
    if (!out) out = name;
    if (!err) err = output_write(out, bytes, (size_t)r->bytes, f);
    if (!err)
        fprintf(output_is_stdout(out) ? stderr : stdout,
                "%s: %dx%d, seed %" PRId64 ", %.2f s on %s\n", out, r->width, r->height, r->seed,
                r->seconds, s->host);
    free(bytes);
    return err;
}

int cli_client(const struct cli *c)
{
    struct server server;
    struct result result = {.state = ""};
    struct fail f = {0};
    char job[32];
    json_t *images = json_array();
    int err = read_server(&server, c->options, &f);

    if (!err) err = output_check(c->options->out, &f);
    if (!err) err = upload_all(&server, c->options->images, images, &f);
    if (!err) err = submit(&server, c->options, images, job, &f);
    json_decref(images);
    if (!err) err = follow(&server, job, &result, &f);
    if (!err) err = save(&server, &result, c->options->out, &f);
    return err ? cli_print_fail(&f) : 0;
}
