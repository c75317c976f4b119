/* utf8 - validate and walk UTF-8 text.
 *
 * Everything but utf8_valid expects text that utf8_valid accepted. Pure functions, any thread. */
#ifndef WEIGHTS_TOKENIZER_UTF8_H
#define WEIGHTS_TOKENIZER_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No overlong forms, no surrogates, nothing past U+10FFFF, nothing cut off. NUL is a character. */
bool utf8_valid(const char *s, size_t n);

/* The code point at s[0..n), n > 0; its length in bytes in *len. */
uint32_t utf8_next(const char *s, size_t n, size_t *len);

/* Length of the last character of s[0..n), n > 0. */
size_t utf8_last(const char *s, size_t n);

/* Write a code point below U+0800; returns 1 or 2. */
size_t utf8_put(uint32_t c, char out[2]);

/* Unicode's White_Space. `controls` adds U+001C to U+001F, as Python's str.isspace does. */
bool utf8_is_space(uint32_t c, bool controls);

/* Bytes of white space at the end / at the start of s[0..n). */
size_t utf8_space_after(const char *s, size_t n, bool controls);
size_t utf8_space_before(const char *s, size_t n, bool controls);

#endif
