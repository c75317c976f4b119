/* rng - random numbers that are a function of where they are used: no state, no order, no threads.
 *
 * Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", 2011),
 * key = seed, counter = (index low, index high, picture, stream). The same arguments give the same
 * bits on every machine: what follows the generator is done in double with plain additions,
 * multiplications, divisions and square roots only, never with a library's functions. Thread:
 * any. */
#ifndef KERNELS_RNG_H
#define KERNELS_RNG_H

#include <stddef.h>
#include <stdint.h>

enum rng_stream { RNG_NOISE = 1, RNG_TOKEN = 2 };

/* Ten rounds on a counter with a key; the published test vectors hold. */
void rng_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);

/* Four words: block `index` of one stream of one picture. */
void rng_block(uint32_t out[4], uint64_t seed, uint32_t picture, enum rng_stream, uint64_t index);

/* Inside (0, 1), never the ends: (x + 1/2) 2^-32. */
double rng_unit(uint32_t x);

/* ln x, x > 0 and normal; relative error < 1e-14. */
double rng_log(double x);

/* n standard normals: Box-Muller, the words of a block giving four. Value i depends on i only. */
void rng_normals(float *out, size_t n, uint64_t seed, uint32_t picture, enum rng_stream);

/* Standard exponential of (position, token): -ln of a unit. */
double rng_exponential(uint64_t seed, uint32_t picture, uint32_t position, uint32_t token);

#endif
