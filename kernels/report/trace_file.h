/* trace_file - the files that `darkroom trace` is given: safetensors, and no part of a model. */
#ifndef KERNELS_REPORT_TRACE_FILE_H
#define KERNELS_REPORT_TRACE_FILE_H

#include "weights/safetensors/safetensors.h"

/* As safetensors_open, but the advice speaks of the file that was named, not of a model. */
int trace_file_open(struct safetensors **out, const char *path, struct fail *);

#endif
