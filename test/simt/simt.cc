/* simt - the fibers behind simt.h: one ucontext a thread, a round-robin until all have ended.
 *
 * swapcontext() asks the kernel for the signal mask at every switch, and setjmp() keeps more than a
 * fiber needs; after the first entry the compiler's own jumps do the same in a hundredth of the
 * time, from one fiber to the next, and a fiber serves one block after another. What a switch
 * touches is small and stands together, as misses of the cache are most of what is left. The
 * address sanitizer wants to see the switches: there swapcontext() stays, to the round and back. */
#include "test/simt/simt.h"

#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#ifdef __SANITIZE_ADDRESS__
#    include <sanitizer/asan_interface.h>
#    include <sanitizer/common_interface_defs.h>
#endif

#ifdef __SANITIZE_ADDRESS__
#    define JUMP 0
#else
#    define JUMP 1
#endif

dim3 gridDim, blockDim, blockIdx, threadIdx;

enum wait { RUN, AT_WARP, AT_BLOCK, ENDED };
enum { STACK = 64 << 10, MOST = 1024, SHARED_MAX = 227 << 10 };

/* One line of the cache. */
struct alignas(64) fiber {
    void *at_rest[5]; /* of __builtin_setjmp() */
    dim3 at;
    int entered, set;
};

static struct {
    struct fiber f[MOST];
    enum wait wait[MOST];
    ucontext_t ctx[MOST], home;
    char *stack[MOST];
    void *fakes[MOST];
    void *round[5];
    int now, n, order;
    void (*body)(void *);
    void *arg, *fake;
    const void *home_stack;
    size_t home_size;
    unsigned char slot[MOST / 32][2][32][64]; /* two sets: a fast lane may be one operation ahead */
    alignas(256) unsigned char shared[SHARED_MAX];
} s;

void simt_order(int order)
{
    s.order = order;
}

void *simt_shared(void)
{
    return s.shared;
}

static void bug(const char *what)
{
    fprintf(stderr, "simt: %s (block %u,%u,%u)\n", what, blockIdx.x, blockIdx.y, blockIdx.z);
    abort();
}

/* Not inlined: gcc drops the place that __builtin_setjmp() returns to when the function that holds
 * it jumps by itself. */
__attribute__((noinline)) static void jump(void **to)
{
    __builtin_longjmp(to, 1);
}

/* Does not return. */
static void run(int i)
{
    struct fiber *f = &s.f[i];
    s.now = i;
    threadIdx = f->at;
    if (f->entered) jump(f->at_rest);
    f->entered = 1;
    setcontext(&s.ctx[i]);
}

/* The next fiber of this round that can run, or the round itself. Does not return. */
static void next(void)
{
    const int by = s.order ? -1 : 1;
    int i = s.now + by;
    while (i >= 0 && i < s.n && s.wait[i] != RUN)
        i += by;
    if (i < 0 || i >= s.n) jump(s.round);
    run(i);
}

static void leave(enum wait w)
{
    const int i = s.now;
    s.wait[i] = w;
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(w == ENDED ? NULL : &s.fakes[i], s.home_stack, s.home_size);
#endif
    if (!JUMP)
        swapcontext(&s.ctx[i], &s.home);
    else if (!__builtin_setjmp(s.f[i].at_rest))
        next();
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(s.fakes[i], &s.home_stack, &s.home_size);
#endif
}

/* Run fiber i; by jumps, all after it in this round too. */
static void enter(int i)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(&s.fake, s.stack[i], STACK);
#endif
    if (!JUMP) {
        s.now = i;
        threadIdx = s.f[i].at;
        swapcontext(&s.home, &s.ctx[i]);
    } else if (!__builtin_setjmp(s.round)) {
        run(i);
    }
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(s.fake, NULL, NULL);
#endif
}

static void start(void)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(NULL, &s.home_stack, &s.home_size);
#endif
    for (;;) {
        s.body(s.arg);
        leave(ENDED);
    }
}

void simt_barrier(void)
{
    leave(AT_BLOCK);
}

const unsigned char (*simt_exchange(const void *mine, size_t bytes))[64]
{
    const int me = s.now, set = s.f[me].set ^= 1;
    if (bytes > 64) bug("more than 64 bytes in a warp operation");
    memcpy(s.slot[me / 32][set][me % 32], mine, bytes);
    leave(AT_WARP);
    return s.slot[me / 32][set];
}

static void prepare(int i)
{
    struct fiber *f = &s.f[i];
    ucontext_t *c = &s.ctx[i];
    if (!s.stack[i]) s.stack[i] = (char *)malloc(STACK);
    if (!s.stack[i]) bug("no memory for stacks");
#ifdef __SANITIZE_ADDRESS__
    __asan_unpoison_memory_region(s.stack[i], STACK);
#endif
    if (!JUMP || !f->entered) {
        getcontext(c);
        c->uc_stack.ss_sp = s.stack[i];
        /* tops at different distances: at equal ones all of them share a few lines of cache */
        c->uc_stack.ss_size = (size_t)(STACK - i % 64 * 320);
        c->uc_link = NULL;
        makecontext(c, start, 0);
    }
    s.wait[i] = RUN;
    f->set = 0;
    f->at = dim3((unsigned)i % blockDim.x, (unsigned)i / blockDim.x % blockDim.y,
                 (unsigned)i / (blockDim.x * blockDim.y));
}

/* All threads of [from, to) that have not ended wait at w, and there is one. */
static int all_at(int from, int to, enum wait w)
{
    int any = 0;
    for (int i = from; i < to; i++) {
        if (s.wait[i] == ENDED) continue;
        if (s.wait[i] != w) return 0;
        any = 1;
    }
    return any;
}

static void release(int from, int to)
{
    for (int i = from; i < to; i++)
        if (s.wait[i] != ENDED) s.wait[i] = RUN;
}

static int any_ended(int from, int to)
{
    for (int i = from; i < to; i++)
        if (s.wait[i] == ENDED) return 1;
    return 0;
}

/* One round: who can run, runs; then barriers open. 0: all have ended. */
static int round_of_block(void)
{
    int alive = 0, moved = 0;
    for (int k = 0; k < s.n && !(JUMP && moved); k++) {
        int i = s.order ? s.n - 1 - k : k;
        if (s.wait[i] == RUN) {
            enter(i);
            moved = 1;
        }
    }
    for (int i = 0; i < s.n; i++)
        alive |= s.wait[i] != ENDED;
    for (int w = 0; w < s.n; w += 32)
        if (all_at(w, w + 32 < s.n ? w + 32 : s.n, AT_WARP)) {
            if (any_ended(w, w + 32 < s.n ? w + 32 : s.n))
                bug("a warp operation without all lanes");
            release(w, w + 32 < s.n ? w + 32 : s.n);
            moved = 1;
        }
    if (all_at(0, s.n, AT_BLOCK)) {
        if (any_ended(0, s.n)) bug("a barrier without all threads");
        release(0, s.n);
        moved = 1;
    }
    if (alive && !moved) bug("threads wait for each other at different barriers");
    return alive;
}

void simt_run(dim3 grid, dim3 block, size_t shared, void (*body)(void *), void *arg)
{
    s.n = (int)(block.x * block.y * block.z);
    if (s.n < 1 || s.n > MOST) bug("too many threads in a block");
    if (s.n % 32) bug("threads of a block are whole warps here");
    if (shared > SHARED_MAX) bug("too much shared memory");
    if (grid.y > 65535 || grid.z > 65535 || !grid.x || !grid.y || !grid.z) bug("no such grid");
    gridDim = grid;
    blockDim = block;
    s.body = body;
    s.arg = arg;
    const uint64_t blocks = (uint64_t)grid.x * grid.y * grid.z;
    for (uint64_t k = 0; k < blocks; k++) {
        uint64_t b = s.order ? blocks - 1 - k : k;
        blockIdx = dim3((unsigned)(b % grid.x), (unsigned)(b / grid.x % grid.y),
                        (unsigned)(b / grid.x / grid.y));
        memset(s.shared, 0xff, shared);
        for (int i = 0; i < s.n; i++)
            prepare(i);
        while (round_of_block()) {}
    }
}
