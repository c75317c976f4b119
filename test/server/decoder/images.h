/* images - the files that images.py has made. */
#ifndef TEST_SERVER_DECODER_IMAGES_H
#define TEST_SERVER_DECODER_IMAGES_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define IMAGES "test/server/decoder/images/"

struct images_file {
    uint8_t *bytes; /* malloc'ed, without a byte more, so that a sanitizer sees its end */
    size_t len;
};

static inline void images_read(struct images_file *out, const char *name)
{
    enum { MOST = 65536 };
    char path[256];
    FILE *f;

    snprintf(path, sizeof path, IMAGES "%s", name);
    f = fopen(path, "rb");
    if (!f) {
        fprintf(stderr, "no %s\n", path);
        exit(1);
    }
    out->bytes = malloc(MOST);
    out->len = fread(out->bytes, 1, MOST, f);
    fclose(f);
    out->bytes = realloc(out->bytes, out->len);
}

#endif
