/* test_answer - every message of the server, byte for byte as in the vectors. */
#include "proto/answer.h"

#include "proto/limits.h"
#include "test/proto/vectors.h"

#include <math.h>

#define JOB    UINT64_C(0x0000019b76da0001)
#define OTHER  UINT64_C(0xfedcba9876543210)
#define DIGEST "9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c"

static char RED[] = "a red circle";
static char WEIRD[] = "say \"hi\" \\ / \b\f\n\r\t\x01\x1f\x7f \xe2\x80\xa8 \xc3\xa9 "
                      "\xe7\xba\xa2\xe8\x89\xb2\xe5\x9c\x86\xe5\xbd\xa2 \xf0\x9f\x94\xb4";
static char HALF[257], CUT[300]; /* 128 and 140 times e acute, the second after an a */

static const struct spec SIMPLE = {.prompt = RED,
                                   .width = 256,
                                   .height = 256,
                                   .steps = 20,
                                   .guidance = 1.5,
                                   .seed = -1,
                                   .lane = LANE_NORMAL,
                                   .noise_seed = SPEC_SEED_PICK};
static const struct spec CHOSEN = {.prompt = RED,
                                   .width = 256,
                                   .height = 256,
                                   .steps = 20,
                                   .guidance = 1.5,
                                   .seed = 77123,
                                   .lane = LANE_NORMAL,
                                   .noise_seed = SPEC_SEED_PICK};
static const struct spec WILD = {.prompt = WEIRD,
                                 .width = 512,
                                 .height = 128,
                                 .steps = 1,
                                 .guidance = 0.1,
                                 .seed = 9007199254740991,
                                 .lane = LANE_NORMAL,
                                 .noise_seed = SPEC_SEED_PICK};
static const struct spec WIDE = {.prompt = RED,
                                 .width = 384,
                                 .height = 256,
                                 .steps = 20,
                                 .guidance = 1.5,
                                 .seed = -1,
                                 .lane = LANE_NORMAL,
                                 .noise_seed = SPEC_SEED_PICK};
static const struct event_result RESULT = {"/i/" DIGEST ".png", DIGEST, 256,   384,
                                           9007199254740991,    6.81,   48211, 0};
static const struct event_result SHORT = {"/i/" DIGEST ".png", DIGEST, 256,   384,
                                          9007199254740991,    6.81,   48211, 7};
static const struct fail TOO_LONG = {
    .code = ERR_TIMEOUT,
    .message = "ran longer than 300 s",
    .hint = "Ask for fewer steps or a smaller picture, or raise --job-seconds."};

static const uint64_t CELLS[] = {1, 2, 3, 4};
static const struct sweep_place PLACE = {JOB, 2, 2, {1, 0}};
static const struct event_counts COUNTS = {2, 1, 1, 0}, SO_FAR = {8, 3, 0, 1};
static const char ENDED[] = "[{\"job\":\"0000000000000001\",\"state\":\"done\",\"url\":\"/i/" DIGEST
                            ".png\"},{\"job\":\"0000000000000002\",\"state\":\"failed\"}]";

static const struct {
    const char *name, *ref;
    uint64_t job, seq;
    struct event event;
} EVENTS[] = {
    {"accepted",
     "",
     JOB,
     1,
     {EVENT_ACCEPTED, .u.accepted = {.spec = &CHOSEN, .key = "", .created_ms = 1767225600123}}},
    {"accepted with times",
     "a2",
     JOB,
     1,
     {EVENT_ACCEPTED, .u.accepted = {&CHOSEN, "", 1767225600123, 1240, 1100, 1510}}},
    {"accepted as an answer, any prompt",
     "a1",
     OTHER,
     4294967297,
     {EVENT_ACCEPTED, .u.accepted = {.spec = &WILD, .key = "k-93f1", .created_ms = 1767225600123}}},
    {"queue", NULL, JOB, 2, {EVENT_QUEUE, .u.queue = {3, 4, 21000, 28000, 24000, 34000, WHY_TURN}}},
    {"queue, held", NULL, JOB, 3, {EVENT_QUEUE, .u.queue = {0, 0, -1, -1, -1, -1, WHY_HELD}}},
    {"queue, times unknown",
     NULL,
     JOB,
     3,
     {EVENT_QUEUE, .u.queue = {1, 0, -1, -1, -1, -1, WHY_STARTING}}},
    {"phase", NULL, JOB, 4, {EVENT_PHASE, .u.phase = {PHASE_PRIOR, 320}}},
    {"progress",
     NULL,
     JOB,
     5,
     {EVENT_PROGRESS, .u.progress = {PHASE_DENOISE, 7, 20, 0.6125, 2140, false, WHY_TURN}}},
    {"progress, nothing done",
     NULL,
     JOB,
     6,
     {EVENT_PROGRESS, .u.progress = {PHASE_GLYPH, 0, 1, 0, -1, false, WHY_TURN}}},
    {"progress, not its turn",
     NULL,
     JOB,
     6,
     {EVENT_PROGRESS, .u.progress = {PHASE_PRIOR, 0, 320, 0, 9000, true, WHY_TURN}}},
    {"result", NULL, JOB, LIMIT_SEQ_MAX - 1, {EVENT_RESULT, .u.result = RESULT}},
    {"result, finished early", NULL, JOB, LIMIT_SEQ_MAX - 1, {EVENT_RESULT, .u.result = SHORT}},
    {"end done", NULL, JOB, LIMIT_SEQ_MAX, {EVENT_END, .u.end = {.state = STATE_DONE}}},
    {"end failed", NULL, JOB, 9, {EVENT_END, .u.end = {.state = STATE_FAILED, .error = &TOO_LONG}}},
    {"accepted, drawn before",
     "a4",
     JOB,
     1,
     {EVENT_ACCEPTED,
      .u.accepted = {.spec = &CHOSEN, .key = "k", .created_ms = 1767225600123, .cached = true}}},
    {"accepted, a sweep",
     "a3",
     JOB,
     1,
     {EVENT_ACCEPTED,
      .u.accepted = {.spec = &CHOSEN,
                     .key = "",
                     .created_ms = 1767225600123,
                     .sweep = {NULL, "{\"steps\":[10,20],\"seed\":[77123,77124]}", CELLS, 4}}}},
    {"accepted, a cell",
     NULL,
     3,
     1,
     {EVENT_ACCEPTED, .u.accepted = {.spec = &CHOSEN,
                                     .key = "",
                                     .created_ms = 1767225600123,
                                     .sweep = {.place = &PLACE}}}},
    {"progress of a sweep",
     NULL,
     JOB,
     5,
     {EVENT_PROGRESS, .u.progress = {PHASE_NONE, 3, 8, 0.41, 2140}}},
    {"cell running", NULL, JOB, 6, {EVENT_CELL, .u.cell = {2, STATE_RUNNING, NULL, NULL}}},
    {"cell done", NULL, JOB, 7, {EVENT_CELL, .u.cell = {2, STATE_DONE, &RESULT, NULL}}},
    {"cell failed", NULL, JOB, 8, {EVENT_CELL, .u.cell = {3, STATE_FAILED, NULL, &TOO_LONG}}},
    {"end of a sweep",
     NULL,
     JOB,
     11,
     {EVENT_END, .u.end = {STATE_FAILED, &TOO_LONG, &COUNTS, ENDED}}},
    {"end cancelled", "", JOB, 10, {EVENT_END, .u.end = {.state = STATE_CANCELLED}}},
};

static const struct cap_device FULL = {.why = CAP_MEMORY,
                                       .cap = 2,
                                       .fits = 2,
                                       .width = 256,
                                       .height = 384,
                                       .picture_bytes = 600000000,
                                       .bytes = 1200000000},
                               LOST = {.why = CAP_LOST, .tries = 3, .message = "gone"};
static const struct concurrency TWO = {
    .cap = 2, .why = "2 pictures fit in 1.2 GB", .devices = 1, .device = {&FULL}};
static const struct notice DRAIN = {
    .kind = NOTICE_DRAIN, .text = "The server stops soon.", .own = true, .at_ms = 1767225660000};
static const struct notice MESSAGE = {.kind = NOTICE_MESSAGE, .text = "Tea is ready."};

static void make_hello_to(const struct user *u, struct text *t)
{
    static const struct answer_size sizes[] = {{256, 256}, {384, 256}};
    static const char *const examples[] = {"a red circle on a blue background",
                                           "\xe7\xba\xa2\xe8\x89\xb2\xe5\x9c\x86\xe5\xbd\xa2"};
    const struct notice *const notices[] = {&DRAIN, &MESSAGE};
    struct spec_limits l = vectors_limits();
    struct answer_hello h = {.version = "1.0-3-gabc",
                             .boot_id = 0x5f0c8a2e91d3b764,
                             .time_ms = 1767225600000,
                             .model = "tiny",
                             .device = "cpu",
                             .dtype = "bf16",
                             .concurrency = &TWO,
                             .queue_max = 64,
                             .job_seconds = 300,
                             .limits = &l,
                             .sizes = sizes,
                             .n_sizes = 2,
                             .examples = examples,
                             .n_examples = 2,
                             .user = u,
                             .notices = notices,
                             .n_notices = u ? 2 : 0};

    answer_hello(&h, t);
}

static void make_hello(struct text *t)
{
    make_hello_to(NULL, t);
}

static const struct user ADA = {.id = 7,
                                .name = "ada@example.org",
                                .role = ROLE_USER,
                                .lanes = 1U << LANE_NORMAL | 1U << LANE_BATCH,
                                .weight = 1.5,
                                .waiting = 8,
                                .disk_bytes = 1 << 30};

static void make_hello_user(struct text *t)
{
    make_hello_to(&ADA, t);
}
static void make_user_changed(struct text *t)
{
    answer_user_changed(&ADA, t);
}

static void make_list(struct text *t)
{
    struct spec half = SIMPLE, cut = SIMPLE;
    const struct answer_job jobs[] = {
        {.job = 5,
         .state = STATE_QUEUED,
         .created_ms = 5,
         .spec = &SIMPLE,
         .position = 2,
         .eta_ms = -1},
        {.job = 4,
         .state = STATE_RUNNING,
         .created_ms = 4,
         .key = "k",
         .spec = &half,
         .phase = PHASE_PRIOR,
         .overall = 0.03,
         .eta_ms = 6400},
        {.job = 3, .state = STATE_DONE, .created_ms = 3, .spec = &cut, .result = &RESULT},
        {.job = 2, .state = STATE_FAILED, .created_ms = 2, .spec = &SIMPLE, .error = &TOO_LONG},
        {.job = 1, .state = STATE_CANCELLED, .created_ms = 1, .spec = &SIMPLE, .key = ""},
    };

    for (int i = 0; i < 256; i++)
        HALF[i] = i % 2 ? '\xa9' : '\xc3';
    CUT[0] = 'a';
    for (int i = 1; i <= 280; i++)
        CUT[i] = i % 2 ? '\xc3' : '\xa9';
    half.prompt = HALF;
    cut.prompt = CUT;
    answer_list("l", jobs, 5, true, t);
}

static void make_results(struct text *t)
{
    const struct answer_job jobs[] = {
        {.job = 3, .state = STATE_DONE, .created_ms = 3, .spec = &SIMPLE, .result = &RESULT}};
    const struct answer_found found = {.more = true,
                                       .count = 9007199254740991,
                                       .n_sizes = 2,
                                       .size = {{256, 384, 9007199254740990}, {512, 512, 1}}};

    answer_results("l", jobs, 1, &found, t);
}

static void make_results_beyond(struct text *t)
{
    answer_results(NULL, NULL, 0, &(struct answer_found){.count = 7}, t);
}

static void make_stats(struct text *t)
{
    static const struct sweep_place place = {5, 7, 2, {1, 3}};
    const struct answer_job jobs[] = {
        {.job = JOB,
         .state = STATE_RUNNING,
         .spec = &SIMPLE,
         .phase = PHASE_DENOISE,
         .overall = 0.71,
         .eta_ms = 2100,
         .device = 1},
        {.job = OTHER,
         .state = STATE_QUEUED,
         .spec = &WIDE,
         .sweep.place = &place,
         .position = 1,
         .start_ms = 2100,
         .eta_ms = 9100,
         .eta_lo_ms = 8000,
         .eta_hi_ms = 11000,
         .why = WHY_SLOTS,
         .user = "ada"},
        {.state = STATE_QUEUED,
         .spec = &CHOSEN,
         .position = 2,
         .start_ms = -1,
         .eta_ms = -1,
         .why = WHY_TURN,
         .user = "ben"},
    };
    const struct concurrency concurrency = {.cap = 2,
                                            .why = "2 pictures fit in 1.2 GB",
                                            .disk = "database or disk is full",
                                            .devices = 2,
                                            .device = {&FULL, &LOST}};
    struct answer_stats s = {.running = 1,
                             .queued = 2,
                             .done = 41,
                             .cancelled = 3,
                             .concurrency = &concurrency,
                             .tokens_per_s = 412.5,
                             .steps_per_s = 11.2,
                             .pictures_per_min = NAN,
                             .held = 1,
                             .used_ms = 40210,
                             .used_all_ms = 380000,
                             .window_ms = 600000,
                             .jobs = jobs,
                             .n_jobs = 3};

    answer_stats("s", &s, t);
}

static void make_quote(struct text *t)
{
    struct answer_quote q = {&SIMPLE,
                             3,
                             21000,
                             28000,
                             24000,
                             34000,
                             6900,
                             54525952,
                             .tokens = 9,
                             .texts = 2,
                             .text = {{2, 3}, {6, 6}}};

    answer_quote("q", &q, t);
}
static void make_job(struct text *t)
{
    struct answer_job j = {
        .job = 3, .state = STATE_DONE, .created_ms = 3, .spec = &SIMPLE, .result = &RESULT};
    static char whole[301];
    struct spec spec = SIMPLE;

    memset(whole, 'a', 300);
    spec.prompt = whole;
    j.spec = &spec;
    answer_job("j", &j, t);
}
static void make_sweep_quote(struct text *t)
{
    struct answer_quote q = {&SIMPLE, 3,    21000,    28000,      24000,
                             34000,   6900, 54525952, .cells = 8, .tokens = -1};

    answer_quote("q", &q, t);
}
static void make_sweep_list(struct text *t)
{
    const struct sweep_place place = {5, 7, 2, {1, 3}};
    const struct answer_job jobs[] = {{.job = 5,
                                       .state = STATE_RUNNING,
                                       .created_ms = 5,
                                       .spec = &CHOSEN,
                                       .overall = 0.41,
                                       .eta_ms = 2140,
                                       .counts = &SO_FAR},
                                      {.job = 4,
                                       .state = STATE_QUEUED,
                                       .created_ms = 5,
                                       .spec = &CHOSEN,
                                       .position = 2,
                                       .eta_ms = 2140,
                                       .sweep.place = &place}};

    answer_list(NULL, jobs, 2, false, t);
}
static void make_empty_list(struct text *t)
{
    answer_list(NULL, NULL, 0, false, t);
}
static void make_ok_watch(struct text *t)
{
    answer_ok("b2", COMMAND_WATCH, JOB, STATE_RUNNING, t);
}
static void make_ok_previews(struct text *t)
{
    answer_ok("", COMMAND_PREVIEWS, 0, -1, t);
}
static void make_ok_count(struct text *t)
{
    answer_count("b3", COMMAND_CANCEL, 3, t);
}
static void make_pong(struct text *t)
{
    answer_pong("p", 1767225600123, t);
}
static const struct spec_image UPLOADED = {
    .digest = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa,
               0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x00, 0x11, 0x22, 0x33, 0x44, 0x55,
               0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff},
    .width = 4032,
    .height = 3024,
    .used_width = 1024,
    .used_height = 768};
static void make_upload(struct text *t)
{
    answer_upload("u", &(struct answer_upload){0x58e30ebaadd531f6, 1048576, 2483991}, t);
}
static void make_image(struct text *t)
{
    answer_image(
        "u",
        &(struct answer_image){
            .image = &UPLOADED, .bytes = 9120331, .changed = "[\"oriented\"]", .private = true},
        t);
}
static void make_uploads(struct text *t)
{
    struct spec_image image = UPLOADED;

    image.width = image.height = image.used_width = image.used_height = 64;
    answer_images_begin(NULL, t);
    answer_image_row(
        &(struct answer_image){
            .image = &image, .bytes = 8000, .created_ms = 1767225600123, .changed = "[]"},
        t);
    answer_images_end(t);
}
static void make_ok_set(struct text *t)
{
    struct answer_tuning s = {.set = {4, 8, 300}, .concurrency = &TWO};

    answer_set("t", &s, t);
}
static void make_drain(struct text *t)
{
    notice_encode(&DRAIN, 1767225600000, t);
}
static void make_quota(struct text *t)
{
    const struct notice n = {.kind = NOTICE_QUOTA,
                             .text = "2 pictures go.",
                             .own = true,
                             .at_ms = 1767225660000,
                             .count = 2,
                             .bytes = 96422,
                             .job = {5, 255}};

    notice_encode(&n, 1767225600000, t);
}
static void make_over(struct text *t)
{
    notice_encode(&(struct notice){.kind = NOTICE_MESSAGE}, 1767225600000, t);
}
static void make_full_error(struct text *t)
{
    struct fail f;

    fail_field(&f, ERR_QUEUE_FULL, "spec", "64 jobs wait already");
    f.retry_after_ms = 4200;
    answer_error("a1", COMMAND_SUBMIT, OTHER, &f, t);
}
static void make_bare_error(struct text *t)
{
    struct fail f;

    fail_set(&f, ERR_BAD_REQUEST, "not valid: %s", "\xe7");
    answer_error(NULL, -1, 0, &f, t);
}

static const struct {
    const char *name;
    void (*make)(struct text *);
} ANSWERS[] = {
    {"hello", make_hello},
    {"hello to a user", make_hello_user},
    {"ok watch", make_ok_watch},
    {"ok previews", make_ok_previews},
    {"ok with a count", make_ok_count},
    {"error, everything", make_full_error},
    {"error, nothing known", make_bare_error},
    {"quote", make_quote},
    {"quote of a sweep", make_sweep_quote},
    {"list", make_list},
    {"list, a sweep and a cell", make_sweep_list},
    {"list, empty", make_empty_list},
    {"list of results", make_results},
    {"list of results, behind the last", make_results_beyond},
    {"job", make_job},
    {"stats", make_stats},
    {"ok set", make_ok_set},
    {"notice of a drain", make_drain},
    {"notice of pictures that go", make_quota},
    {"notice that is over", make_over},
    {"user that has changed", make_user_changed},
    {"pong", make_pong},
    {"upload", make_upload},
    {"image", make_image},
    {"uploads", make_uploads},
};
#define N_EVENTS  (sizeof EVENTS / sizeof *EVENTS)
#define N_ANSWERS (sizeof ANSWERS / sizeof *ANSWERS)

static bool make(const char *name, struct text *t)
{
    for (size_t i = 0; i < N_EVENTS; i++)
        if (strcmp(EVENTS[i].name, name) == 0) {
            event_encode(&EVENTS[i].event, EVENTS[i].job, EVENTS[i].seq, EVENTS[i].ref, t);
            return true;
        }
    for (size_t i = 0; i < N_ANSWERS; i++)
        if (strcmp(ANSWERS[i].name, name) == 0) {
            ANSWERS[i].make(t);
            return true;
        }
    return false;
}

/* catches: any byte of a message that differs from the contract, and a message without a vector */
static void byte_for_byte(void **state)
{
    json_t *root = vectors_load("server.json"), *v;
    size_t i;

    (void)state;
    json_array_foreach(json_object_get(root, "cases"), i, v)
    {
        struct text t;

        text_init(&t, 5, LIMIT_OUTBOX_BYTES);
        if (!make(vectors_string(v, "name"), &t))
            fail_msg("%s: unknown", vectors_string(v, "name"));
        assert_int_equal(text_check(&t, NULL), 0);
        assert_string_equal(t.at + 5, vectors_string(v, "text"));
        text_free(&t);
    }
    assert_int_equal(i, N_EVENTS + N_ANSWERS);
    json_decref(root);
}

/* catches: a statistics message that grows with the queue */
static void stats_rows_are_bounded(void **state)
{
    static struct answer_job jobs[LIMIT_LIST + 7];
    struct answer_stats s = {.concurrency = &TWO, .jobs = jobs, .n_jobs = LIMIT_LIST + 7};
    struct text t;
    json_t *back;

    (void)state;
    for (int i = 0; i < LIMIT_LIST + 7; i++)
        jobs[i] = (struct answer_job){.job = 1, .state = STATE_QUEUED, .spec = &SIMPLE};
    text_init(&t, 0, LIMIT_OUTBOX_BYTES);
    answer_stats(NULL, &s, &t);
    back = json_loads(t.at, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(back, "jobs")), LIMIT_LIST);
    assert_int_equal(json_integer_value(json_object_get(back, "more")), 7);
    json_decref(back);
    text_free(&t);
}

/* catches: a name that its own parser does not know */
static void names_read_back(void **state)
{
    (void)state;
    for (int i = 0; i < PHASES; i++)
        assert_int_equal(event_phase_parse(event_phase_name((enum event_phase)i)), i);
    for (int i = 0; i < STATES; i++)
        assert_int_equal(event_state_parse(event_state_name((enum event_state)i)), i);
    assert_int_equal(event_phase_parse("Prior"), -1);
    assert_int_equal(event_state_parse(""), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(byte_for_byte),
        cmocka_unit_test(stats_rows_are_bounded),
        cmocka_unit_test(names_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
