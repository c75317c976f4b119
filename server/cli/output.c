/* output - a finished file goes to a name, a device or standard output. */
#include "server/cli/output.h"

#include "server/cli/commands.h"

#include <errno.h>
#include <fcntl.h>
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

static bool is_pipe(const char *path)
{
    struct stat st;

    return !stat(path, &st) && S_ISFIFO(st.st_mode);
}

static FILE *open_special(const char *path)
{
    const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
    int fd = open(path, flags | O_NONBLOCK, 0666);

    if (fd < 0 && errno == ENXIO && is_pipe(path)) {
        fprintf(stderr, "darkroom: nothing reads the pipe %s yet; the picture waits for it\n",
                path);
        fd = open(path, flags, 0666);
    }
    if (fd >= 0) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    return fd < 0 ? NULL : fdopen(fd, "w");
}

int output_write(const char *path, const void *bytes, size_t len, struct fail *f)
{
    char aside[PATH_MAX];
    struct stat st;
    bool stream = output_is_stdout(path),
         special = stream || (!lstat(path, &st) && !S_ISREG(st.st_mode));
    FILE *out;
    bool bad;

    snprintf(aside, sizeof aside, "%s.part", path);
    out = stream ? stdout : special ? open_special(path) : fopen(aside, "we");
    bad = !out || fwrite(bytes, 1, len, out) != len;
    if (out && fclose(out)) bad = true;
    if (!bad && !special && rename(aside, path)) bad = true;
    if (!bad) return 0;
    fail_set(f, ERR_IO, "Cannot write %s: %s.", path, strerror(errno));
    if (out && !special) unlink(aside);
    return ERR_IO;
}
