/* device - what the files of the CUDA device share: the device, its weights, its sticky error.
 *
 * Thread: the device's worker. */
#ifndef KERNELS_CUDA_DEVICE_H
#define KERNELS_CUDA_DEVICE_H

#include "kernels/cuda/cuda.h"
#include "kernels/cuda/launch.h"

#include <cuda_runtime.h>

enum {
    CUDA_TIMERS = 16,
    CUDA_FETCHES =
        32, /* events of fetches, in a ring: an older one has ended when a newer one has */
    CUDA_CAPTURES = 8, /* recorded quanta that are kept */
    CUDA_MARKS = 8    /* marks that can be waited for */
};
#define CUDA_WORK  ((size_t)96 << 20) /* workspace of all operations, one after another */
#define CUDA_TRY   ((size_t)64 << 20) /* behind it: results that are timed and thrown away */
#define CUDA_STAGE ((size_t)16 << 20) /* each half of the pinned staging memory */

struct cublaslt;
struct cudnn;

/* A recorded quantum. seen: asked for, but not yet recorded: the first time kernels are being loaded. */
struct cuda_capture {
    uint64_t key, used; /* used: when, for the choice of the one to drop */
    cudaGraphExec_t exec;
    int seen;
};

struct cuda {
    struct dev dev; /* first: a struct dev * of this device is one of these */
    struct cu_queue q;
    int index, bf, sms;
    cudaStream_t stream;
    char *work;     /* CUDA_WORK bytes, then CUDA_TRY */
    char *stage[2]; /* pinned */
    cudaEvent_t staged[2], timer[CUDA_TIMERS], mark[CUDA_MARKS];
    cudaStream_t peeks;   /* looks at finished memory while `stream` goes on */
    uint64_t marks;      /* taken so far */
    int half;            /* of the staging memory, in use */
    size_t filled;       /* bytes of that half */
    uint64_t used, vram; /* bytes allocated, and the most that may be */
    cudaStream_t copies; /* of weights that come and go */
    cudaEvent_t before_fetch, fetched[CUDA_FETCHES];
    uint64_t tickets;
    struct cublaslt *cublaslt; /* NULL: not found, or not wanted */
    struct cudnn *cudnn;
    struct cuda_capture capture[CUDA_CAPTURES];
    struct cuda_capture *capturing;
    uint64_t clock;
    int failed; /* sticky */
    struct fail fail;
    char name[200];
};

/* linear: [out, in]; conv: [out, side, side, in]; table: [rows, cols]; all T. vector: floats. Bias: T. */
struct weight {
    enum weight_use use;
    int64_t out, in; /* conv: in = channels; vector: out values */
    int k;           /* conv: side */
    size_t bytes;
    void *data, *bias; /* bias NULL: none; else inside the block of data */
    int placed;        /* the block belongs to somebody else */
};

static inline struct cuda *cuda_of(struct dev *d)
{
    return (struct cuda *)d;
}

/* 0 when an earlier failure forbids further work. */
int cuda_ready(struct cuda *);
void cuda_fail(struct cuda *, enum err, const char *what, const char *why);
/* Notes what a runtime call says; 0 when it is well. */
int cuda_check(struct cuda *, cudaError_t, const char *what);
/* Copies n bytes from pageable host memory; they may be reused at once. */
void cuda_upload(struct cuda *, void *dst, const void *host, size_t n);

/* weight.c */
int cuda_weight_new(struct dev *, struct weight **, const struct weight_spec *, struct fail *);
void cuda_weight_free(struct dev *, struct weight *);
size_t cuda_weight_bytes(const struct weight *);
size_t cuda_weight_size(const struct dev *, const struct weight_spec *);

/* cuda.c */
int cuda_sync(struct dev *, struct fail *);
uint64_t cuda_mark(struct dev *);
int cuda_wait(struct dev *, uint64_t mark, struct fail *);
void cuda_reset(struct dev *);
void cuda_close(struct dev *);

/* table.c: the operations */
extern const struct ops cuda_ops;

/* memory.c */
int cuda_mem_new(struct dev *, void **base, size_t bytes, struct fail *);
void cuda_mem_free(struct dev *, void *base, size_t bytes);
void cuda_put(struct dev *, tensor dst, const void *host);
void cuda_get(struct dev *, void *host, tensor src);
int cuda_peek(struct dev *, void *host, tensor src, struct fail *);
void cuda_copy(struct dev *, tensor dst, tensor src);
void cuda_zero(struct dev *, tensor dst);
int cuda_home_new(struct dev *, void **base, size_t bytes, struct fail *);
void cuda_home_free(struct dev *, void *base, size_t bytes);
uint64_t cuda_fetch(struct dev *, void *at, const void *home, size_t bytes);
void cuda_arrive(struct dev *, uint64_t ticket);

/* capture.c */
int cuda_capture_begin(struct dev *, uint64_t key);
void cuda_capture_end(struct dev *);
void cuda_capture_drop(struct cuda *);

#endif
