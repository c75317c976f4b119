/* commands - the subcommands; each returns the program's exit status. Thread: main's. */
#ifndef SERVER_CLI_COMMANDS_H
#define SERVER_CLI_COMMANDS_H

#include "server/base/log.h"
#include "server/http/routes.h"
#include "server/options.h"

struct cmd {
    const struct options *options;
    const char *model; /* the option's, or the bundled one */
    const char *version;
    const struct http_page *pages;
    struct log *log;
};

int cmd_serve(const struct cmd *);
int cmd_generate(const struct cmd *);
int cmd_check(const struct cmd *);
int cmd_plan(const struct cmd *);
int cmd_trace(const struct cmd *);

/* "darkroom: message" and the advice below it, on stderr. Returns 1. */
int cmd_complain(const struct fail *);
/* Drawing takes a while: what can be known about the file to write is said before. 0 or ERR_IO. */
int cmd_check_out(const char *path, struct fail *);
/* The options that open an engine. */
struct glm_opts cmd_opts(const struct cmd *);

#endif
