/* notice - one writer for both places that a notice stands in. */
#include "proto/notice.h"

#include <assert.h>

static const char *const KIND[NOTICE_KINDS] = {"drain", "message", "quota", "removed", "user"};

const char *notice_kind_name(enum notice_kind kind)
{
    assert((int)kind >= 0 && kind < NOTICE_KINDS);
    return KIND[kind];
}

static void write_members(const struct notice *n, struct text *out)
{
    text_string(out, "kind", notice_kind_name(n->kind));
    text_string(out, "text", *n->text ? n->text : NULL);
    if (n->own) text_bool(out, "own", true);
    if (n->at_ms > 0) text_int(out, "at_ms", n->at_ms);
    if (n->count == 0) return;
    text_int(out, "count", n->count);
    text_int(out, "bytes", n->bytes);
    text_open(out, "jobs", '[');
    for (int i = 0; i < n->count && i < LIMIT_NOTICE_JOBS; i++)
        text_id(out, NULL, n->job[i]);
    text_close(out, ']');
}

void notice_encode(const struct notice *n, int64_t now_ms, struct text *out)
{
    text_open(out, NULL, '{');
    text_string(out, "type", "notice");
    write_members(n, out);
    if (n->at_ms > 0) text_int(out, "in_ms", n->at_ms > now_ms ? n->at_ms - now_ms : 0);
    text_close(out, '}');
}

void notice_write(const struct notice *n, struct text *out)
{
    text_open(out, NULL, '{');
    write_members(n, out);
    text_close(out, '}');
}
