/* libcuda - stands in for NVIDIA's driver, so that cuDNN loads and plans on a machine without one.
 *
 * The functions that cuDNN's libraries ask for by name do nothing and succeed, but there is no
 * device: cuInit() and cuDeviceGetCount() fail. Planning calls none of the others. */
#include <stddef.h>

enum { SUCCESS = 0, NO_DEVICE = 100, VERSION = 13000 };

#define NOTHING(name) \
    int name(void);   \
    int name(void)    \
    {                 \
        return 0;     \
    }

NOTHING(cuCtxGetCurrent)
NOTHING(cuCtxGetDevice)
NOTHING(cuCtxGetLimit)
NOTHING(cuCtxPopCurrent)
NOTHING(cuCtxPopCurrent_v2)
NOTHING(cuCtxPushCurrent)
NOTHING(cuCtxPushCurrent_v2)
NOTHING(cuDeviceGet)
NOTHING(cuDeviceGetAttribute)
NOTHING(cuFuncGetAttribute)
NOTHING(cuFuncSetAttribute)
NOTHING(cuGetErrorName)
NOTHING(cuGetErrorString)
NOTHING(cuKernelGetAttribute)
NOTHING(cuKernelGetFunction)
NOTHING(cuKernelSetAttribute)
NOTHING(cuLaunchCooperativeKernel)
NOTHING(cuLaunchKernel)
NOTHING(cuLaunchKernelEx)
NOTHING(cuLibraryGetKernel)
NOTHING(cuLibraryLoadData)
NOTHING(cuLibraryLoadFromFile)
NOTHING(cuLibraryUnload)
NOTHING(cuLinkAddData)
NOTHING(cuLinkAddData_v2)
NOTHING(cuLinkComplete)
NOTHING(cuLinkCreate)
NOTHING(cuLinkCreate_v2)
NOTHING(cuLinkDestroy)
NOTHING(cuModuleGetFunction)
NOTHING(cuModuleLoadData)
NOTHING(cuModuleLoadDataEx)
NOTHING(cuModuleUnload)
NOTHING(cuOccupancyMaxActiveClusters)
NOTHING(cuOccupancyMaxPotentialClusterSize)
NOTHING(cuStreamGetCtx)
NOTHING(cuStreamIsCapturing)
NOTHING(cuTensorMapEncodeIm2col)
NOTHING(cuTensorMapEncodeTiled)

int cuInit(unsigned flags);
int cuDeviceGetCount(int *n);
int cuDriverGetVersion(int *version);
int cuGetProcAddress(const char *name, void **f, int version, unsigned long long flags);
int cuGetProcAddress_v2(const char *name, void **f, int version, unsigned long long flags,
                        int *status);

int cuInit(unsigned flags)
{
    (void)flags;
    return NO_DEVICE;
}

int cuDeviceGetCount(int *n)
{
    *n = 0;
    return NO_DEVICE;
}

int cuDriverGetVersion(int *version)
{
    *version = VERSION;
    return SUCCESS;
}

/* The functions that tell of a device or a version, whatever their suffix; the others do
 * nothing. */
static void *function(const char *name)
{
    static const struct {
        const char *name;
        void *f;
    } known[] = {{"cuInit", (void *)cuInit},
                 {"cuDeviceGetCount", (void *)cuDeviceGetCount},
                 {"cuDriverGetVersion", (void *)cuDriverGetVersion},
                 {"cuGetProcAddress", (void *)cuGetProcAddress_v2}};
    size_t k;

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        for (k = 0; known[i].name[k] && known[i].name[k] == name[k]; k++)
            ;
        if (!known[i].name[k] && (!name[k] || name[k] == '_')) return known[i].f;
    }
    return (void *)cuCtxGetCurrent;
}

int cuGetProcAddress(const char *name, void **f, int version, unsigned long long flags)
{
    (void)version, (void)flags;
    *f = function(name);
    return SUCCESS;
}

int cuGetProcAddress_v2(const char *name, void **f, int version, unsigned long long flags,
                        int *status)
{
    if (status) *status = 0;
    return cuGetProcAddress(name, f, version, flags);
}
