/* client - `darkroom client`: one picture from a running server. Thread: main's. */
#ifndef SERVER_CLI_CLIENT_H
#define SERVER_CLI_CLIENT_H

#include "server/cli/commands.h"

int cli_client(const struct cli *);

#endif
