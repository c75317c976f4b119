/* queue - asks for `stats`, and for a `quote` of one more picture, as that is how long the queue
 * is. */
#include "server/http/queue.h"

#include "server/http/negotiate.h"
#include "server/http/queue_words.h"

#include <stdlib.h>
#include <string.h>

struct look {
    bool page;
    const struct queue_words *words; /* of the page */
    json_t *stats, *quote;           /* the answers; quote NULL: it was refused */
};

/* --- the page --------------------------------------------------------------------------------- */

/* The look is that of the page, whose files these are. */
static void put_head(const struct queue_words *w, struct text *t)
{
    text_printf(t,
                "<!doctype html>\n<html lang=\"%s\"><head><meta charset=\"utf-8\">"
                "<meta http-equiv=\"refresh\" content=\"5\"><title>%s · %s</title>"
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">",
                w->tag, w->title, w->brand);
    text_raw(t,
             "<link rel=\"icon\" href=\"icon.svg\" type=\"image/svg+xml\">"
             "<link rel=\"stylesheet\" href=\"style.css\">"
             "<link rel=\"stylesheet\" href=\"queue.css\"></head><body>\n"
             "<header class=\"top\"><p class=\"brand\"><span class=\"lamp\"></span>darkroom</p>");
    text_printf(t,
                "<a class=\"quiet\" href=\"./#/queue\">%s</a></header>\n"
                "<main class=\"page\"><h1 class=\"page-title\">%s</h1>\n",
                w->open, w->title);
}

static const char *string_of(const json_t *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o, name));

    return text ? text : "";
}

static long long whole_of(const json_t *o, const char *name)
{
    return (long long)json_number_value(json_object_get(o, name));
}

static void put_left(const struct queue_words *w, struct text *t, const json_t *ms)
{
    double s = json_number_value(ms) / 1e3;
    long long tenths = (long long)(s * 10 + 0.5);

    if (!json_is_number(ms))
        text_raw(t, w->unknown);
    else if (s < 100)
        queue_say(t, w->seconds, (const long long[]){tenths / 10, tenths % 10});
    else
        queue_say(t, w->minutes, (const long long[]){(long long)(s / 60 + 0.5)});
}

/* Names of users are told to administrators alone. */
static bool names_users(const json_t *jobs)
{
    const json_t *job;
    size_t i;

    json_array_foreach(jobs, i, job) if (json_object_get(job, "user")) return true;
    return false;
}

static void put_row(const struct queue_words *w, struct text *t, const json_t *job, bool who)
{
    bool runs = strcmp(string_of(job, "state"), "running") == 0;
    double overall = json_number_value(json_object_get(job, "overall"));

    text_printf(t, "<tr class=\"%s\"><td>", runs ? "running" : "queued");
    if (runs) {
        text_raw(t, queue_phase(w, string_of(job, "phase")));
        queue_say(t, w->runs, (const long long[]){(long long)(overall * 100 + 0.5)});
    } else
        queue_say(t, w->waits, (const long long[]){whole_of(job, "position")});
    text_printf(t, "</td><td>%lld×%lld</td><td>", whole_of(job, "width"), whole_of(job, "height"));
    put_left(w, t, json_object_get(job, "eta_ms"));
    if (who) {
        text_raw(t, "</td><td>");
        queue_put(t, string_of(job, "user"));
    }
    text_printf(t, "</td><td>%s</td></tr>\n", string_of(job, "job"));
}

static void put_summary(const struct look *l, struct text *t)
{
    const struct queue_words *w = l->words;
    const json_t *s = l->stats;

    text_raw(t, "<p>");
    queue_say(t, w->counts, (const long long[]){whole_of(s, "running"), whole_of(s, "queued")});
    queue_say(t, w->cap, (const long long[]){whole_of(s, "cap")});
    queue_why(w, s, t);
    text_printf(t, "%s</p>\n<p>%s", w->stop, w->next);
    put_left(w, t, json_object_get(l->quote, "eta_ms"));
    queue_say(
        t, w->totals,
        (const long long[]){whole_of(s, "done"), whole_of(s, "failed"), whole_of(s, "cancelled")});
    text_raw(t, "</p>\n");
}

static void put_table(const struct look *l, struct text *t)
{
    const struct queue_words *w = l->words;
    const json_t *jobs = json_object_get(l->stats, "jobs"), *job;
    bool who = names_users(jobs);
    size_t i;

    if (json_array_size(jobs) == 0) return;
    text_printf(t, "<table><thead><tr><th>%s</th><th>%s</th><th>%s</th>", w->state, w->size,
                w->done_in);
    if (who) text_printf(t, "<th>%s</th>", w->user);
    text_printf(t, "<th>%s</th></tr></thead><tbody>\n", w->job);
    json_array_foreach(jobs, i, job) put_row(w, t, job, who);
    text_raw(t, "</tbody></table>\n");
}

static void write_page(const struct look *l, struct text *t)
{
    long long more = whole_of(l->stats, "more");

    put_head(l->words, t);
    put_summary(l, t);
    put_table(l, t);
    if (more) {
        text_raw(t, "<p>");
        queue_say(t, l->words->more, &more);
        text_raw(t, "</p>\n");
    }
    text_raw(t, "</main></body></html>\n");
}

/* --- JSON ------------------------------------------------------------------------------------- */

/* Seconds of a member in milliseconds; null when it is not known. */
static json_t *seconds(const json_t *o, const char *name)
{
    const json_t *ms = json_object_get(o, name);

    return json_is_number(ms) ? json_real(json_number_value(ms) / 1e3) : json_null();
}

double queue_mean_s(const struct backend *b, double none)
{
    struct hub_counts n;
    double sum = 0, of = 0;

    hub_counts(b->hub, &n);
    for (int i = 0; i < LANES; i++) {
        sum += n.totals->run[i].sum;
        of += (double)n.totals->run[i].n;
    }
    return of > 0 ? sum / of : none;
}

static void write_json(const struct look *l, const struct backend *b, struct text *t)
{
    json_t *o = json_object();
    double mean = queue_mean_s(b, -1);
    char *dump;

    json_object_set(o, "queue_size", json_object_get(l->stats, "queued"));
    json_object_set_new(o, "avg_event_process_time", mean < 0 ? json_null() : json_real(mean));
    json_object_set_new(o, "rank_eta", seconds(l->quote, "eta_ms"));
    json_object_set_new(o, "queue_eta", seconds(l->quote, "start_ms"));
    json_object_del(l->stats, "type");
    json_object_update(o, l->stats);
    dump = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(9));
    text_raw(t, dump ? dump : "{}");
    free(dump);
    json_decref(o);
}

/* --- the exchange ----------------------------------------------------------------------------- */

static void begin(struct exchange *x)
{
    json_t *stats = json_pack("{sssb}", "type", "stats", "on", 0);
    json_t *quote = json_pack("{sss{ss}}", "type", "quote", "spec", "prompt", "x");

    exchange_send(x, stats);
    exchange_send(x, quote);
    json_decref(stats);
    json_decref(quote);
}

static void begin_page(struct exchange *x, const struct http_request *q)
{
    const char *accept = request_header(q, "accept");
    struct look *l = exchange_own(x);
    char languages[512] = "";

    if (q->head) head_list(q->head, "accept-language", languages, sizeof languages);
    l->words = queue_words(languages);
    l->page = !negotiate_prefers(accept, "application/json", "text/html");
    begin(x);
}

static void begin_json(struct exchange *x, const struct http_request *q)
{
    (void)q;
    begin(x);
}

static void answer(struct exchange *x)
{
    struct look *l = exchange_own(x);
    struct http_reply *r = exchange_reply(x, 200);
    struct text t;

    text_init(&t, 0, 1 << 20);
    if (l->page)
        write_page(l, &t);
    else
        write_json(l, exchange_backend(x), &t);
    r->vary = l->page ? "accept, accept-language, accept-encoding" : "accept, accept-encoding";
    if (l->page) r->language = l->words->tag;
    reply_text(r, &t, l->page ? "text/html; charset=utf-8" : "application/json");
    exchange_answer(x);
}

/* The answers come in the order of the commands. */
static void message(struct exchange *x, const struct blob *m, bool binary)
{
    struct look *l = exchange_own(x);
    json_t *o = json_loadb((const char *)m->data, m->len, 0, NULL);

    (void)binary;
    if (!l->stats) {
        l->stats = o;
        return;
    }
    if (exchange_is(m, "quote")) l->quote = json_incref(o);
    json_decref(o);
    answer(x);
}

static void end(struct exchange *x)
{
    struct look *l = exchange_own(x);

    json_decref(l->stats);
    json_decref(l->quote);
}

const struct translator QUEUE_PAGE = {.state = sizeof(struct look),
                                      .types = "application/json text/html",
                                      .begin = begin_page,
                                      .message = message,
                                      .end = end},
                        QUEUE_JSON = {.state = sizeof(struct look),
                                      .types = "application/json",
                                      .begin = begin_json,
                                      .message = message,
                                      .end = end};
