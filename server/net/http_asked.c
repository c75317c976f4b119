/* http_asked - the pieces of a body are put one behind the other. */
#include "server/net/http_asked.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct http_asked *http_asked_new(const char *bytes, size_t n)
{
    struct http_asked *r = calloc(1, sizeof *r + n);

    if (r) memcpy(r->bytes, bytes, n);
    return r;
}

void http_asked_free(struct http_asked *r)
{
    if (r) text_free(&r->content);
    if (r && r->lifts) lift_free(&r->lift);
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

/* JSON with pictures in it: parsed and decoded at its end it would stop the loop. */
static bool lifts(const struct http_asked *r)
{
    return r->route->body == HTTP_FORM
           && strncasecmp(head_value(&r->head, "content-type"), "multipart/", 10) != 0;
}

int http_asked_body(struct http_asked *r, int64_t max, struct fail *f)
{
    r->lifts = lifts(r);
    if (r->lifts) {
        lift_init(&r->lift);
        r->q.lift = &r->lift;
    }
    text_init(&r->content, 0, (size_t)max + 1);
    return body_begin(&r->body, &r->head, max, f);
}

int http_asked_feed(struct http_asked *r, const char *bytes, size_t n, size_t *used, struct fail *f)
{
    const struct text *t = r->lifts ? &r->lift.text : &r->content;
    int status = 0;

    for (*used = 0; !status && *used < n && !body_whole(&r->body);) {
        struct body_piece piece;
        size_t now;

        status = body_feed(&r->body, bytes + *used, n - *used, &now, &piece, f);
        *used += now;
        if (piece.n && !r->lifts) text_bytes(&r->content, piece.at, piece.n);
        if (piece.n && r->lifts && !status) status = lift_feed(&r->lift, piece.at, piece.n, f);
    }
    r->q.body = t->len ? t->at : "";
    r->q.len = t->len;
    if (!status && text_check(&r->content, f)) return 500;
    return status;
}
