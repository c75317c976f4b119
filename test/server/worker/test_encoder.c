/* test_encoder - every picture is answered once; previews come in the classes
 * that were asked for. */
#include "server/worker/encoder.h"

#include "server/core/board.h"
#include "server/events.h"
#include "server/worker/pixels.h"
#include "server/worker/worker.h"
#include "test/server/worker/fake_glm.h"

#include <dlfcn.h>
#include <libdeflate.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* catches: an enlarged or vanished preview */
static void fits(void **state)
{
    int w, h;

    (void)state;
    encoder_fit(100, 50, 64, &w, &h);
    assert_int_equal(w * 1000 + h, 64032);
    encoder_fit(8, 8, 512, &w, &h);
    assert_int_equal(w * 1000 + h, 8008);
    encoder_fit(2048, 1, 16, &w, &h);
    assert_int_equal(w * 1000 + h, 16001);
}

/* catches: a shifted or darkened preview, a read past the end */
static void shrinks(void **state)
{
    uint8_t in[4 * 2 * 3], out[2 * 1 * 3];

    (void)state;
    for (int i = 0; i < 8; i++)
        memset(in + i * 3, i % 4 < 2 ? 10 : 200, 3);
    encoder_shrink(in, 4, 2, out, 2, 1);
    assert_int_equal(out[0], 10);
    assert_int_equal(out[5], 200);
    encoder_shrink(in, 4, 2, out, 1, 1);
    assert_int_equal(out[0], 105);
}

static struct pixels_picture *picture_of(uint64_t job)
{
    struct pixels_picture *p = calloc(1, sizeof *p);

    p->m.kind = PIXELS_PICTURE;
    p->job = job;
    p->width = p->height = 8;
    p->rgb = calloc(1, 8 * 8 * 3);
    p->spec = (struct spec){.prompt = strdup("x"),
                            .width = 8,
                            .height = 8,
                            .steps = 3,
                            .guidance = 1.5,
                            .seed = 42,
                            .lane = LANE_NORMAL,
                            .noise_seed = SPEC_SEED_PICK};
    return p;
}

/* catches: a picture without an answer, or with another one's */
static void answers_pictures(void **state)
{
    struct mbox box;
    struct encoder *e;
    struct encoder_conf conf = {&box, NULL, "m", "1"};
    uint64_t n = 0;

    (void)state;
    mbox_init(&box, NULL, NULL);
    assert_int_equal(encoder_new(&e, &conf, NULL), 0);
    for (uint64_t i = 1; i <= 20; i++)
        mbox_push(encoder_pictures(e), &picture_of(i)->m);
    encoder_free(e); /* what waits is still encoded */
    for (struct msg *m = mbox_take(&box), *next; m; m = next) {
        struct loop_encoded *got = (struct loop_encoded *)m;

        next = m->next;
        assert_int_equal(got->job, ++n);
        assert_memory_equal(got->file->data, "\x89PNG", 4);
        assert_int_equal(strlen(got->digest), 64);
        blob_unref(got->file);
        free(m);
    }
    assert_int_equal(n, 20);
    mbox_destroy(&box);
}

/* --- memory that is short for a while --------------------------------------------------------- */

static atomic_int refuse, refused; /* so many compressors are refused, and were */

struct libdeflate_compressor *libdeflate_alloc_compressor(int level)
{
    static _Atomic(__typeof__(&libdeflate_alloc_compressor)) real;

    if (atomic_load(&refuse) > 0) {
        atomic_fetch_sub(&refuse, 1);
        atomic_fetch_add(&refused, 1);
        return NULL;
    }
    if (!atomic_load(&real))
        atomic_store(&real, (__typeof__(&libdeflate_alloc_compressor))dlsym(RTLD_NEXT, __func__));
    return atomic_load(&real)(level);
}

/* catches: a finished picture that is lost as there was no memory for a moment; one that is tried
 * for ever while others wait */
static void waits_for_memory(void **state)
{
    struct mbox box;
    struct encoder *e;
    struct encoder_conf conf = {&box, NULL, "m", "1"};

    (void)state;
    mbox_init(&box, NULL, NULL);
    assert_int_equal(encoder_new(&e, &conf, NULL), 0);
    for (int i = 0; i < 2; i++) {
        struct loop_encoded *got;

        atomic_store(&refuse, i == 0 ? 3 : 1000);
        atomic_store(&refused, 0);
        mbox_push(encoder_pictures(e), &picture_of(1)->m);
        got = (struct loop_encoded *)mbox_wait(&box, 60000);
        assert_non_null(got);
        if (i == 0) assert_memory_equal(got->file->data, "\x89PNG", 4);
        if (i == 0) assert_int_equal(atomic_load(&refused), 3);
        if (i == 1) assert_null(got->file);
        if (i == 1) assert_int_equal(got->why.code, ERR_OUT_OF_MEMORY);
        blob_unref(got->file);
        free(got);
    }
    atomic_store(&refuse, 0);
    encoder_free(e);
    mbox_destroy(&box);
}

static void wait_ready(struct mbox *box)
{
    struct msg *m = mbox_wait(box, 10000);

    assert_non_null(m);
    assert_int_equal(((struct loop_device_event *)m)->event.kind, DEVICE_READY);
    free(m);
}

/* One image of each of the three classes, no larger and of no other format than its class says. */
static void check_preview(const struct loop_preview *p, unsigned classes)
{
    assert_int_equal(p->n, 3);
    for (int i = 0; i < p->n; i++) {
        int class = p->image[i].class;
        bool png = board_class_format(class) == FRAME_PNG;

        assert_true(classes & (1U << class));
        assert_true(p->image[i].width <= board_class_px(class));
        assert_memory_equal(p->image[i].image->data, png ? "\x89P" : "\xff\xd8", 2);
        blob_unref(p->blob[i]);
    }
}

/* catches: a class that is missing, in the wrong format or larger than asked for,
 * a slot that is kept */
static void preview_classes(void **state)
{
    struct mbox box;
    struct encoder *e;
    struct worker *w;
    struct encoder_conf conf = {&box, NULL, "m", "1"};
    int wanted[] = {board_class(FRAME_JPEG, 16), board_class(FRAME_JPEG, 512),
                    board_class(FRAME_PNG, 32)};
    struct spec spec = {.prompt = (char *)(uintptr_t) "x",
                        .width = 64,
                        .height = 64,
                        .steps = 10,
                        .guidance = 1.5,
                        .seed = 42,
                        .lane = LANE_NORMAL,
                        .noise_seed = SPEC_SEED_PICK};
    struct hub_work work = {.job = 7, .spec = &spec, .demand = {.max_px = 64}};
    int previews = 0, ended = 0;
    struct worker_conf wc;

    (void)state;
    for (int i = 0; i < 3; i++)
        work.demand.classes |= 1U << wanted[i];
    fake.quantum_us = 3000;
    mbox_init(&box, NULL, NULL);
    assert_int_equal(encoder_new(&e, &conf, NULL), 0);
    wc = (struct worker_conf){.opts = {.model = "m"},
                              .loop = &box,
                              .previews = encoder_previews(e),
                              .pictures = encoder_pictures(e)};
    assert_int_equal(worker_new(&w, &wc, NULL), 0);
    wait_ready(&box);
    worker_start(w, &work);
    while (!ended)
        for (struct msg *m = mbox_wait(&box, 10000), *next; m; m = next) {
            next = m->next;
            if (m->kind == LOOP_ENCODED) {
                ended = 1;
                blob_unref(((struct loop_encoded *)m)->file);
            }
            if (m->kind == LOOP_PREVIEW) {
                previews++;
                check_preview((struct loop_preview *)m, work.demand.classes);
            }
            free(m);
        }
    assert_true(previews >= 1);
    worker_stop(w);
    encoder_free(e);
    worker_free(w);
    for (struct msg *m = mbox_take(&box), *next; m; m = next) {
        next = m->next;
        free(m);
    }
    mbox_destroy(&box);
    fake.quantum_us = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fits),
        cmocka_unit_test(shrinks),
        cmocka_unit_test(answers_pictures),
        cmocka_unit_test(waits_for_memory),
        cmocka_unit_test(preview_classes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
