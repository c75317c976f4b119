/* sampling - the prior's sampling rule: which tokens may be drawn, with what probability, and the
 * draw.
 *
 * As the reference (HF generate with its processors): logits / temperature; entries below the k-th
 * largest are removed (ties with it stay); sorted ascending, the entries whose inclusive cumulative
 * probability is <= 1 - top_p are removed, never the largest; softmax over what is left. The
 * cumulative sum runs in double, each partial sum rounded to float before it is compared, so the
 * number of kept tokens is exact. Of equal logits at the boundary the lowest ids are kept.
 * The draw is a race: argmax over the kept of probability / E with E exponential (rng.h), the same
 * distribution as a multinomial draw. Thread: any; all memory is the caller's. */
#ifndef KERNELS_SAMPLING_H
#define KERNELS_SAMPLING_H

#include <stddef.h>
#include <stdint.h>

struct sampling {
    double temperature; /* > 0 */
    double top_p;       /* >= 1: no nucleus */
    int top_k;          /* 0: no limit; more than there are: no limit */
    int limit;          /* ids >= limit are removed first; 0: none */
};

/* Bytes of `work` for rows of n logits. */
size_t sampling_work(int n);

/* The kept ids, most probable first (equals by id), and their probabilities. Both arrays hold n.
 * Returns how many, at least 1; 0 when there is no largest logit (NaN, or all removed). */
int sampling_keep(int32_t *ids, float *probs, const float *logits, int n, const struct sampling *,
                  void *work);

/* One of count kept tokens, for draw number `position` of a picture. */
int32_t sampling_draw(const int32_t *ids, const float *probs, int count, uint64_t seed,
                      uint32_t picture, uint32_t position);

#endif
