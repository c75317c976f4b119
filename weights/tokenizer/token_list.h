/* token_list - a growing list of token ids with a maximum from birth.
 *
 * Owner: whoever calls ids_init(); ids_free() gives the memory back. Thread: one at a time. */
#ifndef WEIGHTS_TOKENIZER_TOKEN_LIST_H
#define WEIGHTS_TOKENIZER_TOKEN_LIST_H

#include <stddef.h>
#include <stdint.h>

struct ids {
    int32_t *v;
    size_t n, cap, max;
};

/* An empty list that will hold at most `max` ids; allocates nothing. */
void ids_init(struct ids *, size_t max);

/* Append one id. ERR_TOO_LARGE past the maximum, ERR_OUT_OF_MEMORY; the list keeps what it had. */
int ids_push(struct ids *, int32_t id);

/* Make room for `more` ids, so that the next `more` pushes cannot fail. */
int ids_reserve(struct ids *, size_t more);

/* Back to the empty list (frees; may be initialised again or dropped). */
void ids_free(struct ids *);

#endif
