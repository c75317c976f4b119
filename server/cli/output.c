/* output - a finished file goes to a name, a device or standard output. */
#include "server/cli/output.h"

#include "server/cli/commands.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool output_is_stdout(const char *path)
{
    return strcmp(path, "-") == 0;
}

int output_check(const char *path, struct fail *f)
{
    if (!path) return 0;
    if (!output_is_stdout(path)) return cli_check_out(path, f);
    if (!isatty(STDOUT_FILENO)) return 0;
    fail_set(f, ERR_USAGE, "A terminal cannot show the bytes of a picture.");
    return fail_advise(f, "Send them on, as in `-o - > picture.png`, or name a file.");
}

int output_write(const char *path, const void *bytes, size_t len, struct fail *f)
{
    char aside[PATH_MAX];
    struct stat st;
    bool stream = output_is_stdout(path),
         special = stream || (!lstat(path, &st) && !S_ISREG(st.st_mode));
    FILE *out;
    bool bad;

    snprintf(aside, sizeof aside, special ? "%s" : "%s.part", path);
    out = stream ? stdout : fopen(aside, "we");
    bad = !out || fwrite(bytes, 1, len, out) != len;
    if (out && fclose(out)) bad = true;
    if (!bad && !special && rename(aside, path)) bad = true;
    if (!bad) return 0;
    fail_set(f, ERR_IO, "Cannot write %s: %s.", path, strerror(errno));
    if (out && !special) unlink(aside);
    return ERR_IO;
}
