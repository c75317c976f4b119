/* http_asked - the pieces of a body are put one behind the other. */
#include "server/net/http_asked.h"

#include <stdlib.h>
#include <string.h>

struct http_asked *http_asked_new(const char *bytes, size_t n)
{
    struct http_asked *r = calloc(1, sizeof *r + n);

    if (r) memcpy(r->bytes, bytes, n);
    return r;
}

void http_asked_free(struct http_asked *r)
{
    if (r) text_free(&r->content);
    free(r);
}

void http_asked_read(struct http_asked *r)
{
    const struct head *h = &r->head;

    head_list(h, "if-none-match", r->match, sizeof r->match);
    r->q = (struct http_request){.method = h->method,
                                 .path = h->path,
                                 .query = h->query,
                                 .if_none_match = r->match,
                                 .head = h,
                                 .body = ""};
}

int http_asked_body(struct http_asked *r, int64_t max, struct fail *f)
{
    text_init(&r->content, 0, (size_t)max + 1);
    return body_begin(&r->body, &r->head, max, f);
}

int http_asked_feed(struct http_asked *r, const char *bytes, size_t n, size_t *used, struct fail *f)
{
    int status = 0;

    for (*used = 0; !status && *used < n && !body_whole(&r->body);) {
        struct body_piece piece;
        size_t now;

        status = body_feed(&r->body, bytes + *used, n - *used, &now, &piece, f);
        *used += now;
        if (piece.n) text_bytes(&r->content, piece.at, piece.n);
    }
    r->q.body = r->content.len ? r->content.at : "";
    r->q.len = r->content.len;
    if (!status && text_check(&r->content, f)) return 500;
    return status;
}
