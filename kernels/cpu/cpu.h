/* cpu - opening the CPU device with an instruction set of the caller's choice: for tests.
 *
 * cpu_open() and cpu_best_type() stand in kernels/ops.h. Thread: the device's worker. */
#ifndef KERNELS_CPU_CPU_H
#define KERNELS_CPU_CPU_H

#include "kernels/cpu/device.h"

/* Open with one of isa_list()'s tables instead of the best: tests. */
int cpu_open_isa(struct dev **, enum dtype, int threads, const struct isa *, struct fail *);

#endif
