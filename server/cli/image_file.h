/* image_file - a PNG or JPEG file of the person who runs the command, as 8-bit RGB.
 *
 * All that the command line knows of picture formats. Files of others must not be decoded in this
 * process: a service wants a process without privileges for that.
 * Thread: any. */
#ifndef SERVER_CLI_IMAGE_FILE_H
#define SERVER_CLI_IMAGE_FILE_H

#include "proto/fail.h"

#include <stdint.h>

struct image_file {
    uint8_t *rgb; /* [height, width, 3], rows packed; the caller frees */
    int width, height;
    const char *note; /* what was changed, for the user; NULL: nothing */
};

/* At most 64 MB and 64 megapixels. Transparent pixels are laid on white; colour profiles and
 * orientation marks are ignored. 0, ERR_IO, or ERR_USAGE with what is wrong with the file. */
int image_file_read(const char *path, struct image_file *out, struct fail *);

#endif
