/* main - which subcommand, with which options; the only file with state of the process. */
#include "server/cli/backup.h"
#include "server/cli/client.h"
#include "server/cli/commands.h"
#include "server/cli/paths.h"
#include "server/cli/process.h"
#include "server/cli/user.h"
#include "server/decoder/helper_main.h"
#include "server/version.h"

#include <libwebsockets.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

extern char **environ;
extern const struct http_page page_files[]; /* made by frontend/pack.sh */

static struct log the_log;

/* "calling service" is what libwebsockets 4.1.6 prints as an error for every socket that it is
 * given together with bytes. */
static void from_lws(int level, const char *line)
{
    if (strstr(line, "calling service")) return;
    log_library(&the_log, level == LLL_ERR ? LOG_WARN : LOG_DEBUG, line);
}

static void usage(FILE *out)
{
    fputs("darkroom - a realtime image-generation service for GLM-Image\n\n", out);
    options_usage(out);
    fputs("  darkroom options    all options as a Markdown table\n"
          "  darkroom version\n\n"
          "`darkroom COMMAND --help` lists a command's options.\n",
          out);
}

/* Words that need no options; -1: it is none of them. more: what follows the word, or NULL. */
static int plain_word(const char *word, const char *more)
{
    bool version = strcmp(word, "version") == 0 || strcmp(word, "--version") == 0;
    struct fail f;

    if (more && (version || strcmp(word, "options") == 0)) {
        fail_set(&f, ERR_USAGE, "'%s' takes no '%.80s'.", word, more);
        return cli_print_fail(&f);
    }
    if (version) {
        puts("darkroom " DARKROOM_VERSION);
        return 0;
    }
    if (strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        usage(stdout);
        return 0;
    }
    if (strcmp(word, "options") == 0) {
        options_write_doc(stdout);
        return 0;
    }
    return -1;
}

static int run(enum options_command command, struct options *options)
{
    static int (*const commands[OPTIONS_COMMANDS])(const struct cli *) = {
        [OPTIONS_SERVE] = cli_serve,   [OPTIONS_GENERATE] = cli_generate,
        [OPTIONS_CHECK] = cli_check,   [OPTIONS_PLAN] = cli_plan,
        [OPTIONS_TRACE] = cli_trace,   [OPTIONS_USER] = cli_user,
        [OPTIONS_BACKUP] = cli_backup, [OPTIONS_CLIENT] = cli_client,
    };
    char bundled[PATH_MAX];
    const char *model = options->model;
    struct fail f;
    struct cli cli;
    int status;

    if (!model && command != OPTIONS_USER && command != OPTIONS_BACKUP && command != OPTIONS_CLIENT
        && !paths_model(bundled, sizeof bundled)) {
        fail_set(&f, ERR_USAGE, "The bundled model is not beside the program.");
        fail_advise(&f, "Name a folder with --model DIR.");
        return cli_print_fail(&f);
    }
    if (!model) model = bundled;
    log_init(&the_log, STDERR_FILENO, (enum log_level)log_level_parse(options->log_level));
    the_log.json = strcmp(options->log_format, "json") == 0;
    the_log.access = options->access_log;
    lws_set_log_level(LLL_ERR | LLL_WARN, from_lws);
    cli = (struct cli){.options = options,
                       .model = model,
                       .version = DARKROOM_VERSION,
                       .pages = page_files,
                       .log = &the_log};
    status = commands[command](&cli);
    log_destroy(&the_log);
    return status;
}

int main(int argc, char **args)
{
    struct options options;
    struct fail f = {0};
    int status, command, err;

    if (helper_called(argc, args)) return helper_main(NULL);
    process_standard();
    if (argc < 2) {
        usage(stderr);
        return 2;
    }
    status = plain_word(args[1], args[2]);
    command = options_command_parse(args[1]);
    if (status >= 0) return status;
    if (command < 0) {
        fail_set(&f, ERR_USAGE, "There is no command '%.80s'.", args[1]);
        status = cli_print_fail(&f);
        fputc('\n', stderr);
        usage(stderr);
        return status;
    }
    if (sodium_init() < 0) {
        fputs("darkroom: the system gives no random numbers\n", stderr);
        return 1;
    }
    err = options_read(&options, (enum options_command)command, argc - 1, args + 1, environ, &f);
    if (err)
        status = cli_print_fail(&f);
    else if (options.help) {
        options_help((enum options_command)command, stdout);
        status = 0;
    } else
        status = run((enum options_command)command, &options);
    options_free(&options);
    return status;
}
