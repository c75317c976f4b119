/* test_converter - a stored picture as JPEG and WebP; what is none. */
#include "server/worker/converter.h"

#include "server/events.h"
#include "server/worker/png.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <turbojpeg.h>
#include <webp/decode.h>

enum { W = 96, H = 64 };

static uint8_t *png;
static size_t png_len;

static int set_up(void **state)
{
    uint8_t rgb[W * H * 3];

    (void)state;
    for (int i = 0; i < W * H; i++) {
        rgb[3 * i] = (uint8_t)(i % W * 255 / W);
        rgb[3 * i + 1] = (uint8_t)(i / W * 255 / H);
        rgb[3 * i + 2] = 128;
    }
    return png_encode(rgb, W, H, NULL, 0, &png, &png_len, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    free(png);
    return 0;
}

static void expect_gradient(const uint8_t *rgb)
{
    for (int i = 0; i < W * H; i += 7) {
        assert_in_range(rgb[3 * i] + 20 - i % W * 255 / W, 0, 40);
        assert_in_range(rgb[3 * i + 1] + 20 - i / W * 255 / H, 0, 40);
    }
}

/* catches: channels or rows that are mixed up, a quality that changes nothing */
static void jpeg(void **state)
{
    struct blob *good = converter_convert(png, png_len, PICTURE_JPEG, 95, 0);
    struct blob *small = converter_convert(png, png_len, PICTURE_JPEG, 5, 0);
    tjhandle reader = tjInitDecompress();
    uint8_t rgb[W * H * 3];

    (void)state;
    assert_true(good && small && small->len < good->len);
    assert_int_equal(tjDecompress2(reader, good->data, good->len, rgb, W, 0, H, TJPF_RGB, 0), 0);
    expect_gradient(rgb);
    tjDestroy(reader);
    blob_unref(good);
    blob_unref(small);
}

/* catches: a picture that is enlarged, bent or mixed up when it is made small */
static void small(void **state)
{
    struct blob *half = converter_convert(png, png_len, PICTURE_JPEG, 95, (W > H ? W : H) / 2);
    struct blob *whole = converter_convert(png, png_len, PICTURE_JPEG, 95, 10000);
    tjhandle reader = tjInitDecompress();
    uint8_t rgb[W * H * 3];
    int w, h, sub, space;

    (void)state;
    assert_true(half && whole);
    assert_int_equal(tjDecompressHeader3(reader, half->data, half->len, &w, &h, &sub, &space), 0);
    assert_true(w == (W + 1) / 2 || w == W / 2);
    assert_true(h == (H + 1) / 2 || h == H / 2);
    assert_int_equal(tjDecompress2(reader, half->data, half->len, rgb, w, 0, h, TJPF_RGB, 0), 0);
    for (int i = 0; i < w * h; i += 7) {
        assert_in_range(rgb[3 * i] + 30 - i % w * 255 / w, 0, 60);
        assert_in_range(rgb[3 * i + 1] + 30 - i / w * 255 / h, 0, 60);
    }
    assert_int_equal(tjDecompressHeader3(reader, whole->data, whole->len, &w, &h, &sub, &space), 0);
    assert_true(w == W && h == H);
    tjDestroy(reader);
    blob_unref(half);
    blob_unref(whole);
}

static void webp(void **state)
{
    struct blob *good = converter_convert(png, png_len, PICTURE_WEBP, 95, 0);
    struct blob *small = converter_convert(png, png_len, PICTURE_WEBP, 5, 0);
    uint8_t rgb[W * H * 3];

    (void)state;
    assert_true(good && small && small->len < good->len);
    assert_non_null(WebPDecodeRGBInto(good->data, good->len, rgb, sizeof rgb, W * 3));
    expect_gradient(rgb);
    blob_unref(good);
    blob_unref(small);
}

/* catches: a crash over what is no picture, or half of one */
static void no_picture(void **state)
{
    struct blob *same = converter_convert(png, png_len, PICTURE_PNG, 1, 0);

    (void)state;
    assert_null(converter_convert("picture", 7, PICTURE_JPEG, 90, 0));
    assert_null(converter_convert("", 0, PICTURE_WEBP, 90, 0));
    assert_null(converter_convert(png, png_len / 2, PICTURE_JPEG, 90, 0));
    assert_memory_equal(same->data, png, png_len);
    blob_unref(same);
}

/* catches: a conversion that does not come back, or leaves its file open */
static void thread(void **state)
{
    struct conversion *c = calloc(1, sizeof *c);
    int fd = memfd_create("picture", 0);
    struct converter *v;
    struct mbox loop;
    struct msg *m;

    (void)state;
    mbox_init(&loop, NULL, NULL);
    assert_int_equal(write(fd, png, png_len), png_len);
    assert_int_equal(converter_new(&v, &loop, NULL), 0);
    *c = (struct conversion){
        .fd = fd, .bytes = (int64_t)png_len, .format = PICTURE_WEBP, .quality = 80};
    converter_push(v, c);
    m = mbox_wait(&loop, 10000);
    assert_ptr_equal(m, c);
    assert_int_equal(m->kind, LOOP_CONVERTED);
    assert_memory_equal(c->file->data, "RIFF", 4);
    assert_int_equal(close(fd), -1);
    blob_unref(c->file);
    free(c);
    converter_free(v);
    mbox_destroy(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(jpeg), cmocka_unit_test(small),
                                       cmocka_unit_test(webp), cmocka_unit_test(no_picture),
                                       cmocka_unit_test(thread)};

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
