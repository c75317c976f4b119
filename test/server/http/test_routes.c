/* test_routes - routes without a socket: status, headers, and what must never be found. */
#include "server/http/routes.h"

#include "server/events.h"
#include "test/server/harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char INDEX[] = "<!doctype html>", SCRIPT[] = "export {};";
#define BYTES(s) (const uint8_t *)(s), (const uint8_t *)(s) + sizeof(s) - 1
static const struct http_page PAGES[] = {
    {"/index.html", BYTES(INDEX)}, {"/app.js", BYTES(SCRIPT)}, {0}};
/* BLAKE2b-256 of "picture" */
static const char HEX[] = "604085597d589d91f631f56541c6a00842a745b69a543eca2e9349dcc266c8af";

static struct harness harness;
static struct histogram lag;
static struct traffic traffic;
static struct store *store;
static struct http *http;
static struct mbox box;
static char folder[64];

static void store_one(void)
{
    static const uint8_t digest[SPEC_DIGEST_BYTES];
    struct spec spec = {.prompt = (char *)(uintptr_t) "x",
                        .width = 64,
                        .height = 96,
                        .steps = 5,
                        .guidance = 1.5,
                        .seed = 77,
                        .lane = LANE_NORMAL,
                        .noise_seed = SPEC_SEED_PICK};
    struct hub_row row = {.job = 1, .order = 1, .key = "", .digest = digest, .spec = &spec};
    struct blob *file = blob_copy("picture", 7);

    store_accept(store, &row, 1);
    row.state = STATE_DONE;
    row.result_digest = HEX;
    row.result_bytes = 7;
    store_end(store, &row, file);
    blob_unref(file);
    for (int n = 0; n < 2;)
        for (struct msg *m = mbox_wait(&box, 10000), *next; m; m = next, n++) {
            next = m->next;
            free(m);
        }
}

static int set_up(void **state)
{
    struct http_conf conf;

    (void)state;
    snprintf(folder, sizeof folder, "/tmp/darkroom-http-XXXXXX");
    mbox_init(&box, NULL, NULL);
    if (!mkdtemp(folder) || harness_open(&harness)
        || store_open(&store, &(struct store_conf){.data = folder, .loop = &box}, NULL))
        return -1;
    store_one();
    conf = (struct http_conf){.pages = PAGES,
                              .hub = harness.hub,
                              .store = store,
                              .version = "1.0",
                              .model = "tiny",
                              .traffic = &traffic,
                              .commit = &lag};
    return http_new(&http, &conf, NULL);
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    http_free(http);
    store_close(store);
    hub_free(harness.hub);
    mbox_destroy(&box);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static const struct http_asker EVERYBODY = {.known = true, .sign_in = "", .sign_out = "end"};

static struct http_reply get(const char *path, const char *query, const char *match)
{
    struct http_request q = {"GET", path, query, match, &EVERYBODY, .body = ""};
    struct http_reply r;

    http_route(http, &q, 0, &r);
    return r;
}

static void expect_status(const char *path, int status)
{
    struct http_reply r = get(path, "", "");

    if (r.status != status) fail_msg("%s: %d instead of %d", path, r.status, status);
    reply_free(&r);
}

/* catches: a wrong type, a page that browsers keep for ever,
 * an ETag that does not follow the bytes */
static void pages(void **state)
{
    struct http_reply r = get("/", "", ""), js = get("/app.js", "", "");
    struct http_reply again, other;

    (void)state;
    assert_int_equal(r.status, 200);
    assert_string_equal(r.type, "text/html; charset=utf-8");
    assert_string_equal(r.cache, "no-cache");
    assert_memory_equal(r.body, INDEX, sizeof INDEX - 1);
    assert_string_equal(js.type, "text/javascript; charset=utf-8");
    assert_string_not_equal(r.etag, js.etag);
    again = get("/", "", r.etag);
    other = get("/", "", js.etag);
    assert_int_equal(again.status, 304);
    assert_true(again.head);
    assert_int_equal(other.status, 200);
}

/* catches: a path that leaves its table, odd digests, files of the data folder */
static void nothing_else(void **state)
{
    (void)state;
    expect_status("/index.html/", 404);
    expect_status("/../options.c", 404);
    expect_status("/i/", 404);
    expect_status("/i/../darkroom.db", 404);
    expect_status("/i/0011.png", 404);
    expect_status("/i/00112233445566778899aabbccddeeff00112233445566778899aabbccddeefF.png", 404);
    expect_status("/i/ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff.png", 404);
    expect_status("/i/00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff.pngx", 404);
    expect_status("/ws", 400);
    expect_status("", 404);
}

/* catches: a result that may be changed or lost in caches, a download without a name */
static void results(void **state)
{
    char path[128], bytes[16] = "", tag[80];
    struct http_reply r;

    (void)state;
    snprintf(path, sizeof path, "/i/%s.png", HEX);
    r = get(path, "", "");
    assert_int_equal(r.status, 200);
    assert_int_equal(r.bytes, 7);
    assert_int_equal(pread(r.fd, bytes, 7, 0), 7);
    assert_string_equal(bytes, "picture");
    assert_string_equal(r.type, "image/png");
    assert_non_null(strstr(r.cache, "immutable"));
    assert_non_null(strstr(r.etag, HEX));
    assert_string_equal(r.disposition, "");
    snprintf(tag, sizeof tag, "%s", r.etag);
    reply_free(&r);
    r = get(path, "a=b&download=1", "");
    assert_string_equal(r.disposition, "attachment; filename=\"64x96-seed77-60408559.png\"");
    reply_free(&r);
    r = get(path, "nodownload=1", tag);
    assert_string_equal(r.disposition, "");
    assert_int_equal(r.status, 304);
    reply_free(&r);
}

static void expect_lacks(int status, const char *lacks)
{
    struct http_reply r = get("/readyz", "", "");

    assert_int_equal(r.status, status);
    if (!strstr((const char *)r.body, lacks)) fail_msg("%s: not %s", (const char *)r.body, lacks);
    assert_int_equal(r.retry_after_s > 0, status == 503);
    reply_free(&r);
}

/* catches: a server that is sent work which it cannot do, or is restarted for want of a disk */
static void readiness(void **state)
{
    struct device_event ready = {.kind = DEVICE_READY, .budget = 1 << 20};
    struct fail full;

    (void)state;
    fail_set(&full, ERR_IO, "no \"room\"");
    expect_lacks(503, "\"ok\":false,\"lacks\":[\"model\"]");
    hub_device_event(harness.hub, 0, &ready);
    expect_lacks(200, "\"ok\":true,\"lacks\":[]");
    hub_disk(harness.hub, 1, &full);
    expect_lacks(503, "\"lacks\":[\"disk\"]");
    expect_lacks(503, "\"disk\":\"no \\\"room\\\"");
    expect_status("/healthz", 200);
    hub_disk(harness.hub, 2, NULL);
    expect_lacks(200, "[]");
    hub_drain(harness.hub, 3);
    expect_lacks(503, "\"lacks\":[\"draining\"]");
    expect_status("/healthz", 200);
}

/* catches: readiness while the model is loading; another method that is let through */
static void health_and_methods(void **state)
{
    struct http_reply r = get("/readyz", "", "");
    struct device_event ready = {.kind = DEVICE_READY, .budget = 1 << 20};
    struct http_request post = {"other", "/", "", "", &EVERYBODY, .body = ""},
                        head = {"HEAD", "/", "", "", &EVERYBODY, .body = ""};

    (void)state;
    assert_int_equal(r.status, 503);
    assert_true(r.retry_after_s > 0);
    reply_free(&r);
    histogram_add(&lag, 4000);
    traffic_answered(&traffic, 101);
    traffic_answered(&traffic, 99);
    traffic_answered(&traffic, 600);
    hub_device_event(harness.hub, 0, &ready);
    r = get("/readyz", "", "");
    assert_int_equal(r.status, 200);
    assert_non_null(strstr((const char *)r.body, "\"model\":\"tiny\""));
    reply_free(&r);
    r = get("/metrics", "", "");
    assert_non_null(strstr((const char *)r.body, "\ndarkroom_ready 1\n"));
    assert_non_null(strstr((const char *)r.body, "_bucket{le=\"0.005\"} 1\n"));
    assert_non_null(strstr((const char *)r.body, "_requests_total{status=\"101\"} 1\n"));
    assert_non_null(strstr((const char *)r.body, "_bucket{lane=\"batch\",le=\"+Inf\"} 0\n"));
    assert_non_null(
        strstr((const char *)r.body, "\ndarkroom_run_seconds_count{lane=\"urgent\"} 0\n"));
    assert_null(strstr((const char *)r.body, "process_resident_memory_bytes 0\n"));
    assert_null(strstr((const char *)r.body, "process_open_fds 0\n"));
    reply_free(&r);
    http_route(http, &post, 0, &r);
    assert_int_equal(r.status, 405);
    assert_string_equal(r.allow, "GET, HEAD");
    reply_free(&r);
    http_route(http, &head, 0, &r);
    assert_int_equal(r.status, 200);
    assert_true(r.head && r.bytes == sizeof INDEX - 1);
    reply_free(&r);
}

/* The name of a sample or of what a comment is about, without what a histogram adds. */
static void family(const char *from, bool histogram, char *out, size_t bytes)
{
    static const char *const ends[] = {"_bucket", "_sum", "_count"};
    size_t n = strcspn(from, " {");

    snprintf(out, bytes, "%.*s", (int)n, from);
    for (size_t i = 0; i < 3 && histogram; i++) {
        size_t len = strlen(ends[i]);

        if (n > len && strcmp(out + n - len, ends[i]) == 0) out[n - len] = 0;
    }
}

struct form {
    char name[80], type[16]; /* of the family */
    double bound, last;      /* of a histogram's newest bucket */
    int families, samples;
};

static void check_sample(struct form *s, const char *line)
{
    bool histogram = strcmp(s->type, "histogram") == 0;
    const char *le = strstr(line, "le=\"");
    char name[80], *end;
    double value = strtod(strrchr(line, ' '), &end), bound;

    family(line, histogram, name, sizeof name);
    if (strcmp(name, s->name) != 0 || *end || !(value >= 0)) fail_msg("%s: in %s", line, s->name);
    s->samples++;
    if (!histogram) return;
    if (le) {
        bound = strtod(le + 4, NULL); /* +Inf, too */
        if (!(bound > s->bound) || !(value >= s->last)) fail_msg("%s: falls", line);
        s->bound = bound;
        s->last = value;
    } else if (strstr(line, "_count")) {
        if (!(value == s->last && s->bound > 1e300))
            fail_msg("%s: not the last bucket's %g", line, s->last);
        s->bound = -1; /* the next one's labels differ */
        s->last = 0;
    }
}

static void check_line(struct form *s, const char *line, const char *text)
{
    char help[128];

    if (strncmp(line, "# HELP ", 7) == 0) {
        *s = (struct form){.bound = -1, .families = s->families + 1, .samples = s->samples};
        family(line + 7, false, s->name, sizeof s->name);
        snprintf(help, sizeof help, "# HELP %s ", s->name);
        if (strstr(strstr(text, help) + 1, help)) fail_msg("%s comes twice", s->name);
    } else if (strncmp(line, "# TYPE ", 7) == 0) {
        size_t n = strlen(s->name);

        if (strncmp(line + 7, s->name, n) != 0) fail_msg("%s: of %s", line, s->name);
        snprintf(s->type, sizeof s->type, "%s", line + 7 + n + 1);
        if ((strcmp(s->type, "counter") == 0) != (n > 6 && !strcmp(s->name + n - 6, "_total")))
            fail_msg("%s: a counter ends with _total", line);
    } else
        check_sample(s, line);
}

/* catches: what Prometheus does not read: a sample without HELP and TYPE or of another family, one
 * twice, buckets that fall, a count that is not the last bucket's, a counter without _total */
static void metrics_have_their_form(void **state)
{
    struct device_event ready = {.kind = DEVICE_READY, .budget = 1 << 20};
    struct form form = {.families = 0};
    struct http_reply r;
    char *copy, *rest, *line;

    (void)state;
    hub_device_event(harness.hub, 0, &ready);
    histogram_add(&lag, 4000);
    histogram_add(&lag, 4000000);
    r = get("/metrics", "", "");
    assert_int_equal(r.status, 200);
    copy = rest = strdup((const char *)r.body);
    assert_non_null(copy);
    assert_int_equal(copy[strlen(copy) - 1], '\n');
    while ((line = strtok_r(NULL, "\n", &rest)))
        check_line(&form, line, (const char *)r.body);
    assert_true(form.families >= 20 && form.samples > 100);
    free(copy);
    reply_free(&r);
}

static struct fail why;
static struct user user;

static struct http_reply ask(const struct http_asker *who, const char *method, const char *path)
{
    struct http_request q = {method, path, "", "", who, .body = ""};
    struct http_reply r;

    http_route(http, &q, 0, &r);
    return r;
}

static void expect(const struct http_asker *who, const char *method, const char *path, int status)
{
    struct http_reply r = ask(who, method, path);

    if (r.status != status) fail_msg("%s %s: %d instead of %d", method, path, r.status, status);
    reply_free(&r);
}

/* catches: a picture for strangers or for other users, or one that shared caches keep */
static void pictures_are_their_owners(void **state)
{
    const struct http_asker stranger = {.why = &why, .near = true, .sign_in = "", .sign_out = ""},
                            one = {.known = true, .user = &user};
    char path[128];
    struct http_reply r;

    (void)state;
    fail_set(&why, ERR_UNAUTHORIZED, "who?");
    snprintf(path, sizeof path, "/i/%s.png", HEX);
    expect(&stranger, "GET", path, 401);
    expect(&stranger, "GET", "/i/nothing", 401); /* nor is it told what there is */
    user = (struct user){.id = 3, .role = ROLE_USER};
    expect(&one, "GET", path, 404);
    user.role = ROLE_VIEWER;
    expect(&one, "HEAD", path, 404);
    user.role = ROLE_ADMIN;
    r = ask(&one, "GET", path);
    assert_int_equal(r.status, 200);
    assert_non_null(strstr(r.cache, "private"));
    assert_null(strstr(r.cache, "public"));
    assert_non_null(r.vary);
    reply_free(&r);
}

/* catches: numbers of others for users; a monitor on this machine that needs a token */
static void metrics_are_for_administrators(void **state)
{
    struct http_asker who = {.why = &why};

    (void)state;
    fail_set(&why, ERR_RATE_LIMITED, "slowly");
    expect(&who, "GET", "/metrics", 429);
    who.near = true;
    expect(&who, "GET", "/metrics", 200);
    who = (struct http_asker){.known = true, .user = &user};
    user = (struct user){.id = 3, .role = ROLE_USER};
    expect(&who, "GET", "/metrics", 403);
    user.role = ROLE_ADMIN;
    expect(&who, "GET", "/metrics", 200);
    expect(&EVERYBODY, "GET", "/metrics", 200);
}

/* catches: a cookie for who has no token, or that GET sets; a session that cannot be ended */
static void the_session(void **state)
{
    struct http_asker who = {
        .known = true, .user = &user, .sign_in = "in", .sign_out = "out", .why = &why};
    struct http_reply r;

    (void)state;
    user = (struct user){.id = 3, .name = "ada", .role = ROLE_USER};
    r = ask(&who, "POST", "/v1/session");
    assert_int_equal(r.status, 200);
    assert_string_equal(r.cookie, "in");
    assert_non_null(strstr((const char *)r.body, "\"name\":\"ada\""));
    reply_free(&r);
    r = ask(&who, "GET", "/v1/session");
    assert_string_equal(r.cookie, "");
    reply_free(&r);
    who.known = false;
    who.user = NULL;
    fail_set(&why, ERR_UNAUTHORIZED, "who?");
    expect(&who, "POST", "/v1/session", 401);
    expect(&who, "GET", "/v1/session", 401);
    r = ask(&who, "DELETE", "/v1/session");
    assert_int_equal(r.status, 200);
    assert_string_equal(r.cookie, "out");
    reply_free(&r);
    r = ask(&who, "PUT", "/v1/session");
    assert_int_equal(r.status, 405);
    assert_string_equal(r.allow, "GET, HEAD, POST, DELETE");
    reply_free(&r);
    r = ask(&EVERYBODY, "POST", "/v1/session");
    assert_int_equal(r.status, 200);
    assert_string_equal((const char *)r.body, "{\"user\":null}");
    reply_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(results, set_up, tear_down),
        cmocka_unit_test_setup_teardown(readiness, set_up, tear_down),
        cmocka_unit_test_setup_teardown(health_and_methods, set_up, tear_down),
        cmocka_unit_test_setup_teardown(metrics_have_their_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pictures_are_their_owners, set_up, tear_down),
        cmocka_unit_test_setup_teardown(metrics_are_for_administrators, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_session, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
