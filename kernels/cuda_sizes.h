/* cuda_sizes - what a CUDA GPU takes, known without one: sizes of packed weights and workspace,
 * and what is left of a GPU.
 *
 * The CUDA device takes its own sizes from here, so a plan for a GPU that is not there, made by a
 * build without CUDA, is the plan that the GPU would follow. Thread: any. */
#ifndef KERNELS_CUDA_SIZES_H
#define KERNELS_CUDA_SIZES_H

#include "kernels/ops.h"

/* What driver, context and libraries take before the first weight, and the device's own workspace:
 * an estimate, until a GPU has been measured. */
#define CUDA_SIZES_RESERVE ((uint64_t)768 << 20)

/* What a GPU is like: of the CUDA device, and of one that is only planned for. */
#define CUDA_SIZES_TRAITS                                                                     \
    (struct dev_traits)                                                                       \
    {                                                                                         \
        .own_memory = 1, .times_algorithms = 1, .flops_per_byte = 180, .preview_flops = 2e15, \
        .conditions = 1                                                                       \
    }

/* Bytes of a GPU of `total` that weights and pictures may take: less the reserve, and a 64th for
 * what blocks leave between them. */
uint64_t cuda_sizes_usable(uint64_t total);
uint64_t cuda_sizes_total(uint64_t usable); /* the reverse: the smallest GPU for that */

/* Of a weight in compute type T: its values, then its bias. */
/* Rows that are stored: a convolution's, in bf16, are a multiple of 8, the last ones zeros. Fewer
 * outputs than 8 are then columns that are not read, and cuDNN can do it. */
int64_t cuda_sizes_weight_rows(enum dtype type, const struct weight_spec *);
size_t cuda_sizes_weight_data(enum dtype type, const struct weight_spec *);
/* An enlarging convolution in bf16 is stored a second time, as the four phases that conv.c reads:
 * [4 out, 2, 2, in], then four times its bias. Where the two begin. */
int cuda_sizes_has_phases(enum dtype type, const struct weight_spec *);
size_t cuda_sizes_phases(enum dtype type, const struct weight_spec *);
size_t cuda_sizes_phases_bias(enum dtype type, const struct weight_spec *);
size_t cuda_sizes_weight_size(enum dtype type, const struct weight_spec *);
size_t cuda_sizes_work_size(enum workspace, int64_t, int64_t, int64_t);

/* A device that answers weight_size and work_size as a GPU would, and nothing else: for
 * dry_open(). */
int cuda_sizes_open(struct dev **out, enum dtype type, struct fail *);

#endif
