/* test_safetensors - every way in which a file or an index can be wrong is found and named. */
#include "weights/safetensors/safetensors.h"
#include "weights/safetensors/safetensors_write.h"

#include "test/weights/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A file image: header text and `data` zero bytes. The length field can be given (0: the real
 * one). */
static unsigned char *image(const char *header, size_t data, uint64_t length, size_t *size)
{
    size_t n = strlen(header);
    uint64_t len = length ? length : n;
    unsigned char *p;

    *size = 8 + n + data;
    p = calloc(1, *size);
    assert_non_null(p);
    memcpy(p, &len, sizeof len);
    memcpy(p + 8, header, n);
    return p;
}

static int open_image(struct safetensors **st, const char *header, size_t data, uint64_t length,
                      struct fail *f)
{
    size_t size;
    unsigned char *p = image(header, data, length, &size);
    int err = safetensors_open_memory(st, p, size, "x.safetensors", f);

    if (err) free(p);
    return err;
}

#define LONG "model.language_model.layers.0.self_attn.q_proj.weight"
#define T(shape, from, to) \
    "{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":[" #from "," #to "]}"

/* catches: each row is one false value that a reader must not follow */
static void corrupted_files(void **state)
{
    static const struct {
        const char *header;
        size_t data;
        uint64_t length;
        const char *says;
    } bad[] = {
        {"{}", 0, 3, "header of 3 bytes"},
        {"{}", 0, UINT64_MAX, "cannot be"},
        {"{}", 0, (uint64_t)1 << 40, "cannot be"},
        {"[]", 0, 0, "not a JSON object"},
        {"{", 0, 0, "not a JSON object"},
        {"{\"a\":\"\xff\"}", 0, 0, "not a JSON object"},
        {"{\"a\":" T("[1]", 0, 4) ",\"a\":" T("[1]", 4, 8) "}", 8, 0, "a is in its header twice"},
        {"{\"" LONG "\":" T("[1]", 0, 4) ",\"" LONG "\":" T("[1]", 4, 8) "}", 8, 0,
         LONG " is in its"},
        {"{\"a\":3}", 0, 0, "tensor a is not described by an object"},
        {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, 0, "unknown dtype"},
        {"{\"a\":{\"dtype\":\"F33\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, 0, "unknown dtype"},
        {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, 0, "has no shape"},
        {"{\"a\":" T("[1,1,1,1,1]", 0, 4) "}", 4, 0, "more dimensions"},
        {"{\"a\":" T("[-1]", 0, 4) "}", 4, 0, "no size"},
        {"{\"a\":" T("[1.5]", 0, 4) "}", 4, 0, "no size"},
        {"{\"a\":" T("[\"1\"]", 0, 4) "}", 4, 0, "no size"},
        {"{\"a\":" T("[4294967296,4294967296]", 0, 4) "}", 4, 0, "overflows"},
        {"{\"a\":" T("[4611686018427387904]", 0, 4) "}", 4, 0, "do not fit"},
        {"{\"a\":" T("[2]", 0, 4) "}", 4, 0, "do not fit"},
        {"{\"a\":" T("[1]", 0, 8) "}", 8, 0, "do not fit"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, 0, "no data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, 0, "no data_offsets"},
        {"{\"a\":" T("[1]", 0, 4.0) "}", 4, 0, "no data_offsets"},
        {"{\"a\":" T("[1]", -4, 0) "}", 4, 0, "outside"},
        {"{\"a\":" T("[1]", 4, 8) "}", 4, 0, "outside"},
        {"{\"a\":" T("[0]", 4, 0) "}", 4, 0, "outside"},
        {"{\"a\":" T("[1]", 0, 4) "}", 8, 0, "4 bytes after the last"},
        {"{}", 1, 0, "1 bytes after the last"},
        {"{\"a\":" T("[1]", 4, 8) "}", 8, 0, "tensor a leaves a hole"},
        {"{\"a\":" T("[1]", 0, 4) ",\"b\":" T("[1]", 8, 12) "}", 12, 0, "tensor b leaves a hole"},
        {"{\"a\":" T("[2]", 0, 8) ",\"b\":" T("[1]", 4, 8) "}", 8, 0, "tensor b overlaps"},
        {"{\"a\":" T("[1]", 0, 4) ",\"b\":" T("[1]", 0, 4) "}", 4, 0, "overlaps"},
        {"{\"__metadata__\":3}", 0, 0, "__metadata__ is not an object"},
        {"{\"__metadata__\":{\"k\":3}}", 0, 0, "__metadata__ k is not a string"},
    };
    struct safetensors *st;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fail f = {0};
        int err;

        st = (void *)1;
        err = open_image(&st, bad[i].header, bad[i].data, bad[i].length, &f);
        if (err != ERR_MODEL || st || !strstr(f.message, bad[i].says)
            || !strstr(f.message, "x.safetensors"))
            fail_msg("row %zu: %d \"%s\", expected \"%s\"", i, err, f.message, bad[i].says);
    }
    for (size_t n = 0; n < 8; n++)
        assert_int_equal(safetensors_open_memory(&st, "\2\0\0\0\0\0\0", n, "x", NULL), ERR_MODEL);
}

/* catches: good files refused: no tensors, scalars, empty tensors, padding, any order */
static void unusual_but_good_files(void **state)
{
    static const struct {
        const char *header;
        size_t data, n;
    } good[] = {
        {"{}      ", 0, 0},
        {"{\"__metadata__\":{}}", 0, 0},
        {"{\"s\":" T("[]", 0, 4) "}", 4, 1},
        {"{\"e\":" T("[0,7]", 0, 0) "}", 0, 1},
        {"{\"b\":" T("[1]", 4, 8) ",\"a\":" T("[1]", 0, 4) ",\"e\":" T("[0]", 4, 4) "}", 8, 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct safetensors *st;
        struct fail f = {0};
        size_t size;
        unsigned char *p = image(good[i].header, good[i].data, 0, &size);

        if (safetensors_open_memory(&st, p, size, "x", &f)) fail_msg("row %zu: %s", i, f.message);
        assert_int_equal(safetensors_count(st), good[i].n);
        safetensors_close(st);
        free(p);
    }
}

static const float values[6] = {1, 2, 3, 4, 5, 6};
static const uint16_t halves[3] = {0x3f80, 0x4000, 0x4040};
static const int64_t big[1] = {-5};
static const uint8_t bytes[3] = {1, 0, 255};

/* catches: a writer and a reader that agree only with themselves: the bytes are also checked */
static void written_files_are_read(void **state)
{
    struct scratch s;
    char path[512];
    const struct safetensors_entry e[] = {
        {"bytes", DTYPE_U8, 3, {1, 1, 3}, bytes}, {"z.f32", DTYPE_F32, 2, {2, 3}, values},
        {"half", DTYPE_BF16, 1, {3}, halves},     {"scalar", DTYPE_I64, 0, {0}, big},
        {"empty", DTYPE_F32, 2, {0, 5}, values},
    };
    static const char *const meta[][2] = {{"trace", "{\"prompt\":\"“HI”\"}"}, {"b", "2"}};
    struct safetensors *st;
    struct fail f = {0};
    unsigned char head[9];
    FILE *file;

    (void)state;
    assert_int_equal(scratch_new(&s), 0);
    scratch_path(&s, "t.safetensors", path);
    assert_int_equal(safetensors_write(path, e, 5, meta, 2, &f), 0);
    assert_int_equal(safetensors_open(&st, path, &f), 0);
    assert_int_equal(safetensors_count(st), 5);
    assert_int_equal(safetensors_files(st), 1);
    for (size_t i = 1; i < 5; i++)
        assert_true(strcmp(safetensors_at(st, i - 1)->name, safetensors_at(st, i)->name) < 0);
    for (size_t i = 0; i < 5; i++) {
        const struct stored_tensor *t = safetensors_find(st, e[i].name);

        assert_non_null(t);
        assert_int_equal(t->dtype, e[i].dtype);
        assert_int_equal(t->nd, e[i].nd);
        for (int k = 0; k < e[i].nd; k++)
            assert_int_equal(t->dim[k], e[i].dim[k]);
        assert_int_equal((uintptr_t)t->data % dtype_bytes(t->dtype), 0);
        assert_memory_equal(t->data, e[i].data, t->bytes);
        assert_string_equal(t->file, "t.safetensors");
    }
    assert_null(safetensors_find(st, "z"));
    assert_string_equal(safetensors_meta(st, "trace"), meta[0][1]);
    assert_null(safetensors_meta(st, "nothing"));
    safetensors_close(st);
    file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(head, 1, 9, file), 9);
    fclose(file);
    assert_int_equal(head[0] % 8, 0);
    assert_int_equal(head[8], '{');
    scratch_free(&s);
}

/* catches: half a file left behind, or a name given twice written anyway */
static void a_failed_write_leaves_nothing(void **state)
{
    struct scratch s;
    char path[512];
    const struct safetensors_entry twice[] = {{"a", DTYPE_U8, 1, {1}, bytes},
                                              {"a", DTYPE_U8, 1, {1}, bytes}};
    struct fail f = {0};

    (void)state;
    assert_int_equal(scratch_new(&s), 0);
    scratch_path(&s, "no/such/folder", path);
    assert_int_equal(safetensors_write(path, twice, 1, NULL, 0, &f), ERR_IO);
    assert_non_null(strstr(f.message, "no/such/folder"));
    scratch_path(&s, "t", path);
    assert_int_equal(safetensors_write(path, twice, 2, NULL, 0, &f), ERR_INTERNAL);
    assert_int_equal(rmdir(s.dir), 0);
}

/* catches: a device, or a link such as /dev/stdout, that is replaced by a file */
static void a_link_is_written_through(void **state)
{
    struct scratch s;
    struct stat st;
    char path[512];
    const struct safetensors_entry one[] = {{"a", DTYPE_U8, 1, {1}, bytes}};

    (void)state;
    assert_int_equal(scratch_new(&s), 0);
    scratch_path(&s, "link", path);
    assert_int_equal(symlink("/dev/null", path), 0);
    assert_int_equal(safetensors_write(path, one, 1, NULL, 0, NULL), 0);
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    scratch_free(&s);
}

/* ---- sharded parts ---- */

/* One shard with the named one-byte tensors. */
static void shard(const struct scratch *s, const char *file, const char *a, const char *b)
{
    char path[512];
    const struct safetensors_entry e[] = {{a, DTYPE_U8, 1, {1}, bytes},
                                          {b, DTYPE_U8, 1, {1}, bytes}};
    struct fail f = {0};

    if (safetensors_write(scratch_path(s, file, path), e, b ? 2 : 1, NULL, 0, &f))
        fail_msg("%s", f.message);
}

/* Open a folder of two shards (a, b | c) under this index. */
static int open_shards(const char *index, struct safetensors **st, struct fail *f)
{
    struct scratch s;
    int err;

    assert_int_equal(scratch_new(&s), 0);
    shard(&s, "1.safetensors", "a", "b");
    shard(&s, "2.safetensors", "c", NULL);
    shard(&s, "3.safetensors", "a", NULL);
    assert_int_equal(scratch_write(&s, "m.safetensors.index.json", index, strlen(index)), 0);
    err = safetensors_open_part(st, s.dir, "m", f);
    scratch_free(&s);
    return err;
}

#define MAP(x) "{\"weight_map\":{" x "}}"
#define AB     "\"a\":\"1.safetensors\",\"b\":\"1.safetensors\""

/* catches: an index that promises what the shards do not have, hides what they have, or leads
 * out */
static void lying_indices(void **state)
{
    static const char *const bad[][2] = {
        {"{", "line 1"},
        {"[]", "is not a JSON object"},
        {"{\"weight_map\":[]}", "no weight_map"},
        {MAP(""), "no weight_map"},
        {MAP(AB ",\"c\":3"), "tensor c names no file"},
        {MAP(AB ",\"c\":\"\""), "tensor c names no file"},
        {MAP(AB ",\"c\":\"../2.safetensors\""), "tensor c names no file"},
        {MAP(AB ",\"c\":\"/etc/passwd\""), "tensor c names no file"},
        {MAP(AB ",\"c\":\"..\""), "tensor c names no file"},
        {MAP(AB ",\"c\":\"4.safetensors\""), "4.safetensors: No such file"},
        {MAP(AB ",\"c\":\"1.safetensors\""), "tensor c should be in 1.safetensors"},
        {MAP("\"a\":\"1.safetensors\",\"b\":\"2.safetensors\",\"c\":\"2.safetensors\""),
         "tensor b should be in 2.safetensors but is in 1.safetensors"},
        {MAP("\"a\":\"1.safetensors\",\"c\":\"2.safetensors\""),
         "tensor b of 1.safetensors is not in"},
        {MAP(AB ",\"c\":\"2.safetensors\",\"d\":\"3.safetensors\""), "tensor a is in"},
        {MAP(AB ",\"a\":\"1.safetensors\""), "a is there twice"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct safetensors *st;
        struct fail f = {0};
        int err = open_shards(bad[i][0], &st, &f);

        if (err != ERR_MODEL || st || !strstr(f.message, bad[i][1]))
            fail_msg("row %zu: %d \"%s\", expected \"%s\"", i, err, f.message, bad[i][1]);
    }
}

/* catches: shards not joined, or a tensor that forgets which file it came from */
static void shards_are_one_part(void **state)
{
    struct safetensors *st;
    struct fail f = {0};

    (void)state;
    assert_int_equal(open_shards(MAP(AB ",\"c\":\"2.safetensors\""), &st, &f), 0);
    assert_int_equal(safetensors_count(st), 3);
    assert_int_equal(safetensors_files(st), 2);
    assert_string_equal(safetensors_find(st, "b")->file, "1.safetensors");
    assert_string_equal(safetensors_find(st, "c")->file, "2.safetensors");
    safetensors_close(st);
}

/* catches: a guess between several files, a missing folder that crashes, an index ignored */
static void finds_the_part(void **state)
{
    struct scratch s;
    struct safetensors *st;
    struct fail f = {0};
    const char *index;

    (void)state;
    assert_int_equal(scratch_new(&s), 0);
    assert_int_equal(safetensors_open_part(&st, s.dir, "m", &f), ERR_MODEL);
    assert_non_null(strstr(f.message, "no *.safetensors"));
    shard(&s, "other.safetensors", "a", NULL);
    assert_int_equal(safetensors_open_part(&st, s.dir, "m", &f), 0); /* the only one there is */
    safetensors_close(st);
    shard(&s, "second.safetensors", "b", NULL);
    assert_int_equal(safetensors_open_part(&st, s.dir, "m", &f), ERR_MODEL);
    assert_non_null(strstr(f.message, "several"));
    shard(&s, "m.safetensors", "c", NULL);
    assert_int_equal(safetensors_open_part(&st, s.dir, "m", &f), 0);
    assert_non_null(safetensors_find(st, "c"));
    safetensors_close(st);
    index = MAP("\"a\":\"other.safetensors\"");
    assert_int_equal(scratch_write(&s, "m.safetensors.index.json", index, strlen(index)), 0);
    assert_int_equal(safetensors_open_part(&st, s.dir, "m", &f), 0);
    assert_non_null(safetensors_find(st, "a"));
    safetensors_close(st);
    scratch_free(&s);
    assert_int_equal(safetensors_open_part(&st, s.dir, "m", &f), ERR_MODEL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(corrupted_files),
        cmocka_unit_test(unusual_but_good_files),
        cmocka_unit_test(written_files_are_read),
        cmocka_unit_test(a_failed_write_leaves_nothing),
        cmocka_unit_test(a_link_is_written_through),
        cmocka_unit_test(lying_indices),
        cmocka_unit_test(shards_are_one_part),
        cmocka_unit_test(finds_the_part),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
