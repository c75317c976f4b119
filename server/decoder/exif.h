/* exif - which way up a picture is. Thread: any. */
#ifndef SERVER_DECODER_EXIF_H
#define SERVER_DECODER_EXIF_H

#include <stddef.h>
#include <stdint.h>

/* Tag 274 of the first directory, 1 to 8; 1 also where the data has none, or is damaged. The data
 * is a TIFF file, with or without "Exif\0\0" before it. Source: EXIF 2.32, TIFF 6.0. */
int exif_orientation(const uint8_t *data, size_t len);

#endif
