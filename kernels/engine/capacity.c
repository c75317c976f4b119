/* capacity - bytes to leave for pictures, from four at a time and the largest to one ordinary; then
 * residency. Where condition images are possible there is room for a picture from one, unless words
 * alone would have to wait for weights because of it. */
#include "kernels/engine/capacity.h"

#include "kernels/cuda_sizes.h"
#include "kernels/number.h"

#include <string.h>

/* Pictures that share the cost of copying weights, where there is a choice. */
enum { AT_A_TIME = 4 };

/* Choices of bytes to leave for pictures; see residency_rooms. */
enum { ROOMS = 5, MODEST = 2, WORDS = 3 };

const char *capacity_bytes(uint64_t bytes, char buf[16])
{
    const int small = bytes < 1000000000;

    snprintf(buf, 16, "%.1f %s", (double)bytes / (small ? 1e6 : 1e9), small ? "MB" : "GB");
    return buf;
}

/* Bytes of n pictures of one kind at a time, each from `images` images of its own size. */
static int bytes_of(const struct glm *g, int width, int height, int images, int n, uint64_t *bytes,
                    struct fail *f)
{
    const struct glm_image image = {.width = width, .height = height};
    const struct glm_req q = {.prompt = "a picture",
                              .prompt_len = 9,
                              .width = width,
                              .height = height,
                              .steps = g->info.default_steps,
                              .guidance = g->info.default_guidance,
                              .image = &image,
                              .images = images};
    struct glm_cost c = {0};
    uint64_t scratch = 0;
    int err = glm_plan(g, &q, &c, f);

    if (!err) err = glm_plan_batch(g, &q, n, &scratch, f);
    *bytes = (uint64_t)n * c.run_bytes + number_max(scratch, c.scratch_bytes);
    return err;
}

/* What a condition image costs besides. */
static void explain_images(struct capacity *t)
{
    const size_t n = strlen(t->why);
    char bytes[16];

    if (!t->plan.images) return;
    snprintf(t->why + n, sizeof t->why - n, "; an image copies %s%s",
             capacity_bytes(t->plan.images, bytes),
             t->plan.mode == RESIDENCY_IMAGES ? " from pinned host memory" : "");
}

static void explain(struct capacity *t, int swaps)
{
    const struct residency *p = &t->plan;
    char held[16], home[16], a[16], b[16];

    capacity_bytes(t->held, held);
    capacity_bytes(p->home, home);
    switch (p->mode) {
    case RESIDENCY_ALL:
        snprintf(t->why, sizeof t->why, "all weights, %s, fit beside the pictures", held);
        break;
    case RESIDENCY_IMAGES:
        snprintf(t->why, sizeof t->why, "all weights but those for condition images stay, in %s",
                 held);
        break;
    case RESIDENCY_SWAP:
        snprintf(t->why, sizeof t->why,
                 "prior and DiT take turns in %s; a change copies %s from %s of pinned host memory",
                 held, capacity_bytes(number_max(p->swap[0], p->swap[1]), a), home);
        break;
    case RESIDENCY_STREAM:
        snprintf(t->why, sizeof t->why,
                 "the layers take turns in %s; a token copies %s, a step %s, from %s of pinned "
                 "host memory",
                 held, capacity_bytes(p->stream[0], a), capacity_bytes(p->stream[1], b), home);
        break;
    case RESIDENCY_NONE:
        snprintf(t->why, sizeof t->why, "%s and one picture need %s",
                 swaps ? "two layers" : "the weights", capacity_bytes(t->least, a));
        break;
    }
    explain_images(t);
}

/* Bytes to leave for pictures, from what would be best to the least that makes sense. */
static int choose_rooms(const struct glm *g, uint64_t room[ROOMS], struct fail *f)
{
    const int w = g->info.default_width, h = g->info.default_height, side = g->info.side_max;
    uint64_t one = 0, some = 0, big = 0, edit = 0;
    int err = bytes_of(g, w, h, 0, 1, &one, f);

    if (!err) err = bytes_of(g, w, h, 0, AT_A_TIME, &some, f);
    if (!err) err = bytes_of(g, side, side, 0, 1, &big, f);
    if (!err && g->dry_stages.conditions) err = bytes_of(g, w, h, 1, 1, &edit, f);
    room[0] = number_max(number_max(some, big), edit);
    room[1] = number_max(number_max(one, big), edit);
    room[2] = number_max(some, edit);
    room[3] = some;
    room[4] = one;
    return err;
}

static int too_small(const struct capacity *t, int swaps, struct fail *f)
{
    const uint64_t least = swaps ? cuda_sizes_total(t->least) : t->least;
    char have[16], want[16];

    fail_set(f, ERR_TOO_BIG_FOR_DEVICE, "the device has %s for weights and pictures; %s",
             capacity_bytes(t->usable, have), t->why);
    return fail_advise(f, "use %s with at least %s", swaps ? "a card" : "a machine",
                       capacity_bytes(least, want));
}

int capacity_of(struct glm *g, uint64_t usable, int swaps, struct capacity *out, struct fail *f)
{
    struct weight_list *list = &g->dry_stages.list;
    const uint64_t fixed = list->loose + g->dry_stages.mem_bytes;
    uint64_t room[ROOMS];
    const struct residency_rooms rooms = {
        .bytes = room, .n = ROOMS, .modest = MODEST, .words = swaps ? WORDS : ROOMS};
    int err;

    memset(out, 0, sizeof *out);
    err = choose_rooms(g, room, f);
    if (err) return err;
    out->usable = usable;
    residency_choose(&out->plan, list->group, list->groups, usable > fixed ? usable - fixed : 0,
                     &rooms);
    if (!swaps && out->plan.mode != RESIDENCY_ALL) out->plan.mode = RESIDENCY_NONE;
    out->held = out->plan.area + fixed;
    out->least = (swaps ? out->plan.least : out->plan.sum + room[ROOMS - 1]) + fixed;
    explain(out, swaps);
    if (out->plan.mode == RESIDENCY_NONE) return too_small(out, swaps, f);
    out->room = usable - out->held;
    return 0;
}

int capacity_count(const struct glm *g, const struct capacity *t, const struct glm_req *q,
                   struct fail *f)
{
    struct glm_cost c;
    uint64_t two;

    if (glm_plan(g, q, &c, f) || glm_plan_batch(g, q, 2, &two, f)) return 0;
    return glm_admission(t->room, &c, two > c.scratch_bytes ? two - c.scratch_bytes : 0);
}
