/* host_memory - how much memory this process may use: the machine's, or its control group's if that
 * is less. */
#ifndef KERNELS_MEMORY_HOST_MEMORY_H
#define KERNELS_MEMORY_HOST_MEMORY_H

#include <stdint.h>

/* Bytes; 0 when the system does not say. Any thread. */
void host_memory(uint64_t *total, uint64_t *available);

#endif
