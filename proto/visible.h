/* visible - whether a text shows anything, or is white space and marks alone. Thread: any. */
#ifndef PROTO_VISIBLE_H
#define PROTO_VISIBLE_H

#include <stdbool.h>
#include <stddef.h>

/* Whether a character of s[0..len) shows something; false for text that is not UTF-8. */
bool visible_text(const char *s, size_t len);

#endif
