/* test_image_file - pictures in files of the person who runs the command, and files that are
 * none. */
#include "server/cli/image_file.h"
#include "server/decoder/helper_main.h"

#include <setjmp.h>
#include <spng.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>
#include <unistd.h>

#include <cmocka.h>

enum { W = 20, H = 16 };

static char path[] = "/tmp/darkroom-image-XXXXXX";

static void write_bytes(const void *bytes, size_t len)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static int refused(void)
{
    struct image_file i;
    struct fail f = {0};
    const int err = image_file_read(path, &i, &f);

    assert_null(i.rgb);
    assert_true(!err || strstr(f.message, path));
    return err;
}

static uint8_t *png(const uint8_t *pixels, uint8_t color, size_t len, size_t *out)
{
    spng_ctx *s = spng_ctx_new(SPNG_CTX_ENCODER);
    struct spng_ihdr head = {.width = W, .height = H, .bit_depth = 8, .color_type = color};
    int err;
    void *file;

    spng_set_option(s, SPNG_ENCODE_TO_BUFFER, 1);
    spng_set_ihdr(s, &head);
    assert_int_equal(spng_encode_image(s, pixels, len, SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE), 0);
    file = spng_get_png_buffer(s, out, &err);
    assert_non_null(file);
    spng_ctx_free(s);
    return file;
}

/* catches: channels exchanged, transparency that shows what is under it, a note about nothing */
static void a_png_is_read_to_the_byte(void **state)
{
    uint8_t rgb[W * H * 3], rgba[W * H * 4], *file;
    struct image_file i;
    struct fail f = {0};
    size_t len;

    (void)state;
    for (size_t k = 0; k < sizeof rgb; k++)
        rgb[k] = (uint8_t)(k * 5);
    file = png(rgb, SPNG_COLOR_TYPE_TRUECOLOR, sizeof rgb, &len);
    write_bytes(file, len);
    assert_int_equal(image_file_read(path, &i, &f), 0);
    assert_true(i.width == W && i.height == H && !*i.note);
    assert_memory_equal(i.rgb, rgb, sizeof rgb);
    free(i.rgb);
    for (size_t cut = 0; cut < len - 12; cut += 7) { /* the last chunk is empty */
        write_bytes(file, cut);
        assert_int_equal(refused(), ERR_USAGE);
    }
    file[len - 20] ^= 1;
    write_bytes(file, len);
    assert_int_equal(refused(), ERR_USAGE);
    free(file);
    memset(rgba, 0, sizeof rgba);
    rgba[0] = 200, rgba[3] = 255; /* red as it is; the rest is transparent black */
    rgba[7] = 128;
    file = png(rgba, SPNG_COLOR_TYPE_TRUECOLOR_ALPHA, sizeof rgba, &len);
    write_bytes(file, len);
    assert_int_equal(image_file_read(path, &i, &f), 0);
    assert_non_null(strstr(i.note, "white"));
    assert_memory_equal(i.rgb, ((uint8_t[]){200, 0, 0, 127, 127, 127, 255, 255, 255}), 9);
    free(i.rgb);
    free(file);
}

/* catches: sides exchanged, inks that are not inverted, a file that ends early and
 * crashes */
static void a_jpeg_is_read(void **state)
{
    tjhandle j = tjInitCompress();
    uint8_t flat[32 * 16 * 4], *file = NULL;
    unsigned long len = 0;
    struct image_file i;
    struct fail f = {0};

    (void)state;
    memset(flat, 100, sizeof flat);
    assert_int_equal(tjCompress2(j, flat, 32, 0, 16, TJPF_RGB, &file, &len, TJSAMP_444, 95, 0), 0);
    write_bytes(file, len);
    assert_int_equal(image_file_read(path, &i, &f), 0);
    assert_true(i.width == 32 && i.height == 16);
    for (int k = 0; k < 32 * 16 * 3; k++)
        assert_in_range(i.rgb[k], 98, 102);
    free(i.rgb);
    write_bytes(file, 30);
    assert_int_equal(refused(), ERR_USAGE);
    assert_int_equal(tjCompress2(j, flat, 32, 0, 16, TJPF_CMYK, &file, &len, TJSAMP_444, 95, 0), 0);
    write_bytes(file, len);
    assert_int_equal(image_file_read(path, &i, &f), 0); /* 155 of each ink and of black */
    for (int k = 0; k < 32 * 16 * 3; k++)
        assert_in_range(i.rgb[k], 37, 42);
    assert_non_null(strstr(i.note, "inks"));
    free(i.rgb);
    tjFree(file);
    tjDestroy(j);
}

/* catches: a format told by the name, a size that is allocated before it is looked at */
static void what_is_no_picture_is_refused(void **state)
{
    static const uint8_t huge[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0,   0,    0,
                                   13,   'I', 'H', 'D', 'R',  0x7f, 0xff, 0xff, 255, 0x7f, 0xff,
                                   255,  255, 8,   2,   0,    0,    0,    0,    0,   0,    0};
    struct image_file i;
    struct fail f = {0};

    (void)state;
    write_bytes("", 0);
    assert_int_equal(refused(), ERR_USAGE);
    write_bytes("GIF89a", 6);
    assert_int_equal(refused(), ERR_USAGE);
    write_bytes(huge, sizeof huge);
    assert_int_equal(refused(), ERR_USAGE);
    assert_int_equal(image_file_read("/tmp/darkroom-no-such-file", &i, &f), ERR_IO);
    assert_int_equal(image_file_read("/tmp", &i, &f), ERR_IO);
}

int main(int argc, char **args)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_png_is_read_to_the_byte),
        cmocka_unit_test(a_jpeg_is_read),
        cmocka_unit_test(what_is_no_picture_is_refused),
    };
    int fd, failed;

    if (helper_called(argc, args)) return helper_main(NULL);
    fd = mkstemp(path);
    if (fd < 0) return 1;
    close(fd);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
