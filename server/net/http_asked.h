/* http_asked - one request on a connection, from its head until its reply begins; its body is
 * collected in memory. Owner: the connection. Thread: the loop's. */
#ifndef SERVER_NET_HTTP_ASKED_H
#define SERVER_NET_HTTP_ASKED_H

#include "server/http/body.h"
#include "server/http/head.h"
#include "server/http/lift.h"
#include "server/http/routes.h"

struct http_asked {
    struct head head;
    struct http_request q; /* what the routes are given; method NULL: not yet */
    const struct http_route *route;
    struct body body;
    struct text content; /* what came of the body */
    bool lifts;          /* it came to `lift` instead */
    struct lift lift;
    char match[512]; /* If-None-Match */
    char bytes[];    /* of the head */
};

/* With a copy of a whole head of n bytes, for head_parse(). NULL: no memory. */
struct http_asked *http_asked_new(const char *bytes, size_t n);
void http_asked_free(struct http_asked *); /* NULL is fine */
/* The head was parsed: fill in q. */
void http_asked_read(struct http_asked *);
/* Its body begins, of at most max bytes. 0, or an HTTP status with the reason in f. */
int http_asked_body(struct http_asked *, int64_t max, struct fail *f);
/* Some of it, as body_feed(); *used of the bytes are done with. */
int http_asked_feed(struct http_asked *, const char *bytes, size_t n, size_t *used, struct fail *f);

#endif
