/* paths - from the place of the program itself, and from the XDG rules. */
#include "server/cli/paths.h"

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

int paths_data(const char *given, char out[PATH_MAX], struct fail *f)
{
    const char *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    int n;

    if (given)
        n = snprintf(out, PATH_MAX, "%s", given);
    else if (xdg && *xdg == '/')
        n = snprintf(out, PATH_MAX, "%s/darkroom", xdg);
    else if (home && *home == '/')
        n = snprintf(out, PATH_MAX, "%s/.local/share/darkroom", home);
    else
        n = snprintf(out, PATH_MAX, "darkroom-data");
    if (n < PATH_MAX) return 0;
    fail_set(f, ERR_USAGE, "The path of the data folder, %.100s.., is too long.", out);
    return fail_advise(f, "Name a folder with fewer than %d bytes with --data DIR.", PATH_MAX);
}
