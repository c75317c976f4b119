/* facts - what is known of a picture that was decoded: its format, its size, what was changed.
 *
 * Values alone, so that messages can hold them. Thread: any. */
#ifndef SERVER_DECODER_FACTS_H
#define SERVER_DECODER_FACTS_H

#include <stddef.h>

enum image_format { IMAGE_PNG, IMAGE_JPEG, IMAGE_WEBP, IMAGE_FORMATS };

/* What the pixels differ in from what the file holds. */
enum image_change {
    IMAGE_ORIENTED,        /* turned or mirrored upright */
    IMAGE_ON_WHITE,        /* some pixels were transparent */
    IMAGE_PROFILE_IGNORED, /* the numbers are taken for sRGB */
    IMAGE_FROM_CMYK,       /* four inks, by Pillow's formula */
    IMAGE_FROM_16_BIT,     /* the upper eight are kept */
    IMAGE_FIRST_FRAME,     /* of an animation */
    IMAGE_DAMAGED,         /* a JPEG with parts that cannot be read; gray or wrong there */
    IMAGE_CHANGES
};

struct image_facts {
    enum image_format format;
    int width, height;           /* of the pixels */
    int file_width, file_height; /* as the file has them, before it is turned */
    int orientation;             /* of EXIF, 1 to 8; 1: upright */
    unsigned changes;            /* 1 << enum image_change */
};

const char *image_format_name(enum image_format); /* "png" "jpeg" "webp" */
const char *image_change_name(enum image_change); /* for programs: "alpha_on_white" */
/* For people, in the order of the enum, as in "transparent pixels are laid on white; ..". */
void image_changes_text(unsigned changes, char *out, size_t size);

#endif
