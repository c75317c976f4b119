/* backup - the command that copies a data folder's database. Thread: main's. */
#ifndef SERVER_CLI_BACKUP_H
#define SERVER_CLI_BACKUP_H

#include "server/cli/commands.h"

int cli_backup(const struct cli *); /* the program's exit status */

#endif
