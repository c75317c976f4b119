/* devices - which device is meant: lists of names, one name, and opening it. */
#include "kernels/cuda/cuda.h"
#include "kernels/engine/engine.h"

#include <stdlib.h>
#include <string.h>

enum dtype devices_type(const struct glm_opts *o)
{
    return o->type == GLM_F32 ? DT_F32 : o->type == GLM_BF16 ? DT_BF16 : cpu_best_type();
}

/* The number of the GPU that "cuda" or "cuda:N" names; -1: neither. */
static int gpu_of(const char *want)
{
    char *end;
    long n;

    if (!strcmp(want, "cuda")) return 0;
    if (strncmp(want, "cuda:", 5) || want[5] < '0' || want[5] > '9') return -1;
    n = strtol(want + 5, &end, 10);
    return *end || n > 1023 ? -1 : (int)n;
}

static int open_cuda(struct dev **out, const struct glm_opts *o, int gpu, struct fail *f)
{
    const struct cuda_opts c = {.index = gpu, .vram = o->vram, .cache = o->cache};

    return cuda_open(out, o->type == GLM_F32 ? DT_F32 : DT_BF16, &c, f);
}

/* One name of a list, checked; -1 on failure. */
static int add_device(glm_device out[LIMIT_DEVICES], int n, const char *name, int len,
                      struct fail *f)
{
    int gpu;

    if (n == LIMIT_DEVICES || len >= (int)sizeof *out) {
        fail_set(f, ERR_USAGE, "--device names more than %d devices, or no device", LIMIT_DEVICES);
        return -1;
    }
    snprintf(out[n], sizeof *out, "%.*s", len, name);
    if (!strcmp(out[n], "cuda")) snprintf(out[n], sizeof *out, "cuda:0");
    gpu = gpu_of(out[n]);
    if (gpu < 0 && strcmp(out[n], "cpu") != 0) {
        fail_set(f, ERR_USAGE, "no device \"%s\"", out[n]);
        fail_advise(f, "use --device auto, cpu, cuda, cuda:N, or a list such as cuda:0,cuda:1");
        return -1;
    }
    for (int i = 0; i < n; i++)
        if ((gpu_of(out[i]) < 0) != (gpu < 0) || (gpu >= 0 && gpu_of(out[i]) == gpu)) {
            fail_set(f, ERR_USAGE, "%s and %s do not go together", out[i], out[n]);
            fail_advise(f, "list cards, each once, or cpu");
            return -1;
        }
    return n + 1;
}

int glm_devices(const char *list, glm_device out[LIMIT_DEVICES], struct fail *f)
{
    int n = 0;

    if (!list || !strcmp(list, "auto")) {
        const int gpus = cuda_count(NULL);

        for (; n < gpus && n < LIMIT_DEVICES; n++)
            snprintf(out[n], sizeof *out, "cuda:%d", n);
        if (n) return n;
        list = "cpu";
    }
    for (const char *at = list; n >= 0;) {
        const int len = (int)strcspn(at, ",");

        n = add_device(out, n, at, len, f);
        if (!at[len]) break;
        at += len + 1;
    }
    return n < 0 ? ERR_USAGE : n;
}

/* auto: the first GPU if there is one, else the CPU. */
int devices_open(struct dev **out, const struct glm_opts *o, struct fail *f)
{
    const char *want = o->device ? o->device : "auto";
    const int gpu = !strcmp(want, "auto") ? (cuda_count(NULL) ? 0 : -1) : gpu_of(want);

    if (gpu < 0 && strcmp(want, "auto") && strcmp(want, "cpu")) {
        fail_set(f, ERR_USAGE, "no device \"%.40s\"", want);
        return fail_advise(f, "use --device auto, cpu, cuda or cuda:N");
    }
    return gpu < 0 ? cpu_open(out, devices_type(o), o->threads, f) : open_cuda(out, o, gpu, f);
}
