/* guesses - which addresses send wrong tokens, and how long each is to wait before the next one.
 *
 * Each failure costs an address GUESS_COST_US, which time pays back; one that owes more than
 * GUESSES of them is told to wait. Only failures are asked about: who has a right token is let in,
 * so that a neighbour behind the same address cannot lock anybody out. The table has a fixed size;
 * the address that owes least is forgotten for a new one. IPv6 counts by its first 64 bits, as a
 * client has all addresses behind them.
 * Owner: the loop. Time is an argument. */
#ifndef SERVER_NET_GUESSES_H
#define SERVER_NET_GUESSES_H

#include "server/net/address.h"

#include <stdint.h>

#define GUESSES       10
#define GUESS_COST_US INT64_C(6000000)
#define GUESS_SLOTS   1024 /* addresses */
#define GUESS_PROBES  8    /* slots in which one address may stand */

struct guesses {
    uint64_t seed; /* nobody can choose addresses that share their slots */
    struct {
        uint64_t key;     /* of the address; 0: free */
        int64_t until_us; /* all is paid back then */
    } slot[GUESS_SLOTS];
};

void guesses_init(struct guesses *, uint64_t seed);
/* A wrong token came from there. 0: one may answer so; else for how many microseconds it is to
 * wait before it is told anything. */
int64_t guesses_fail(struct guesses *, const struct address *, int64_t now_us);

#endif
