/* test_residency - where weights are stored: no two that are needed together at one place,
 * no byte past the area. */
#include "kernels/memory/residency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MB ((uint64_t)1 << 20)
#define GB ((uint64_t)1 << 30)

enum { MOST = 192 };

/* About the released model: a prior of 40 layers, a glyph encoder, a vision tower of 40 layers, a
 * DiT of 30 blocks, a decoder and an encoder. */
static int released(struct residency_group *g)
{
    int n = 0;

    memset(g, 0, MOST * sizeof *g);
    g[n++] = (struct residency_group){.side = 0, .part = 0, .bytes = 129 * MB};
    for (int i = 0; i < 40; i++)
        g[n++] = (struct residency_group){.side = 0, .part = 0, .bytes = 389 * MB};
    for (int i = 0; i < 12; i++)
        g[n++] = (struct residency_group){.side = 0, .part = 1, .bytes = 35 * MB};
    for (int i = 0; i < 30; i++)
        g[n++] = (struct residency_group){.side = 1, .part = 2, .bytes = 432 * MB};
    for (int i = 0; i < 5; i++)
        g[n++] = (struct residency_group){.side = 1, .part = 3, .bytes = 89 * MB};
    for (int i = 0; i < 41; i++)
        g[n++] = (struct residency_group){.side = 0, .part = 4, .images = 1, .bytes = 57 * MB};
    for (int i = 0; i < 6; i++)
        g[n++] = (struct residency_group){.side = 1, .part = 5, .images = 1, .bytes = 60 * MB};
    return n;
}

/* What must hold whatever was chosen. */
static void check(const struct residency *r, const struct residency_group *g, int n,
                  uint64_t budget, uint64_t room)
{
    assert_true(r->area + room <= budget);
    for (int i = 0; i < n; i++) {
        int meets = 0;

        assert_true(g[i].at % 256 == 0 && g[i].at + g[i].bytes <= r->area);
        for (int k = 0; k < n; k++) {
            if (k == i || !residency_overlap(&g[i], &g[k])) continue;
            meets = 1;
            if (g[k].side == g[i].side) assert_true(g[i].ring && g[k].ring);
        }
        assert_int_equal(g[i].moves, meets || g[i].ring);
        /* pictures from words alone never wait for what others need */
        if (r->mode <= RESIDENCY_IMAGES) assert_true(!g[i].moves || g[i].images);
        if (r->mode <= RESIDENCY_SWAP) assert_true(!g[i].ring || g[i].images);
        /* the next one is copied while this one works: they never share a place */
        if (i + 1 < n && g[i + 1].part == g[i].part)
            assert_false(residency_overlap(&g[i], &g[i + 1]));
    }
    for (int s = 0; s < RESIDENCY_SIDES; s++)
        if (r->mode != RESIDENCY_STREAM) assert_true(r->stream[s] == 0);
    assert_true((r->mode == RESIDENCY_ALL) == (r->home == 0));
}

/* catches: a mode that is more than the GPU needs, or less than it can hold */
static void cards_get_their_modes(void **state)
{
    static const struct {
        uint64_t gb;
        enum residency_mode mode;
    } card[] = {{2, RESIDENCY_STREAM},  {8, RESIDENCY_STREAM},  {12, RESIDENCY_STREAM},
                {15, RESIDENCY_STREAM}, {23, RESIDENCY_SWAP},   {29, RESIDENCY_SWAP},
                {31, RESIDENCY_IMAGES}, {33, RESIDENCY_IMAGES}, {39, RESIDENCY_ALL},
                {79, RESIDENCY_ALL},    {140, RESIDENCY_ALL}};
    const uint64_t room[] = {4 * GB, 2 * GB, GB};
    const struct residency_rooms rooms = {room, 3, 1, 2};
    struct residency_group g[MOST];
    struct residency r;
    const int n = released(g);

    (void)state;
    for (size_t i = 0; i < sizeof card / sizeof *card; i++) {
        assert_int_equal(residency_choose(&r, g, n, card[i].gb * GB, &rooms), card[i].mode);
        check(&r, g, n, card[i].gb * GB, room[r.room_index]);
    }
    /* copied for an image: all of it, or what does not stay */
    residency_choose(&r, g, n, 31 * GB, &rooms);
    assert_true(r.images > 2000 * MB && r.home == r.images && r.room_index == 1);
    residency_choose(&r, g, n, 141 * GB, &rooms);
    assert_true(r.images == 0 && r.home == 0);
    /* what is not in the ring is not copied again and again */
    assert_int_equal(residency_choose(&r, g, n, 15 * GB, &rooms), RESIDENCY_STREAM);
    assert_true(r.stream[0] > 0 && r.stream[0] < r.sum / 2 && r.room_index == 1);
}

/* catches: a budget that is called enough and is not, or the reverse, by one byte */
static void least_is_the_least(void **state)
{
    const uint64_t room[] = {GB, 300 * MB};
    const struct residency_rooms rooms = {room, 2, 0, 2};
    struct residency_group g[MOST];
    struct residency r, s;
    const int n = released(g);

    (void)state;
    assert_int_equal(residency_choose(&r, g, n, 500 * MB, &rooms), RESIDENCY_NONE);
    assert_int_equal(residency_choose(&s, g, n, r.least, &rooms), RESIDENCY_STREAM);
    check(&s, g, n, r.least, room[1]);
    assert_int_equal(s.room_index, 1);
    assert_int_equal(residency_choose(&s, g, n, r.least - 256, &rooms), RESIDENCY_NONE);
    assert_true(s.least == r.least);
}

/* catches: two groups of one turn at one place, in random sizes */
static void random_models_are_placed_well(void **state)
{
    uint64_t seed = 7;
    struct residency_group g[MOST];
    int seen[RESIDENCY_NONE + 1] = {0};

    (void)state;
    for (int round = 0; round < 4000; round++) {
        int n = 0;
        const int parts = 6; /* the last two are for condition images */
        const uint64_t room[] = {100000, 7};
        const struct residency_rooms rooms = {room, 2, 0, 1};
        uint64_t budget;
        struct residency r;

        memset(g, 0, sizeof g);
        for (int p = 0; p < parts; p++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            for (int k = (int)(seed >> 60); k >= 0; k--) {
                seed = seed * 6364136223846793005u + 1442695040888963407u;
                g[n++] = (struct residency_group){.side = p < 4 ? p / 2 : p - 4,
                                                  .part = p,
                                                  .images = p >= 4,
                                                  .bytes = ((seed >> 40) % 1000 + 1) * 256};
            }
        }
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        budget = (seed >> 33) % 18000 * 256;
        seen[residency_choose(&r, g, n, budget, &rooms)]++;
        if (r.mode != RESIDENCY_NONE) check(&r, g, n, budget, room[r.room_index]);
    }
    for (int m = 0; m <= RESIDENCY_NONE; m++)
        assert_true(seen[m] > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cards_get_their_modes),
        cmocka_unit_test(least_is_the_least),
        cmocka_unit_test(random_models_are_placed_well),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
