/* commands - the short commands: serve, check, plan, trace. */
#include "server/cli/commands.h"

#include "kernels/glm_report.h"
#include "server/cli/paths.h"
#include "server/service.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int cli_print_fail(const struct fail *f)
{
    fprintf(stderr, "darkroom: %s\n", f->message);
    if (*f->hint) fprintf(stderr, "  %s\n", f->hint);
    return 1;
}

int cli_check_out(const char *path, struct fail *f)
{
    char folder[PATH_MAX];
    struct stat st;

    if (strlen(path) + sizeof ".part" > sizeof folder)
        return fail_set(f, ERR_IO, "The path %s is too long.", path);
    if (!stat(path, &st) && S_ISDIR(st.st_mode))
        return fail_set(f, ERR_IO, "Cannot write %s: it is a folder.", path);
    snprintf(folder, sizeof folder, "%s", path);
    if (access(dirname(folder), W_OK))
        return fail_set(f, ERR_IO, "Cannot write %s: %s.", path, strerror(errno));
    return 0;
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
    sigset_t set;
    struct service_conf conf;

    if (c->options->data)
        snprintf(data, sizeof data, "%s", c->options->data);
    else
        paths_data(data, sizeof data);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    /* before any thread is started: the loop reads the signals from a descriptor */
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
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

int cli_plan(const struct cli *c)
{
    struct glm_opts opts = cli_opts(c);
    struct fail f = {0};
    /* 0 and -1: glm_report_plan takes the model's own */
    struct glm_req req = {.prompt = "a picture",
                          .prompt_len = 9,
                          .width = c->options->width,
                          .height = c->options->height,
                          .steps = c->options->steps,
                          .guidance = c->options->guidance};

    return glm_report_plan(&opts, &req, stdout, &f) ? cli_print_fail(&f) : 0;
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
