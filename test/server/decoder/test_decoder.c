/* test_decoder - the thread: files come back in order, each once, with pixels or why not. */
#include "server/decoder/decoder.h"

#include "server/base/blob.h"
#include "server/decoder/helper_main.h"

#include "test/server/decoder/images.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void push(struct decoder *d, const char *name, void *owner)
{
    struct decoding *m = calloc(1, sizeof *m);
    struct images_file file;

    images_read(&file, name);
    m->file = blob_copy(file.bytes, file.len);
    m->owner = owner;
    free(file.bytes);
    decoder_push(d, m);
}

/* The answers in their order; the caller frees. */
static void take(struct mbox *loop, struct decoding **out, int n)
{
    for (int i = 0; i < n;)
        for (struct msg *m = mbox_wait(loop, -1), *next; m; m = next) {
            next = m->next;
            assert_true(i < n && m->kind == LOOP_DECODED);
            out[i++] = (struct decoding *)m;
        }
}

/* catches: an answer that is lost, out of order, of another file, or without its file */
static void answers_keep_the_order(void **state)
{
    static const char *const names[] = {"plain.png", "page_first.jpg", "oriented6.jpg",
                                        "oriented.webp"};
    struct mbox loop;
    struct decoder *d;
    struct decoding *got[4];
    struct fail f;
    int owner[4];

    (void)state;
    mbox_init(&loop, NULL, NULL);
    assert_int_equal(decoder_new(&d, &(struct decoder_conf){.loop = &loop}, &f), 0);
    for (int i = 0; i < 4; i++)
        push(d, names[i], &owner[i]);
    take(&loop, got, 4);
    for (int i = 0; i < 4; i++) {
        assert_ptr_equal(got[i]->owner, &owner[i]);
        assert_true(blob_alone(got[i]->file));
        assert_int_equal(got[i]->why.code, i == 1 ? ERR_BAD_IMAGE : 0);
        assert_true(!got[i]->rgb == (i == 1));
    }
    assert_int_equal(got[0]->rgb->len, 40 * 28 * 3);
    assert_int_equal(got[0]->rgb->data[3], 6);
    assert_int_equal(got[2]->facts.width, 27);
    assert_int_equal(got[2]->facts.changes, 1U << IMAGE_ORIENTED);
    assert_int_equal(got[3]->facts.format, IMAGE_WEBP);
    for (int i = 0; i < 4; i++)
        events_free(&got[i]->m);
    decoder_free(d);
    assert_null(mbox_take(&loop));
    mbox_destroy(&loop);
}

/* catches: an end that waits for what waits; a file that gets no answer then */
static void what_waits_at_the_end_is_answered(void **state)
{
    struct mbox loop;
    struct decoder *d;
    struct decoding *got[20];
    struct fail f;
    int stopped = 0;

    (void)state;
    mbox_init(&loop, NULL, NULL);
    assert_int_equal(decoder_new(&d, &(struct decoder_conf){.loop = &loop}, &f), 0);
    for (int i = 0; i < 20; i++)
        push(d, "alpha16.png", NULL);
    decoder_free(d);
    take(&loop, got, 20);
    for (int i = 0; i < 20; i++) {
        stopped += got[i]->why.code == ERR_SHUTTING_DOWN;
        assert_true(got[i]->why.code == ERR_SHUTTING_DOWN || got[i]->rgb);
        events_free(&got[i]->m);
    }
    assert_true(stopped > 0);
    mbox_destroy(&loop);
    decoder_free(NULL);
}

int main(int argc, char **args)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_keep_the_order),
        cmocka_unit_test(what_waits_at_the_end_is_answered),
    };

    if (helper_called(argc, args)) return helper_main(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
