/* routes - a table of routes, then the page's files. */
#include "server/http/routes.h"

#include "proto/answer.h"
#include "proto/limits.h"
#include "proto/url.h"
#include "server/base/clock.h"
#include "server/http/a1111.h"
#include "server/http/events.h"
#include "server/http/gradio.h"
#include "server/http/images.h"
#include "server/http/jobs.h"
#include "server/http/metrics.h"
#include "server/http/negotiate.h"
#include "server/http/openai.h"
#include "server/http/pages.h"
#include "server/http/pictures.h"
#include "server/http/query.h"
#include "server/http/queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct http {
    struct pages pages;
    struct metrics metrics;
    struct backend backend;
    struct spec_limits widest;
};

int http_new(struct http **out, const struct http_conf *conf, struct fail *f)
{
    struct http *h = calloc(1, sizeof *h);
    int err;

    *out = h;
    if (!h) return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the page.");
    spec_limits_init(&h->widest);
    h->backend = (struct backend){.hub = conf->hub,
                                  .store = conf->store,
                                  .hello = conf->hello,
                                  .convert = conf->convert,
                                  .arg = conf->arg,
                                  .base = conf->base ? conf->base : "/",
                                  .model = conf->model,
                                  .limits = conf->limits ? conf->limits : &h->widest};
    h->metrics = (struct metrics){.hub = conf->hub,
                                  .version = conf->version,
                                  .model = conf->model,
                                  .started_s = (double)clock_unix_ms() / 1000,
                                  .traffic = conf->traffic,
                                  .commit = conf->commit,
                                  .webhooks = conf->webhooks,
                                  .decoded = conf->decoded};
    err = pages_init(&h->pages, conf->pages, f);
    if (err) {
        http_free(h);
        *out = NULL;
    }
    return err;
}

void http_free(struct http *h)
{
    if (!h) return;
    pages_free(&h->pages);
    free(h);
}

void http_sent(struct http *h, const struct http_reply *r, int64_t now)
{
    if (r->once) hub_fetched(h->backend.hub, now, r->once);
}

static void route_picture(struct http *h, const struct http_request *q, struct http_reply *r)
{
    if (pictures_granted(h->backend.store, h->backend.hub, q)
        || !pictures_private(h->backend.hub, q, r))
        pictures_route(h->backend.store, h->backend.hub, q, r);
}

static void route_gradio_file(struct http *h, const struct http_request *q, struct http_reply *r)
{
    gradio_file(h->backend.store, q, r);
}

static void route_gradio_upload(struct http *h, const struct http_request *q, struct http_reply *r)
{
    gradio_upload_file(h->backend.store, h->backend.hub, q, r);
}

static void route_login(struct http *h, const struct http_request *q, struct http_reply *r)
{
    (void)h;
    gradio_login(q, r);
}

static void route_image(struct http *h, const struct http_request *q, struct http_reply *r)
{
    images_file(h->backend.store, h->backend.hub, q, r);
}

static void route_health(struct http *h, const struct http_request *q, struct http_reply *r)
{
    (void)q;
    metrics_health(&h->metrics, r);
}

static void route_readiness(struct http *h, const struct http_request *q, struct http_reply *r)
{
    (void)q;
    metrics_readiness(&h->metrics, r);
}

static void route_metrics(struct http *h, const struct http_request *q, struct http_reply *r)
{
    (void)q;
    metrics_route(&h->metrics, r);
}

/* GET: who am I; POST with a token: a cookie for it; DELETE: no cookie any more. */
static void route_session(struct http *h, const struct http_request *q, struct http_reply *r)
{
    bool ends = strcmp(q->method, "DELETE") == 0;
    struct text t;

    (void)h;
    reply_init(r, 200);
    if (strcmp(q->method, "POST") == 0)
        snprintf(r->cookie, sizeof r->cookie, "%s", q->asker->sign_in);
    if (ends) snprintf(r->cookie, sizeof r->cookie, "%s", q->asker->sign_out);
    text_init(&t, 0, 4096);
    text_open(&t, NULL, '{');
    answer_user(ends ? NULL : q->asker->user, &t);
    text_close(&t, '}');
    reply_text(r, &t, "application/json");
}

/* The WebSocket's own path, asked for without an upgrade. */
static void route_socket(struct http *h, const struct http_request *q, struct http_reply *r)
{
    (void)h, (void)q;
    reply_refuse(r, ERR_BAD_REQUEST, "This address speaks WebSocket, subprotocol darkroom.v1.",
                 "Connect with a WebSocket client, as PROTOCOL.md shows.");
}

/* What this server and its model are and can do. */
static void route_model(struct http *h, const struct http_request *q, struct http_reply *r)
{
    struct blob *hello = h->backend.hello ? h->backend.hello(h->backend.arg, q->asker->user) : NULL;
    struct text t;
    struct fail f;

    if (!hello) {
        fail_set(&f, ERR_MODEL, "The model is being loaded.");
        fail_advise(&f, "Ask again in a moment.");
        f.retry_after_ms = 1000;
        reply_fail(r, &f, 503);
        return;
    }
    reply_init(r, 200);
    text_init(&t, 0, hello->len + 1);
    text_bytes(&t, hello->data, hello->len);
    blob_unref(hello);
    reply_text(r, &t, "application/json");
}

#define READ "GET, HEAD"
static const char *const NONE[] = {NULL}, *const PRIVATE[] = {"private", NULL};

const struct http_route HTTP_ROUTES[] = {
    {URL_PICTURES, READ, HTTP_GUEST, .route = route_picture},
    {URL_THUMBNAILS, READ, HTTP_GUEST, .translator = &PICTURES_THUMBNAIL},
    {"/healthz", READ, HTTP_PUBLIC, .route = route_health},
    {"/readyz", READ, HTTP_PUBLIC, .route = route_readiness},
    {"/metrics", READ, HTTP_ADMIN, .route = route_metrics},
    {"/v1/session", "GET, HEAD, POST", HTTP_KNOWN, .route = route_session, .parameters = NONE},
    {"/v1/session", "DELETE", HTTP_PUBLIC, .route = route_session, .parameters = NONE},
    {"/v1/model", READ, HTTP_KNOWN, .route = route_model, .parameters = NONE},
    {"/v1/jobs", READ, HTTP_GUEST, .translator = &JOBS_LIST},
    {"/v1/jobs", "POST", HTTP_KNOWN, .translator = &JOBS_SUBMIT, .body = HTTP_JSON},
    {"/v1/jobs/{job}", READ, HTTP_GUEST, .translator = &JOBS_SHOW},
    {"/v1/jobs/{job}", "DELETE", HTTP_KNOWN, .translator = &JOBS_CANCEL},
    {"/v1/jobs/{job}/events", READ, HTTP_GUEST, .translator = &EVENTS_JOB},
    {"/v1/jobs/{job}/{command}", "POST", HTTP_KNOWN, .translator = &JOBS_COMMAND,
     .body = HTTP_JSON},
    {"/v1/quote", READ, HTTP_KNOWN, .translator = &JOBS_QUOTE},
    {"/v1/stats", READ, HTTP_KNOWN, .translator = &JOBS_STATS},
    {"/v1/stats/events", READ, HTTP_KNOWN, .translator = &EVENTS_STATS, .parameters = NONE},
    {"/v1/queue", READ, HTTP_KNOWN, .translator = &QUEUE_JSON, .parameters = NONE},
    {"/queue", READ, HTTP_KNOWN, .translator = &QUEUE_PAGE},
    {"/queue/status", READ, HTTP_KNOWN, .translator = &QUEUE_JSON},
    {"/v1/images", READ, HTTP_KNOWN, .translator = &IMAGES_LIST, .parameters = NONE},
    {"/v1/images", "POST", HTTP_KNOWN, .translator = &IMAGES_UPLOAD, .body = HTTP_FILE,
     .parameters = PRIVATE},
    {"/v1/images/{digest}", READ, HTTP_KNOWN, .route = route_image, .parameters = NONE},
    {"/v1/images/{digest}", "DELETE", HTTP_KNOWN, .translator = &IMAGES_DISCARD,
     .parameters = NONE},
    {"/v1/images/generations", "POST", HTTP_KNOWN, .translator = &OPENAI_GENERATE,
     .body = HTTP_JSON},
    {"/v1/images/edits", "POST", HTTP_KNOWN, .translator = &OPENAI_EDIT, .body = HTTP_FORM},
    {"/v1/models", READ, HTTP_KNOWN, .translator = &OPENAI_MODELS},
    {"/v1/models/{model}", READ, HTTP_KNOWN, .translator = &OPENAI_MODELS},
    {"/sdapi/v1/txt2img", "POST", HTTP_KNOWN, .translator = &A1111_TXT2IMG, .body = HTTP_JSON},
    {"/sdapi/v1/img2img", "POST", HTTP_KNOWN, .translator = &A1111_IMG2IMG, .body = HTTP_FORM},
    {"/sdapi/v1/progress", READ, HTTP_KNOWN, .translator = &A1111_PROGRESS},
    {"/sdapi/v1/interrupt", "POST", HTTP_KNOWN, .translator = &A1111_INTERRUPT, .body = HTTP_JSON},
    {"/sdapi/v1/skip", "POST", HTTP_KNOWN, .translator = &A1111_INTERRUPT, .body = HTTP_JSON},
    {"/sdapi/v1/{list}", READ, HTTP_KNOWN, .translator = &A1111_GET},
    {"/sdapi/v1/{setting}", "POST", HTTP_KNOWN, .translator = &A1111_POST, .body = HTTP_JSON},
    {"/internal/ping", READ, HTTP_KNOWN, .translator = &A1111_GET},
    {"/login", "POST", HTTP_PUBLIC, .route = route_login, .body = HTTP_LOGIN},
    {"/config", READ, HTTP_KNOWN, .translator = &GRADIO_CONFIG},
    {"/gradio_api/info", READ, HTTP_KNOWN, .translator = &GRADIO_INFO},
    {"/gradio_api/queue/join", "POST", HTTP_KNOWN, .translator = &GRADIO_JOIN, .body = HTTP_JSON},
    {"/gradio_api/queue/data", READ, HTTP_KNOWN, .translator = &GRADIO_DATA},
    {"/gradio_api/heartbeat/{session}", READ, HTTP_KNOWN, .translator = &GRADIO_HEARTBEAT},
    {"/gradio_api/call/{function}", "POST", HTTP_KNOWN, .translator = &GRADIO_JOIN,
     .body = HTTP_JSON},
    {"/gradio_api/call/v2/{function}", "POST", HTTP_KNOWN, .translator = &GRADIO_NAMED,
     .body = HTTP_JSON},
    {"/gradio_api/call/{function}/{event}", READ, HTTP_KNOWN, .translator = &GRADIO_RESULT},
    {"/gradio_api/cancel", "POST", HTTP_KNOWN, .translator = &GRADIO_END, .body = HTTP_JSON},
    {"/gradio_api/reset", "POST", HTTP_KNOWN, .translator = &GRADIO_END, .body = HTTP_JSON},
    {"/gradio_api/file=outputs/", READ, HTTP_KNOWN, .route = route_gradio_file},
    {"/gradio_api/file=uploads/", READ, HTTP_KNOWN, .route = route_gradio_upload},
    {"/gradio_api/upload", "POST", HTTP_KNOWN, .translator = &GRADIO_UPLOAD, .body = HTTP_FILES},
    {"/gradio_api/api/predict", "POST", HTTP_KNOWN, .translator = &GRADIO_PREDICT,
     .body = HTTP_FORM},
    {"/gradio_api/api/predict/", "POST", HTTP_KNOWN, .translator = &GRADIO_PREDICT,
     .body = HTTP_FORM},
    {"/gradio_api/run/predict", "POST", HTTP_KNOWN, .translator = &GRADIO_PREDICT,
     .body = HTTP_FORM},
    {"/gradio_api/run/predict/", "POST", HTTP_KNOWN, .translator = &GRADIO_PREDICT,
     .body = HTTP_FORM},
    {"/v1/{command}", "POST", HTTP_KNOWN, .translator = &JOBS_COMMAND, .body = HTTP_JSON},
    {"/ws", READ, HTTP_PUBLIC, .route = route_socket},
    {NULL, NULL, HTTP_PUBLIC, .route = NULL},
};

/* --- finding a route -------------------------------------------------------------------------- */

/* One word of the path for a {word} of the row's, its slashes as they were before they were
 * escaped; false: it is none. */
static bool take_word(const char *what, size_t n, struct http_request *q, int i)
{
    static const size_t len = sizeof HEAD_SLASH - 1;
    const char *end = what + n;
    char *out = q->param[i].text;

    if (n >= HTTP_PARAM_BYTES || i >= HTTP_PARAMS) return false;
    while (what < end) {
        bool slash = strncmp(what, HEAD_SLASH, len) == 0;

        *out++ = slash ? '/' : *what;
        what += slash ? len : 1;
    }
    return n > 0;
}

/* Is the path the one that is wanted? Words of it go to param. */
static bool is_at(const char *want, struct http_request *q)
{
    const char *path = q->path;
    int words = 0;

    memset(q->param, 0, sizeof q->param);
    while (*want) {
        size_t n = strcspn(path, "/"), len;

        if (*want != '{') {
            if (*want++ != *path++) return false;
            if (!*want && want[-1] == '/') return true; /* all below it */
            continue;
        }
        len = strcspn(want, "}") + 1;
        if (!take_word(path, n, q, words)) return false;
        if (strncmp(want, "{command}", len) == 0 && !jobs_has_command(q->param[words].text, words))
            return false;
        if (strncmp(want, "{digest}", len) == 0 && !images_named(q->param[words].text))
            return false;
        words++;
        want += len;
        path += n;
    }
    return !*path;
}

/* Is the method one of the list "GET, HEAD"? */
static bool lists(const char *methods, const char *method)
{
    size_t n = strlen(method);

    while (*methods) {
        size_t len = strcspn(methods, ",");

        if (len == n && memcmp(methods, method, n) == 0) return true;
        methods += len + strspn(methods + len, ", ");
    }
    return false;
}

/* Is the path the row's, for one of Gradio also as versions 3 and 4 had it? */
static bool serves(const struct http_route *row, struct http_request *q)
{
    size_t n = sizeof GRADIO_PREFIX - 1;

    if (is_at(row->path, q)) return true;
    return strncmp(row->path, GRADIO_PREFIX "/", n + 1) == 0 && is_at(row->path + n, q);
}

/* The row of this path and method. NULL: none; allow then has the methods of the path, or "". */
static const struct http_route *find(struct http_request *q, char allow[HTTP_ALLOW_BYTES])
{
    size_t n = 0;

    *allow = 0;
    for (const struct http_route *row = HTTP_ROUTES; row->path; row++) {
        if (!serves(row, q)) continue;
        if (lists(row->methods, q->method)) return row;
        if (n < HTTP_ALLOW_BYTES)
            n += (size_t)snprintf(allow + n, HTTP_ALLOW_BYTES - n, "%s%s", n ? ", " : "",
                                  row->methods);
    }
    return NULL;
}

/* --- what is refused -------------------------------------------------------------------------- */

/* True: it may ask; else f says why not. */
static bool permitted(enum http_access access, const struct http_asker *a, struct fail *f)
{
    if (access == HTTP_PUBLIC || (access == HTTP_ADMIN && a->near)) return true;
    if (!a->known) {
        *f = *a->why;
        return false;
    }
    if (access == HTTP_GUEST) return true;
    if (a->user && a->user->role == ROLE_GUEST) {
        fail_set(f, ERR_UNAUTHORIZED, "What you came with shows one job, and nothing else.");
        fail_advise(f, "Sign in with a token of your own to do more than look.");
        return false;
    }
    if (access == HTTP_KNOWN || !a->user || a->user->role == ROLE_ADMIN) return true;
    fail_set(f, ERR_FORBIDDEN, "This is for administrators.");
    fail_advise(f, "Ask the administrator of this server for the role `admin`.");
    return false;
}

/* What the addresses of each foreign dialect begin with, also those that there are not; method: it
 * has these with that one alone, NULL: with any. */
static const struct {
    const char *begin;
    const struct translator *translator;
    const char *method;
} DIALECTS[] = {
    {"/v1/images/generations", &OPENAI_GENERATE, NULL},
    {"/v1/images/edits", &OPENAI_EDIT, NULL},
    {"/v1/images/", &OPENAI_GENERATE, "POST"},
    {"/v1/models", &OPENAI_MODELS, NULL},
    {"/sdapi/", &A1111_GET, NULL},
    {"/internal/", &A1111_GET, NULL},
    {"/gradio_api/", &GRADIO_CONFIG, NULL},
    {"/api/", &GRADIO_PREDICT, NULL},
    {"/run/", &GRADIO_PREDICT, NULL},
    {"/call/", &GRADIO_JOIN, NULL},
    {"/queue/join", &GRADIO_JOIN, NULL},
    {"/queue/data", &GRADIO_DATA, NULL},
    {"/heartbeat/", &GRADIO_HEARTBEAT, NULL},
    {"/info", &GRADIO_INFO, NULL},
    {"/cancel", &GRADIO_END, NULL},
    {"/reset", &GRADIO_END, NULL},
    {"/config", &GRADIO_CONFIG, NULL},
    {"/login", &GRADIO_CONFIG, NULL},
    {"/file=", &GRADIO_CONFIG, NULL},
    {"/upload", &GRADIO_UPLOAD, NULL},
};

/* Is the first word below /v1/ one of this server's own API? */
static bool is_ours(const char *path)
{
    const size_t n = strcspn(path + strlen("/v1/"), "/") + strlen("/v1/");
    char word[HTTP_PARAM_BYTES];

    for (const struct http_route *row = HTTP_ROUTES; row->path; row++)
        if (strncmp(row->path, path, n) == 0 && (!row->path[n] || row->path[n] == '/')) return true;
    snprintf(word, sizeof word, "%.*s", (int)(n - strlen("/v1/")), path + strlen("/v1/"));
    return command_kind_parse(word) >= 0;
}

/* Whose address it is, or would be; NULL: this server's own. */
static const struct translator *dialect_of(const char *method, const char *path)
{
    for (size_t i = 0; i < sizeof DIALECTS / sizeof *DIALECTS; i++)
        if (strncmp(path, DIALECTS[i].begin, strlen(DIALECTS[i].begin)) == 0
            && (!DIALECTS[i].method || strcmp(method, DIALECTS[i].method) == 0))
            return DIALECTS[i].translator;
    /* of the many that OpenAI has and this has not: chat, responses, embeddings .. */
    return strncmp(path, "/v1/", 4) == 0 && !is_ours(path) ? &OPENAI_GENERATE : NULL;
}

/* Refuse an address or a method, as the dialect does whose address it would be. */
static void refuse_address(const struct http_request *q, const struct fail *f, int status,
                           struct http_reply *r)
{
    reply_free(r);
    exchange_write_fail(dialect_of(q->method, q->path), r, f, status);
}

static void refuse_method(const struct http_request *q, const char *allow, struct http_reply *r)
{
    struct fail f;

    fail_set(&f, ERR_BAD_REQUEST, "This address does not take this method.");
    fail_advise(&f, "The header Allow lists those that it takes; HTTP.md has all addresses.");
    refuse_address(q, &f, 405, r);
    snprintf(r->allow, sizeof r->allow, "%s", allow);
}

static void refuse_path(const struct http_request *q, struct http_reply *r)
{
    struct fail f;

    fail_set(&f, ERR_NOT_FOUND, "There is nothing at this address.");
    fail_advise(&f, "The page is at /, and HTTP.md has all addresses.");
    refuse_address(q, &f, 404, r);
}

/* A form that another site's page sends is never JSON, whatever it holds. */
static bool is_json(const struct http_request *q)
{
    const char *type = request_header(q, "content-type");
    size_t n = strcspn(type, "; \t");

    return (n == 16 && strncasecmp(type, "application/json", n) == 0)
           || (n > 5 && strncasecmp(type + n - 5, "+json", 5) == 0);
}

/* A picture itself says nothing that another site's form could not, so that it must be named as
 * one; a form comes from this site's pages or from programs (upgrade_check_plain). */
static bool takes_file(enum http_body body, const struct http_request *q)
{
    const char *type = request_header(q, "content-type");

    if (strncasecmp(type, "multipart/form-data", 19) == 0) return true;
    if (body == HTTP_FORM) return is_json(q);
    if (body == HTTP_LOGIN) return strncasecmp(type, "application/x-www-form-urlencoded", 33) == 0;
    if (body == HTTP_FILES) return false;
    return strncasecmp(type, "image/", 6) == 0
           || strncasecmp(type, "application/octet-stream", 24) == 0;
}

static const char *types_of(enum http_body body)
{
    switch (body) {
    case HTTP_FILE: return "a picture or multipart/form-data";
    case HTTP_FILES: return "multipart/form-data";
    case HTTP_LOGIN: return "application/x-www-form-urlencoded or multipart/form-data";
    default: return "application/json or multipart/form-data";
    }
}

/* 0: the row (NULL: a file of the page) takes the body that the head announces; else an HTTP
 * status. */
static int check_body(const struct http_route *row, const struct http_request *q, struct fail *f)
{
    const char *coding = request_header(q, "content-encoding");

    if (!q->head || !head_body(q->head)) return 0;
    if (*coding && strcasecmp(coding, "identity") != 0) {
        fail_field(f, ERR_BAD_REQUEST, "Content-Encoding", "A body is read as it is, not packed.");
        fail_advise(f, "Send it without Content-Encoding.");
        return 415;
    }
    if (row && row->body >= HTTP_FILE && row->body <= HTTP_LOGIN) {
        if (takes_file(row->body, q)) return 0;
        fail_field(f, ERR_BAD_REQUEST, "Content-Type", "The body must be %s.", types_of(row->body));
        fail_advise(f, "Name its type in the header Content-Type.");
        return 415;
    }
    if (row && row->body == HTTP_JSON) {
        if (is_json(q)) return 0;
        fail_field(f, ERR_BAD_REQUEST, "Content-Type", "The body must be application/json.");
        fail_advise(f, "Send the header `Content-Type: application/json`.");
        return 415;
    }
    fail_set(f, ERR_BAD_REQUEST, "This request carries a body, and none is read here.");
    fail_advise(f, "Send it without Content-Length and Transfer-Encoding.");
    return fail_status(f->code);
}

/* 0 or 422: parameters that say two things, or that there are not. What reads none, as /healthz and
 * files do, takes whatever a probe or a cache puts there. */
static int check_query(const struct http_route *row, const struct http_request *q, struct fail *f)
{
    int err = row && (row->translator || row->parameters) ? query_check(q->query, f) : 0;

    if (!err && row && row->parameters) err = query_only(q->query, row->parameters, f);
    return err ? fail_status(f->code) : 0;
}

/* 0 or 406. */
static int check_accept(const struct http_route *row, const struct http_request *q, struct fail *f)
{
    const char *types = row && row->translator ? row->translator->types : NULL;
    char accept[512];

    if (!types || !q->head || !head_list(q->head, "accept", accept, sizeof accept)) return 0;
    if (negotiate_accepts(accept, types)) return 0;
    fail_field(f, ERR_BAD_REQUEST, "Accept", "The answer would be %s.", types);
    fail_advise(f, "Leave Accept out, or send */*.");
    return 406;
}

/* A picture's address may be signed; else who asks must be permitted. */
static bool grants(const struct http *h, const struct http_route *row, const struct http_request *q)
{
    return row->route == route_picture && pictures_granted(h->backend.store, h->backend.hub, q);
}

/* True: this row may be answered. */
static bool admits(const struct http *h, const struct http_route *row, const struct http_request *q,
                   struct http_reply *r)
{
    struct fail f;
    int status = 0;

    if (row && !grants(h, row, q) && !permitted(row->access, q->asker, &f))
        status = fail_status(f.code);
    if (!status) status = check_query(row, q, &f);
    if (!status) status = check_accept(row, q, &f);
    if (!status) status = check_body(row, q, &f);
    if (status) http_refuse(row, q->method, q->path, &f, status, r);
    return !status;
}

void http_refuse(const struct http_route *row, const char *method, const char *path,
                 const struct fail *f, int status, struct http_reply *r)
{
    exchange_write_fail(row ? row->translator : dialect_of(method, path), r, f, status);
}

/* --- answering -------------------------------------------------------------------------------- */

static bool is_head(const struct http_request *q)
{
    return strcmp(q->method, "HEAD") == 0;
}

const struct http_route *http_find(struct http *h, struct http_request *q, struct http_reply *r)
{
    bool read = is_head(q) || strcmp(q->method, "GET") == 0;
    char allow[HTTP_ALLOW_BYTES];
    const struct http_route *row = find(q, allow);

    reply_init(r, 0);
    if (row) {
        if (admits(h, row, q, r)) return row;
    } else if (*allow || *q->path == '*' || (!read && pages_route(&h->pages, q, r)))
        refuse_method(q, *allow ? allow : READ, r);
    else if (!pages_route(&h->pages, q, r))
        refuse_path(q, r);
    else
        admits(h, NULL, q, r);
    if (is_head(q)) r->head = true;
    return NULL;
}

int64_t http_body_max(const struct http_route *row)
{
    switch (row->body) {
    case HTTP_NO_BODY: return 0;
    case HTTP_FILE: return LIMIT_IMAGE_BYTES + LIMIT_MESSAGE_BYTES;
    case HTTP_FILES:
    case HTTP_FORM: return LIMIT_FORM_BYTES;
    default: return LIMIT_MESSAGE_BYTES;
    }
}

void http_answer(struct http *h, const struct http_route *row, const struct http_request *q,
                 int64_t now, struct http_reply *r)
{
    struct exchange *x;

    reply_init(r, 200);
    if (row->translator) {
        x = exchange_new(&h->backend, row->translator, q, now, r);
        r->exchange = x;
    } else
        row->route(h, q, r);
    if (is_head(q)) r->head = true;
}

void http_route(struct http *h, struct http_request *q, int64_t now, struct http_reply *r)
{
    const struct http_route *row = http_find(h, q, r);

    if (row) http_answer(h, row, q, now, r);
    if (!r->exchange) negotiate(r, q);
}

bool http_preflight(struct http_request *q, struct http_reply *r)
{
    bool asked = *request_header(q, "access-control-request-method");

    if (strcmp(q->method, "OPTIONS") != 0 || !asked) return false;
    reply_init(r, 204);
    find(q, r->allow);
    if (!*r->allow) snprintf(r->allow, sizeof r->allow, READ);
    r->preflight = true;
    return true;
}
