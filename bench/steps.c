/* steps - the engine without the service: pictures one by one against the same pictures together.
 *
 *   steps [--model weights/tiny] [--threads 0] [--batch 4] [--runs 5] [--size 256] [--steps 20]
 *         [--type auto|f32|bf16]
 *
 * The two take turns. For each phase: milliseconds a picture, alone and together, and their ratio;
 * wall time and processor time (of all threads) are medians of the rounds; `best` is the sum of
 * every quantum's fastest wall time over the rounds, which a busy machine disturbs least. */
#include "bench/meter.h"
#include "kernels/glm.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 100, QUANTA = 4096, ALL = GLM_PHASES, ROWS };

struct options {
    const char *model, *type;
    int threads, batch, runs, size, steps;
};

/* Seconds in a phase, all pictures: [0] wall, [1] processor. */
struct took {
    double s[ROWS][2];
};

/* The fastest wall time of every quantum, by phase. */
struct best {
    double s[GLM_PHASES][QUANTA];
};

/* n pictures from first quantum to last, all in every quantum. */
static void draw(struct glm *g, const struct options *o, int first, int n, struct took *t,
                 struct best *b)
{
    struct glm_run *run[LIMIT_BATCH];
    struct fail f = {0};
    static const char text[] = "a red circle on a blue background";

    for (int i = 0; i < n; i++) {
        const struct glm_req q = {.prompt = text,
                                  .prompt_len = sizeof text - 1,
                                  .width = o->size,
                                  .height = o->size,
                                  .steps = o->steps,
                                  .guidance = 1.5,
                                  .seed = (uint64_t)(first + i)};

        if (glm_run_new(&run[i], g, &q, &f)) give_up(&f);
    }
    for (struct glm_progress v; (v = glm_run_progress(run[0])).phase < GLM_DONE;) {
        const enum glm_phase p = v.phase;
        const double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
        double *s, d[2];

        if (glm_step(g, run, n, &f)) give_up(&f);
        d[0] = seconds(CLOCK_MONOTONIC) - wall;
        d[1] = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
        for (int k = 0; k < 2; k++) {
            t->s[p][k] += d[k];
            t->s[ALL][k] += d[k];
        }
        s = v.done < QUANTA ? &b->s[p][v.done] : NULL;
        if (s && !(*s > 0 && *s < d[0])) *s = d[0];
    }
    for (int i = 0; i < n; i++)
        glm_run_free(run[i]);
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, by_value);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* Milliseconds a picture of one phase, or of all. */
static double sum(const struct best *b, int n, int phase, int pictures)
{
    double t = 0;

    for (int i = 0; i < n; i++)
        for (int p = 0; p < GLM_PHASES; p++)
            for (int q = 0; q < QUANTA && (phase == ALL || phase == p); q++)
                t += b[i].s[p][q];
    return t * 1e3 / pictures;
}

static void show(const struct options *o, const struct took *one, const struct took *many,
                 const struct best *b_one, const struct best *b_many)
{
    printf("ms a picture %17s %29s %29s\n%-10s", "wall", "processor", "best", "");
    for (int k = 0; k < 3; k++)
        printf("    alone  together  ratio   ");
    for (int p = 0; p < ROWS; p++) {
        double x, y;

        printf("\n%-10s", p == ALL ? "all" : glm_phase_name((enum glm_phase)p));
        for (int k = 0; k < 2; k++) {
            double a[ROUNDS], b[ROUNDS], r[ROUNDS];

            for (int i = 0; i < o->runs; i++) {
                a[i] = one[i].s[p][k] * 1e3 / o->batch;
                b[i] = many[i].s[p][k] * 1e3 / o->batch;
                r[i] = a[i] / b[i];
            }
            printf(" %8.1f  %8.1f  %5.2f   ", median(a, o->runs), median(b, o->runs),
                   median(r, o->runs));
        }
        x = sum(b_one, o->batch, p, o->batch);
        y = sum(b_many, 1, p, o->batch);
        printf(" %8.1f  %8.1f  %5.2f", x, y, x / y);
    }
    printf("\n");
}

static void usage(void)
{
    fprintf(stderr,
            "usage: steps [--model DIR] [--threads N] [--batch 1..%d] [--runs 1..%d] [--size "
            "PIXELS] [--steps N] [--type auto|f32|bf16]\n",
            LIMIT_BATCH, ROUNDS);
    exit(2);
}

static void read_options(struct options *o, int argc, char **argv)
{
    static const struct option list[] = {
        {"model", 1, 0, 'm'}, {"threads", 1, 0, 't'}, {"batch", 1, 0, 'b'}, {"runs", 1, 0, 'r'},
        {"size", 1, 0, 's'},  {"steps", 1, 0, 'n'},   {"type", 1, 0, 'y'},  {0}};

    for (int c; (c = getopt_long(argc, argv, "", list, NULL)) != -1;) {
        const int n = c == '?' ? 0 : (int)strtol(optarg, NULL, 10);

        switch (c) {
        case 'm': o->model = optarg; break;
        case 'y': o->type = optarg; break;
        case 't': o->threads = n; break;
        case 'b': o->batch = n; break;
        case 'r': o->runs = n; break;
        case 's': o->size = n; break;
        case 'n': o->steps = n; break;
        default: usage();
        }
    }
    if (o->batch < 1 || o->batch > LIMIT_BATCH || o->runs < 1 || o->runs > ROUNDS) usage();
}

int main(int argc, char **argv)
{
    static struct took one[ROUNDS], many[ROUNDS], warm;
    static struct best b_one[LIMIT_BATCH], b_many, b_warm;
    struct options o = {"weights/tiny", "auto", 0, 4, 5, 256, 20};
    struct glm *g;
    struct glm_info info;
    struct fail f = {0};
    struct glm_opts opts;

    read_options(&o, argc, argv);
    opts = (struct glm_opts){.model = o.model,
                             .device = "auto",
                             .threads = o.threads,
                             .type = !strcmp(o.type, "f32")    ? GLM_F32
                                     : !strcmp(o.type, "bf16") ? GLM_BF16
                                                               : GLM_AUTO};
    if (glm_open(&g, &opts, &f)) give_up(&f);
    glm_info(g, &info);
    printf("%s on %s: %d pictures of %dx%d, %d steps, %d rounds\n", info.model, info.device,
           o.batch, o.size, o.size, o.steps, o.runs);
    draw(g, &o, 0, o.batch, &warm, &b_warm);
    for (int i = 0; i < o.runs; i++) {
        for (int k = 0; k < o.batch; k++)
            draw(g, &o, k, 1, &one[i], &b_one[k]);
        draw(g, &o, 0, o.batch, &many[i], &b_many);
    }
    show(&o, one, many, b_one, &b_many);
    glm_close(g);
    return 0;
}
