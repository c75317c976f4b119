/* test_spec - one table: what it decodes, refuses, echoes and digests agrees. */
#include "proto/limits.h"
#include "test/proto/vectors.h"

#include <math.h>

static int parse(struct spec *out, const char *text, struct fail *f)
{
    struct spec_limits l = vectors_limits();

    return spec_parse(out, text, strlen(text), &l, f);
}

static void hex_of(const uint8_t *bytes, char out[2 * SPEC_DIGEST_BYTES + 1])
{
    for (int i = 0; i < SPEC_DIGEST_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

/* catches: an echo or digest that another program cannot reproduce */
static void canonical_and_digest(void **state)
{
    json_t *root = vectors_load("specs.json"), *c;
    size_t i;

    (void)state;
    json_array_foreach(json_object_get(root, "cases"), i, c)
    {
        struct spec s;
        struct text t;
        uint8_t digest[SPEC_DIGEST_BYTES];
        char hex[2 * SPEC_DIGEST_BYTES + 1];

        assert_int_equal(parse(&s, vectors_string(c, "text"), NULL), 0);
        text_init(&t, 0, 100000);
        spec_write(&s, &t, NULL);
        assert_string_equal(t.at, vectors_string(c, "canonical"));
        assert_int_equal(spec_digest(&s, digest), 0);
        hex_of(digest, hex);
        assert_string_equal(hex, vectors_string(c, "digest"));
        text_free(&t);
        spec_free(&s);
    }
    assert_int_equal(i, 4);
    json_decref(root);
}

/* The spec {"prompt":"x", NAME: value}, with a neighbour that keeps the aspect legal. */
static int with(const char *name, double value, struct spec *out, struct fail *f)
{
    struct text t;
    int err;

    text_init(&t, 0, 1000);
    text_open(&t, NULL, '{');
    text_string(&t, "prompt", "x");
    text_real(&t, name, value);
    if (strcmp(name, "width") == 0) text_real(&t, "height", value);
    if (strcmp(name, "height") == 0) text_real(&t, "width", value);
    text_close(&t, '}');
    err = parse(out, t.at, f);
    text_free(&t);
    return err;
}

/* catches: a range in hello that the decoder does not hold to, for any field of the table */
static void ranges_hold(void **state)
{
    struct spec_limits l = vectors_limits();

    (void)state;
    for (int i = 0; i < SPEC_FIELDS; i++) {
        const struct spec_field *row = &SPEC_TABLE[i];
        const struct spec_range *r = &l.range[i];
        struct spec s;
        struct fail f;
        double step = r->step > 0 ? r->step : 0.5;

        if (row->type == SPEC_TEXT || row->type == SPEC_NAME || row->type >= SPEC_JOB) continue;
        assert_int_equal(with(row->name, r->min, &s, &f), 0);
        spec_free(&s);
        assert_int_equal(with(row->name, r->max, &s, &f), 0);
        spec_free(&s);
        assert_true(with(row->name, r->min - step, &s, &f) < 0);
        assert_true(with(row->name, r->max + step, &s, &f) < 0);
        assert_null(s.prompt);
    }
}

/* catches: a hint that names a value which is refused too */
static void hints_name_what_works(void **state)
{
    const struct {
        const char *text, *field, *hint;
    } c[] = {
        {"{\"prompt\":\"x\",\"width\":300}", "width",
         "Use 288 or 320; 64 to 512 in steps of 32 are allowed."},
        {"{\"prompt\":\"x\",\"width\":1024}", "width",
         "Use 512; 64 to 512 in steps of 32 are allowed."},
        {"{\"prompt\":\"x\",\"height\":10}", "height",
         "Use 64; 64 to 512 in steps of 32 are allowed."},
        {"{\"prompt\":\"x\",\"width\":\"256\"}", "width",
         "Use 64 to 512 in steps of 32, without quotes."},
        {"{\"prompt\":\"x\",\"steps\":2.5}", "steps", "Use 2 or 3; 1 to 200 are allowed."},
        {"{\"prompt\":\"x\",\"steps\":999}", "steps", "Use 200; 1 to 200 are allowed."},
        {"{\"prompt\":\"x\",\"guidance\":21}", "guidance", "Use 20; 0 to 20 are allowed."},
        {"{\"prompt\":\"x\",\"seed\":-2}", "seed", "Use -1; -1 to 9007199254740991 are allowed."},
        {"{\"prompt\":\"x\",\"width\":512,\"height\":64}", "height",
         "Use a height of 128 or more, or a width of 256 or less."},
        {"{\"prompt\":\"x\",\"width\":96,\"height\":416}", "width",
         "Use a width of 128 or more, or a height of 384 or less."},
        {"{\"prompt\":\"x\",\"widht\":64}", "widht",
         "The fields are prompt, width, height, steps, guidance, seed, noise_seed, lane, "
         "prior_from, images."},
        {"{\"prompt\":\"x\",\"lane\":\"fast\"}", "lane", "Use urgent, normal or batch."},
        {"{\"prompt\":\"x\",\"lane\":1}", "lane", "Use urgent, normal or batch, in quotes."},
        {"{\"prompt\":\"x\",\"prior_from\":7}", "prior_from",
         "Use the 16 hex digits of a job, in quotes."},
        {"{\"prompt\":\"x\",\"prior_from\":\"0000000000000000\"}", "prior_from",
         "Use the 16 hex digits that `accepted` gave as job."},
        {"{\"prompt\":\"x\",\"images\":\"a\"}", "images",
         "Use [\"..\"] with the digests of uploads or results, or with jobs."},
        {"{\"prompt\":\"x\",\"images\":[\"a\",\"a\",\"a\",\"a\",\"a\"]}", "images",
         "Use [\"..\"] with the digests of uploads or results, or with jobs."},
        {"{\"prompt\":\"x\",\"images\":[\"fedcba98\"]}", "images",
         "Use the 64 hex digits of a picture's digest, or the 16 of a job."},
        {"{}", "prompt", "Give \"prompt\". What the picture shows, in words."},
        {"{\"prompt\":\"\"}", "prompt", "Say in words what the picture shows."},
    };

    (void)state;
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        struct spec s;
        struct fail f;

        assert_true(parse(&s, c[i].text, &f) < 0);
        assert_string_equal(f.field, c[i].field);
        assert_string_equal(f.hint, c[i].hint);
    }
}

/* catches: a value from the command line that decoding would have refused */
static void check_without_json(void **state)
{
    struct spec_limits l = vectors_limits();
    struct spec s;
    struct fail f;
    char bad[] = "caf\xe9", good[] = "caf\xc3\xa9";

    (void)state;
    spec_defaults(&s, &l);
    assert_int_equal(spec_check(&s, &l, &f), ERR_BAD_PROMPT);
    s.prompt = bad;
    assert_int_equal(spec_check(&s, &l, &f), ERR_BAD_UTF8);
    s.prompt = good;
    assert_int_equal(spec_check(&s, &l, &f), 0);
    s.guidance = NAN;
    assert_int_equal(spec_check(&s, &l, &f), ERR_BAD_FIELD);
    assert_string_equal(f.message, "guidance is not a number; the most is 20");
    s.guidance = INFINITY;
    assert_int_equal(spec_check(&s, &l, NULL), ERR_BAD_FIELD);
}

/* catches: a prompt drawn though it shows nothing; one that is refused because of some of its
 * characters; a row of an older version that cannot be restored */
static void a_prompt_can_be_seen(void **state)
{
    static const char *const nothing[] = {
        "",
        " \t\r\n",
        "\v\f\x01\x7f",
        "\xc2\x85\xc2\xa0\xc2\xad",             /* next line, no-break space, soft hyphen */
        "\xe3\x80\x80",                         /* U+3000 */
        "\xe2\x80\x8b\xe2\x80\x8d\xe2\x81\xa0", /* U+200B, U+200D, U+2060 */
        "\xef\xbb\xbf\xef\xb8\x8f",             /* U+FEFF, U+FE0F */
        "\xe3\x85\xa4\xe1\x85\x9f\xef\xbe\xa0", /* the Hangul fillers */
        "\xe2\xa0\x80",                         /* U+2800 */
        "\xf3\xa0\x81\xa1",                     /* U+E0061, a tag */
    };
    static const char *const something[] = {
        "x",
        " x",
        "\xe2\x80\x8bx",
        "\xe3\x80\x81",
        "\xe2\xa0\x81",
        "\xcc\x81",
        "\xf0\x9f\x98\x80",
        "!",
        "\xc2\xa1",
        "\xef\xbf\xbd",
    };
    struct spec_limits l = vectors_limits();
    struct spec s;
    struct fail f;

    (void)state;
    spec_defaults(&s, &l);
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
        s.prompt = (char *)(uintptr_t)nothing[i];
        assert_int_equal(spec_check(&s, &l, &f), ERR_BAD_PROMPT);
        assert_string_equal(f.field, "prompt");
    }
    assert_string_equal(f.message, "prompt has no character that can be seen");
    l.range[SPEC_PROMPT].min = 0;
    assert_int_equal(spec_check(&s, &l, &f), 0);
    l.range[SPEC_PROMPT].min = 1;
    for (size_t i = 0; i < sizeof something / sizeof *something; i++) {
        s.prompt = (char *)(uintptr_t)something[i];
        assert_int_equal(spec_check(&s, &l, &f), 0);
    }
}

/* catches: a digest that ignores a field, so that two requests share one key */
static void digest_sees_every_field(void **state)
{
    uint8_t seen[SPEC_FIELDS + 1][SPEC_DIGEST_BYTES];
    char a[] = "a", b[] = "b";

    (void)state;
    for (int i = 0; i <= SPEC_FIELDS; i++) {
        struct spec s = {.prompt = a,
                         .width = 64,
                         .height = 64,
                         .steps = 1,
                         .guidance = 1,
                         .seed = 1,
                         .lane = LANE_NORMAL,
                         .noise_seed = SPEC_SEED_PICK};

        if (i == SPEC_PROMPT) s.prompt = b;
        if (i == SPEC_WIDTH) s.width = 96;
        if (i == SPEC_HEIGHT) s.height = 96;
        if (i == SPEC_STEPS) s.steps = 2;
        if (i == SPEC_GUIDANCE) s.guidance = 1.0000000000000002;
        if (i == SPEC_SEED) s.seed = 2;
        if (i == SPEC_LANE) s.lane = LANE_BATCH;
        if (i == SPEC_NOISE_SEED) s.noise_seed = 0;
        if (i == SPEC_PRIOR_FROM) s.prior_from = UINT64_C(1) << 63;
        if (i == SPEC_IMAGES) s.images = 1;
        assert_int_equal(spec_digest(&s, seen[i]), 0);
        for (int j = 0; j < i; j++)
            assert_memory_not_equal(seen[i], seen[j], SPEC_DIGEST_BYTES);
    }
}

static void expect_json(const char *text, const char *whole, const char *picture)
{
    struct spec s;
    struct text t;

    assert_int_equal(parse(&s, text, NULL), 0);
    text_init(&t, 0, 4096);
    spec_write(&s, &t, NULL);
    assert_string_equal(t.at, whole);
    text_free(&t);
    text_init(&t, 0, 4096);
    spec_write_picture(&s, s.steps, &t, NULL);
    assert_string_equal(t.at, picture);
    text_free(&t);
    spec_free(&s);
}

/* catches: rows and keys of an older server that no longer match; a picture whose bytes depend on
 * how its job was treated */
static void quiet_fields_are_written_when_unusual(void **state)
{
#define DIGEST "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define PICTURE \
    "{\"prompt\":\"x\",\"width\":256,\"height\":256,\"steps\":20,\"guidance\":1.5,\"seed\":-1"
    (void)state;
    expect_json("{\"prompt\":\"x\"}", PICTURE "}", PICTURE "}");
    expect_json("{\"lane\":\"normal\",\"prompt\":\"x\"}", PICTURE "}", PICTURE "}");
    expect_json("{\"prompt\":\"x\",\"lane\":\"urgent\"}", PICTURE ",\"lane\":\"urgent\"}",
                PICTURE "}");
    expect_json("{\"noise_seed\":-1,\"prompt\":\"x\"}", PICTURE "}", PICTURE "}");
    expect_json("{\"noise_seed\":0,\"prompt\":\"x\"}", PICTURE ",\"noise_seed\":0}",
                PICTURE ",\"noise_seed\":0}");
    expect_json("{\"prior_from\":\"fedcba9876543210\",\"noise_seed\":9007199254740991,"
                "\"lane\":\"batch\",\"prompt\":\"x\"}",
                PICTURE ",\"noise_seed\":9007199254740991,\"lane\":\"batch\","
                        "\"prior_from\":\"fedcba9876543210\"}",
                PICTURE ",\"noise_seed\":9007199254740991}");
    expect_json("{\"prompt\":\"x\",\"images\":[]}", PICTURE "}", PICTURE "}");
    expect_json("{\"prompt\":\"x\",\"images\":[\"" DIGEST "\",\"fedcba9876543210\"]}",
                PICTURE ",\"images\":[\"" DIGEST "\",\"fedcba9876543210\"]}",
                PICTURE ",\"images\":[\"" DIGEST "\",\"fedcba9876543210\"]}");
#undef PICTURE
}

/* catches: pictures taken by a model that reads none, or a field that hello has nevertheless */
static void images_of_a_model_that_reads_none(void **state)
{
    struct spec_limits l = vectors_limits();
    json_t *o = json_pack("{s:s,s:[s]}", "prompt", "x", "images", "fedcba9876543210");
    struct spec s;
    struct text t;
    struct fail f;

    (void)state;
    l.no_images = "This model draws from words alone.";
    assert_int_equal(spec_decode(&s, o, &l, &f), ERR_BAD_FIELD);
    assert_string_equal(f.field, "images");
    assert_string_equal(f.message, l.no_images);
    json_array_clear(json_object_get(o, "images"));
    assert_int_equal(spec_decode(&s, o, &l, &f), 0);
    spec_free(&s);
    json_decref(o);
    text_init(&t, 0, 1 << 20);
    spec_write_fields(&l, &t, NULL);
    assert_null(strstr(t.at, "images"));
    text_free(&t);
}

/* catches: an accepted job that cannot be read again after a restart */
static void canonical_of_the_worst_prompt(void **state)
{
    struct spec_limits l = vectors_limits();
    struct spec s, back;
    struct text t;

    (void)state;
    spec_defaults(&s, &l);
    s.prompt = malloc(LIMIT_PROMPT_BYTES + 1);
    assert_non_null(s.prompt);
    memset(s.prompt, 1, LIMIT_PROMPT_BYTES);
    s.prompt[0] = 'x';
    s.prompt[LIMIT_PROMPT_BYTES] = 0;
    text_init(&t, 0, 1 << 20);
    spec_write(&s, &t, NULL);
    assert_true(t.len > LIMIT_MESSAGE_BYTES);
    assert_int_equal(spec_parse(&back, t.at, t.len, &l, NULL), 0);
    assert_string_equal(back.prompt, s.prompt);
    text_free(&t);
    spec_free(&back);
    assert_int_equal(spec_copy(&back, &s), 0);
    assert_ptr_not_equal(back.prompt, s.prompt);
    spec_free(&back);
    spec_free(&s);
    assert_null(s.prompt);
    assert_int_equal(spec_copy(&back, &s), 0);
}

/* catches: a row of a list that is cut inside a character */
static void cut_between_characters(void **state)
{
    const struct {
        size_t max;
        bool cut;
        const char *left;
    } c[] = {{6, false, "a\xe7\xba\xa2\xc3\xa9"},
             {5, true, "a\xe7\xba\xa2"},
             {4, true, "a\xe7\xba\xa2"},
             {3, true, "a"},
             {1, true, "a"},
             {0, true, ""}};
    char prompt[] = "a\xe7\xba\xa2\xc3\xa9";

    (void)state;
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        struct spec s = {.prompt = prompt};
        struct text t;
        json_t *back;

        text_init(&t, 0, 1000);
        assert_int_equal(spec_write_cut(&s, &t, NULL, c[i].max), c[i].cut);
        back = json_loads(t.at, 0, NULL);
        assert_non_null(back);
        assert_string_equal(vectors_string(back, "prompt"), c[i].left);
        json_decref(back);
        text_free(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_and_digest),
        cmocka_unit_test(ranges_hold),
        cmocka_unit_test(hints_name_what_works),
        cmocka_unit_test(check_without_json),
        cmocka_unit_test(a_prompt_can_be_seen),
        cmocka_unit_test(digest_sees_every_field),
        cmocka_unit_test(quiet_fields_are_written_when_unusual),
        cmocka_unit_test(images_of_a_model_that_reads_none),
        cmocka_unit_test(canonical_of_the_worst_prompt),
        cmocka_unit_test(cut_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
