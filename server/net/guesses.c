/* guesses - an open hash table of debts. */
#include "server/net/guesses.h"

void guesses_init(struct guesses *g, uint64_t seed)
{
    *g = (struct guesses){.seed = seed};
}

static uint64_t mix64(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9U;
    x = (x ^ x >> 27) * 0x94d049bb133111ebU;
    return x ^ x >> 31;
}

/* Never 0. */
static uint64_t key_of(const struct guesses *g, const struct address *a)
{
    const uint64_t bits = mix64(address_number(a) ^ g->seed);

    return bits ? bits : 1;
}

/* Its slot, or the one to use for it: free, or of who owes least. */
static size_t slot_of(const struct guesses *g, uint64_t key)
{
    size_t least = key % GUESS_SLOTS;

    for (size_t i = 0; i < GUESS_PROBES; i++) {
        size_t at = (key + i) % GUESS_SLOTS;

        if (g->slot[at].key == key) return at;
        if (g->slot[at].until_us < g->slot[least].until_us) least = at;
    }
    return least;
}

int64_t guesses_fail(struct guesses *g, const struct address *from, int64_t now)
{
    uint64_t key = key_of(g, from);
    size_t at = slot_of(g, key);
    int64_t owed = g->slot[at].key == key ? g->slot[at].until_us - now : 0;

    if (owed > (GUESSES - 1) * GUESS_COST_US) return owed - (GUESSES - 1) * GUESS_COST_US;
    g->slot[at].key = key;
    g->slot[at].until_us = now + (owed > 0 ? owed : 0) + GUESS_COST_US;
    return 0;
}
