/* test_offload - what is wanted is there, whatever was wanted before;
 * nothing is copied twice in one turn. */
#include "kernels/memory/offload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 96, PARTS = 6, IMAGES = 4, UNIT = 256 };

/* A device whose copies arrive when they are waited for, and not before. */
static struct {
    struct dev dev;
    struct {
        void *at;
        const void *home;
        size_t bytes;
    } way[4096];
    uint64_t tickets, came;
} fake;

static int mem_new(struct dev *d, void **base, size_t bytes, struct fail *f)
{
    (void)d, (void)f;
    *base = calloc(1, bytes + 1);
    return 0;
}

static void mem_free(struct dev *d, void *base, size_t bytes)
{
    (void)d, (void)bytes;
    free(base);
}

static uint64_t fetch(struct dev *d, void *at, const void *home, size_t bytes)
{
    const uint64_t t = ++fake.tickets;

    (void)d;
    fake.way[t % 4096].at = at;
    fake.way[t % 4096].home = home;
    fake.way[t % 4096].bytes = bytes;
    return t;
}

static void arrive(struct dev *d, uint64_t ticket)
{
    (void)d;
    while (fake.came < ticket) {
        const uint64_t t = ++fake.came % 4096;

        memcpy(fake.way[t].at, fake.way[t].home, fake.way[t].bytes);
    }
}

static const struct ops fake_ops = {.name = "fake",
                                    .mem_new = mem_new,
                                    .mem_free = mem_free,
                                    .home_new = mem_new,
                                    .home_free = mem_free,
                                    .fetch = fetch,
                                    .arrive = arrive};

static uint64_t seed = 5;

static int pick(int n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (int)((seed >> 33) % (uint64_t)n);
}

static int random_groups(struct residency_group *g)
{
    int n = 0;

    memset(g, 0, MOST * sizeof *g);
    for (int p = 0; p < PARTS; p++)
        for (int k = pick(12); k >= 0; k--)
            g[n++] = (struct residency_group){.side = p < IMAGES ? p / 2 : p - IMAGES,
                                              .part = p,
                                              .images = p >= IMAGES,
                                              .bytes = (uint64_t)(1 + pick(20)) * UNIT};
    return n;
}

/* Every group is filled with its number. */
static struct offload *open_offload(const struct residency *plan, const struct residency_group *g,
                                    int n)
{
    struct offload *h;
    struct fail f;

    fake.dev.ops = &fake_ops;
    fake.came = fake.tickets;
    assert_int_equal(offload_open(&h, &fake.dev, plan, g, n, &f), 0);
    for (int i = 0; i < n; i++) {
        void *at, *home;

        offload_locate(h, i, 0, &at, &home);
        assert_true((home != NULL) == g[i].moves);
        memset(home ? home : at, i + 1, g[i].bytes);
    }
    return h;
}

static void use(struct offload *h, int i)
{
    offload_want(h, i);
    for (uint64_t k = 0; k < h->group[i].bytes; k += UNIT / 2)
        if (h->place[i].at[k] != i + 1)
            fail_msg("group %d of part %d: byte %llu is of %d", i, h->group[i].part,
                     (unsigned long long)k, h->place[i].at[k] - 1);
}

/* All layers of a part in their order; how many bytes that copied. */
static uint64_t turn(struct offload *h, int part)
{
    const uint64_t before = h->fetched;

    for (int i = 0; i < h->n; i++)
        if (h->group[i].part == part) use(h, i);
    return h->fetched - before;
}

/* catches: a layer that is used before it has come or after it was overwritten;
 * one that is copied twice in a turn */
static void what_is_wanted_is_there(void **state)
{
    struct residency_group g[MOST];
    int seen[RESIDENCY_NONE + 1] = {0};

    (void)state;
    for (int round = 0; round < 600; round++) {
        struct residency plan;
        const int n = random_groups(g);
        const uint64_t room[] = {0};
        const struct residency_rooms rooms = {room, 1, 0, 1};
        uint64_t all = 0, budget;
        struct offload *h;

        for (int i = 0; i < n; i++)
            all += g[i].bytes;
        budget = all / 5 + (uint64_t)pick((int)all);
        if (residency_choose(&plan, g, n, budget, &rooms) == RESIDENCY_NONE) continue;
        h = open_offload(&plan, g, n);
        seen[plan.mode]++;
        for (int k = 0; k < 30; k++) {
            const int part = pick(PARTS), steady = pick(3) ? 0 : offload_steady(h, part);
            const uint64_t copied = turn(h, part);

            if (plan.mode == RESIDENCY_SWAP && part < IMAGES) {
                if (steady) assert_true(copied == 0);
                assert_true(turn(h, part) == 0);
            }
            if (plan.mode == RESIDENCY_ALL) assert_true(copied == 0);
            if (plan.mode == RESIDENCY_IMAGES) assert_true(copied == 0 || part >= IMAGES);
            if (!pick(4)) offload_ahead(h, part);
        }
        offload_close(h);
    }
    for (int m = RESIDENCY_ALL; m < RESIDENCY_NONE; m++)
        assert_true(seen[m] > 30);
}

/* catches: weights that could have come while the decoder worked, or that came in its way */
static void there_is_room_beside_the_decoder(void **state)
{
    struct residency_group g[MOST];
    int some = 0;

    (void)state;
    for (int round = 0; round < 300; round++) {
        struct residency plan;
        const int n = random_groups(g);
        uint64_t all = 0;
        const uint64_t room[] = {0};
        const struct residency_rooms rooms = {room, 1, 0, 1};
        struct offload *h;

        for (int i = 0; i < n; i++)
            all += g[i].bytes;
        if (residency_choose(&plan, g, n, all * 2 / 3, &rooms) != RESIDENCY_SWAP) continue;
        h = open_offload(&plan, g, n);
        for (int i = 0; i < n; i++) /* not wanted yet */
            if (g[i].images && g[i].moves) assert_false(h->place[i].here);
        turn(h, 2);
        offload_ahead(h, 3);
        turn(h, 3);
        assert_true(turn(h, 3) == 0);
        for (int i = 0; i < n; i++) {
            int meets = 0;

            for (int k = 0; k < n; k++)
                meets |= g[k].part == 3 && residency_overlap(&g[i], &g[k]);
            if (g[i].side == 0 && !g[i].images) assert_int_equal(h->place[i].here, !meets);
            some += g[i].side == 0 && g[i].moves && !meets && !g[i].images;
        }
        offload_close(h);
    }
    assert_true(some > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wanted_is_there),
        cmocka_unit_test(there_is_room_beside_the_decoder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
