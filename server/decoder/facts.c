/* facts - names for programs, sentences for people. */
#include "server/decoder/facts.h"

#include <stdio.h>

static const struct {
    const char *name, *text;
} CHANGES[IMAGE_CHANGES] = {
    [IMAGE_ORIENTED] = {"oriented", "it is turned upright"},
    [IMAGE_ON_WHITE] = {"alpha_on_white", "its transparent pixels are laid on white"},
    [IMAGE_PROFILE_IGNORED] = {"profile_ignored", "its colour profile is ignored"},
    [IMAGE_FROM_CMYK] = {"cmyk_converted", "its four inks are made red, green and blue"},
    [IMAGE_FROM_16_BIT] = {"depth_reduced", "its 16 bits are reduced to 8"},
    [IMAGE_FIRST_FRAME] = {"first_frame", "of its animation the first frame is used"},
    [IMAGE_DAMAGED] = {"damaged", "parts of it are damaged"},
};

const char *image_format_name(enum image_format format)
{
    static const char *const names[IMAGE_FORMATS] = {"png", "jpeg", "webp"};

    return names[format];
}

const char *image_change_name(enum image_change change)
{
    return CHANGES[change].name;
}

void image_changes_text(unsigned changes, char *out, size_t size)
{
    size_t n = 0;

    if (size) *out = '\0';
    for (int i = 0; i < IMAGE_CHANGES && n < size; i++)
        if (changes & (1U << i))
            n += (size_t)snprintf(out + n, size - n, "%s%s", n ? "; " : "", CHANGES[i].text);
}
