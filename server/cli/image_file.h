/* image_file - a PNG, JPEG or WebP file of the person who runs the command, as 8-bit RGB.
 * Thread: any. */
#ifndef SERVER_CLI_IMAGE_FILE_H
#define SERVER_CLI_IMAGE_FILE_H

#include "proto/fail.h"

#include <stdint.h>

struct image_file {
    uint8_t *rgb; /* [height, width, 3], rows packed; the caller frees */
    int width, height;
    char note[400]; /* what was changed, for the user; "": nothing */
};

/* As a server reads one that is uploaded (server/decoder/image.h). 0, ERR_IO, or ERR_USAGE with
 * what is wrong with the file; f must not be NULL. */
int image_file_read(const char *path, struct image_file *out, struct fail *f);

#endif
