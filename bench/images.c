/* images - a condition image through the engine's phases vision and encode, on the processor.
 *
 *   images MODEL SIDE THREADS [f32|bf16]
 *
 * For every line of standard input it sees and encodes one image of SIDE x SIDE pixels, and prints
 * the seconds of both phases: `vision S encode S`. For bench/images.py, in turns with another. */
#include "kernels/glm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void give_up(const struct fail *f)
{
    fprintf(stderr, "%s\n", f->message);
    exit(1);
}

static uint8_t *waves(int side)
{
    uint8_t *rgb = malloc(3 * (size_t)side * (size_t)side);

    if (!rgb) exit(1);
    for (int y = 0; y < side; y++)
        for (int i = 0; i < 3 * side; i++)
            rgb[3 * (size_t)side * (size_t)y + (size_t)i] =
                (uint8_t)(128 + 120 * sin(0.05 * i / 3 + 0.03 * y * (i % 3 + 1)));
    return rgb;
}

/* Seconds of both phases of one image. */
static void measure(struct glm *g, const struct glm_req *q, double s[GLM_PHASES])
{
    struct glm_run *r;
    struct fail f = {0};

    if (glm_run_new(&r, g, q, &f)) give_up(&f);
    while (glm_run_progress(r).phase < GLM_PRIOR) {
        const enum glm_phase at = glm_run_progress(r).phase;
        const double t = now();

        if (glm_step(g, &r, 1, &f)) give_up(&f);
        s[at] += now() - t;
    }
    glm_run_free(r);
}

int main(int argc, char **argv)
{
    struct glm_opts o = {.device = "cpu"};
    struct glm *g;
    struct fail f = {0};
    struct glm_image image = {0};
    struct glm_req q = {.prompt = "x", .prompt_len = 1, .steps = 1, .guidance = 1, .images = 1};
    char line[80];

    if (argc < 4) return fprintf(stderr, "images MODEL SIDE THREADS [f32|bf16]\n"), 2;
    o.model = argv[1];
    o.threads = (int)strtol(argv[3], NULL, 10);
    if (argc > 4) o.type = strcmp(argv[4], "bf16") ? GLM_F32 : GLM_BF16;
    image.width = image.height = (int)strtol(argv[2], NULL, 10);
    image.rgb = waves(image.width);
    q.width = q.height = 64;
    q.image = &image;
    if (glm_open(&g, &o, &f)) give_up(&f);
    while (fgets(line, sizeof line, stdin)) {
        double s[GLM_PHASES] = {0};

        measure(g, &q, s);
        printf("vision %.6f encode %.6f\n", s[GLM_VISION], s[GLM_ENCODE]);
        fflush(stdout);
    }
    glm_close(g);
    free((void *)(uintptr_t)image.rgb);
    return 0;
}
