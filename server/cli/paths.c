/* paths - from the place of the program itself, and from the XDG rules. */
#include "server/cli/paths.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool beside(const char *folder, const char *rest, char *out, size_t bytes)
{
    char config[PATH_MAX + 32], path[PATH_MAX];
    char *real;
    bool fits;

    if (snprintf(path, sizeof path, "%s/../%s", folder, rest) >= (int)sizeof path) return false;
    snprintf(config, sizeof config, "%s/model_index.json", path);
    if (access(config, R_OK)) return false;
    real = realpath(path, NULL);
    fits = real && snprintf(out, bytes, "%s", real) < (int)bytes;
    free(real);
    return fits;
}

bool paths_model(char *out, size_t bytes)
{
    char folder[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", folder, sizeof folder - 1);
    char *slash;

    if (n <= 0) return false;
    folder[n] = 0;
    slash = strrchr(folder, '/');
    if (!slash) return false;
    *slash = 0;
    return beside(folder, "weights/tiny", out, bytes)
           || beside(folder, "share/darkroom/tiny", out, bytes)
           || beside(folder, "../weights/tiny", out, bytes); /* build/release/darkroom */
}

void paths_data(char *out, size_t bytes)
{
    const char *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");

    if (xdg && *xdg == '/')
        snprintf(out, bytes, "%s/darkroom", xdg);
    else if (home && *home == '/')
        snprintf(out, bytes, "%s/.local/share/darkroom", home);
    else
        snprintf(out, bytes, "darkroom-data");
}
