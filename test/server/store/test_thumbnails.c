/* test_thumbnails - a thumbnail is kept beside its picture, and nowhere else. */
#include "test/server/store/folder.h"

#include <dirent.h>

static const char JPEG[] = "\xff\xd8 small \xff\xd9";

static struct blob *jpeg(void)
{
    return blob_copy(JPEG, sizeof JPEG - 1);
}

/* A picture with this digest, and its file's name. */
static void put_picture(struct store *s, const char *digest, char name[PICTURE_NAME_BYTES])
{
    struct hub_row row = done_row(5, 2, digest);
    struct blob *file = blob_copy("hello", 5);
    struct hub_row accepted = row_of(5, 2);

    store_accept(s, &accepted, 1);
    store_end(s, &row, file);
    blob_unref(file);
    expect_stored(2, ERR_OK);
    snprintf(name, PICTURE_NAME_BYTES, "64x96-seed77-%s.png", digest);
}

/* Everything that was given to the store is done: an end is answered behind it. */
static void settle(struct store *s, uint64_t job)
{
    struct hub_row row = row_of(job, job);

    store_accept(s, &row, 1);
    expect_stored(1, ERR_OK);
}

static int files_of(const char *end)
{
    char path[128];
    int n = 0;
    struct dirent *e;
    DIR *d;

    snprintf(path, sizeof path, "%s/outputs", folder);
    d = opendir(path);
    while (d && (e = readdir(d)))
        n += strlen(e->d_name) > 4 && strcmp(e->d_name + strlen(e->d_name) - 4, end) == 0;
    closedir(d);
    return n;
}

static struct blob *thumbnail(struct store *s, uint32_t user, const char *digest, int want)
{
    const struct store_asker who = {.user = user};
    struct blob *b;

    assert_int_equal(store_thumbnail(s, &who, digest, &b, &fail), want);
    return b;
}

/* catches: one that is lost, that others see, or that stays when its picture goes */
static void goes_with_its_picture(void **state)
{
    struct store *s = open_store();
    char name[PICTURE_NAME_BYTES];
    struct blob *file = jpeg(), *got;

    (void)state;
    put_picture(s, HEX, name);
    assert_null(thumbnail(s, USER_NONE, HEX, 0));
    store_keep_thumbnail(s, name, HEX, file);
    settle(s, 9);
    got = thumbnail(s, USER_NONE, HEX, 0);
    assert_non_null(got);
    assert_int_equal(got->len, sizeof JPEG - 1);
    assert_memory_equal(got->data, JPEG, got->len);
    blob_unref(got);
    assert_null(thumbnail(s, 7, HEX, ERR_NOT_FOUND));
    store_close(s);
    s = open_store();
    got = thumbnail(s, USER_NONE, HEX, 0);
    assert_non_null(got);
    blob_unref(got);
    delete_job(s, 5);
    settle(s, 10);
    assert_int_equal(files_of(".jpg") + files_of(".png"), 0);
    assert_null(thumbnail(s, USER_NONE, HEX, ERR_NOT_FOUND));
    blob_unref(file);
    store_close(s);
}

/* catches: one of a picture that was deleted while it was made; a name that leads elsewhere */
static void not_without_its_picture(void **state)
{
    struct store *s = open_store();
    char name[PICTURE_NAME_BYTES];
    struct blob *file = jpeg();

    (void)state;
    put_picture(s, HEX, name);
    delete_job(s, 5);
    store_keep_thumbnail(s, name, HEX, file);
    settle(s, 9);
    put_picture(s, HEX, name);
    store_keep_thumbnail(s, "../escaped.png", HEX, file);
    store_keep_thumbnail(s, ".png", HEX, file);
    settle(s, 10);
    assert_int_equal(files_of(".jpg"), 0);
    blob_unref(file);
    store_close(s);
}

/* catches: what a power cut leaves, sent as a picture */
static void damaged_ones_are_none(void **state)
{
    static const char *const BAD[] = {"", "\xff\xd8", "\xff\xd8 no end at all",
                                      "no beginning \xff\xd9"};
    struct store *s = open_store();
    char name[PICTURE_NAME_BYTES];

    (void)state;
    put_picture(s, HEX, name);
    for (uint64_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct blob *bad = blob_copy(BAD[i], strlen(BAD[i]));

        store_keep_thumbnail(s, name, HEX, bad);
        blob_unref(bad);
        settle(s, 20 + i);
        assert_null(thumbnail(s, USER_NONE, HEX, 0));
    }
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(goes_with_its_picture, set_up, tear_down),
        cmocka_unit_test_setup_teardown(not_without_its_picture, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_ones_are_none, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
