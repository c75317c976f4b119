/* generate - one picture without the service: the same engine, the same file, a bar on a
 * terminal. */
#include "server/base/clock.h"
#include "server/cli/bar.h"
#include "server/cli/commands.h"
#include "server/cli/image_file.h"
#include "server/cli/output.h"
#include "server/worker/png.h"
#include "server/worker/request.h"

#include "kernels/glm.h"

#include <inttypes.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BAR_EVERY_US = 50000 };

/* Options that were not given take the model's own values; a seed of -1 is picked here. */
static int make_spec(const struct options *c, const struct glm_info *info, struct spec *s,
                     struct fail *f)
{
    struct spec_limits limits;

    spec_limits_init(&limits);
    spec_limits_model(&limits, info->side_max, info->default_width, info->default_steps);
    s->prompt = strdup(c->prompt);
    if (!s->prompt) return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the prompt.");
    s->width = c->width ? c->width : info->default_width;
    s->height = c->height ? c->height : info->default_height;
    s->steps = c->steps ? c->steps : info->default_steps;
    s->guidance = c->guidance < 0 ? info->default_guidance : c->guidance;
    s->seed = c->seed;
    if (s->seed < 0) {
        uint64_t bits;

        randombytes_buf(&bits, sizeof bits);
        s->seed = (int64_t)(bits & 0xffffffff); /* short enough to be typed again */
    }
    s->noise_seed = c->noise_seed;
    spec_seeds(s);
    return spec_check(s, &limits, f);
}

static int draw(struct glm *glm, struct glm_run *run, struct fail *f)
{
    struct bar bar = bar_begin();
    int64_t last = 0;
    int err = 0;
    struct glm_progress v = glm_run_progress(run);

    while (v.phase != GLM_DONE && !err) {
        int64_t now = clock_us();

        if (!bar.terminal || now - last > BAR_EVERY_US) {
            bar_show(&bar, glm_phase_name(v.phase), v.done, v.total, v.overall);
            last = now;
        }
        err = glm_step(glm, &run, 1, f);
        if (!err) err = glm_run_failed(run, f);
        v = glm_run_progress(run);
    }
    bar_clear(&bar);
    return err;
}

static void report(FILE *to, const char *out, const struct glm_info *info, const struct spec *s,
                   int64_t us)
{
    fprintf(to, "%s: %dx%d, seed %" PRId64, out, s->width, s->height, s->seed);
    if (s->noise_seed != SPEC_SEED_PICK) fprintf(to, ", noise seed %" PRId64, s->noise_seed);
    fprintf(to, ", %d step%s, %.2f s on %s\n", s->steps, s->steps == 1 ? "" : "s", (double)us / 1e6,
            info->device);
}

static int save(const struct cli *c, const struct glm_info *info, struct glm_run *run,
                const struct spec *s, int64_t us, struct fail *f)
{
    char path[64];
    uint8_t *file = NULL;
    size_t len = 0, capacity = (size_t)s->width * (size_t)s->height * 3;
    struct glm_picture picture = {.rgb = malloc(capacity), .capacity = capacity};
    const char *out;
    int err;

    snprintf(path, sizeof path, "%dx%d-seed%" PRId64 ".png", s->width, s->height, s->seed);
    out = c->options->out ? c->options->out : path;
    err = picture.rgb ? glm_run_image(run, &picture, f)
                      : fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the picture.");
    if (!err) err = png_encode_spec(&picture, s, s->steps, info->model, c->version, &file, &len, f);
    if (!err) err = output_write(out, file, len, f);
    if (!err) report(output_is_stdout(out) ? stderr : stdout, out, info, s, us);
    free(file);
    free(picture.rgb);
    return err;
}

/* The pictures that it begins with. */
struct images {
    struct glm_image image[LIMIT_IMAGES];
    uint8_t *rgb[LIMIT_IMAGES];
    int n;
};

static int read_image(struct images *s, const struct glm *glm, const char *path, struct fail *f)
{
    struct image_file file;
    int w, h, err = image_file_read(path, &file, f);

    if (err) return err;
    s->rgb[s->n] = file.rgb;
    s->image[s->n++] = (struct glm_image){file.rgb, file.width, file.height};
    if (*file.note) fprintf(stderr, "%s: %s\n", path, file.note);
    if (glm_image_size(glm, file.width, file.height, &w, &h))
        fprintf(stderr, "%s: %dx%d is brought to %dx%d\n", path, file.width, file.height, w, h);
    return 0;
}

static int read_images(struct images *s, const struct cli *c, const struct glm *glm, struct fail *f)
{
    const char *list = c->options->images ? c->options->images : "";
    char path[PATH_MAX];
    int err = 0;

    while (*list && !err) {
        const size_t n = strcspn(list, "\n");

        if (s->n == LIMIT_IMAGES)
            return fail_set(f, ERR_USAGE, "--image can be given %d times.", LIMIT_IMAGES);
        snprintf(path, sizeof path, "%.*s", (int)n, list);
        err = read_image(s, glm, path, f);
        list += n + (list[n] == '\n');
    }
    return err;
}

static int generate(const struct cli *c, struct glm *glm, struct fail *f)
{
    struct spec s = {0};
    struct glm_info info;
    struct glm_req req;
    struct glm_cost cost;
    struct glm_run *run = NULL;
    struct images images = {.n = 0};
    int err;
    int64_t before;

    glm_info(glm, &info);
    err = make_spec(c->options, &info, &s, f);
    if (!err && c->options->images && !info.images)
        err = fail_set(f, ERR_USAGE, "%s", info.no_images);
    if (!err) err = read_images(&images, c, glm, f);
    if (!err) {
        request_of(&s, images.image, &req);
        req.strict = c->options->strict;
        req.image = images.image;
        req.images = images.n;
        err = glm_plan(glm, &req, &cost, f);
    }
    if (!err) err = glm_reserve(glm, cost.scratch_bytes, f);
    if (!err) err = glm_run_new(&run, glm, &req, f);
    before = clock_us();
    if (!err) err = draw(glm, run, f);
    if (!err) err = save(c, &info, run, &s, clock_us() - before, f);
    glm_run_free(run);
    for (int i = 0; i < images.n; i++)
        free(images.rgb[i]);
    spec_free(&s);
    return err;
}

int cli_generate(const struct cli *c)
{
    struct glm_opts opts = cli_opts(c);
    struct glm *glm = NULL;
    struct fail f = {0};
    int err = output_check(c->options->out, &f);

    if (!err) err = glm_open(&glm, &opts, &f);
    if (!err) err = generate(c, glm, &f);
    if (glm) glm_close(glm);
    return err ? cli_print_fail(&f) : 0;
}
