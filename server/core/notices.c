/* notices - a slot for each kind. */
#include "server/core/notices.h"

#include <stdlib.h>

void notices_free(struct notices *b)
{
    for (int i = 0; i < NOTICE_KINDS; i++) {
        if (b->slot[i]) blob_unref(b->slot[i]->message);
        free(b->slot[i]);
        b->slot[i] = NULL;
    }
}

bool notices_post(struct notices *b, uint64_t seq, const struct notice *n, struct blob *message)
{
    struct notice_slot **at = &b->slot[n->kind];

    if (message && !*at) *at = calloc(1, sizeof **at);
    if (!message || !*at) {
        blob_unref(message);
        return false;
    }
    blob_unref((*at)->message);
    **at = (struct notice_slot){.seq = seq, .notice = *n, .message = message};
    return true;
}

static const struct notice_slot *sooner(const struct notices *b, uint64_t seq,
                                        const struct notice_slot *found)
{
    for (int i = 0; i < NOTICE_KINDS; i++) {
        const struct notice_slot *s = b->slot[i];

        if (s && s->seq > seq && (!found || s->seq < found->seq)) found = s;
    }
    return found;
}

const struct notice_slot *notices_next(const struct notices *a, const struct notices *b,
                                       uint64_t seq)
{
    return sooner(b, seq, sooner(a, seq, NULL));
}

int notices_held(const struct notices *b, const struct notice **out, int max)
{
    int n = 0;

    for (int i = 0; i < NOTICE_KINDS && n < max; i++)
        if (b->slot[i] && *b->slot[i]->notice.text) out[n++] = &b->slot[i]->notice;
    return n;
}
