/* test_worker - every start has exactly one end, whatever fails;
 * the engine is never used after it is let go. */
#include "server/worker/worker.h"

#include "server/base/clock.h"
#include "server/events.h"
#include "server/worker/encoder.h"
#include "server/worker/pixels.h"
#include "server/worker/saver.h"
#include "test/server/worker/fake_glm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct mbox loop, previews, pictures;
static struct worker *worker;
static struct spec spec = {.prompt = (char *)(uintptr_t) "x",
                           .width = 64,
                           .height = 64,
                           .steps = 10,
                           .guidance = 1.5,
                           .seed = 42,
                           .lane = LANE_NORMAL,
                           .noise_seed = SPEC_SEED_PICK};

/* What is "on disk", for any job. */
static _Atomic(struct blob *) on_disk;

static struct blob *recall(void *arg, uint64_t job)
{
    struct blob *b = atomic_load(&on_disk);

    (void)arg, (void)job;
    return b ? blob_ref(b) : NULL;
}

static int open_worker(const char *model)
{
    struct worker_conf conf = {.opts = {.model = model},
                               .memory = 123456,
                               .loop = &loop,
                               .previews = &previews,
                               .pictures = &pictures,
                               .recall = recall};

    mbox_init(&loop, NULL, NULL);
    mbox_init(&previews, NULL, NULL);
    mbox_init(&pictures, NULL, NULL);
    return worker_new(&worker, &conf, NULL);
}

static int set_up(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof fake);
    return open_worker("m");
}

static void drop(struct mbox *b)
{
    for (struct msg *m = mbox_take(b), *next; m; m = next) {
        next = m->next;
        if (b == &pictures)
            pixels_picture_free((struct pixels_picture *)m);
        else if (b == &loop)
            events_free(m);
    }
    mbox_destroy(b);
}

static void free_previews(struct msg *list)
{
    for (struct msg *m = list, *next; m; m = next) {
        next = m->next;
        pixels_release((struct pixels_preview *)m);
    }
}

static int tear_down(void **state)
{
    (void)state;
    worker_stop(worker);
    free_previews(mbox_take(&previews)); /* slots of the worker */
    worker_free(worker);
    drop(&loop);
    drop(&previews);
    drop(&pictures);
    return atomic_load(&fake.runs) || atomic_load(&fake.engines); /* all freed */
}

/* The next event that is not a quantum's. */
static struct device_event next_event(void)
{
    static struct msg *list;

    for (;;) {
        struct msg *m;
        struct device_event event;

        if (!list) list = mbox_wait(&loop, 10000);
        if (!list) fail_msg("no event came");
        m = list;
        event = ((struct loop_device_event *)m)->event;
        list = m->next;
        assert_int_equal(m->kind, LOOP_DEVICE_EVENT);
        free(m);
        if (event.kind != QUANTUM_DONE) return event;
    }
}

static void begin(uint64_t job)
{
    struct hub_work work = {.job = job, .spec = &spec, .scratch = 1000};

    worker_start(worker, &work);
}

/* catches: a picture that is not handed over, or handed over before the loop is told */
static void draws(void **state)
{
    struct device_event ready = next_event();
    int n = 0;

    (void)state;
    assert_int_equal(ready.kind, DEVICE_READY);
    assert_int_equal(ready.budget, 123456);
    assert_non_null(worker_glm(worker));
    for (uint64_t job = 1; job <= 4; job++)
        begin(job);
    for (uint64_t seen = 0; seen != 0x1e;) {
        struct device_event event = next_event();

        assert_int_equal(event.kind, RUN_FINISHED);
        assert_false(seen & (1U << event.job));
        seen |= 1U << event.job;
    }
    while (n < 4) /* the last one is pushed after its event */
        for (struct msg *m = mbox_wait(&pictures, 10000), *next; m; m = next, n++) {
            next = m->next;
            assert_int_equal(((struct pixels_picture *)m)->width, 64);
            pixels_picture_free((struct pixels_picture *)m);
        }
}

/* catches: measuring that never ends, ends too early, or goes on beside a job */
static void measures_while_idle(void **state)
{
    int n = 0, all = 0;

    (void)state;
    fake.quantum_us = 1000;
    assert_int_equal(next_event().kind, DEVICE_READY);
    worker_probe(worker);
    for (int p = 0; p < GLM_PHASES; p++)
        all += FAKE_QUANTA[p];
    while (n < all) {
        struct device_event event = next_event();

        assert_int_equal(event.kind, RATE_MEASURED);
        assert_true(event.before.phase == event.phase && event.pixels > 0);
        n++;
    }
    fake.quantum_us = 20000;
    worker_probe(worker);
    for (n = 0; n < 3; n++)
        assert_int_equal(next_event().kind, RATE_MEASURED);
    begin(1);
    while (next_event().kind == RATE_MEASURED)
        n++;
    assert_true(n <= all);
    begin(2);
    assert_int_equal(next_event().kind, RUN_FINISHED);
}

/* catches: a drop that is not answered, answered twice, or answered for another job */
static void drops(void **state)
{
    struct device_event n;

    (void)state;
    fake.quantum_us = 5000;
    assert_int_equal(next_event().kind, DEVICE_READY);
    begin(1);
    begin(2);
    worker_drop(worker, 99);
    worker_drop(worker, 1);
    worker_drop(worker, 1);
    n = next_event();
    assert_int_equal(n.kind, RUN_DROPPED);
    assert_int_equal(n.job, 1);
    n = next_event();
    assert_int_equal(n.kind, RUN_FINISHED);
    assert_int_equal(n.job, 2);
}

/* Suspend job 1 after its first quanta; its checkpoint. */
static struct blob *suspended(void)
{
    struct hub_work work = {.job = 1, .spec = &spec};
    struct device_event n;

    worker_start(worker, &work);
    worker_demand(worker, 1, &(struct preview_demand){.classes = 1, .max_px = 16});
    free_previews(mbox_wait(&previews, 10000)); /* tokens are there */
    worker_suspend(worker, 1);
    worker_suspend(worker, 99);
    n = next_event();
    assert_int_equal(n.kind, RUN_SUSPENDED);
    assert_int_equal(n.job, 1);
    assert_int_equal(n.fail.code, 0);
    assert_non_null(n.checkpoint);
    assert_int_equal(atomic_load(&fake.runs), 0);
    return n.checkpoint;
}

static void finishes(bool resumed)
{
    struct device_event n = next_event();

    if (resumed) {
        assert_int_equal(n.kind, RUN_RESUMED);
        assert_int_equal(n.run[0].job, 1);
        assert_true(n.run[0].view.phase >= GLM_PRIOR && n.run[0].view.overall > 0);
        n = next_event();
    }
    assert_int_equal(n.kind, RUN_FINISHED);
}

/* catches: a suspended run that begins again, goes on twice, or is not announced; a checkpoint of
 * another request that is taken, or that ends the job */
static void goes_on_from_a_checkpoint(void **state)
{
    struct hub_work work = {.job = 1, .spec = &spec};
    struct spec other = spec;

    (void)state;
    other.seed++;
    fake.quantum_us = 4000;
    assert_int_equal(next_event().kind, DEVICE_READY);
    work.checkpoint = suspended();
    worker_start(worker, &work);
    finishes(true);
    work.spec = &other;
    worker_start(worker, &work);
    finishes(false);
    blob_unref(work.checkpoint);
    work = (struct hub_work){.job = 1, .spec = &spec, .keep = true};
    atomic_store(&on_disk, work.checkpoint = suspended());
    work.checkpoint = NULL;
    worker_start(worker, &work); /* the one on disk */
    finishes(true);
    work.keep = false;
    worker_start(worker, &work); /* not asked for */
    finishes(false);
    blob_unref(atomic_exchange(&on_disk, NULL));
}

/* catches: checkpoints that are never taken, taken of private jobs, or while the last one is still
 * on its way */
static void takes_checkpoints(void **state)
{
    struct hub_work work = {.job = 1, .spec = &spec, .keep = true};
    struct device_event first, n;

    (void)state;
    fake.quantum_us = (int)(SAVER_US / 12); /* 33 quanta: more than two intervals */
    assert_int_equal(next_event().kind, DEVICE_READY);
    worker_start(worker, &work);
    work.job = 2;
    work.keep = false;
    worker_start(worker, &work);
    first = next_event();
    assert_int_equal(first.kind, CHECKPOINT_TAKEN);
    assert_int_equal(first.job, 1);
    assert_int_equal(first.checkpoint->len, FAKE_SAVED * sizeof(int64_t));
    n = next_event();
    assert_int_equal(n.kind, RUN_FINISHED); /* none came while we had the first one */
    assert_false(blob_alone(first.checkpoint) && n.job == 2);
    if (n.job == 2) assert_int_equal(next_event().job, 1);
    blob_unref(first.checkpoint);
}

/* catches: saves that take more than a hundredth of the device's time */
static void slow_saves_are_rare(void **state)
{
    struct hub_work work = {.job = 1, .spec = &spec, .keep = true};
    struct device_event n;

    (void)state;
    fake.quantum_us = (int)(SAVER_US / 12);
    fake.save_us = (int)(SAVER_US / 20); /* so one in ten seconds may be taken */
    assert_int_equal(next_event().kind, DEVICE_READY);
    worker_start(worker, &work);
    n = next_event();
    assert_int_equal(n.kind, CHECKPOINT_TAKEN);
    blob_unref(n.checkpoint);
    assert_int_equal(next_event().kind, RUN_FINISHED);
}

/* catches: a device that fails while a run is saved, and the job that is lost with it or reported
 * twice */
static void the_device_fails_while_saving(void **state)
{
    struct hub_work work = {.job = 1, .spec = &spec, .demand = {.classes = 1, .max_px = 16}};
    struct device_event n;

    (void)state;
    fake.quantum_us = 4000;
    assert_int_equal(next_event().kind, DEVICE_READY);
    atomic_store(&fake.save_fails_in, 1);
    worker_start(worker, &work);
    free_previews(mbox_wait(&previews, 10000));
    worker_suspend(worker, 1);
    n = next_event();
    assert_int_equal(n.kind, DEVICE_FAILED);
    assert_int_equal(n.n, 1);
    worker_release(worker);
    assert_int_equal(next_event().kind, DEVICE_READY);
    worker_start(worker, &work);
    assert_int_equal(next_event().kind, RUN_FINISHED);
}

/* catches: one run's failure to begin taking the others with it */
static void run_fails(void **state)
{
    struct device_event n;

    (void)state;
    fake.quantum_us = 2000;
    atomic_store(&fake.run_fails_in, 2);
    assert_int_equal(next_event().kind, DEVICE_READY);
    begin(1);
    begin(2);
    n = next_event();
    assert_int_equal(n.kind, RUN_FAILED);
    assert_int_equal(n.job, 2);
    assert_int_equal(n.fail.code, ERR_OUT_OF_MEMORY);
    assert_int_equal(next_event().kind, RUN_FINISHED);
}

/* catches: a lost run that is not reported, an engine closed while the loop may plan with it, a
 * device that does not come back, work begun on the engine that has failed */
static void device_fails(void **state)
{
    struct device_event n, away;
    int left;

    (void)state;
    fake.quantum_us = 1000;
    assert_int_equal(next_event().kind, DEVICE_READY);
    atomic_store(&fake.step_fails_in, 5);
    begin(1);
    begin(2);
    begin(3);
    n = next_event();
    assert_int_equal(n.kind, DEVICE_FAILED);
    assert_true(n.n >= 1 && n.batch >= 1 && n.batch <= n.n);
    assert_int_equal(atomic_load(&fake.engines), 1); /* until we let go */
    assert_non_null(worker_glm(worker));
    assert_int_equal(atomic_load(&fake.runs), 0);
    atomic_store(&fake.open_fails, 1);
    begin(4); /* crosses the news of the failure: it is lost as well */
    worker_release(worker);
    away = next_event();
    assert_int_equal(away.kind, DEVICE_LOST);
    assert_true(away.n >= 1 && away.run[away.n - 1].job == 4);
    assert_int_equal(next_event().kind, DEVICE_READY);
    assert_int_equal(atomic_load(&fake.opened), 2);
    assert_int_equal(atomic_load(&fake.engines), 1);
    begin(5);
    left = 5 - n.n - away.n;
    while (left--)
        assert_int_equal(next_event().kind, RUN_FINISHED);
}

/* catches: a device that breaks while a run is being made, which is reported at the next
 * quantum, if ever; a job that has two ends or none */
static void the_device_fails_before_the_first_quantum(void **state)
{
    struct device_event n;

    (void)state;
    assert_int_equal(next_event().kind, DEVICE_READY);
    atomic_store(&fake.device_fails_in, 1);
    begin(1);
    begin(2);
    n = next_event();
    assert_int_equal(n.kind, DEVICE_FAILED);
    assert_int_equal(n.batch, 1);
    assert_int_equal(n.run[0].job, 1);
    if (n.n == 1) { /* the second one was still on its way */
        worker_release(worker);
        assert_int_equal(next_event().kind, DEVICE_READY);
        assert_int_equal(next_event().kind, RUN_FINISHED);
        return;
    }
    assert_int_equal(n.run[1].job, 2);
    worker_release(worker);
    assert_int_equal(next_event().kind, DEVICE_READY);
    begin(2);
    assert_int_equal(next_event().kind, RUN_FINISHED);
}

/* catches: a device that is away without an event, or reopened without a pause */
static void a_device_that_stays_away_is_tried_again(void **state)
{
    int64_t before;

    (void)state;
    fake.quantum_us = 1000;
    assert_int_equal(next_event().kind, DEVICE_READY);
    atomic_store(&fake.step_fails_in, 1);
    atomic_store(&fake.open_fails, 2);
    begin(1);
    assert_int_equal(next_event().kind, DEVICE_FAILED);
    before = clock_us();
    worker_release(worker);
    for (int i = 1; i <= 2; i++) {
        struct device_event n = next_event();

        assert_int_equal(n.kind, DEVICE_LOST);
        assert_int_equal(n.batch, i);
        assert_int_equal(n.fail.code, ERR_DEVICE);
        if (i == 1) begin(2); /* crosses the news: it must not wait for this device */
        if (i == 2) assert_true(n.n == 1 && n.run[0].job == 2);
    }
    assert_int_equal(next_event().kind, DEVICE_READY);
    begin(2);
    assert_true(clock_us() - before >= 2900000); /* a second, then two */
    assert_int_equal(next_event().kind, RUN_FINISHED);
}

/* catches: a previews' reader that is slow and stops the device */
static void never_waits_for_slots(void **state)
{
    struct hub_work work = {.job = 1, .spec = &spec, .demand = {.classes = 1, .max_px = 16}};
    int n = 0;

    (void)state;
    fake.quantum_us = 20000;
    assert_int_equal(next_event().kind, DEVICE_READY);
    worker_start(worker, &work);
    assert_int_equal(next_event().kind, RUN_FINISHED);
    for (struct msg *m = mbox_take(&previews); m; m = m->next)
        n++;
    assert_true(n >= 1 && n <= LIMIT_PREVIEW_SLOTS);
}

/* catches: a service that hangs when its model is not there */
static void no_model(void **state)
{
    struct msg *m;

    (void)state;
    memset(&fake, 0, sizeof fake);
    assert_int_equal(open_worker("missing"), 0);
    m = mbox_wait(&loop, 10000);
    assert_non_null(m);
    assert_int_equal(m->kind, LOOP_FATAL);
    assert_int_equal(((struct loop_fatal *)m)->why.code, ERR_MODEL);
    free(m);
    assert_int_equal(tear_down(NULL), 0);
}

static void begin_with(uint64_t job, struct hub_work work)
{
    work.job = job;
    if (!work.spec) work.spec = &spec;
    work.scratch = 1000;
    worker_start(worker, &work);
}

static struct pixels_picture *next_picture(void)
{
    return (struct pixels_picture *)mbox_wait(&pictures, 10000);
}

/* catches: tokens of a private job that leave the device, or others' that do not */
static void tokens_go_with_the_end(void **state)
{
    struct device_event n;

    (void)state;
    fake.tokens = 1;
    assert_int_equal(next_event().kind, DEVICE_READY);
    for (int keep = 0; keep < 2; keep++) {
        begin_with(1, (struct hub_work){.keep = keep});
        do
            n = next_event();
        while (n.kind == CHECKPOINT_TAKEN);
        assert_int_equal(n.kind, RUN_FINISHED);
        assert_int_equal(n.steps, 10);
        assert_int_equal(n.tokens != NULL, keep);
        if (keep) assert_memory_equal(n.tokens->data, "abc", 4);
        blob_unref(n.tokens);
        pixels_picture_free(next_picture());
    }
}

/* catches: tokens that do not reach the engine, a run that begins without them */
static void a_kept_composition_needs_its_tokens(void **state)
{
    struct spec vary = spec;
    struct blob *tokens = blob_copy("abc", 4);
    struct device_event n;

    (void)state;
    vary.prior_from = 5;
    assert_int_equal(next_event().kind, DEVICE_READY);
    begin_with(1, (struct hub_work){.spec = &vary});
    n = next_event();
    assert_int_equal(n.kind, RUN_FAILED);
    assert_int_equal(n.fail.code, ERR_CONFLICT);
    begin_with(2, (struct hub_work){.spec = &vary, .tokens = tokens});
    blob_unref(tokens);
    assert_int_equal(next_event().kind, RUN_FINISHED);
    pixels_picture_free(next_picture());
}

/* catches: a finish that is lost, comes twice or reaches another run; steps that are not told */
static void it_finishes_early(void **state)
{
    struct device_event n;
    struct pixels_picture *p;

    (void)state;
    assert_int_equal(next_event().kind, DEVICE_READY);
    worker_finish(worker, 77, 1);
    begin_with(1, (struct hub_work){.steps = 4});
    worker_finish(worker, 1, 1); /* the first one holds */
    n = next_event();
    assert_int_equal(n.kind, RUN_FINISHED);
    assert_int_equal(n.steps, 4);
    p = next_picture();
    assert_int_equal(p->steps, 4);
    pixels_picture_free(p);
    fake.quantum_us = 3000;
    begin_with(2, (struct hub_work){.steps = 0});
    worker_finish(worker, 2, 3);
    n = next_event();
    assert_int_equal(n.kind, RUN_FINISHED);
    assert_int_equal(n.steps, 3);
    pixels_picture_free(next_picture());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(draws, set_up, tear_down),
        cmocka_unit_test_setup_teardown(drops, set_up, tear_down),
        cmocka_unit_test_setup_teardown(goes_on_from_a_checkpoint, set_up, tear_down),
        cmocka_unit_test_setup_teardown(takes_checkpoints, set_up, tear_down),
        cmocka_unit_test_setup_teardown(slow_saves_are_rare, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_device_fails_while_saving, set_up, tear_down),
        cmocka_unit_test_setup_teardown(run_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(device_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_device_fails_before_the_first_quantum, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_device_that_stays_away_is_tried_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(measures_while_idle, set_up, tear_down),
        cmocka_unit_test_setup_teardown(never_waits_for_slots, set_up, tear_down),
        cmocka_unit_test(no_model),
        cmocka_unit_test_setup_teardown(tokens_go_with_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_kept_composition_needs_its_tokens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_finishes_early, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
