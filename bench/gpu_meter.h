/* gpu_meter - a table of operations that times each call of a device's own with two events.
 *
 * After meter_new() the device's calls go through the meter; between meter_begin() and
 * meter_print() they are counted, by name and shape. Recorded quanta are switched off, so that
 * every call is one. Thread: the device's. */
#ifndef BENCH_GPU_METER_H
#define BENCH_GPU_METER_H

#include "kernels/ops.h"

struct meter;

struct meter *meter_new(struct dev *); /* a GPU's; ends the program when memory is short */
void meter_begin(struct meter *);
/* copy: bytes a second; product: FLOP a second. The larger share of the two is an operation's
 * roofline. */
void meter_print(struct meter *, const char *what, double copy, double product);
void meter_free(struct meter *);

#endif
