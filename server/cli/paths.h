/* paths - the defaults of --model and --data: the bundled model and the data folder.
 * Thread: any, no state. */
#ifndef SERVER_CLI_PATHS_H
#define SERVER_CLI_PATHS_H

#include "proto/fail.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* The bundled model, beside a build (../weights/tiny) or an installation (../share/darkroom/tiny).
 * False: neither is there. */
bool paths_model(char *out, size_t bytes);
/* The folder that --data gives; NULL: $XDG_DATA_HOME/darkroom, else ~/.local/share/darkroom, else
 * ./darkroom-data. ERR_USAGE: its path is too long, and out is only its beginning. */
int paths_data(const char *given, char out[PATH_MAX], struct fail *f);

#endif
