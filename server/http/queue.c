/* queue - asks for `stats`, and for a `quote` of one more picture, as that is how long the queue
 * is. */
#include "server/http/queue.h"

#include "server/http/negotiate.h"

#include <stdlib.h>
#include <string.h>

struct look {
    bool page;
    json_t *stats, *quote; /* the answers; quote NULL: it was refused */
};

/* The look is that of the page, whose files these are. */
static const char *const HEAD =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta http-equiv=\"refresh\" content=\"5\"><title>The queue · darkroom</title>"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
    "<link rel=\"icon\" href=\"icon.svg\" type=\"image/svg+xml\">"
    "<link rel=\"stylesheet\" href=\"style.css\"><link rel=\"stylesheet\" href=\"queue.css\">"
    "</head><body>\n<header class=\"top\"><p class=\"brand\"><span "
    "class=\"lamp\"></span>darkroom</p>"
    "<a class=\"quiet\" href=\"./#/queue\">Open the page</a></header>\n"
    "<main class=\"page\"><h1 class=\"page-title\">The queue</h1>\n";

/* --- the page --------------------------------------------------------------------------------- */

static void put(struct text *t, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<': text_raw(t, "&lt;"); break;
        case '&': text_raw(t, "&amp;"); break;
        default: text_bytes(t, text, 1);
        }
    }
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

static void put_left(struct text *t, const json_t *ms)
{
    double s = json_number_value(ms) / 1e3;

    if (!json_is_number(ms))
        text_raw(t, "?");
    else if (s < 100)
        text_printf(t, "%.1f s", s);
    else
        text_printf(t, "%.0f min", s / 60);
}

/* Names of users are told to administrators alone. */
static bool names_users(const json_t *jobs)
{
    const json_t *job;
    size_t i;

    json_array_foreach(jobs, i, job) if (json_object_get(job, "user")) return true;
    return false;
}

static void put_row(struct text *t, const json_t *job, bool who)
{
    bool runs = strcmp(string_of(job, "state"), "running") == 0;

    text_printf(t, "<tr class=\"%s\"><td>", runs ? "running" : "queued");
    if (runs)
        text_printf(t, "%s, %.0f %%", string_of(job, "phase"),
                    json_number_value(json_object_get(job, "overall")) * 100);
    else
        text_printf(t, "waits, place %lld", whole_of(job, "position"));
    text_printf(t, "</td><td>%lld×%lld</td><td>", whole_of(job, "width"), whole_of(job, "height"));
    put_left(t, json_object_get(job, "eta_ms"));
    if (who) {
        text_raw(t, "</td><td>");
        put(t, string_of(job, "user"));
    }
    text_printf(t, "</td><td>%s</td></tr>\n", string_of(job, "job"));
}

static void put_summary(struct text *t, const struct look *l)
{
    const json_t *s = l->stats;

    text_printf(t, "<p>%lld run, %lld wait. At most %lld at a time: ", whole_of(s, "running"),
                whole_of(s, "queued"), whole_of(s, "cap"));
    put(t, string_of(s, "why_cap"));
    text_raw(t, ".</p>\n<p>One more picture would be there in ");
    put_left(t, json_object_get(l->quote, "eta_ms"));
    text_printf(t, ". Since the first start: %lld done, %lld failed, %lld cancelled.</p>\n",
                whole_of(s, "done"), whole_of(s, "failed"), whole_of(s, "cancelled"));
}

static void write_page(const struct look *l, struct text *t)
{
    const json_t *jobs = json_object_get(l->stats, "jobs"), *job;
    long long more = whole_of(l->stats, "more");
    bool who = names_users(jobs);
    size_t i;

    text_raw(t, HEAD);
    put_summary(t, l);
    if (json_array_size(jobs) > 0) {
        text_printf(t,
                    "<table><thead><tr><th>State</th><th>Size</th><th>Done in</th>%s<th>Job</th>"
                    "</tr></thead><tbody>\n",
                    who ? "<th>User</th>" : "");
        json_array_foreach(jobs, i, job) put_row(t, job, who);
        text_raw(t, "</tbody></table>\n");
    }
    if (more) text_printf(t, "<p>And %lld more.</p>\n", more);
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
    r->vary = "accept, accept-encoding";
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
