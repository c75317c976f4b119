/* test_previews - which previews a connection gets, and which count as dropped. */
#include "test/sim/listener.h"

static void preview(struct world *w, uint64_t job, int class)
{
    struct blob *b = blob_copy("jpegjpeg", 8);
    struct board_image im = {.class = class, .width = 16, .height = 16, .image = b};

    hub_preview(w->hub, w->now, job, PHASE_PRIOR, &im, 1);
    blob_unref(b);
}

/* catches: previews of another format or size than asked for, or more often */
static void previews_follow_each_demand(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);
    struct preview_demand demand;
    bool binary;
    struct blob *b;

    (void)state;
    command(w, e, "{\"type\":\"previews\",\"every_ms\":1000,\"max_px\":64,\"format\":\"jpeg\"}");
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    demand = previews_demand(w->hub->registry.newest);
    assert_int_equal(demand.classes, 1u << board_class(FRAME_JPEG, 64));
    assert_int_equal(demand.max_px, 64);
    listen_all(w, e);
    preview(w, newest(w), board_class(FRAME_PNG, 64));
    assert_null(hub_next(w->hub, w->now, e->client, &binary));
    preview(w, newest(w), board_class(FRAME_JPEG, 64));
    b = hub_next(w->hub, w->now, e->client, &binary);
    assert_true(b && binary);
    blob_unref(b);
    w->now += 1000;
    preview(w, newest(w), board_class(FRAME_JPEG, 64));
    assert_null(hub_next(w->hub, w->now, e->client, &binary));
    assert_true(hub_due(w->hub) <= w->now + 1000000);
    w->now += 1000000;
    hub_tick(w->hub, w->now);
    b = hub_next(w->hub, w->now, e->client, &binary);
    assert_true(b && binary);
    blob_unref(b);
    listener_free(w, e);
    world_free(w);
}

/* catches: a drop that is none, as it was too soon for a preview or none is wanted; one not seen */
static void previews_that_were_not_taken_are_counted(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w), *without = listener_new(w);
    const int class = board_class(FRAME_JPEG, 64);
    struct hub_counts n;

    (void)state;
    command(w, e, "{\"type\":\"previews\",\"every_ms\":1000,\"max_px\":64,\"format\":\"jpeg\"}");
    command(w, without, "{\"type\":\"previews\",\"format\":\"none\"}");
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    command(w, without, "{\"type\":\"watch\",\"job\":\"%s\"}", hex(newest(w)));
    listen_all(w, e);
    preview(w, newest(w), class);
    listen_all(w, e);
    preview(w, newest(w), class);
    preview(w, newest(w), class); /* too soon for either */
    hub_counts(w->hub, &n);
    assert_true(n.previews_sent == 1 && n.previews_replaced == 0);
    w->now += 1000000;
    hub_tick(w->hub, w->now);
    preview(w, newest(w), class);
    preview(w, newest(w), class);
    hub_counts(w->hub, &n);
    assert_true(n.previews_sent == 1 && n.previews_replaced == 2);
    listen_all(w, e);
    hub_counts(w->hub, &n);
    assert_true(n.previews_sent == 2 && n.previews_replaced == 2);
    listener_free(w, e);
    listener_free(w, without);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(previews_follow_each_demand),
        cmocka_unit_test(previews_that_were_not_taken_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
