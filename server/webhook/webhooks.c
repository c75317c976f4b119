/* webhooks - one multi handle of libcurl; a slot for each delivery that is on its way. */
#include "server/webhook/webhooks.h"

#include "proto/id.h"
#include "server/base/clock.h"
#include "server/base/mbox.h"
#include "server/store/database.h"
#include "server/store/hooks.h"
#include "server/webhook/hosts.h"
#include "server/webhook/signature.h"

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { LOOK, STOP };
enum {
    SLOTS = 16,           /* deliveries at a time .. */
    SLOTS_HOST = 2,       /* .. and of them to one host */
    CONNECT_MS = 5000,    /* to find and reach a host */
    ANSWER_MS = 15000,    /* for all of it */
    ROUND_MS = 1000,      /* of these that one round of the thread counts for at most */
    ANSWER_BYTES = 65536, /* of the answer, which is not looked at */
    BUSY_MS = 1000,       /* between two looks while all slots, or those of a host, are taken */
    IDLE_MS = 60000       /* the same while nothing is due: the clock may be set */
};

/* After each try, seconds; together 23 hours. */
static const int PAUSE_S[] = {5, 30, 120, 600, 1800, 3600, 7200, 14400, 25200, 28800};
enum { TRIES = sizeof PAUSE_S / sizeof *PAUSE_S + 1 };

struct slot {
    struct webhooks *of;
    CURL *curl; /* NULL: it is free */
    struct curl_slist *headers;
    struct hook hook;
    char host[256];
    bool private; /* its host may have a private address */
    bool refused; /* it had one that it may not have */
    size_t got;   /* bytes of the answer */
    int64_t spent_us;
};

struct webhooks {
    struct webhooks_conf conf;
    struct webhook_secret secret;
    struct webhooks_counts counts;
    struct mbox box;
    struct msg stop;
    pthread_t thread;
    bool running;
    sqlite3 *db; /* the rest is the thread's */
    CURLM *multi;
    bool skipped;     /* the last look left out what is due, as its host is busy */
    int64_t round_us; /* when the last round was */
    struct slot slot[SLOTS];
};

static int64_t pause_ms(int tries)
{
    return tries < TRIES ? PAUSE_S[tries - 1] * INT64_C(1000) : INT64_C(3600000);
}

/* --- one delivery ----------------------------------------------------------------------------- */

static size_t take_answer(char *bytes, size_t size, size_t n, void *arg)
{
    struct slot *s = arg;

    (void)bytes;
    s->got += size * n;
    return s->got > ANSWER_BYTES ? 0 : size * n;
}

/* The address is that which is connected to: a name that changes in between gains nothing. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct slot *s = arg;

    (void)purpose;
    if (!s->private && !hosts_public(&a->addr)) {
        s->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static bool add_header(struct slot *s, const char *name, const char *value)
{
    struct curl_slist *list;
    char line[200];

    snprintf(line, sizeof line, "%s: %s", name, value);
    list = curl_slist_append(s->headers, line);
    if (list) s->headers = list;
    return list != NULL;
}

/* The id is the same in every try, the time is not. */
static bool add_headers(struct slot *s)
{
    int64_t now_s = clock_unix_ms() / 1000;
    char job[ID_TEXT], id[ID_TEXT + 4], time[24], agent[100], signature[SIGNATURE_TEXT];

    id_format(s->hook.job, job);
    snprintf(id, sizeof id, "job_%s", job);
    snprintf(time, sizeof time, "%" PRId64, now_s);
    snprintf(agent, sizeof agent, "darkroom/%s", s->of->conf.version);
    signature_make(&s->of->secret, id, now_s, s->hook.body, signature);
    return add_header(s, "Content-Type", "application/json") && add_header(s, "User-Agent", agent)
           && add_header(s, "webhook-id", id) && add_header(s, "webhook-timestamp", time)
           && add_header(s, "webhook-signature", signature) && add_header(s, "Expect", "");
}

static bool set_up(struct slot *s)
{
    CURL *c = s->curl;
    bool bad = curl_easy_setopt(c, CURLOPT_URL, s->hook.url) != CURLE_OK;

    bad |= curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK;
    bad |= curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) != CURLE_OK;
    bad |= curl_easy_setopt(c, CURLOPT_PROXY, "") != CURLE_OK;
    bad |= curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) != CURLE_OK;
    bad |= curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L) != CURLE_OK;
    bad |= curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L) != CURLE_OK;
    if (s->of->conf.ca) bad |= curl_easy_setopt(c, CURLOPT_CAINFO, s->of->conf.ca) != CURLE_OK;
    bad |= curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(s->hook.body))
           != CURLE_OK;
    bad |= curl_easy_setopt(c, CURLOPT_POSTFIELDS, s->hook.body) != CURLE_OK;
    bad |= curl_easy_setopt(c, CURLOPT_HTTPHEADER, s->headers) != CURLE_OK;
    bad |= curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_answer) != CURLE_OK;
    bad |= curl_easy_setopt(c, CURLOPT_WRITEDATA, s) != CURLE_OK;
    bad |= curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_socket) != CURLE_OK;
    bad |= curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, s) != CURLE_OK;
    bad |= curl_easy_setopt(c, CURLOPT_PRIVATE, s) != CURLE_OK;
    return !bad;
}

static void clear(struct slot *s)
{
    if (s->curl) {
        curl_multi_remove_handle(s->of->multi, s->curl);
        curl_easy_cleanup(s->curl);
    }
    curl_slist_free_all(s->headers);
    free(s->hook.url);
    free(s->hook.body);
    *s = (struct slot){.of = s->of};
}

static void remove_row(struct webhooks *w, uint64_t job)
{
    struct fail f;

    if (hooks_remove(w->db, job, &f)) log_error(w->conf.log, "webhooks: %s", f.message);
}

/* It did not get through: it is tried again from now on after a pause. */
static void miss(struct slot *s, const char *why, bool last)
{
    struct webhooks *w = s->of;
    int64_t pause = pause_ms(s->hook.tries);
    char job[ID_TEXT];
    struct fail f;

    id_format(s->hook.job, job);
    if (last) {
        remove_row(w, s->hook.job);
        w->counts.given_up++;
        log_warn(w->conf.log, "webhook of job %s: given up after %d tries: %s", job, s->hook.tries,
                 why);
    } else {
        w->counts.failed++;
        if (hooks_delay(w->db, s->hook.job, clock_unix_ms() + pause, &f))
            log_error(w->conf.log, "webhooks: %s", f.message);
        log_info(w->conf.log, "webhook of job %s: %s; again in %" PRId64 " s", job, why,
                 pause / 1000);
    }
}

static void settle(struct slot *s, CURLcode code)
{
    long status = 0;
    char why[200];

    curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200 && status < 300) {
        s->of->counts.delivered++;
        remove_row(s->of, s->hook.job);
        return;
    }
    if (s->refused)
        snprintf(why, sizeof why, "%.100s has a private address, and is not listed as private",
                 s->host);
    else if (code == CURLE_OK)
        snprintf(why, sizeof why, "%.100s answered %ld", s->host, status);
    else
        snprintf(why, sizeof why, "%.100s: %s", s->host, curl_easy_strerror(code));
    miss(s, why, status == 410 || s->hook.tries >= TRIES);
}

/* --- which --------------------------------------------------------------------------------- */

static void host_of(const char *url, char out[256])
{
    const char *at = strstr(url, "://");

    at = at ? at + 3 : url;
    snprintf(out, 256, "%.*s", (int)strcspn(at, "/?#"), at);
}

/* Are slots left for its host, and is it not on its way? */
static bool wants(void *arg, uint64_t job, const char *url)
{
    struct webhooks *w = arg;
    bool sent = false;
    char host[256];
    int n = 0;

    host_of(url, host);
    for (int i = 0; i < SLOTS; i++) {
        n += w->slot[i].curl && strcmp(w->slot[i].host, host) == 0;
        sent |= w->slot[i].curl && w->slot[i].hook.job == job;
    }
    w->skipped |= sent || n >= SLOTS_HOST;
    return !sent && n < SLOTS_HOST;
}

static struct slot *free_slot(struct webhooks *w)
{
    for (int i = 0; i < SLOTS; i++)
        if (!w->slot[i].curl) return &w->slot[i];
    return NULL;
}

/* The list may be another one than when it was submitted. */
static void begin(struct slot *s)
{
    struct fail f;

    host_of(s->hook.url, s->host);
    if (hosts_allow(s->of->conf.hosts, s->hook.url, &s->private, &f)) {
        miss(s, f.message, s->hook.tries >= TRIES);
        clear(s);
        return;
    }
    s->curl = curl_easy_init();
    if (s->curl && add_headers(s) && set_up(s)
        && curl_multi_add_handle(s->of->multi, s->curl) == CURLM_OK)
        return;
    miss(s, "no memory", s->hook.tries >= TRIES);
    clear(s);
}

/* Begin all that is due and has a slot. False: the table cannot be read or written. */
static bool look(struct webhooks *w)
{
    const struct hooks_wanted wanted = {wants, pause_ms, w};
    struct slot *s;
    struct fail f;
    int got = 1;

    w->skipped = false;
    while (got > 0 && (s = free_slot(w))) {
        got = hooks_claim(w->db, clock_unix_ms(), &wanted, &s->hook, &f);
        if (got > 0) begin(s);
    }
    if (got < 0) log_error(w->conf.log, "webhooks: %s", f.message);
    return got >= 0;
}

/* --- the thread ------------------------------------------------------------------------------- */

static void wake(void *arg)
{
    curl_multi_wakeup(((struct webhooks *)arg)->multi);
}

static bool stopped(struct webhooks *w)
{
    bool stop = false;

    for (struct msg *m = mbox_take(&w->box), *next; m; m = next) {
        next = m->next;
        if (m->kind == STOP)
            stop = true;
        else
            free(m);
    }
    return stop;
}

static void perform(struct webhooks *w)
{
    CURLMsg *m;
    int left;

    curl_multi_perform(w->multi, &left);
    while ((m = curl_multi_info_read(w->multi, &left))) {
        CURLcode code = m->data.result; /* the message goes with the handle */
        struct slot *s = NULL;

        if (m->msg != CURLMSG_DONE) continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&s);
        settle(s, code);
        clear(s);
    }
}

/* Has it taken too long? */
static bool is_late(const struct slot *s)
{
    curl_off_t connected_us = 0;

    curl_easy_getinfo(s->curl, CURLINFO_PRETRANSFER_TIME_T, &connected_us);
    return s->spent_us > (connected_us > 0 ? ANSWER_MS : CONNECT_MS) * INT64_C(1000);
}

/* Not libcurl's own time limits: while this thread stands still, on a machine or a disk that is
 * busy, an answer may have come that is not read yet. */
static void end_late(struct webhooks *w)
{
    int64_t now = clock_us(), spent = now - w->round_us;

    w->round_us = now;
    if (spent > ROUND_MS * INT64_C(1000)) spent = ROUND_MS * INT64_C(1000);
    for (int i = 0; i < SLOTS; i++) {
        struct slot *s = &w->slot[i];

        if (!s->curl) continue;
        s->spent_us += spent;
        if (!is_late(s)) continue;
        settle(s, CURLE_OPERATION_TIMEDOUT);
        clear(s);
    }
}

static bool is_busy(const struct webhooks *w)
{
    for (int i = 0; i < SLOTS; i++)
        if (w->slot[i].curl) return true;
    return false;
}

static int wait_ms(struct webhooks *w, bool good)
{
    int64_t left = hooks_due_ms(w->db);

    if (left != INT64_MAX) left -= clock_unix_ms();
    if (!good || w->skipped || !free_slot(w)) return BUSY_MS;
    if (is_busy(w) && left > ROUND_MS) return ROUND_MS;
    return left < 0 ? 0 : left < IDLE_MS ? (int)left : IDLE_MS;
}

static void *run(void *arg)
{
    struct webhooks *w = arg;

    pthread_setname_np(pthread_self(), "webhooks");
    w->round_us = clock_us();
    while (!stopped(w)) {
        bool good = look(w);

        perform(w);
        end_late(w);
        curl_multi_poll(w->multi, NULL, 0, wait_ms(w, good), NULL);
    }
    return NULL;
}

/* --- life ------------------------------------------------------------------------------------- */

static int open_database(struct webhooks *w, struct fail *f)
{
    char path[PATH_MAX];

    if (snprintf(path, sizeof path, "%s/%s", w->conf.data, DATABASE_NAME) >= (int)sizeof path)
        return fail_set(f, ERR_IO, "The path of the data folder is too long.");
    return database_open(path, &w->db, f);
}

/* libcurl would only say so at the first post. */
static int check_ca(const char *path, struct fail *f)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    FILE *file = path ? fopen(path, "r") : NULL;
    char line[256];
    bool found = !path;

    if (path && !file)
        return fail_set(f, ERR_USAGE, "--webhook-ca %.200s: %s.", path, strerror(errno));
    while (!found && fgets(line, sizeof line, file))
        found = strncmp(line, begin, sizeof begin - 1) == 0;
    if (file) fclose(file);
    return found ? 0 : fail_set(f, ERR_USAGE, "--webhook-ca %.200s has no certificate.", path);
}

static int read_conf(struct webhooks *w, struct fail *f)
{
    int err = hosts_check(w->conf.hosts, f);

    if (!err) err = check_ca(w->conf.ca, f);
    if (err) return err;
    if (w->conf.secret) return signature_secret(w->conf.secret, &w->secret, f);
    fail_set(f, ERR_USAGE, "--webhook-hosts needs --webhook-secret.");
    return fail_advise(f, "Make one with: echo whsec_$(head -c 32 /dev/urandom | base64)");
}

static int start(struct webhooks *w, struct fail *f)
{
    int err = open_database(w, f);

    if (err) return err;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) w->multi = curl_multi_init();
    if (!w->multi || pthread_create(&w->thread, NULL, run, w))
        return fail_set(f, ERR_OUT_OF_MEMORY, "Cannot start the webhooks.");
    w->running = true;
    return 0;
}

int webhooks_open(struct webhooks **out, const struct webhooks_conf *conf, struct fail *f)
{
    struct webhooks *w = calloc(1, sizeof *w);
    bool posts = conf->hosts && *conf->hosts;
    int err;

    *out = NULL;
    if (!w) return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the webhooks.");
    w->conf = *conf;
    mbox_init(&w->box, wake, w);
    for (int i = 0; i < SLOTS; i++)
        w->slot[i].of = w;
    err = posts ? read_conf(w, f) : 0;
    if (!err && posts) err = start(w, f);
    if (err)
        webhooks_close(w);
    else
        *out = w;
    return err;
}

void webhooks_close(struct webhooks *w)
{
    if (!w) return;
    if (w->running) {
        w->stop.kind = STOP;
        mbox_push(&w->box, &w->stop);
        pthread_join(w->thread, NULL);
    }
    for (int i = 0; i < SLOTS; i++)
        clear(&w->slot[i]);
    if (w->multi) curl_multi_cleanup(w->multi);
    sqlite3_close(w->db);
    mbox_destroy(&w->box);
    sodium_memzero(&w->secret, sizeof w->secret);
    free(w);
}

int webhooks_check(const struct webhooks *w, const char *url, struct fail *f)
{
    bool private;

    return hosts_allow(w->conf.hosts, url, &private, f);
}

void webhooks_look(struct webhooks *w)
{
    struct msg *m = w->running ? calloc(1, sizeof *m) : NULL;

    if (!m) return; /* the next look finds it */
    m->kind = LOOK;
    mbox_push(&w->box, m);
}

const struct webhooks_counts *webhooks_counts(const struct webhooks *w)
{
    return &w->counts;
}
