/* test_image - files of every kind against what Pillow makes of them (images.py), and files that
 * are none. */
#include "proto/limits.h"
#include "server/decoder/image.h"

#include "test/server/decoder/images.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t fnv(const uint8_t *bytes, size_t n)
{
    uint64_t h = 0xcbf29ce484222325;

    for (size_t i = 0; i < n; i++)
        h = (h ^ bytes[i]) * 0x100000001b3;
    return h;
}

static int decode(const struct images_file *file, struct image_facts *facts, uint8_t **rgb,
                  struct fail *f)
{
    struct image_limits limits;
    int err;

    image_limits_init(&limits);
    *rgb = NULL;
    err = image_look(file->bytes, file->len, &limits, facts, f);
    if (err) return err;
    *rgb = malloc(3 * (size_t)facts->width * (size_t)facts->height);
    assert_non_null(*rgb);
    return image_decode(file->bytes, file->len, facts, *rgb, f);
}

static void names_of(unsigned changes, char *out, size_t size)
{
    size_t n = 0;

    for (int i = 0; i < IMAGE_CHANGES; i++)
        if (changes & (1U << i))
            n += (size_t)snprintf(out + n, size - n, "%s%s", n ? "," : "", image_change_name(i));
    if (!n) snprintf(out, size, "-");
}

static void check_line(const char *line)
{
    struct image_facts facts;
    struct images_file file;
    struct fail f = {0};
    char name[64], got[256] = "", changes[128];
    uint8_t *rgb;
    int err;

    assert_int_equal(sscanf(line, "%63s", name), 1);
    images_read(&file, name);
    err = decode(&file, &facts, &rgb, &f);
    names_of(facts.changes, changes, sizeof changes);
    if (err)
        snprintf(got, sizeof got, "%s refused", name);
    else
        snprintf(got, sizeof got, "%s %d %d %d %s %016llx", name, facts.width, facts.height,
                 facts.orientation, changes,
                 (unsigned long long)fnv(rgb, 3 * (size_t)facts.width * (size_t)facts.height));
    assert_string_equal(got, line);
    if (err) assert_int_equal(err, ERR_BAD_IMAGE);
    if (err) assert_true(*f.message && *f.hint && !strcmp(f.field, "image"));
    free(rgb);
    free(file.bytes);
}

/* catches: a channel, an orientation, a depth, an alpha or an ink taken otherwise than by Pillow; a
 * damaged file that is taken for a picture; a change that is not told */
static void pixels_are_pillows(void **state)
{
    FILE *list = fopen(IMAGES "list.txt", "r");
    char line[256];
    int n = 0;

    (void)state;
    assert_non_null(list);
    for (; fgets(line, sizeof line, list); n++) {
        line[strcspn(line, "\n")] = '\0';
        check_line(line);
    }
    fclose(list);
    assert_true(n > 50);
}

/* catches: a file that ends anywhere and is read beyond its end, or taken for a whole one */
static void a_file_may_end_anywhere(void **state)
{
    static const char *const names[] = {"alpha.png", "half.jpg", "oriented6.jpg", "oriented.webp",
                                        "lossless_alpha.webp"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct images_file file, part;

        images_read(&file, names[i]);
        for (size_t n = 0; n < file.len - 30; n += 13) {
            struct image_facts facts;
            struct fail f = {0};
            uint8_t *rgb;

            part = (struct images_file){malloc(n + 1), n}; /* a copy: what is behind it is seen */
            memcpy(part.bytes, file.bytes, n);
            part.bytes = realloc(part.bytes, n ? n : 1);
            assert_int_equal(decode(&part, &facts, &rgb, &f), ERR_BAD_IMAGE);
            free(rgb);
            free(part.bytes);
        }
        free(file.bytes);
    }
}

/* A file with 31 MiB more in it: pieces of `each` bytes, each between a head and a sum that is not
 * looked at. */
static void stuff(struct images_file *file, size_t at, const uint8_t *head, size_t head_len,
                  size_t each, size_t tail)
{
    const size_t piece = head_len + each + tail, n = ((size_t)31 << 20) / piece;
    uint8_t *out = calloc(1, file->len + n * piece);

    assert_non_null(out);
    memcpy(out, file->bytes, at);
    for (size_t i = 0; i < n; i++)
        memcpy(out + at + i * piece, head, head_len);
    memcpy(out + at + n * piece, file->bytes + at, file->len - at);
    free(file->bytes);
    file->bytes = out;
    file->len += n * piece;
}

static void check_stuffed(const char *name, size_t at, const uint8_t *head, size_t head_len,
                          size_t each, size_t tail)
{
    struct images_file plain, file;
    struct image_facts facts;
    struct fail f;
    uint8_t *rgb, *want;

    images_read(&plain, name);
    images_read(&file, name);
    stuff(&file, at, head, head_len, each, tail);
    if (!memcmp(file.bytes, "RIFF", 4))
        for (int i = 0; i < 4; i++)
            file.bytes[4 + i] = (uint8_t)((file.len - 8) >> 8 * i);
    assert_int_equal(decode(&plain, &facts, &want, &f), 0);
    assert_int_equal(decode(&file, &facts, &rgb, &f), 0);
    assert_memory_equal(rgb, want, 3 * (size_t)facts.width * (size_t)facts.height);
    free(rgb);
    free(want);
    free(plain.bytes);
    free(file.bytes);
}

/* catches: texts, profiles and unknown parts that cost more than their bytes, or a picture that has
 * them refused */
static void a_file_may_carry_much(void **state)
{
    (void)state;
    check_stuffed("plain.png", 33, (const uint8_t *)"\0\x10\0\0tEXt", 8, 1 << 20, 4);
    check_stuffed("plain.png", 33, (const uint8_t *)"\0\0\0\0zTXt", 8, 0, 4);
    check_stuffed("plain.png", 33, (const uint8_t *)"\0\x10\0\0eXIf", 8, 1 << 20, 4);
    check_stuffed("half.jpg", 2, (const uint8_t *)"\xff\xe1\xff\xff", 4, 65533, 0);
    check_stuffed("half.jpg", 2,
                  (const uint8_t *)"\xff\xe2\xff\xff"
                                   "ICC_PROFILE",
                  16, 65521, 0);
    check_stuffed("half.jpg", 2, (const uint8_t *)"\xff\xfe\0\2", 4, 0, 0);
    check_stuffed("oriented.webp", 30, (const uint8_t *)"JUNK\0\0\x10\0", 8, 1 << 20, 0);
}

static void head_of_png(uint8_t out[33], uint32_t w, uint32_t h)
{
    static const uint8_t head[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0, 0,
                                   0,    13,  'I', 'H', 'D',  'R',  0,    0,    0, 0,
                                   0,    0,   0,   0,   8,    2,    0,    0,    0};
    uint32_t crc = 0xffffffff;

    memcpy(out, head, sizeof head);
    for (int i = 0; i < 4; i++) {
        out[16 + i] = (uint8_t)(w >> (24 - 8 * i));
        out[20 + i] = (uint8_t)(h >> (24 - 8 * i));
    }
    for (int i = 12; i < 29; i++) {
        crc ^= out[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    for (int i = 0; i < 4; i++)
        out[29 + i] = (uint8_t)(~crc >> (24 - 8 * i));
}

static int look_at_size(uint32_t w, uint32_t h, struct fail *f)
{
    struct image_limits limits;
    struct image_facts facts;
    uint8_t head[33];

    head_of_png(head, w, h);
    image_limits_init(&limits);
    return image_look(head, sizeof head, &limits, &facts, f);
}

/* catches: memory that is asked for before a size is looked at; 1x100000 */
static void sizes_are_refused_by_the_head_alone(void **state)
{
    static const uint32_t wrong[][2] = {
        {1, 100000},   {100000, 1},    {15, 16},        {16, 65},
        {16385, 4096}, {32768, 32768}, {0x7fffffff, 2}, {0x7fffffff, 0x7fffffff}};
    struct fail f = {0};

    (void)state;
    assert_int_equal(look_at_size(16, 64, &f), 0);
    assert_int_equal(look_at_size(16384, 4096, &f), 0);
    assert_int_equal(look_at_size(0, 64, &f), ERR_BAD_IMAGE);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char size[32];

        assert_int_equal(look_at_size(wrong[i][0], wrong[i][1], &f), ERR_BAD_IMAGE);
        snprintf(size, sizeof size, "%ux%u", wrong[i][0], wrong[i][1]);
        /* the last two are too much for libspng's head */
        assert_non_null(strstr(f.message, i < 6 ? size : "image"));
        assert_true(strlen(f.hint) > 20);
    }
}

/* catches: a format that is told by a name, and a refusal that does not say what the file is */
static void other_formats_are_named(void **state)
{
    static const struct {
        const char *bytes, *named;
        size_t n;
    } others[] = {{"GIF89a", "GIF", 6},
                  {"\0\0\0\x18"
                   "ftypheic\0\0\0\0",
                   "HEIC", 16},
                  {"II*\0\x08\0\0\0", "TIFF", 8},
                  {"<svg/>", "SVG", 6},
                  {"hello", "neither", 5},
                  {"", "empty", 0}};
    struct image_limits limits;
    struct image_facts facts;
    struct fail f = {0};

    (void)state;
    image_limits_init(&limits);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_int_equal(
            image_look((const uint8_t *)others[i].bytes, others[i].n, &limits, &facts, &f),
            ERR_BAD_IMAGE);
        assert_non_null(strstr(f.message, others[i].named));
    }
    limits.bytes = 4;
    assert_int_equal(image_look((const uint8_t *)"GIF89a", 6, &limits, &facts, &f), ERR_TOO_LARGE);
}

/* catches: a text of changes that is cut off, or has one too many */
static void changes_are_told(void **state)
{
    char text[400];

    (void)state;
    image_changes_text(0, text, sizeof text);
    assert_string_equal(text, "");
    image_changes_text(1U << IMAGE_ORIENTED | 1U << IMAGE_ON_WHITE, text, sizeof text);
    assert_string_equal(text, "it is turned upright; its transparent pixels are laid on white");
    image_changes_text((1U << IMAGE_CHANGES) - 1, text, sizeof text);
    assert_non_null(strstr(text, "damaged"));
    image_changes_text((1U << IMAGE_CHANGES) - 1, text, 10);
    assert_int_equal(strlen(text), 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_are_pillows),
        cmocka_unit_test(a_file_may_end_anywhere),
        cmocka_unit_test(a_file_may_carry_much),
        cmocka_unit_test(sizes_are_refused_by_the_head_alone),
        cmocka_unit_test(other_formats_are_named),
        cmocka_unit_test(changes_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
