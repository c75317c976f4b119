/* test_protocol - PROTOCOL.md and the YAML files say what the code does.
 *
 * With --write it rewrites the generated tables of PROTOCOL.md instead. */
#include "proto/answer.h"

#include "proto/limits.h"
#include "test/proto/vectors.h"

#define PAGE "proto/PROTOCOL.md"

static char *slurp(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, 1 << 20);

    if (!file || !text) fail_msg("cannot read %s", path);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    return text;
}

static void spec_table(struct text *t)
{
    struct spec_limits l;

    spec_limits_init(&l);
    spec_write_doc(&l, t);
}

static void error_table(struct text *t)
{
    text_raw(t, "| code | HTTP | what to do, unless the message says better |\n|---|---|---|\n");
    for (int code = -1; code >= ERR_LAST; code--)
        text_printf(t, "| `%s` | %d | %s |\n", fail_wire((enum err)code),
                    fail_status((enum err)code), fail_hint((enum err)code));
}

static const struct {
    const char *begin, *end;
    void (*write)(struct text *);
} BLOCKS[] = {
    {"<!-- spec:begin", "<!-- spec:end -->", spec_table},
    {"<!-- errors:begin", "<!-- errors:end -->", error_table},
};

/* The page with its generated blocks made anew. */
static void renew(const char *page, struct text *out)
{
    for (int i = 0; i < 2; i++) {
        const char *begin = strstr(page, BLOCKS[i].begin);
        const char *from, *to;

        assert_non_null(begin);
        from = strchr(begin, '\n');
        to = strstr(page, BLOCKS[i].end);
        assert_true(from && to > from);
        text_bytes(out, page, (size_t)(from + 1 - page));
        BLOCKS[i].write(out);
        page = to;
    }
    text_raw(out, page);
    assert_int_equal(text_check(out, NULL), 0);
}

/* catches: a table of fields or errors that was not renewed after a change */
static void tables_are_current(void **state)
{
    struct text t;
    char *page = slurp(PAGE);

    (void)state;
    text_init(&t, 0, 1 << 20);
    renew(page, &t);
    if (strcmp(page, t.at) != 0) fail_msg(PAGE " is stale: run this test with --write");
    text_free(&t);
    free(page);
}

static void expect_word(const char *path, const char *text, const char *format, const char *word)
{
    char quoted[64];

    snprintf(quoted, sizeof quoted, format, word);
    if (!strstr(text, quoted)) fail_msg("%s does not mention %s", path, quoted);
}

/* catches: a command, event, phase, state or reason that PROTOCOL.md lacks */
static void every_name_is_documented(void **state)
{
    const char *paths[] = {PAGE, "proto/asyncapi.yaml"}, *formats[] = {"`%s`", "%s"};
    const char *answers[] = {"hello", "ok",    "error", "notice", "user",  "quote",  "list",
                             "job",   "stats", "pong",  "upload", "image", "uploads"};

    (void)state;
    for (int p = 0; p < 2; p++) {
        char *text = slurp(paths[p]);

        for (int i = 0; i < COMMAND_KINDS; i++)
            expect_word(paths[p], text, formats[p], command_kind_name((enum command_kind)i));
        for (int i = 0; i < EVENT_KINDS; i++)
            expect_word(paths[p], text, p ? "%s" : "**%s**", event_kind_name((enum event_kind)i));
        for (int i = 0; i < WHYS; i++)
            expect_word(paths[p], text, formats[p], event_why_name((enum event_why)i));
        for (int i = 0; i < STATES; i++)
            expect_word(paths[p], text, formats[p], event_state_name((enum event_state)i));
        for (int i = 0; i < PHASES; i++)
            expect_word(paths[p], text, "%s", event_phase_name((enum event_phase)i));
        for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
            expect_word(paths[p], text, p ? "%s" : "\"type\":\"%s\"", answers[i]);
        for (int i = 0; p == 1 && i < SPEC_FIELDS; i++)
            expect_word(paths[p], text, "%s", SPEC_TABLE[i].name);
        free(text);
    }
}

/* One space for every run of white space, so that a line break in a sentence does not matter. */
static void squeeze(char *text)
{
    char *to = text;

    for (const char *from = text; *from; from++)
        if (!strchr(" \n", *from))
            *to++ = *from;
        else if (to > text && to[-1] != ' ')
            *to++ = ' ';
    *to = 0;
}

/* catches: a bound whose number on the page is no longer the code's */
static void bounds_are_current(void **state)
{
    const struct {
        const char *format;
        int value;
    } bounds[] = {
        {"at most %d bytes of UTF-8", LIMIT_MESSAGE_BYTES},
        {"message of more than %d bytes", LIMIT_MESSAGE_BYTES},
        {"(1 to %d). `state`", LIMIT_LIST},
        {"at most %d rows", LIMIT_LIST},
        {"`limit` (%d)", LIMIT_LIST_DEFAULT},
        {"`every_ms` (0 to %d;", LIMIT_PREVIEW_EVERY_MS},
        {"`max_px` (16 to %d)", LIMIT_PREVIEW_PX_MAX},
        {"`max_px` (%d to 512)", LIMIT_PREVIEW_PX_MIN},
        {"`max_px` (%d),", LIMIT_PREVIEW_PX_DEFAULT},
        {"already watches %d jobs", LIMIT_WATCHES},
        {"nested more than %d deep", LIMIT_JSON_DEPTH},
        {"a prompt of more than %d bytes", LIMIT_LIST_PROMPT_BYTES},
        {"`ref` (1 to %d visible", LIMIT_REF_BYTES},
        {"`key` (1 to %d visible", LIMIT_KEY_BYTES},
        {"`max_wait_ms` (1 to %d)", LIMIT_WAIT_MS},
        {"`n` (1 to %d) asks", LIMIT_PICTURES},
        {"At most %d (`too_large`)", LIMIT_CELLS},
        {"`{\"cancel_after_ms\": N}` (1 to %d)", LIMIT_WAIT_MS},
        {"`deadline_ms` (0 to %d)", LIMIT_WAIT_MS},
        {"`text` (1 to %d bytes)", LIMIT_NOTICE_BYTES},
        {"`queue` (1 to %d)", LIMIT_QUEUE_MAX},
        {"`concurrency` (0 to %d;", LIMIT_BATCH},
    };
    char *page = slurp(PAGE);

    (void)state;
    squeeze(page);
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        char sentence[80];

        snprintf(sentence, sizeof sentence, bounds[i].format, bounds[i].value);
        if (!strstr(page, sentence)) fail_msg(PAGE " does not say: %s", sentence);
    }
    free(page);
}

static int write_page(void)
{
    struct text t;
    char *page = slurp(PAGE);
    FILE *file;
    bool good;

    text_init(&t, 0, 1 << 20);
    renew(page, &t);
    file = fopen(PAGE, "wb");
    good = file && fwrite(t.at, 1, t.len, file) == t.len;
    if (file && fclose(file)) good = false;
    text_free(&t);
    free(page);
    return good ? 0 : 1;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_current),
        cmocka_unit_test(every_name_is_documented),
        cmocka_unit_test(bounds_are_current),
    };

    if (argc == 2 && strcmp(argv[1], "--write") == 0) return write_page();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
