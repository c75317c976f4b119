/* user - `darkroom user add|list|remove|rotate`: the users of a data folder, also while a server
 * uses it. Thread: main's. */
#ifndef SERVER_CLI_USER_H
#define SERVER_CLI_USER_H

#include "server/cli/commands.h"

/* The exit status. A token goes to stdout alone, what is to be known about it to stderr. */
int cli_user(const struct cli *);

#endif
