/* A worker with the real engine on an emulated GPU that breaks: every job ends once,
 * the GPU comes back.
 *
 * Catches an engine that hangs or leaks on a broken GPU, a reset that is forgotten, weights that
 * are not loaded again, a failure for want of memory that takes the GPU with it,
 * and a worker that takes its neighbour along. */
#include "server/base/clock.h"
#include "server/events.h"
#include "server/worker/encoder.h"
#include "server/worker/worker.h"
#include "test/simt/cuda_runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SIDE = 32, WORKERS = 2 };

static struct mbox loop, previews, pictures;
static struct worker *worker[WORKERS];
static int seen[DEVICE_LOST + 1][WORKERS]; /* events of each kind */

/* Without a cache folder, so that no worker fits the previews' colours first. */
static void open_workers(int n)
{
    static const char *const device[WORKERS] = {"cuda:0", "cuda:1"};

    mbox_init(&loop, NULL, NULL);
    mbox_init(&previews, NULL, NULL);
    mbox_init(&pictures, NULL, NULL);
    for (int i = 0; i < n; i++) {
        const struct worker_conf conf = {
            .opts = {.model = "test/golden/plain/model", .device = device[i], .type = GLM_F32},
            .index = i,
            .of = n,
            .loop = &loop,
            .previews = &previews,
            .pictures = &pictures};
        assert_int_equal(worker_new(&worker[i], &conf, NULL), 0);
    }
}

static void close_workers(int n)
{
    for (int i = 0; i < n; i++)
        worker_free(worker[i]);
    for (struct msg *m = mbox_take(&loop), *next; m; m = next) {
        next = m->next;
        free(m);
    }
    mbox_destroy(&loop);
    mbox_destroy(&previews);
    mbox_destroy(&pictures);
}

/* The next event; quanta only when asked for. */
static struct device_event next_event(int quanta)
{
    static struct msg *list;

    for (;;) {
        struct msg *m;
        struct device_event event;

        if (!list) list = mbox_wait(&loop, 120000);
        if (!list) fail_msg("no event came");
        m = list;
        event = ((struct loop_device_event *)m)->event;
        list = m->next;
        if (m->kind != LOOP_DEVICE_EVENT) fail_msg("%s", ((struct loop_fatal *)m)->why.message);
        free(m);
        seen[event.kind][event.device]++;
        if (quanta || event.kind != QUANTUM_DONE) return event;
    }
}

static void begin(int which, uint64_t job)
{
    static struct spec spec = {.prompt = (char *)(uintptr_t) "a boat",
                               .width = SIDE,
                               .height = SIDE,
                               .steps = 2,
                               .guidance = 1.5,
                               .seed = 42,
                               .lane = LANE_NORMAL,
                               .noise_seed = SPEC_SEED_PICK};
    const struct hub_work work = {.job = job, .spec = &spec, .scratch = 1000};

    worker_start(worker[which], &work);
}

static void expect(enum device_event_kind kind, int device)
{
    struct device_event n = next_event(0);

    if (n.kind != kind) fail_msg("event %d, not %d: %s", (int)n.kind, (int)kind, n.fail.message);
    assert_int_equal(n.device, device);
}

/* The GPU works: a few quanta of a job, which is then dropped (whole pictures are slow here;
 * test_residency has them). */
static void works(int which, uint64_t job)
{
    begin(which, job);
    for (int quanta = 0; quanta < 4;) {
        struct device_event n = next_event(1);

        if (n.kind == DEVICE_FAILED || n.kind == RUN_FAILED) fail_msg("%s", n.fail.message);
        quanta += n.kind == QUANTUM_DONE && n.run[0].job == job;
    }
    worker_drop(worker[which], job);
    for (int gone = seen[RUN_DROPPED][which]; seen[RUN_DROPPED][which] == gone;)
        next_event(0);
}

static void breaks(int which, uint64_t job)
{
    struct device_event n;

    begin(which, job);
    n = next_event(0);
    if (n.kind != DEVICE_FAILED) fail_msg("event %d: %s", (int)n.kind, n.fail.message);
    assert_int_equal(n.device, which);
    assert_int_equal(n.fail.code, ERR_DEVICE);
    assert_true(n.n == 1 && n.batch == 1 && n.run[0].job == job);
    worker_release(worker[which]);
}

static void a_broken_gpu_comes_back(void **state)
{
    const int before = simt_blocks();
    struct device_event n;

    (void)state;
    open_workers(1);
    expect(DEVICE_READY, 0);
    works(0, 1);

    /* want of memory ends one job, and says what would help */
    simt_fail_after(0, cudaErrorMemoryAllocation);
    begin(0, 2);
    n = next_event(0);
    assert_int_equal(n.kind, RUN_FAILED);
    assert_int_equal(n.fail.code, ERR_OUT_OF_MEMORY);
    assert_true(n.fail.hint[0] != 0);
    works(0, 2);

    /* while a run is made; in the middle of one, and the first reset does not help */
    simt_break_after(3, cudaErrorIllegalAddress, 0);
    breaks(0, 3);
    expect(DEVICE_READY, 0);
    works(0, 3);
    simt_break_after(300, cudaErrorIllegalAddress, 1);
    breaks(0, 4);
    expect(DEVICE_LOST, 0);
    expect(DEVICE_READY, 0);
    works(0, 4);
    close_workers(1);
    assert_int_equal(simt_blocks(), before);
}

/* Two GPUs are two workers: one is away, the other one goes on. */
static void two_gpus_are_two_workers(void **state)
{
    glm_device names[LIMIT_DEVICES];
    struct fail f;

    (void)state;
    memset(seen, 0, sizeof seen);
    simt_set(2, 0, 0);
    assert_int_equal(glm_devices("auto", names, &f), 2);
    assert_string_equal(names[1], "cuda:1");
    assert_int_equal(glm_devices("cuda:1,cuda:0", names, &f), 2);
    assert_int_equal(glm_devices("cuda:1,cuda:1", names, &f), ERR_USAGE);
    assert_int_equal(glm_devices("cuda,cpu", names, &f), ERR_USAGE);
    assert_int_equal(glm_devices("cuda:x", names, &f), ERR_USAGE);
    open_workers(2);
    while (seen[DEVICE_READY][0] + seen[DEVICE_READY][1] < 2)
        next_event(0);
    simt_break_after(50, cudaErrorIllegalAddress, 1);
    breaks(1, 5);
    works(0, 5);
    while (seen[DEVICE_READY][1] < 2)
        next_event(0);
    assert_int_equal(seen[DEVICE_LOST][1], 1);
    works(1, 6);
    assert_int_equal(seen[DEVICE_FAILED][0] + seen[DEVICE_LOST][0], 0);
    close_workers(2);
    simt_set(1, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broken_gpu_comes_back),
        cmocka_unit_test(two_gpus_are_two_workers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
