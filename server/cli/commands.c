/* commands - the short commands: serve, check, plan, trace. */
#include "server/cli/commands.h"

#include "kernels/glm_report.h"
#include "server/cli/paths.h"
#include "server/cli/process.h"
#include "server/service.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the command line itself asks for is wrong, on whatever machine. */
static bool is_usage(enum err code)
{
    return code == ERR_USAGE || code == ERR_BAD_FIELD || code == ERR_BAD_PROMPT
           || code == ERR_BAD_UTF8 || code == ERR_TOO_LARGE;
}

/* What it quotes may be cut within a character, or come from a hostile server. */
int cli_print_fail(const struct fail *f)
{
    struct fail say = *f;

    log_harmless(say.message);
    log_harmless(say.hint);
    fprintf(stderr, "darkroom: %s\n", say.message);
    if (*say.hint) fprintf(stderr, "  %s\n", say.hint);
    return is_usage(f->code) ? 2 : 1;
}

/* The file is written beside its place first: try to open that one. */
static int check_aside(const char *path, struct fail *f)
{
    char aside[PATH_MAX];
    int fd, made;

    if (snprintf(aside, sizeof aside, "%s.part", path) >= (int)sizeof aside)
        return fail_set(f, ERR_IO, "The path %.100s... is too long.", path);
    fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    made = fd >= 0;
    if (!made && errno == EEXIST) fd = open(aside, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        fail_set(f, ERR_IO, "Cannot write %.200s: %s.", path, strerror(errno));
        return fail_advise(f, "Name a file in a folder that exists and may be written to.");
    }
    close(fd);
    if (made) unlink(aside);
    return 0;
}

/* A link to nothing: what it leads to is made when it is written. */
static int check_target(const char *path, struct fail *f)
{
    char target[PATH_MAX];
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

    if (fd < 0) {
        fail_set(f, ERR_IO, "Cannot write %.200s: %s.", path, strerror(errno));
        return fail_advise(f, "It is a link to what cannot be made. Name another file.");
    }
    close(fd);
    if (realpath(path, target)) unlink(target);
    return 0;
}

int cli_check_out(const char *path, struct fail *f)
{
    size_t len = strlen(path);
    struct stat st;

    if (!len) {
        fail_set(f, ERR_USAGE, "The name of the file to write is empty.");
        return fail_advise(f, "Name a file, as in `-o picture.png`.");
    }
    if (path[len - 1] == '/' || (!stat(path, &st) && S_ISDIR(st.st_mode))) {
        fail_set(f, ERR_IO, "Cannot write %.200s: it is a folder.", path);
        return fail_advise(f, "Name a file in it, as in `-o %.100s%spicture.png`.", path,
                           path[len - 1] == '/' ? "" : "/");
    }
    if (!lstat(path, &st) && !S_ISREG(st.st_mode)) { /* a device, a pipe, a link */
        if (stat(path, &st)) return check_target(path, f);
        if (!access(path, W_OK)) return 0;
        return fail_set(f, ERR_IO, "Cannot write %.200s: %s.", path, strerror(errno));
    }
    return check_aside(path, f);
}

struct glm_opts cli_opts(const struct cli *c)
{
    return (struct glm_opts){.model = c->model,
                             .device = c->options->device,
                             .type = options_dtype(c->options),
                             .threads = c->options->threads,
                             .vram = (uint64_t)c->options->vram,
                             .cache = c->options->cache};
}

int cli_serve(const struct cli *c)
{
    char data[PATH_MAX];
    struct fail f = {0};
    struct service_conf conf;

    if (paths_data(c->options->data, data, &f)) return cli_print_fail(&f);
    process_server();
    conf = (struct service_conf){.options = c->options,
                                 .model = c->model,
                                 .data = data,
                                 .version = c->version,
                                 .pages = c->pages,
                                 .log = c->log};
    return service_run(&conf, &f) ? cli_print_fail(&f) : 0;
}

int cli_check(const struct cli *c)
{
    return glm_report_check(c->model, stdout);
}

/* "WxH", a line each; pixels are not needed for a plan. */
static int read_sizes(const char *list, struct glm_image image[LIMIT_IMAGES], int *n,
                      struct fail *f)
{
    *n = 0;
    for (const char *at = list; at && *at;) {
        struct glm_image i = {0};
        int end = 0;

        if (*n == LIMIT_IMAGES)
            return fail_set(f, ERR_USAGE, "--image can be given %d times.", LIMIT_IMAGES);
        if (sscanf(at, "%6dx%6d%n", &i.width, &i.height, &end) != 2 || i.width < 1 || i.height < 1
            || (at[end] && at[end] != '\n'))
            return fail_set(f, ERR_USAGE, "--image of a plan is WIDTHxHEIGHT, as 1024x768.");
        image[(*n)++] = i;
        at += end + (at[end] == '\n');
    }
    return 0;
}

int cli_plan(const struct cli *c)
{
    struct glm_opts opts = cli_opts(c);
    struct glm_image image[LIMIT_IMAGES];
    struct fail f = {0};
    /* 0 and -1: glm_report_plan takes the model's own */
    struct glm_req req = {.prompt = "a picture",
                          .prompt_len = 9,
                          .width = c->options->width,
                          .height = c->options->height,
                          .steps = c->options->steps,
                          .guidance = c->options->guidance,
                          .image = image};
    int err = read_sizes(c->options->images, image, &req.images, &f);

    if (!err) err = glm_report_plan(&opts, &req, stdout, &f);
    return err ? cli_print_fail(&f) : 0;
}

int cli_trace(const struct cli *c)
{
    struct glm_opts opts = cli_opts(c);
    struct fail f = {0};
    int err = cli_check_out(c->options->out, &f);

    if (!err)
        err = c->options->logits
                  ? glm_report_sampling(&opts, c->options->logits, c->options->out, &f)
                  : glm_report_trace(&opts, c->options->like, c->options->out, &f);
    return err ? cli_print_fail(&f) : 0;
}
