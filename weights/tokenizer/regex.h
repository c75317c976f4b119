/* regex - the regular expressions of tokenizer files, run by PCRE2.
 *
 * The files are written for Oniguruma (Ruby syntax, Unicode). pattern_open rewrites what means
 * something else to PCRE2 (\s, \w, \v, \u) and refuses what it cannot say (nested or intersected
 * classes, back references, inline flags other than i ...). Compiled patterns are immutable; every
 * thread that matches brings its own pattern_scratch. */
#ifndef WEIGHTS_TOKENIZER_REGEX_H
#define WEIGHTS_TOKENIZER_REGEX_H

#include <stdbool.h>
#include <stddef.h>

struct pattern;

/* Compile; `literal` takes the text as it is. On failure returns ERR_MODEL or ERR_OUT_OF_MEMORY and
 * says why in `why` (the reason only, no file name). */
int pattern_open(struct pattern **out, const char *text, size_t len, bool literal, char *why,
                 size_t why_size);
void pattern_close(struct pattern *); /* NULL is fine */

struct pattern_scratch; /* match data and stack for one thread and one pattern */
struct pattern_scratch *pattern_scratch_new(const struct pattern *); /* NULL: no memory */
void pattern_scratch_free(struct pattern_scratch *);

/* The first match in s[0..n) at or after `from`. The text must be valid UTF-8. 1 found (*at, *end),
 * 0 none, ERR_INTERNAL when PCRE2 gives up. */
int pattern_find(const struct pattern *, struct pattern_scratch *, const char *s, size_t n,
                 size_t from, size_t *at, size_t *end);

#endif
