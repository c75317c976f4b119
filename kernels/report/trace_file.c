/* trace_file - opening the files that `darkroom trace` is given. */
#include "kernels/report/trace_file.h"

int trace_file_open(struct safetensors **out, const char *path, struct fail *f)
{
    int err = safetensors_open(out, path, f);

    if (err != ERR_MODEL) return err;
    return fail_advise(f, "%s must be a safetensors file.", path); /* it is no part of a model */
}
