/* token_list - a growing list of token ids: doubling storage under a maximum. */
#include "weights/tokenizer/token_list.h"

#include "proto/fail.h"

#include <stdlib.h>

void token_list_init(struct token_list *a, size_t max)
{
    *a = (struct token_list){.max = max};
}

int token_list_reserve(struct token_list *a, size_t more)
{
    size_t need, cap;
    int32_t *v;

    if (more > a->max - a->n) return ERR_TOO_LARGE;
    need = a->n + more;
    if (need <= a->cap) return 0;
    cap = a->cap > a->max / 2 ? a->max : 2 * a->cap;
    if (cap < need) cap = need;
    if (cap < 64) cap = a->max < 64 ? a->max : 64;
    if (cap > SIZE_MAX / sizeof *a->v) return ERR_OUT_OF_MEMORY;
    v = realloc(a->v, cap * sizeof *v);
    if (!v) return ERR_OUT_OF_MEMORY;
    a->v = v;
    a->cap = cap;
    return 0;
}

int token_list_push(struct token_list *a, int32_t id)
{
    int err = token_list_reserve(a, 1);

    if (err) return err;
    a->v[a->n++] = id;
    return 0;
}

void token_list_free(struct token_list *a)
{
    free(a->v);
    *a = (struct token_list){.max = a->max};
}
