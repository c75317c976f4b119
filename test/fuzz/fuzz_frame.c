/* fuzz_frame - any bytes as a binary message: what is accepted encodes to the same 32 bytes. */
#include "proto/frame.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t again[FRAME_HEADER];
    struct frame h;
    struct fail f;

    if (frame_decode(data, size, &h, &f)) {
        if (f.code != ERR_BAD_REQUEST || !*f.message) abort();
        return 0;
    }
    frame_encode(&h, again);
    if (memcmp(again, data, sizeof again) != 0 || size != FRAME_HEADER + h.bytes) abort();
    return 0;
}
