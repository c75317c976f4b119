/* fuzz_png - PNG files become pixels or are refused, and nothing else happens. */
#include "test/fuzz/images.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    return images_try(data, len, IMAGE_PNG);
}
