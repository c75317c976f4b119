/* fuzz_safetensors - any bytes as a weight file: refused with a reason,
 * or every tensor lies inside. */
#include "weights/safetensors/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(x) ((x) ? (void)0 : (fprintf(stderr, "%s\n", #x), abort()))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Inside the file, as large as it says, found by its own name; touch both ends. */
static void check(const struct safetensors *st, const struct stored_tensor *t, const uint8_t *data,
                  size_t size)
{
    const uint8_t *p = t->data;
    float f[2];
    int64_t i[2];
    int number, integer;

    MUST(t->nd >= 0 && t->nd <= LIMIT_TENSOR_DIMS && t->count >= 0);
    MUST(t->bytes == (size_t)t->count * dtype_bytes(t->dtype));
    MUST(p >= data + 8 && p <= data + size && t->bytes <= (size_t)(data + size - p));
    MUST(safetensors_find(st, t->name) == t);
    if (!t->count) return;
    number = dtype_to_f32(t, 0, 1, f) == 0 && dtype_to_f32(t, t->count - 1, 1, f + 1) == 0;
    integer = dtype_to_i64(t, 0, 1, i) == 0 && dtype_to_i64(t, t->count - 1, 1, i + 1) == 0;
    MUST(number != integer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct safetensors *st;
    struct fail f = {0};
    size_t total = 0;

    if (safetensors_open_memory(&st, data, size, "x.safetensors", &f)) {
        MUST(!st && f.code == ERR_MODEL && *f.message);
        return 0;
    }
    for (size_t i = 0; i < safetensors_count(st); i++) {
        check(st, safetensors_at(st, i), data, size);
        total += safetensors_at(st, i)->bytes;
    }
    MUST(total <= size - 8);
    safetensors_meta(st, "trace");
    safetensors_close(st);
    return 0;
}
