/* test_mutants - damaged files by the thousand through the process that decodes: each is a picture
 * or a clear refusal, and none ends the process.
 *
 * MUTANTS sets how many (1000; `make fuzz`: 100000). Each is made of its number alone, so that the
 * one that fails can be made again: MUTANT_FIRST=its number MUTANTS=1. */
#include "server/decoder/helper.h"
#include "server/decoder/helper_main.h"
#include "server/decoder/png_file.h"

#include "test/server/decoder/images.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 1 << 16, FILES_MAX = 128, GROWTH = 256 };

struct mutant {
    uint64_t random;
    uint8_t bytes[ROOM];
    size_t len;
};

static struct images_file original[FILES_MAX];
static size_t originals;

/* 0 .. n - 1. Source: xorshift64*, Vigna 2016. */
static size_t pick(struct mutant *m, size_t n)
{
    m->random ^= m->random >> 12;
    m->random ^= m->random << 25;
    m->random ^= m->random >> 27;
    return (size_t)((m->random * 0x2545f4914f6cdd1d) >> 33) % n;
}

/* Half of the time near the beginning, where a file says what it is. */
static size_t place(struct mutant *m)
{
    return pick(m, pick(m, 2) && m->len > 64 ? 64 : m->len);
}

static void set_number(struct mutant *m)
{
    static const uint32_t numbers[] = {0,      1,      0x7fffffff, 0x80000000, 0xffffffff,
                                       0xffff, 0x4000, 100000,     0x10000,    0xfffffff4};
    const uint32_t v = numbers[pick(m, sizeof numbers / sizeof *numbers)];
    const size_t at = place(m), n = pick(m, 2) ? 4 : 2;
    const bool little = pick(m, 2) != 0;

    for (size_t i = 0; i < n && at + i < m->len; i++)
        m->bytes[at + i] = (uint8_t)(v >> 8 * (little ? i : n - 1 - i));
}

static void fill(struct mutant *m)
{
    const size_t at = place(m), n = pick(m, 40) + 1;
    const uint8_t with = pick(m, 2) ? 0xff : 0;

    memset(m->bytes + at, with, n < m->len - at ? n : m->len - at);
}

/* A piece is put elsewhere, over what is there or before it. */
static void copy_piece(struct mutant *m)
{
    const size_t from = place(m), to = place(m), most = m->len - (from > to ? from : to);
    const size_t n = most ? pick(m, most < GROWTH ? most : GROWTH) + 1 : 0;
    uint8_t piece[GROWTH];

    if (!n || n > most) return;
    memcpy(piece, m->bytes + from, n);
    if (pick(m, 2) && m->len + n <= ROOM) {
        memmove(m->bytes + to + n, m->bytes + to, m->len - to);
        m->len += n;
    }
    memcpy(m->bytes + to, piece, n);
}

static void cut_out(struct mutant *m)
{
    const size_t at = place(m), n = pick(m, 30) + 1;

    if (at + n >= m->len) return;
    memmove(m->bytes + at, m->bytes + at + n, m->len - at - n);
    m->len -= n;
}

/* The end of another file. */
static void splice(struct mutant *m)
{
    const struct images_file *other = &original[pick(m, originals)];
    const size_t at = place(m), from = pick(m, other->len);

    if (at + other->len - from > ROOM) return;
    memcpy(m->bytes + at, other->bytes + from, other->len - from);
    m->len = at + other->len - from;
}

static void change(struct mutant *m)
{
    switch (pick(m, 8)) {
    case 0: set_number(m); break;
    case 1: fill(m); break;
    case 2: copy_piece(m); break;
    case 3: cut_out(m); break;
    case 4:
        if (!pick(m, 4)) splice(m);
        break;
    case 5:
        if (!pick(m, 4)) m->len = pick(m, m->len) + 1;
        break;
    case 6: m->bytes[place(m)] = (uint8_t)pick(m, 256); break;
    default: m->bytes[place(m)] ^= (uint8_t)(1U << pick(m, 8)); break;
    }
}

static uint32_t checksum(const uint8_t *p, size_t n)
{
    uint32_t crc = 0xffffffff;

    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

/* With wrong sums a library would look no further. */
static void correct_sums(struct mutant *m)
{
    for (size_t at = 8; m->len - at >= 12;) {
        const size_t n = read_be32(m->bytes + at);
        uint32_t sum;

        if (n > m->len - at - 12) return;
        sum = checksum(m->bytes + at + 4, n + 4);
        for (int i = 0; i < 4; i++)
            m->bytes[at + 8 + n + (size_t)i] = (uint8_t)(sum >> (24 - 8 * i));
        at += 12 + n;
    }
}

static void make(struct mutant *m, uint64_t number)
{
    const struct images_file *from;
    size_t changes;

    m->random = (number + 1) * 0x9e3779b97f4a7c15;
    from = &original[pick(m, originals)];
    m->len = from->len;
    memcpy(m->bytes, from->bytes, from->len);
    changes = pick(m, 5) + 1;
    while (changes--)
        change(m);
    if (png_file_is((struct file_bytes){m->bytes, m->len}) && pick(m, 4)) correct_sums(m);
}

static void read_originals(void)
{
    FILE *list = fopen(IMAGES "list.txt", "r");
    char line[256], name[64];

    assert_non_null(list);
    while (fgets(line, sizeof line, list) && sscanf(line, "%63s", name) == 1) {
        assert_true(originals < FILES_MAX);
        images_read(&original[originals++], name);
    }
    fclose(list);
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text ? strtoull(text, NULL, 10) : otherwise;
}

/* catches: a file that brings a library down, or keeps it, or is refused without a reason */
static void no_mutant_ends_the_process(void **state)
{
    static struct mutant m;
    const struct helper_conf conf = {.stop_fd = -1};
    const uint64_t first = setting("MUTANT_FIRST", 0), n = setting("MUTANTS", 1000);
    struct helper h;
    uint64_t pictures = 0;

    (void)state;
    read_originals();
    assert_int_equal(helper_open(&h, &conf, NULL), 0);
    for (uint64_t i = first; i < first + n; i++) {
        struct image_facts facts;
        struct fail f = {0};
        const uint8_t *rgb;
        int err;

        make(&m, i);
        err = helper_decode(&h, m.bytes, m.len, &facts, &rgb, &f);
        if (h.deaths || (err && err != ERR_BAD_IMAGE))
            fail_msg("mutant %llu: %s", (unsigned long long)i, f.message);
        if (err) assert_true(*f.message && *f.hint);
        pictures += !err;
    }
    print_message("%llu of %llu are still pictures\n", (unsigned long long)pictures,
                  (unsigned long long)n);
    if (n >= 1000) assert_true(pictures > n / 20 && pictures < n - n / 5);
    helper_close(&h);
    while (originals)
        free(original[--originals].bytes);
}

int main(int argc, char **args)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_mutant_ends_the_process)};

    if (helper_called(argc, args)) return helper_main(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
