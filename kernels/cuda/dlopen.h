/* dlopen - a library that is used when it is there: opened at run time, its functions by name.
 *
 * HAVE_CUBLASLT, HAVE_CUDNN: 1 when the headers are there at build time. Without them the device
 * is complete, but slower. Thread: the owner of a struct dlopen_lib. */
#ifndef KERNELS_CUDA_DLOPEN_H
#define KERNELS_CUDA_DLOPEN_H

#if defined(__has_include)
#    if __has_include(<cublasLt.h>)
#        define HAVE_CUBLASLT 1
#    endif
#    if __has_include(<cudnn.h>)
#        define HAVE_CUDNN 1
#    endif
#endif
#ifndef HAVE_CUBLASLT
#    define HAVE_CUBLASLT 0
#endif
#ifndef HAVE_CUDNN
#    define HAVE_CUDNN 0
#endif

struct dlopen_lib {
    void *handle;
    /* functions that were not found */
    int missing;
};

/* Opens the first of the names (NULL ends them) that can be: in the folders of DARKROOM_CUDA_LIBS,
 * in those known when this was built, then as the loader finds it. 0: none. */
int dlopen_any(struct dlopen_lib *, const char *const *names);
/* Opens the first file that matches the pattern in the folder of an open library, so that what that
 * library opens later by name is found. 0: none. */
int dlopen_beside(struct dlopen_lib *, const struct dlopen_lib *of, const char *pattern);
void *dlopen_symbol(struct dlopen_lib *, const char *name);
void dlopen_close(struct dlopen_lib *);

#endif
