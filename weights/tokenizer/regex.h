/* regex - the regular expressions of tokenizer files, run by PCRE2.
 *
 * The files are written for Oniguruma (Ruby syntax, Unicode). regex_open rewrites what PCRE2
 * reads differently (\s, \w, \v, \u) and refuses what cannot be translated (nested or intersected
 * classes, back references, inline flags other than i ...). Compiled patterns are immutable; every
 * thread that matches brings its own regex_scratch. */
#ifndef WEIGHTS_TOKENIZER_REGEX_H
#define WEIGHTS_TOKENIZER_REGEX_H

#include <stdbool.h>
#include <stddef.h>

struct regex;

/* Compile; `literal` takes the text as it is. On failure returns ERR_MODEL or ERR_OUT_OF_MEMORY and
 * writes the reason to `why` (no file name). */
int regex_open(struct regex **out, const char *text, size_t len, bool literal, char *why,
               size_t why_size);
void regex_close(struct regex *); /* NULL is fine */

struct regex_scratch; /* match data and stack for one thread and one pattern */
struct regex_scratch *regex_scratch_new(const struct regex *); /* NULL: no memory */
void regex_scratch_free(struct regex_scratch *);

/* The first match in s[0..n) at or after `from`. The text must be valid UTF-8. 1 found (*at, *end),
 * 0 none, ERR_INTERNAL when PCRE2 gives up. */
int regex_find(const struct regex *, struct regex_scratch *, const char *s, size_t n, size_t from,
               size_t *at, size_t *end);

#endif
