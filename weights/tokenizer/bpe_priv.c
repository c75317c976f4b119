/* bpe_priv - byte-level spelling, and the table of merges. */
#include "weights/tokenizer/bpe_priv.h"

uint32_t bpe_char_of(unsigned char b)
{
    if ((b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || b >= 0xae) return b;
    /* the bytes that do not print, in order, from U+0100 on: 0 to 32, 127 to 160, 173 */
    if (b <= ' ') return 256u + b;
    if (b <= 0xa0) return 256u + 33 + b - 0x7f;
    return 256u + 67;
}

size_t bpe_pair_slot(const struct bpe_pairs *p, int32_t left, int32_t right)
{
    uint64_t h = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9e3779b97f4a7c15u;
    size_t i = (size_t)(h >> 32);

    for (;; i++) {
        const struct bpe_pair *s = &p->slot[i & (p->slots - 1)];

        if (s->left < 0 || (s->left == left && s->right == right)) return i & (p->slots - 1);
    }
}

uint32_t bpe_rank(const struct bpe_pairs *p, int32_t left, int32_t right)
{
    const struct bpe_pair *s = &p->slot[bpe_pair_slot(p, left, right)];

    return s->left < 0 ? UINT32_MAX : s->rank;
}
