/* token_list - a growing list of token ids with a fixed maximum.
 *
 * The caller of token_list_init() owns it and frees it with token_list_free(). Thread: one at a
 * time. */
#ifndef WEIGHTS_TOKENIZER_TOKEN_LIST_H
#define WEIGHTS_TOKENIZER_TOKEN_LIST_H

#include <stddef.h>
#include <stdint.h>

struct token_list {
    int32_t *v;
    size_t n, cap, max;
};

/* An empty list that will hold at most `max` ids; allocates nothing. */
void token_list_init(struct token_list *, size_t max);

/* Append one id. ERR_TOO_LARGE past the maximum, ERR_OUT_OF_MEMORY; the list then stays as it
 * is. */
int token_list_push(struct token_list *, int32_t id);

/* Make room for `more` ids, so that the next `more` pushes cannot fail. */
int token_list_reserve(struct token_list *, size_t more);

/* Free the ids; the list is empty and can be used again. */
void token_list_free(struct token_list *);

#endif
