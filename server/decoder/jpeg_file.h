/* jpeg_file - JPEG by libjpeg-turbo; reader.h says what the two do. Thread: any. */
#ifndef SERVER_DECODER_JPEG_FILE_H
#define SERVER_DECODER_JPEG_FILE_H

#include "server/decoder/reader.h"

bool jpeg_file_is(struct file_bytes);
int jpeg_file_look(struct file_bytes, struct image_facts *, struct fail *);
int jpeg_file_decode(struct file_bytes, struct image_facts *, uint8_t *rgb, struct fail *);

#endif
