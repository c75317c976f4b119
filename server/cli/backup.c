/* backup - finds the folder; the store does the rest. */
#include "server/cli/backup.h"

#include "server/cli/paths.h"
#include "server/store/backup.h"

#include <limits.h>
#include <stdio.h>

int cli_backup(const struct cli *c)
{
    char data[PATH_MAX];
    struct fail f = {0};
    int err = paths_data(c->options->data, data, &f);

    if (!err) err = backup_write(data, c->options->out, &f);
    return err ? cli_print_fail(&f) : 0;
}
