/* sweep - several pictures in one request: fields of the spec that take several values each, and
 * one cell for each combination of them.
 *
 * On the wire beside the spec: {"steps": [10, 20], "seed": 4}. A list has the values of its field;
 * for the two seeds a number N stands for N that follow one another, from the one of the spec.
 * `n` pictures are the same over seeds, or over noise seeds where the composition is kept. Cells
 * are numbered in the order that is written: the first field changes slowest.
 * Thread: any, no state. */
#ifndef PROTO_SWEEP_H
#define PROTO_SWEEP_H

#include "proto/fail.h"
#include "proto/limits.h"
#include "proto/spec.h"
#include "proto/text.h"

#include <stdbool.h>
#include <stdint.h>

struct sweep_axis {
    int field;  /* enum spec_id */
    int n;      /* values, 1 .. LIMIT_CELLS */
    int first;  /* its first one in struct sweep's value; without meaning for .. */
    bool seeds; /* .. seeds, or noise seeds, that follow one another */
};

struct sweep {
    int cells; /* 0: no sweep */
    int axes;
    struct sweep_axis axis[SPEC_FIELDS];
    struct spec *value; /* owned; each has the field of its axis alone */
    int values;
};

/* Where a cell stands in its sweep. */
struct sweep_place {
    uint64_t parent; /* 0: the job is no cell */
    int cell;        /* 0, 1 .. */
    int axes;
    uint8_t at[SPEC_FIELDS]; /* of each axis, which of its values */
};

/* Decode the member `sweep` (NULL: none) and the number of pictures, 1 .. LIMIT_PICTURES, which
 * differ in their noise when the composition is kept, else in their seed. On
 * success the caller owns out (sweep_free); out->cells is 0 for one picture without a sweep. On
 * failure out is empty and f names the field that has a bad value: what spec_decode() gives,
 * ERR_TOO_LARGE for more than LIMIT_CELLS cells. */
int sweep_decode(struct sweep *out, const json_t *object, int pictures, bool kept,
                 const struct spec_limits *, struct fail *f);
void sweep_free(struct sweep *); /* leaves all zero */
/* The fields that the member has, bit i for field i: the spec may leave them out. */
unsigned sweep_fields(const json_t *object);

/* Give the base its first cell's values (but for a seed that is to be picked), and check what no
 * field shows alone: that the sides of each cell fit each other, and its seeds the largest one. */
int sweep_join(const struct sweep *, struct spec *base, const struct spec_limits *, struct fail *f);

/* One cell. out borrows its prompt from sweep or base; place (may be NULL) but for its parent. */
void sweep_cell(const struct sweep *, const struct spec *base, int cell, struct spec *out,
                struct sweep_place *place);

/* Has it so many values of this field that follow one another? */
bool sweep_counts(const struct sweep *, int field);

/* Write the values, seeds that follow one another as a list once the first one is chosen, as the
 * value of key (NULL: on its own). */
void sweep_write(const struct sweep *, const struct spec *base, struct text *out, const char *key);
/* As spec_digest(), of base and sweep together. */
int sweep_digest(const struct sweep *, const struct spec *base, uint8_t out[SPEC_DIGEST_BYTES]);

#endif
