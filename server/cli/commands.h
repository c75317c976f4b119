/* commands - the subcommands; each returns the program's exit status. Thread: main's. */
#ifndef SERVER_CLI_COMMANDS_H
#define SERVER_CLI_COMMANDS_H

#include "server/base/log.h"
#include "server/http/routes.h"
#include "server/options.h"

struct cli {
    struct options *options;
    const char *model; /* the option's, or the bundled one */
    const char *version;
    const struct http_page *pages;
    struct log *log;
};

int cli_serve(const struct cli *);
int cli_generate(const struct cli *);
int cli_check(const struct cli *);
int cli_plan(const struct cli *);
int cli_trace(const struct cli *);

/* "darkroom: message" and the advice below it, on stderr. Returns the exit status: 2 when the
 * command line asks for something wrong, else 1. */
int cli_print_fail(const struct fail *);
/* Drawing takes a while: whether the output file can be written is checked before, by opening the
 * file aside (removed again). 0, ERR_USAGE (no name) or ERR_IO. */
int cli_check_out(const char *path, struct fail *);
/* The options that open an engine. */
struct glm_opts cli_opts(const struct cli *);

#endif
