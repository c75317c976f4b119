/* arena - bump allocation over an address range. */
#include "kernels/arena.h"

void arena_init(struct arena *a, void *base, size_t size)
{
    assert((uintptr_t)base % ARENA_ALIGN == 0);
    *a = (struct arena){.base = base, .size = size};
}

void *arena_alloc(struct arena *a, size_t bytes)
{
    size_t need = (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    void *p;

    if (need < bytes || need > a->size - a->used) {
        a->failed = 1;
        return NULL;
    }
    p = a->base + a->used;
    a->used += need;
    if (a->used > a->peak) a->peak = a->used;
    return p;
}

tensor arena_tensor(struct arena *a, enum dtype type, int64_t rows, int64_t cols)
{
    tensor t = tensor_at(NULL, type, rows, cols);
    size_t bytes = tensor_bytes(t);

    t.data = arena_alloc(a, bytes ? bytes : 1);
    return t;
}

size_t arena_mark(const struct arena *a)
{
    return a->used;
}

void arena_release(struct arena *a, size_t mark)
{
    assert(mark <= a->used);
    a->used = mark;
}
