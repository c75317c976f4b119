/* id - a job's 64-bit name: 16 lowercase hex digits in JSON, the same 64 bits in a binary frame. */
#ifndef PROTO_ID_H
#define PROTO_ID_H

#include <stdbool.h>
#include <stdint.h>

#define ID_TEXT 17 /* bytes of the text form with its NUL */

/* Write id as 16 lowercase hex digits and a NUL. */
void id_format(uint64_t id, char out[ID_TEXT]);

/* Read exactly 16 lowercase hex digits followed by NUL. False (out untouched) for anything else and
 * for 0, which is no job. */
bool id_parse(const char *text, uint64_t *out);

#endif
