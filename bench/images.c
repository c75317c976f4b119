/* images - a condition image through the engine's phases vision and encode, on the processor.
 *
 *   images MODEL SIDE THREADS [f32|bf16]
 *
 * For every line of standard input it sees and encodes one image of SIDE x SIDE pixels, which must
 * be a size that the model reads as it is. It prints the seconds of both phases, and those of the
 * processor: `vision S CPU encode S CPU`. For bench/images.py, in turns with another. */
#include "bench/meter.h"
#include "kernels/glm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* Seconds of every phase of one image: [0] wall, [1] processor. */
static void measure(struct glm *g, const struct glm_req *q, double s[GLM_PHASES][2])
{
    struct glm_run *r;
    struct fail f = {0};

    if (glm_run_new(&r, g, q, &f)) give_up(&f);
    while (glm_run_progress(r).phase < GLM_PRIOR) {
        const enum glm_phase at = glm_run_progress(r).phase;
        const double t = seconds(CLOCK_MONOTONIC), c = seconds(CLOCK_PROCESS_CPUTIME_ID);

        if (glm_step(g, &r, 1, &f)) give_up(&f);
        s[at][0] += seconds(CLOCK_MONOTONIC) - t;
        s[at][1] += seconds(CLOCK_PROCESS_CPUTIME_ID) - c;
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
    int w, h;

    if (argc < 4) return fprintf(stderr, "images MODEL SIDE THREADS [f32|bf16]\n"), 2;
    o.model = argv[1];
    o.threads = (int)strtol(argv[3], NULL, 10);
    if (argc > 4) o.type = strcmp(argv[4], "bf16") ? GLM_F32 : GLM_BF16;
    image.width = image.height = (int)strtol(argv[2], NULL, 10);
    image.rgb = waves(image.width);
    q.width = q.height = 64;
    q.image = &image;
    if (glm_open(&g, &o, &f)) give_up(&f);
    if (glm_image_size(g, image.width, image.height, &w, &h))
        return fprintf(stderr, "this model brings it to %d x %d: use that\n", w, h), 1;
    while (fgets(line, sizeof line, stdin)) {
        double s[GLM_PHASES][2] = {{0}};

        measure(g, &q, s);
        printf("vision %.6f %.6f encode %.6f %.6f\n", s[GLM_VISION][0], s[GLM_VISION][1],
               s[GLM_ENCODE][0], s[GLM_ENCODE][1]);
        fflush(stdout);
    }
    glm_close(g);
    free((void *)(uintptr_t)image.rgb);
    return 0;
}
