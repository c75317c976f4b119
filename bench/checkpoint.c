/* checkpoint - what saving a run costs the device: a picture that is saved as the worker saves it.
 *
 *   checkpoint [--model weights/tiny] [--threads 0] [--size 512] [--steps 40] [--plan DIR]
 *
 * A save every 2 s and 5 % of the run, into memory of its own each time: how many, how large, and
 * their share of the run's time. Then another run that is saved before every quantum: microseconds
 * and bytes by phase. --plan: the largest checkpoint of a picture of 1024 x 1024 by the model in
 * that folder, which needs no weights. */
#include "bench/meter.h"
#include "kernels/engine/engine.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double EVERY_S = 2, PART = 0.05;

struct options {
    const char *model, *plan;
    int threads, size, steps;
};

struct saves {
    int n;
    double s, bytes, most;
};

static void save(struct glm_run *r, struct saves *c)
{
    const double before = seconds(CLOCK_MONOTONIC);
    const size_t n = glm_run_save_bytes(r);
    char *bytes = n ? malloc(n) : NULL;
    struct fail f = {0};

    if (!bytes) return;
    if (glm_run_save(r, bytes, &f)) give_up(&f);
    c->n++;
    c->s += seconds(CLOCK_MONOTONIC) - before;
    c->bytes += (double)n;
    if ((double)n > c->most) c->most = (double)n;
    free(bytes);
}

static struct glm_req request(int size, int steps)
{
    static const char text[] = "a red circle on a blue background";

    return (struct glm_req){.prompt = text,
                            .prompt_len = sizeof text - 1,
                            .width = size,
                            .height = size,
                            .steps = steps,
                            .guidance = 1.5,
                            .seed = 7};
}

/* One picture; `each` by phase with a save before every quantum, or as the worker does. Seconds. */
static double draw(struct glm *g, const struct options *o, struct saves *each, struct saves *all)
{
    const struct glm_req q = request(o->size, o->steps);
    struct glm_run *r;
    struct fail f = {0};
    const double start = seconds(CLOCK_MONOTONIC);
    double last = start, part = 0, end;

    if (glm_run_new(&r, g, &q, &f)) give_up(&f);
    for (struct glm_progress v; (v = glm_run_progress(r)).phase < GLM_DONE;) {
        const double now = seconds(CLOCK_MONOTONIC);

        if (each) {
            save(r, &each[v.phase]);
        } else if (now - last >= EVERY_S && v.overall - part >= PART) {
            last = now;
            part = v.overall;
            save(r, all);
        }
        if (glm_step(g, &r, 1, &f)) give_up(&f);
    }
    end = seconds(CLOCK_MONOTONIC);
    glm_run_free(r);
    return end - start;
}

static void measure(const struct options *o)
{
    const struct glm_opts opts = {.model = o->model, .device = "auto", .threads = o->threads};
    struct saves all = {0}, each[GLM_PHASES] = {{0}};
    struct glm_info info;
    struct fail f = {0};
    struct glm *g;
    double s;

    if (glm_open(&g, &opts, &f)) give_up(&f);
    glm_info(g, &info);
    printf("%s on %s, %dx%d, %d steps\n", info.model, info.device, o->size, o->size, o->steps);
    s = draw(g, o, NULL, &all);
    printf("%.1f s, %d checkpoints of at most %.2f MB in %.2f ms: %.4f %% of the time\n", s, all.n,
           all.most / 1e6, all.s * 1e3, 100 * all.s / s);
    draw(g, o, each, NULL);
    for (int p = 0; p < GLM_PHASES; p++)
        if (each[p].n)
            printf("%-8s %8.0f us each, %.2f MB at most\n", glm_phase_name((enum glm_phase)p),
                   each[p].s / each[p].n * 1e6, each[p].most / 1e6);
    glm_close(g);
}

static void plan(const char *folder)
{
    const struct glm_opts opts = {.model = folder};
    const struct glm_req q = request(1024, 50);
    struct glm_cost c;
    struct fail f = {0};
    struct glm *g;

    if (engine_open(&g, &opts, ENGINE_PLAN_CUDA, &f) || glm_plan(g, &q, &c, &f)) give_up(&f);
    printf("%s in bf16, 1024x1024: a checkpoint has at most %.1f MB\n", folder,
           (double)c.checkpoint_bytes / 1e6);
    glm_close(g);
}

int main(int argc, char **argv)
{
    static const struct option list[] = {{"model", 1, 0, 'm'}, {"threads", 1, 0, 't'},
                                         {"size", 1, 0, 's'},  {"steps", 1, 0, 'n'},
                                         {"plan", 1, 0, 'p'},  {0}};
    struct options o = {.model = "weights/tiny", .size = 512, .steps = 40};

    for (int c; (c = getopt_long(argc, argv, "", list, NULL)) != -1;) {
        const int n = c == '?' ? 0 : (int)strtol(optarg, NULL, 10);

        switch (c) {
        case 'm': o.model = optarg; break;
        case 'p': o.plan = optarg; break;
        case 't': o.threads = n; break;
        case 's': o.size = n; break;
        case 'n': o.steps = n; break;
        default:
            fprintf(stderr, "usage: checkpoint [--model DIR] [--threads N] [--size PIXELS] "
                            "[--steps N] [--plan DIR]\n");
            return 2;
        }
    }
    if (o.plan) plan(o.plan);
    measure(&o);
    return 0;
}
