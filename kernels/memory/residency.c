/* residency - two stacks in one area, from both ends; what does not fit shares a ring. */
#include "kernels/memory/residency.h"

#include "kernels/number.h"

#include <string.h>

const char *residency_mode_name(enum residency_mode m)
{
    static const char *const name[] = {"everything resident", "image stages swap", "stage swap",
                                       "layers streamed", "too small"};

    return name[m];
}

int residency_overlap(const struct residency_group *a, const struct residency_group *b)
{
    return a->at < b->at + b->bytes && b->at < a->at + a->bytes;
}

/* Of a side: its groups for condition images (images 1), or the others. */
static uint64_t sum_of(const struct residency_group *g, int n, int side, int images)
{
    uint64_t sum = 0;

    for (int i = 0; i < n; i++)
        sum += g[i].side == side && g[i].images == images ? g[i].bytes : 0;
    return sum;
}

static uint64_t side_sum(const struct residency_group *g, int n, int side)
{
    return sum_of(g, n, side, 0) + sum_of(g, n, side, 1);
}

/* Two slots that hold any group of a side for condition images, or all of them. */
static uint64_t images_least(const struct residency_group *g, int n, int side)
{
    const uint64_t all = sum_of(g, n, side, 1);
    uint64_t most = 0;

    for (int i = 0; i < n; i++)
        if (g[i].side == side && g[i].images) most = number_max(most, g[i].bytes);
    return all < 2 * most ? all : 2 * most;
}

/* The largest group of a side from index `from` on. */
static uint64_t largest(const struct residency_group *g, int n, int side, int from)
{
    uint64_t most = 0;

    for (int i = from; i < n; i++)
        if (g[i].side == side) most = number_max(most, g[i].bytes);
    return most;
}

/* Index of the first group of the side that goes to the ring when the side may have `limit` bytes:
 * the last one before which all can stay beside two slots for the rest. */
static int ring_from(const struct residency_group *g, int n, int side, uint64_t limit)
{
    uint64_t sum = 0;
    int from = 0;

    if (side_sum(g, n, side) <= limit) return n;
    for (int i = 0; i < n; i++) {
        if (g[i].side != side) continue;
        if (sum + 2 * largest(g, n, side, i) <= limit) from = i;
        sum += g[i].bytes;
    }
    return from;
}

/* Side 1 is side 0 seen from the other end. */
static uint64_t from_end(uint64_t area, int side, uint64_t at, uint64_t bytes)
{
    return side ? area - at - bytes : at;
}

/* What stays, one after another, then the ring's two slots: within the first `limit` bytes. */
static void place_side(struct residency_group *g, int n, int side, uint64_t area, uint64_t limit)
{
    const int ring = ring_from(g, n, side, limit);
    const uint64_t slot = largest(g, n, side, ring);
    uint64_t at = 0;
    int turn = 0;

    for (int i = 0; i < n; i++) {
        uint64_t low;

        if (g[i].side != side) continue;
        g[i].ring = i >= ring;
        low = at + (g[i].ring ? (uint64_t)(turn++ % 2) * slot : 0);
        g[i].at = from_end(area, side, low, g[i].bytes);
        at += g[i].ring ? 0 : g[i].bytes;
    }
}

static void find_moving(struct residency *r, struct residency_group *g, int n)
{
    for (int i = 0; i < n; i++) {
        int across = 0;

        g[i].moves = g[i].ring;
        for (int k = 0; k < n; k++)
            if (k != i && residency_overlap(&g[i], &g[k])) across |= g[k].side != g[i].side;
        g[i].moves |= across;
        if (g[i].moves) r->home += g[i].bytes;
        if (g[i].images)
            r->images += g[i].moves ? g[i].bytes : 0;
        else if (g[i].ring)
            r->stream[g[i].side] += g[i].bytes;
        else if (across)
            r->swap[g[i].side] += g[i].bytes;
    }
}

/* The smallest area in which a side can be used at all: two slots, everything in turn. */
static uint64_t least_area(const struct residency_group *g, int n)
{
    uint64_t most = 0;

    for (int s = 0; s < RESIDENCY_SIDES; s++) {
        const uint64_t all = side_sum(g, n, s), ring = 2 * largest(g, n, s, 0);

        most = number_max(most, all < ring ? all : ring);
    }
    return most;
}

/* The smallest area of every mode. */
static void least_areas(uint64_t least[RESIDENCY_NONE], const struct residency_group *g, int n)
{
    const uint64_t a = sum_of(g, n, 0, 0), b = sum_of(g, n, 1, 0);
    const uint64_t more_a = images_least(g, n, 0), more_b = images_least(g, n, 1);

    least[RESIDENCY_ALL] = side_sum(g, n, 0) + side_sum(g, n, 1);
    least[RESIDENCY_IMAGES] = a + b + number_max(more_a, more_b);
    least[RESIDENCY_SWAP] = number_max(a + more_a, b + more_b);
    least[RESIDENCY_STREAM] = least_area(g, n);
}

static void place_all(struct residency *r, struct residency_group *g, int n)
{
    for (int i = 0; i < n; i++)
        g[i].at = 0, g[i].moves = g[i].ring = 0;
    if (r->mode == RESIDENCY_NONE) return;
    for (int s = 0; s < RESIDENCY_SIDES; s++)
        place_side(g, n, s, r->area,
                   r->area - (r->mode <= RESIDENCY_IMAGES ? sum_of(g, n, !s, 0) : 0));
    find_moving(r, g, n);
}

/* The mode with the first room that leaves it enough; 0: none does. */
static int try_mode(struct residency *r, enum residency_mode m, uint64_t least, uint64_t budget,
                    const struct residency_rooms *room, int from, int to)
{
    for (int k = from; k < to; k++) {
        const uint64_t bytes = room->bytes[k];

        if (bytes > budget || budget - bytes < least) continue;
        r->room_index = k;
        r->area = budget - bytes < r->sum ? budget - bytes : r->sum;
        r->area = r->area / 256 * 256;
        r->mode = r->area == r->sum ? RESIDENCY_ALL : m;
        return 1;
    }
    return 0;
}

enum residency_mode residency_choose(struct residency *r, struct residency_group *g, int n,
                                     uint64_t budget, const struct residency_rooms *room)
{
    const int images = sum_of(g, n, 0, 1) + sum_of(g, n, 1, 1) > 0;
    const int from[RESIDENCY_NONE] = {[RESIDENCY_STREAM] = room->modest};
    uint64_t least[RESIDENCY_NONE];

    least_areas(least, g, n);
    memset(r, 0, sizeof *r);
    r->sum = least[RESIDENCY_ALL];
    r->least = least[RESIDENCY_STREAM] + room->bytes[room->n - 1];
    r->mode = RESIDENCY_NONE;
    for (int m = RESIDENCY_ALL; m < RESIDENCY_NONE; m++)
        if (try_mode(r, (enum residency_mode)m, least[m], budget, room, from[m],
                     m == RESIDENCY_ALL && images ? room->words : room->n))
            break;
    place_all(r, g, n);
    return r->mode;
}
