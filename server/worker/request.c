/* request - a spec's fields are the engine's, one by one. */
#include "server/worker/request.h"

#include <string.h>

void request_of(const struct spec *s, struct glm_image images[LIMIT_IMAGES], struct glm_req *out)
{
    for (int i = 0; i < s->images; i++)
        images[i] = (struct glm_image){.width = s->image[i].width, .height = s->image[i].height};
    *out = (struct glm_req){.prompt = s->prompt,
                            .prompt_len = strlen(s->prompt),
                            .width = s->width,
                            .height = s->height,
                            .steps = s->steps,
                            .guidance = s->guidance,
                            .seed = (uint64_t)s->seed,
                            .two_seeds = s->noise_seed != SPEC_SEED_PICK,
                            .noise_seed = (uint64_t)s->noise_seed,
                            .image = images,
                            .images = s->images,
                            .skip_prior = s->prior_from != 0};
}
