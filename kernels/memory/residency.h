/* residency - where each weight is stored on a GPU that may be too small for all of them. Pure.
 *
 * Weights come in groups: a layer, or what belongs to no layer. Two sides take turns, the prior's
 * (with the glyph encoder) and the DiT's (with the VAE). One area holds both, the first side from
 * the bottom up, the other from the top down:
 *
 *   everything   the sides do not meet: nothing ever moves
 *   swap         each side fits alone: groups of the part where they meet are copied from pinned
 *                host memory when their side's turn comes, beside the work that does not need them
 *                yet
 *   stream       a side does not fit even alone: its last groups share a ring of two slots and are
 *                copied whenever they are used, one while the other works
 *
 * A group never changes its address, so recorded steps stay valid. Used by the engine when it
 * opens a GPU and by `darkroom plan` for GPUs that are not there. Thread: any. */
#ifndef KERNELS_MEMORY_RESIDENCY_H
#define KERNELS_MEMORY_RESIDENCY_H

#include <stdint.h>

enum residency_mode { RESIDENCY_ALL, RESIDENCY_SWAP, RESIDENCY_STREAM, RESIDENCY_NONE };
enum { RESIDENCY_SIDES = 2 };

struct residency_group {
    int side;       /* 0 prior, 1 DiT */
    int part;       /* the groups of a part are used one after another, in their order */
    uint64_t bytes; /* aligned to ARENA_ALIGN */
    uint64_t at;    /* out: offset in the area */
    int moves;      /* out: other groups use the same bytes, so it needs a home on the host */
    int ring;       /* out: one of its own side is among them */
};

struct residency {
    enum residency_mode mode;
    uint64_t sum;                     /* bytes of all groups */
    uint64_t area;                    /* of the GPU that they take */
    uint64_t home;                    /* of pinned host memory that the moving ones take */
    uint64_t swap[RESIDENCY_SIDES];   /* copied when a side's turn comes, at most */
    uint64_t stream[RESIDENCY_SIDES]; /* copied whenever a side is used from end to end */
    int room_index;                   /* which room for pictures was granted: its index */
    uint64_t least; /* budget that would do, with the last room; NONE: what is missing */
};

/* "everything resident", "stage swap", "layers streamed", "too small" */
const char *residency_mode_name(enum residency_mode);

/* Choose for a budget of bytes for weights and pictures. room[0 .. rooms): bytes to leave for
 * pictures, from what would be best to the least that makes sense; the area takes what the first
 * possible one leaves. Streaming costs every token, so only the rooms from `modest` on are worth
 * it. Writes at, moves and ring of the groups. Returns the mode. */
enum residency_mode residency_choose(struct residency *, struct residency_group *, int n,
                                     uint64_t budget, const uint64_t *room, int rooms, int modest);

/* 1: the two share bytes of the area. */
int residency_overlap(const struct residency_group *, const struct residency_group *);

#endif
