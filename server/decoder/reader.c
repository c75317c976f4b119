/* reader - the two refusals. */
#include "server/decoder/reader.h"

int reader_refuse(struct fail *f, const char *what)
{
    fail_field(f, ERR_BAD_IMAGE, "image", "The image %s.", what);
    return fail_advise(f, "Save it anew as a PNG, JPEG or WebP and use that.");
}

int reader_no_memory(struct fail *f)
{
    fail_field(f, ERR_BAD_IMAGE, "image", "The image takes more memory than one may.");
    return fail_advise(f, "Use a smaller one, or one that is neither interlaced nor progressive.");
}
