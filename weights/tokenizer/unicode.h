/* unicode - letters, marks and digits that Unicode 15 to 16 added.
 *
 * PCRE2 10.42 (Debian 12) has Unicode 14, the reference's tokenizers 0.22 have 16: regex.c adds
 * these ranges to \p{..}. With a newer PCRE2 they change nothing. */
#ifndef WEIGHTS_TOKENIZER_UNICODE_H
#define WEIGHTS_TOKENIZER_UNICODE_H

#include <stddef.h>
#include <stdint.h>

struct unicode_range {
    char category[3]; /* general category: "Lo" */
    uint32_t lo, hi;
};

/* The whole table; *n says how many. */
const struct unicode_range *unicode_new(size_t *n);

#endif
