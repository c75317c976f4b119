/* residency - two stacks in one area, from both ends; what does not fit shares a ring. */
#include "kernels/memory/residency.h"

#include "kernels/number.h"

#include <string.h>

const char *residency_mode_name(enum residency_mode m)
{
    static const char *const name[] = {"everything resident", "stage swap", "layers streamed",
                                       "too small"};

    return name[m];
}

int residency_overlap(const struct residency_group *a, const struct residency_group *b)
{
    return a->at < b->at + b->bytes && b->at < a->at + a->bytes;
}

static uint64_t side_sum(const struct residency_group *g, int n, int side)
{
    uint64_t sum = 0;

    for (int i = 0; i < n; i++)
        sum += g[i].side == side ? g[i].bytes : 0;
    return sum;
}

/* The largest group of a side from index `from` on. */
static uint64_t largest(const struct residency_group *g, int n, int side, int from)
{
    uint64_t most = 0;

    for (int i = from; i < n; i++)
        if (g[i].side == side) most = number_max(most, g[i].bytes);
    return most;
}

/* Index of the first group of the side that goes to the ring when the area has this size. */
static int ring_from(const struct residency_group *g, int n, int side, uint64_t area)
{
    uint64_t sum = 0;

    if (side_sum(g, n, side) <= area) return n;
    for (int i = 0; i < n; i++) {
        if (g[i].side != side) continue;
        if (sum + g[i].bytes + 2 * largest(g, n, side, i + 1) > area) return i;
        sum += g[i].bytes;
    }
    return n;
}

/* Side 1 is side 0 seen from the other end. */
static uint64_t from_end(uint64_t area, int side, uint64_t at, uint64_t bytes)
{
    return side ? area - at - bytes : at;
}

static void place_side(struct residency_group *g, int n, int side, uint64_t area)
{
    const int ring = ring_from(g, n, side, area);
    const uint64_t slot = largest(g, n, side, ring);
    uint64_t at = 0;
    int turn = 0;

    for (int i = 0; i < n; i++) {
        uint64_t low;

        if (g[i].side != side) continue;
        g[i].ring = i >= ring;
        low = g[i].ring ? area - 2 * slot + (uint64_t)(turn++ % 2) * slot : at;
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
        if (g[i].ring)
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

enum residency_mode residency_choose(struct residency *r, struct residency_group *g, int n,
                                     uint64_t budget, const uint64_t *room, int rooms, int modest)
{
    const uint64_t a = side_sum(g, n, 0), b = side_sum(g, n, 1);
    const uint64_t least[] = {a + b, number_max(a, b), least_area(g, n)};

    memset(r, 0, sizeof *r);
    r->sum = a + b;
    r->least = least[RESIDENCY_STREAM] + room[rooms - 1];
    r->mode = RESIDENCY_NONE;
    for (int m = RESIDENCY_ALL; m <= RESIDENCY_STREAM && r->mode == RESIDENCY_NONE; m++)
        for (int k = m == RESIDENCY_STREAM ? modest : 0; k < rooms && r->mode == RESIDENCY_NONE;
             k++) {
            if (room[k] > budget || budget - room[k] < least[m]) continue;
            r->mode = (enum residency_mode)m;
            r->room_index = k;
            r->area = budget - room[k] < r->sum ? budget - room[k] : r->sum;
            r->area = r->area / 256 * 256;
        }
    for (int i = 0; i < n; i++)
        g[i].at = 0, g[i].moves = g[i].ring = 0;
    if (r->mode == RESIDENCY_NONE) return r->mode;
    for (int s = 0; s < RESIDENCY_SIDES; s++)
        place_side(g, n, s, r->area);
    find_moving(r, g, n);
    return r->mode;
}
