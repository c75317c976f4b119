/* residency - where each weight is stored on a GPU that may be too small for all of them. Pure.
 *
 * Weights come in groups: a layer, or what belongs to no layer. Two sides take turns, the prior's
 * (with the glyph encoder) and the DiT's (with the VAE). The last groups of each are used for
 * condition images alone: the vision tower's and the VAE encoder's. One area holds both sides, the
 * first from the bottom up, the other from the top down:
 *
 *   everything   the sides do not meet: nothing ever moves
 *   images       the vision tower's groups and the encoder's meet in the middle, nothing else does:
 *                they are copied from pinned host memory for a picture with condition images, all
 *                at once or through a ring
 *   swap         each side fits alone: groups of the part where they meet are copied from pinned
 *                host memory when their side's turn comes, beside the work that does not need them
 *                yet
 *   stream       a side does not fit even alone: its last groups share a ring of two slots and are
 *                copied whenever they are used, one while the other works. What condition images
 *                need may share such a ring in the modes before, too
 *
 * A group never changes its address, so recorded steps stay valid. Used by the engine when it
 * opens a GPU and by `darkroom plan` for GPUs that are not there. Thread: any. */
#ifndef KERNELS_MEMORY_RESIDENCY_H
#define KERNELS_MEMORY_RESIDENCY_H

#include <stdint.h>

enum residency_mode {
    RESIDENCY_ALL,
    RESIDENCY_IMAGES,
    RESIDENCY_SWAP,
    RESIDENCY_STREAM,
    RESIDENCY_NONE
};
enum { RESIDENCY_SIDES = 2 };

struct residency_group {
    int side;       /* 0 prior, 1 DiT */
    int part;       /* the groups of a part are used one after another, in their order */
    int images;     /* 1: for condition images alone; they are the last ones of their side */
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
    uint64_t images;                  /* copied for a condition image besides, at most */
    int room_index;                   /* which room for pictures was granted: its index */
    uint64_t least; /* budget that would do, with the last room; NONE: what is missing */
};

/* "everything resident", "image stages swap", "stage swap", "layers streamed", "too small" */
const char *residency_mode_name(enum residency_mode);

/* Bytes to leave for pictures, from what would be best to the least that makes sense. */
struct residency_rooms {
    const uint64_t *bytes;
    int n;
    int modest; /* streaming costs every token: worth it for those from here on */
    int words; /* those from here on are too small for condition images: no reason to keep theirs */
};

/* Choose for a budget of bytes for weights and pictures; the area takes what the first possible
 * room leaves. Writes at, moves and ring of the groups. Returns the mode. */
enum residency_mode residency_choose(struct residency *, struct residency_group *, int n,
                                     uint64_t budget, const struct residency_rooms *);

/* 1: the two share bytes of the area. */
int residency_overlap(const struct residency_group *, const struct residency_group *);

#endif
