/* test_frame - the binary header against the vectors. */
#include "proto/event.h"
#include "test/proto/vectors.h"

static double number(const json_t *c, const char *key)
{
    return json_number_value(json_object_get(c, key));
}

static void expect_frame(const json_t *e, const struct frame *h)
{
    char job[32];

    snprintf(job, sizeof job, "%016llx", (unsigned long long)h->job);
    assert_string_equal(vectors_string(e, "kind"), "preview");
    assert_int_equal(h->kind, FRAME_PREVIEW);
    assert_string_equal(vectors_string(e, "format"), frame_format_name(h->format));
    assert_string_equal(vectors_string(e, "phase"), event_phase_name((enum event_phase)h->phase));
    assert_string_equal(vectors_string(e, "job"), job);
    assert_true(number(e, "seq") == (double)h->seq);
    assert_true(number(e, "width") == h->width);
    assert_true(number(e, "height") == h->height);
    assert_true(number(e, "bytes") == h->bytes);
}

/* catches: a wrong offset or byte order, a header that differs from what follows */
static void vectors(void **state)
{
    json_t *root = vectors_load("frames.json"), *c;
    size_t i, len;

    (void)state;
    json_array_foreach(json_object_get(root, "cases"), i, c)
    {
        char *bytes = vectors_bytes(c, &len);
        const json_t *e = json_object_get(c, "expect");
        struct frame h;
        struct fail f;
        int err = frame_decode(bytes, len, &h, &f);

        if (e) {
            uint8_t again[FRAME_HEADER];

            assert_int_equal(err, 0);
            expect_frame(e, &h);
            frame_encode(&h, again);
            assert_memory_equal(again, bytes, FRAME_HEADER);
        } else {
            assert_int_equal(err, fail_from_wire(vectors_string(c, "code")));
            assert_string_equal(f.field, vectors_string(c, "field"));
            assert_int_equal(h.job, 0);
        }
        free(bytes);
    }
    assert_true(i >= 20);
    json_decref(root);
}

/* catches: a preview event that is not what the header's own encoder writes */
static void preview_event_is_a_frame(void **state)
{
    const uint8_t image[] = {0xff, 0xd8, 0xff, 0xd9};
    struct event e = {.kind = EVENT_PREVIEW,
                      .u.preview = {PHASE_PRIOR, FRAME_JPEG, 256, 192, image, sizeof image}};
    json_t *root = vectors_load("frames.json");
    size_t len;
    char *want = vectors_bytes(json_array_get(json_object_get(root, "cases"), 0), &len);
    struct text t;

    (void)state;
    text_init(&t, 3, 1000);
    event_encode(&e, 0x0000019b76da0001, 4294967297, NULL, &t);
    assert_int_equal(t.len, len);
    assert_memory_equal(t.at + 3, want, len);
    text_free(&t);
    free(want);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),
        cmocka_unit_test(preview_event_is_a_frame),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
