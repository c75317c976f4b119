/* device - what the files of the CUDA device share: the device, its weights, its sticky failure.
 *
 * A failure is sticky: the first one is kept, later calls do nothing, sync() reports it until
 * reset(). Thread: the device's worker. */
#ifndef KERNELS_CUDA_DEVICE_H
#define KERNELS_CUDA_DEVICE_H

#include "kernels/cuda/launch.h"
#include "kernels/ops.h"

#include <cuda_runtime.h>

enum {
    /* points of cuda_timer_mark() */
    CUDA_TIMERS = 16,
    /* fetches with an event of their own, in a ring: an older one has ended when a newer one has */
    CUDA_FETCHES = 32,
    /* captured quanta that are kept */
    CUDA_CAPTURES = 8,
    /* marks that can be waited for */
    CUDA_MARKS = 8
};
/* workspace of all operations, one after another */
#define CUDA_WORK  ((size_t)96 << 20)
/* of it, at its end: a band of phases (conv.c). For bands of 48 MiB and more with 1024 channels
 * cuDNN proposes a kernel of Ampere's first (make cuda-check). */
#define CUDA_BAND  ((size_t)40 << 20)
/* behind it: where results of tuning runs go */
#define CUDA_TRY   ((size_t)64 << 20)
/* each half of the pinned staging memory */
#define CUDA_STAGE ((size_t)16 << 20)

struct cublaslt;
struct cudnn;

/* What is asked of the libraries. */
enum cuda_kind { CUDA_PRODUCTS, CUDA_CONVOLUTIONS, CUDA_ATTENTIONS, CUDA_KINDS };

/* How often a library was asked, how often it refused and our own kernel did the work, and why the
 * last time. */
struct cuda_calls {
    uint64_t asked, refused;
    char why[160];
};

/* A captured quantum. */
struct cuda_capture {
    uint64_t key;
    /* c->clock of the last use: the oldest is dropped */
    uint64_t used;
    cudaGraphExec_t exec;
    /* asked for once, not yet captured: the first time, kernels are still being loaded */
    int seen;
};

struct cuda {
    /* first: a struct dev * of this device points to one of these */
    struct dev dev;
    struct cu_queue q;
    int index, bf, sms;
    char name[200];

    /* everything that operations do */
    cudaStream_t stream;
    /* CUDA_WORK bytes, then CUDA_TRY */
    char *work;
    /* bytes at its end for phases that wait to be interleaved: a band of an enlarged picture */
    size_t band;
    /* NULL: not found, or not to be used */
    struct cublaslt *cublaslt;
    struct cudnn *cudnn;
    struct cuda_calls calls[CUDA_KINDS];
    /* bytes allocated, and how many may be */
    uint64_t used, vram;

    /* pinned staging memory: the half in use, bytes of it that are filled, end of each half's
     * copies */
    char *stage[2];
    cudaEvent_t staged[2];
    int half;
    size_t filled;

    /* reads finished memory while `stream` goes on */
    cudaStream_t peeks;
    cudaEvent_t mark[CUDA_MARKS];
    /* taken so far */
    uint64_t marks;
    cudaEvent_t timer[CUDA_TIMERS];

    /* of weights that come and go */
    cudaStream_t copies;
    cudaEvent_t before_fetch, fetched[CUDA_FETCHES];
    uint64_t tickets;

    struct cuda_capture capture[CUDA_CAPTURES];
    /* the one that is being captured, or NULL */
    struct cuda_capture *capturing;
    uint64_t clock;

    int failed;
    struct fail fail;
};

/* A packed weight, all T but vectors, which are f32. linear: [out, in]; conv: [out, side, side,
 * in]; table: [out, in]; vector: [out]. The bias is T. */
struct cuda_weight {
    enum weight_use use;
    /* conv: in = channels */
    int64_t out, in;
    /* stored rows: out, or more, the last ones zeros (cuda_sizes.h) */
    int64_t rows;
    /* conv: side */
    int k;
    size_t bytes;
    /* bias: inside the block of data; NULL: none */
    void *data, *bias;
    /* an enlarging convolution's in bf16 (cuda_sizes.h), in the same block: the four results of an
     * input pixel as outputs of a 2x2 convolution; else NULL */
    void *phases, *phases_bias;
    /* the memory is its owner's (weights that come and go) */
    int placed;
};

static inline struct cuda *cuda_of(struct dev *d)
{
    return (struct cuda *)d;
}

static inline const struct cuda_weight *cuda_weight_of(const struct weight *w)
{
    return (const struct cuda_weight *)w;
}

/* device.c */
/* 0 when an earlier failure forbids further work. */
int cuda_ready(struct cuda *);
void cuda_fail(struct cuda *, enum err, const char *what, const char *why);
/* Keeps the failure of a runtime call; 0 when there is none. */
int cuda_check(struct cuda *, cudaError_t, const char *what);
/* 0, or the sticky failure's code, copied to fail. */
int cuda_failure(const struct cuda *, struct fail *);
/* After launches of our own kernels. */
void cuda_launched(struct cuda *, const char *what);
/* Counts what a library returned: 1 it is on the stream; 0 not for the library; negative: it
 * refused, with the reason. 1 when there is nothing left to do; else our own kernel does it: where
 * the GPU is to blame, that fails, too, and sticks. */
int cuda_took(struct cuda *, enum cuda_kind, int taken, const char *why);

/* stream.c */
/* All that operations need later, so that none of them allocates. 0, or 1 with a sticky failure. */
int cuda_stream_open(struct cuda *);
void cuda_close(struct dev *);
int cuda_sync(struct dev *, struct fail *);
uint64_t cuda_mark(struct dev *);
int cuda_wait(struct dev *, uint64_t mark, struct fail *);
void cuda_reset(struct dev *);

/* memory.c */
int cuda_mem_new(struct dev *, void **base, size_t bytes, struct fail *);
void cuda_mem_free(struct dev *, void *base, size_t bytes);
/* Copies n bytes from pageable host memory, which may be reused at once. */
void cuda_upload(struct cuda *, void *dst, const void *host, size_t n);
void cuda_put(struct dev *, tensor dst, const void *host);
void cuda_get(struct dev *, void *host, tensor src);
int cuda_peek(struct dev *, void *host, tensor src, struct fail *);
void cuda_copy(struct dev *, tensor dst, tensor src);
void cuda_zero(struct dev *, tensor dst);
int cuda_home_new(struct dev *, void **base, size_t bytes, struct fail *);
void cuda_home_free(struct dev *, void *base, size_t bytes);
uint64_t cuda_fetch(struct dev *, void *at, const void *home, size_t bytes);
void cuda_arrive(struct dev *, uint64_t ticket);

/* weight.c */
int cuda_weight_new(struct dev *, struct weight **, const struct weight_spec *, struct fail *);
void cuda_weight_free(struct dev *, struct weight *);
size_t cuda_weight_bytes(const struct weight *);
size_t cuda_weight_size(const struct dev *, const struct weight_spec *);
/* Sets the addresses inside the block of data. */
void cuda_weight_parts(struct cuda_weight *, enum dtype, const struct weight_spec *);

/* capture.c */
int cuda_capture_begin(struct dev *, uint64_t key);
void cuda_capture_end(struct dev *);
/* A capture that was begun and will not be ended: nothing of it runs. */
void cuda_capture_abort(struct cuda *);
void cuda_capture_drop(struct cuda *);

/* conv.c */
void cuda_conv(struct dev *, tensor y, tensor x, const struct weight *, int h, int width, int up,
               int first, tensor add);
void cuda_conv_half(struct dev *, tensor y, tensor x, const struct weight *, int h, int width);

/* ops.c: the operations */
extern const struct ops cuda_ops;

#endif
