/* png_file - PNG by libspng; reader.h says what the two do. Thread: any. */
#ifndef SERVER_DECODER_PNG_FILE_H
#define SERVER_DECODER_PNG_FILE_H

#include "server/decoder/reader.h"

bool png_file_is(struct file_bytes);
int png_file_look(struct file_bytes, struct image_facts *, struct fail *);
int png_file_decode(struct file_bytes, struct image_facts *, uint8_t *rgb, struct fail *);

#endif
