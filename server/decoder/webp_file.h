/* webp_file - WebP by libwebp; reader.h says what the two do. Thread: any. */
#ifndef SERVER_DECODER_WEBP_FILE_H
#define SERVER_DECODER_WEBP_FILE_H

#include "server/decoder/reader.h"

bool webp_file_is(struct file_bytes);
int webp_file_look(struct file_bytes, struct image_facts *, struct fail *);
int webp_file_decode(struct file_bytes, struct image_facts *, uint8_t *rgb, struct fail *);

#endif
