/* test_options - one table, three places: precedence, ranges,
 * and errors that say where and what. */
#include "server/options.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct fail fail;

static int read_with(struct options *c, enum options_command command, const char *flags, char **env)
{
    static char words[512];
    char *args[24] = {(char *)(uintptr_t)options_command_name(command)};
    int n = 1;

    snprintf(words, sizeof words, "%s", flags);
    for (char *rest = words, *word; (word = strtok_r(NULL == rest ? NULL : rest, " ", &rest));)
        args[n++] = word;
    memset(&fail, 0, sizeof fail);
    return options_read(c, command, n, args, env, &fail);
}

/* Writes text to a file of the test's own and returns its path. */
static const char *ini(const char *text)
{
    static char path[64];
    int fd;

    snprintf(path, sizeof path, "/tmp/darkroom-options-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    return path;
}

/* catches: a default that differs from the one in the help, a field left unset */
static void defaults(void **state)
{
    struct options c;

    (void)state;
    assert_int_equal(read_with(&c, OPTIONS_SERVE, "", NULL), 0);
    assert_string_equal(c.host, "127.0.0.1");
    assert_int_equal(c.port, 7860);
    assert_int_equal(c.queue, 64);
    assert_int_equal(c.job_seconds, 300);
    assert_int_equal(c.seed, -1);
    assert_null(c.model);
    assert_false(c.open);
    options_free(&c);
}

/* catches: a number written into a member of another width, a range that its member cannot hold */
static void widths(void **state)
{
    struct options c;

    (void)state;
    assert_int_equal(read_with(&c, OPTIONS_GENERATE, "x --seed 9007199254740991", NULL), 0);
    assert_int_equal(c.seed, 9007199254740991);
    assert_true(c.guidance == -1 && !c.strict);
    options_free(&c);
    assert_int_equal(read_with(&c, OPTIONS_SERVE, "--memory 16777216 --port 65535", NULL), 0);
    assert_int_equal(c.memory_mb, 16777216);
    assert_int_equal(c.port, 65535);
    assert_true(c.concurrency == 0 && c.vram == 0 && c.host != NULL);
    options_free(&c);
    for (const struct options_row *o = OPTIONS_TABLE; o->name; o++)
        if (o->type == OPTIONS_INT && !(o->min >= INT_MIN && o->max <= INT_MAX))
            fail_msg("%s does not fit into an int", o->name);
}

/* catches: the last reader winning instead of the strongest place */
static void precedence(void **state)
{
    struct options c;
    const char *path = ini("port = 1111\nqueue = 5\nopen = yes\nsteps = 7\n");
    char file[128],
        *env[] = {file, (char[]){"DARKROOM_PORT=2222"}, (char[]){"DARKROOM_JOB_SECONDS=44"}, NULL};

    (void)state;
    snprintf(file, sizeof file, "DARKROOM_CONFIG=%s", path);
    assert_int_equal(read_with(&c, OPTIONS_SERVE, "--port 3333", env), 0);
    assert_int_equal(c.port, 3333);
    options_free(&c);
    assert_int_equal(read_with(&c, OPTIONS_SERVE, "--job-seconds=9", env), 0);
    assert_int_equal(c.port, 2222);
    assert_int_equal(c.job_seconds, 9);
    assert_int_equal(c.queue, 5);
    assert_true(c.open);
    options_free(&c);
    unlink(path);
}

static void expect(enum options_command command, const char *flags, char **env, const char *says)
{
    struct options c;
    int err = read_with(&c, command, flags, env);

    if (err != ERR_USAGE || !strstr(fail.message, says))
        fail_msg("%s: %d '%s' lacks '%s'", flags, err, fail.message, says);
    options_free(&c);
}

/* catches: an error that does not name the flag, the variable, the range or the value */
static void bad_values(void **state)
{
    char *env[] = {(char[]){"DARKROOM_QUEUE=many"}, NULL};

    (void)state;
    expect(OPTIONS_SERVE, "--port 70000", NULL,
           "--port must be a whole number from 0 to 65535, not '70000'");
    expect(OPTIONS_SERVE, "--port 80x", NULL, "'80x'");
    expect(OPTIONS_SERVE, "--port 99999999999999999999", NULL, "--port");
    expect(OPTIONS_SERVE, "-p -1", NULL, "--port");
    expect(OPTIONS_SERVE, "", env, "DARKROOM_QUEUE must be a whole number from 1 to 4096");
    expect(OPTIONS_SERVE, "--prot 1", NULL, "--prot");
    expect(OPTIONS_PLAN, "--vram 16X", NULL,
           "--vram must be a size such as 16G or 24576M, not '16X'");
    expect(OPTIONS_PLAN, "--vram -1G", NULL, "--vram");
    expect(OPTIONS_PLAN, "--vram G", NULL, "--vram");
    expect(OPTIONS_SERVE, "--port", NULL, "--port");
    expect(OPTIONS_SERVE, "extra", NULL, "'extra' is not an option of serve");
    expect(OPTIONS_SERVE, "--dtype f16", NULL, "'f16'");
    expect(OPTIONS_SERVE, "--log-level loud", NULL, "'loud'");
    expect(OPTIONS_SERVE, "--log-format xml", NULL, "log-format is text or json, not 'xml'");
    expect(OPTIONS_SERVE, "--ping-seconds 60", NULL, "hangup-seconds (60)");
    expect(OPTIONS_SERVE, "--width 64", NULL, "--width");
    expect(OPTIONS_GENERATE, "x --guidance nan", NULL, "--guidance must be a number");
    expect(OPTIONS_GENERATE, "", NULL, "Say what to draw");
    expect(OPTIONS_GENERATE, "a red", NULL, "second prompt, 'red'");
    expect(OPTIONS_TRACE, "--like a", NULL, "--out");
    expect(OPTIONS_USER, "", NULL, "add, list, set, remove or rotate");
    expect(OPTIONS_USER, "ad ada", NULL, "There is no user 'ad'");
    expect(OPTIONS_USER, "add", NULL, "Name the user");
    expect(OPTIONS_USER, "rotate --data x", NULL, "Name the user");
    expect(OPTIONS_USER, "list ada", NULL, "'ada'");
    expect(OPTIONS_USER, "add ada ben", NULL, "'ben'");
    expect(OPTIONS_USER, "add ada --weight 0", NULL, "--weight must be a number");
    expect(OPTIONS_SERVE, "--listen /run/x", NULL, "--listen takes unix:PATH");
    expect(OPTIONS_SERVE, "--role admin", NULL, "--role");
}

static void bad_file(const char *text, const char *says)
{
    char flags[128];
    const char *path = ini(text);

    snprintf(flags, sizeof flags, "--config %s", path);
    expect(OPTIONS_SERVE, flags, NULL, says);
    unlink(path);
}

/* catches: a path or a name that a script left empty, taken for another one than was meant */
static void empty_texts(void **state)
{
    char *env[] = {(char[]){"DARKROOM_DATA="}, NULL};
    struct options c;
    int refused = 0;

    (void)state;
    for (const struct options_row *o = OPTIONS_TABLE; o->name; o++) {
        enum options_command command = (enum options_command)__builtin_ctz(o->commands);
        const char *words = command == OPTIONS_SERVE  ? ""
                            : command == OPTIONS_USER ? "list "
                                                      : "x ";
        char flags[64], says[64];

        if (o->type != OPTIONS_TEXT && o->type != OPTIONS_TEXTS) continue;
        snprintf(flags, sizeof flags, "%s--%s=", words, o->name);
        snprintf(says, sizeof says, "--%s is empty", o->name);
        if (!(o->commands & OPTIONS_EMPTY)) {
            expect(command, flags, NULL, says);
            refused++;
            continue;
        }
        assert_int_equal(read_with(&c, command, flags, NULL), 0);
        options_free(&c);
    }
    assert_true(refused >= 15);
    expect(OPTIONS_SERVE, "", env, "DARKROOM_DATA is empty; give its DIR, or leave it out.");
    bad_file("# x\ndata =\n", ":2: data is empty");
    bad_file("model = \n", ":1: model is empty");
}

/* catches: a wrong line number, a silently cut line, a key that is read twice or not at all, a file
 * that cannot be read taken for an empty one */
static void bad_files(void **state)
{
    char longline[600] = "# short\nmodel = ";

    (void)state;
    memset(longline + strlen(longline), 'x', 500);
    bad_file("# fine\n\nprot = 1\n", ":3: there is no option 'prot'");
    bad_file("port = 1\nport = 2\n", ":2: 'port' is given a second time");
    bad_file("port = 99999\n", ":1: port must be a whole number");
    bad_file("[server]\nport = 1\n", ":2: sections are not used");
    bad_file("queue = 3\nport\n", ":2: expected `name = value`");
    bad_file(longline, ":2: the line is longer");
    expect(OPTIONS_SERVE, "--config /nonexistent/x.ini", NULL, "/nonexistent/x.ini: No such file");
    expect(OPTIONS_SERVE, "--config /", NULL, "--config /: Is a directory");
}

/* catches: an option that exists but is missing from help or docs */
static void help_lists_all(void **state)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    struct options c;

    (void)state;
    for (int i = 0; i < OPTIONS_COMMANDS; i++)
        options_help((enum options_command)i, out);
    options_write_doc(out);
    fclose(out);
    for (const struct options_row *o = OPTIONS_TABLE; o->name; o++) {
        char flag[64], row[64];

        snprintf(flag, sizeof flag, "--%s", o->name);
        snprintf(row, sizeof row, "| `--%s", o->name);
        assert_non_null(strstr(text, flag));
        assert_non_null(strstr(text, row));
    }
    free(text);
    assert_int_equal(read_with(&c, OPTIONS_TRACE, "--help", NULL), 0);
    assert_true(c.help);
    options_free(&c);
}

/* catches: documentation that is older than the table;
 * `build/darkroom options > server/OPTIONS.md` */
static void docs_are_current(void **state)
{
    char *want = NULL, have[32768] = "";
    size_t len = 0;
    FILE *out = open_memstream(&want, &len), *in = fopen("server/OPTIONS.md", "r");

    (void)state;
    if (!in) fail_msg("server/OPTIONS.md is not there (tests run in the repository's root)");
    assert_true(fread(have, 1, sizeof have - 1, in) > 0);
    fclose(in);
    options_write_doc(out);
    fclose(out);
    assert_string_equal(have, want);
    free(want);
}

/* catches: a size that is read as another one; an option that one of
 * its three places does not know */
static void sizes_have_units(void **state)
{
    struct options c;
    static const struct {
        const char *text;
        int64_t bytes;
    } size[] = {{"16G", 16LL << 30},  {"24576m", 24LL << 30}, {"1.5GiB", 3LL << 29},
                {"80GB", 80LL << 30}, {"4096", 4096},         {"0", 0}};

    (void)state;
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        char flag[64], variable[64], *env[] = {variable, NULL};

        snprintf(flag, sizeof flag, "--vram %s", size[i].text);
        snprintf(variable, sizeof variable, "DARKROOM_VRAM=%s", size[i].text);
        assert_int_equal(read_with(&c, OPTIONS_PLAN, flag, NULL), 0);
        assert_int_equal(c.vram, size[i].bytes);
        options_free(&c);
        assert_int_equal(read_with(&c, OPTIONS_SERVE, "", env), 0);
        assert_int_equal(c.vram, size[i].bytes);
        options_free(&c);
    }
}

/* catches: a second reading that forgets what is stronger than the file, keeps a line that is gone,
 * changes what needs a restart, or what a wrong file names */
static void the_file_again(void **state)
{
    struct options c, next;
    struct options_changes changes;
    const char *path = ini("queue = 5\nport = 1111\norigins = https://a.example\nkeep-days = 3\n");
    char flags[128];
    FILE *file;

    (void)state;
    snprintf(flags, sizeof flags, "--config %s --keep-days 7", path);
    assert_int_equal(read_with(&c, OPTIONS_SERVE, flags, NULL), 0);
    assert_int_equal(options_reread(&c, &next, &fail), 0);
    options_adopt(&c, &next, &changes);
    assert_string_equal(changes.live, "");
    assert_string_equal(changes.restart, "");
    options_free(&next);
    file = fopen(path, "w");
    fputs("port = 2222\njob-seconds = 9\nkeep-days = 4\nlog-level = debug\n", file);
    fclose(file);
    assert_int_equal(options_reread(&c, &next, &fail), 0);
    options_adopt(&c, &next, &changes);
    assert_string_equal(changes.live, "origins, queue, job-seconds, log-level");
    assert_string_equal(changes.restart, "port");
    assert_int_equal(c.queue, 64);
    assert_int_equal(c.job_seconds, 9);
    assert_int_equal(c.keep_days, 7);
    assert_int_equal(c.port, 1111);
    assert_null(c.origins);
    assert_string_equal(next.origins, "https://a.example");
    assert_string_equal(c.log_level, "debug");
    options_free(&next);
    file = fopen(path, "w");
    fputs("log-level = loud\n", file);
    fclose(file);
    assert_int_equal(options_reread(&c, &next, &fail), ERR_USAGE);
    options_free(&next);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0); /* which would wait for a writer */
    assert_int_equal(options_reread(&c, &next, &fail), ERR_USAGE);
    assert_non_null(strstr(fail.message, "is a pipe"));
    options_free(&next);
    options_free(&c);
    unlink(path);
}

/* catches: names of changes that do not fit, an option that is live without a server */
static void changes_have_room(void **state)
{
    size_t all = 0;

    (void)state;
    for (const struct options_row *o = OPTIONS_TABLE; o->name; o++) {
        all += strlen(o->name) + 2;
        if (o->commands & OPTIONS_LIVE) assert_true(o->commands & (1U << OPTIONS_SERVE));
    }
    assert_true(all < sizeof((struct options_changes *)0)->live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),          cmocka_unit_test(widths),
        cmocka_unit_test(precedence),        cmocka_unit_test(bad_values),
        cmocka_unit_test(sizes_have_units),  cmocka_unit_test(bad_files),
        cmocka_unit_test(help_lists_all),    cmocka_unit_test(docs_are_current),
        cmocka_unit_test(empty_texts),       cmocka_unit_test(the_file_again),
        cmocka_unit_test(changes_have_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
