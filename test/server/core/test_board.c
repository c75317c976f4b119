/* test_board - one slot a kind, newest wins, numbers only grow, the end is the end. */
#include "server/core/board.h"

#include "proto/frame.h"
#include "proto/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t post_progress(struct board *b, int done)
{
    return board_post(b, &(struct event){.kind = EVENT_PROGRESS,
                                         .u.progress = {PHASE_PRIOR, done, 100, 0.5, -1}});
}

static uint64_t post_phase(struct board *b)
{
    return board_post(b, &(struct event){.kind = EVENT_PHASE, .u.phase = {PHASE_PRIOR, 100}});
}

static uint64_t post_end(struct board *b)
{
    return board_post(b, &(struct event){.kind = EVENT_END, .u.end = {STATE_CANCELLED, NULL}});
}

/* catches: a subscription that sees a stale event, one twice, or out of order */
static void a_subscription_reads_what_it_has_not_seen_oldest_first(void **state)
{
    struct board b;
    uint64_t at = 0;

    (void)state;
    board_init(&b, 1, 1000);
    assert_int_equal(board_next(&b, 0, -1, &at), -1);
    assert_int_equal(post_progress(&b, 1), 1001);
    assert_int_equal(post_phase(&b), 1002);
    assert_int_equal(post_progress(&b, 2), 1003);
    assert_int_equal(board_next(&b, 0, -1, &at), EVENT_PHASE);
    assert_int_equal(at, 1002);
    assert_int_equal(board_next(&b, at, -1, &at), EVENT_PROGRESS);
    assert_int_equal(at, 1003);
    assert_non_null(strstr((const char *)board_message(&b, EVENT_PROGRESS, 0)->data, "\"done\":2"));
    assert_int_equal(board_next(&b, at, -1, &at), -1);
    assert_false(board_has_text(&b, 1003));
    board_free(&b);
}

/* catches: anything after the end, or a place in the queue that outlives the job */
static void after_the_end_only_the_end_is_left(void **state)
{
    struct board b;
    uint64_t at = 0;

    (void)state;
    board_init(&b, 1, 0);
    post_phase(&b);
    post_progress(&b, 1);
    assert_int_equal(post_end(&b), 3);
    assert_true(board_ended(&b));
    assert_int_equal(post_end(&b), 0);
    assert_int_equal(post_progress(&b, 2), 0);
    assert_int_equal(b.seq, 3);
    assert_int_equal(board_next(&b, 0, -1, &at), EVENT_END);
    assert_int_equal(board_next(&b, at, -1, &at), -1);
    board_free(&b);
}

/* catches: events of an earlier run that get new numbers and so are read twice */
static void restored_events_keep_their_numbers(void **state)
{
    struct board b;
    uint64_t at = 0;
    struct event e = {.kind = EVENT_PHASE, .u.phase = {PHASE_PRIOR, 1}};

    (void)state;
    board_init(&b, 1, 5000);
    assert_int_equal(board_restore(&b, &e, 17), 0);
    assert_int_equal(board_next(&b, 16, -1, &at), EVENT_PHASE);
    assert_int_equal(at, 17);
    assert_int_equal(board_next(&b, 17, -1, &at), -1);
    assert_int_equal(post_progress(&b, 1), 5001);
    board_free(&b);
}

/* catches: a preview in another class than demanded, or one that lives on beside its successor */
static void previews_come_in_classes(void **state)
{
    struct board b;
    struct frame f;
    uint64_t at = 0;
    struct blob *image = blob_copy("picture", 7), *m;
    int jpeg = board_class(FRAME_JPEG, 256), png = board_class(FRAME_PNG, 64);
    struct board_image both[] = {{jpeg, 256, 128, image, 0, 0}, {png, 64, 32, image, 70, 90}};

    (void)state;
    board_init(&b, 77, 0);
    assert_int_equal(board_post_preview(&b, PHASE_DENOISE, both, 2), 1);
    assert_int_equal(board_next(&b, 0, -1, &at), -1);
    assert_int_equal(board_next(&b, 0, board_class(FRAME_JPEG, 512), &at), -1);
    assert_int_equal(board_next(&b, 0, png, &at), EVENT_PREVIEW);
    m = board_message(&b, EVENT_PREVIEW, png);
    assert_int_equal(frame_decode(m->data, m->len, &f, NULL), 0);
    assert_true(f.job == 77 && f.seq == 1 && f.format == FRAME_PNG && f.width == 64);
    assert_memory_equal(m->data + FRAME_HEADER, "picture", 7);
    assert_true(m->computed_us == 70 && m->posted_us == 90); /* the latency is measured with them */
    assert_int_equal(board_post_preview(&b, PHASE_DENOISE, both, 1), 2);
    assert_null(b.preview[png]);
    assert_int_equal(board_post_preview(&b, PHASE_DENOISE, both, 0), 0);
    blob_unref(image);
    board_free(&b);
}

/* catches: a preview larger than a client can take */
static void a_class_is_never_larger_than_the_demand(void **state)
{
    (void)state;
    for (int px = LIMIT_PREVIEW_PX_MIN; px <= LIMIT_PREVIEW_PX_MAX; px++) {
        int c = board_class(FRAME_JPEG, px);

        assert_true(board_class_px(c) <= px && board_class_px(c) * 2 > px);
        assert_int_equal(board_class_format(c), FRAME_JPEG);
        assert_int_equal(board_class_format(board_class(FRAME_PNG, px)), FRAME_PNG);
    }
    assert_int_equal(board_class(FRAME_NONE, 256), -1);
    assert_int_equal(board_class(FRAME_JPEG, LIMIT_PREVIEW_PX_MIN - 1), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_subscription_reads_what_it_has_not_seen_oldest_first),
        cmocka_unit_test(after_the_end_only_the_end_is_left),
        cmocka_unit_test(restored_events_keep_their_numbers),
        cmocka_unit_test(previews_come_in_classes),
        cmocka_unit_test(a_class_is_never_larger_than_the_demand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
