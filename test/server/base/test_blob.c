/* test_blob - a message is freed with its last reference, on whichever thread. */
#include "server/base/blob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

/* catches: a message without its room in front, or whose bytes differ from what was given */
static void copy_and_text_keep_bytes_and_headroom(void **state)
{
    struct text t;
    struct blob *a = blob_copy("abc", 3), *b;

    (void)state;
    text_init(&t, BLOB_HEAD, 1000);
    text_open(&t, NULL, '{');
    text_int(&t, "n", 7);
    text_close(&t, '}');
    b = blob_from_text(&t);
    text_free(&t);
    assert_non_null(a);
    assert_non_null(b);
    assert_memory_equal(a->data, "abc", 4);
    assert_int_equal(b->len, 7);
    assert_memory_equal(b->data, "{\"n\":7}", 8);
    memset((uint8_t *)(uintptr_t)b->data - BLOB_HEAD, 0xee, BLOB_HEAD);
    assert_memory_equal(b->data, "{\"n\":7}", 8);
    blob_unref(a);
    blob_unref(b);
    blob_unref(NULL);
}

/* catches: half a message sent because its text had failed */
static void a_text_that_failed_is_no_message(void **state)
{
    struct text t;

    (void)state;
    text_init(&t, BLOB_HEAD, 4);
    text_string(&t, NULL, "longer than four");
    assert_null(blob_from_text(&t));
    text_free(&t);
}

static void *let_go(void *arg)
{
    for (int i = 0; i < 10000; i++)
        blob_unref(blob_ref(arg));
    blob_unref(arg);
    return NULL;
}

/* catches (with the sanitizers): a count that is not atomic, a free too early or never */
static void references_may_be_dropped_on_any_thread(void **state)
{
    struct blob *b = blob_copy("x", 1);
    pthread_t thread[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, let_go, blob_ref(b)), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(atomic_load(&b->refs), 1);
    assert_int_equal(b->data[0], 'x');
    blob_unref(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copy_and_text_keep_bytes_and_headroom),
        cmocka_unit_test(a_text_that_failed_is_no_message),
        cmocka_unit_test(references_may_be_dropped_on_any_thread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
