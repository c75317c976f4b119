/* http_out - a reply on its way into a socket: its head, then its body, or a stream in chunks.
 * Owner: the connection. Thread: the loop's. */
#ifndef SERVER_NET_HTTP_OUT_H
#define SERVER_NET_HTTP_OUT_H

#include "server/http/reply.h"

#include <stdbool.h>
#include <stdint.h>

struct http_out {
    struct text bytes; /* the head, and the chunks of a stream, that are not sent yet .. */
    size_t sent;       /* .. but for so many */
    int64_t body;      /* bytes of a body that were sent */
    bool old;          /* to a client of HTTP/1.0, which knows no chunks */
};

/* What a step came to: all is sent, the socket takes no more for now, the client is gone. */
enum out_step { OUT_DONE, OUT_WAIT, OUT_GONE };

/* Begin with the head; last: the connection ends with this reply. false: no memory. */
bool http_out_begin(struct http_out *, const struct http_reply *, bool last, bool old);
void http_out_free(struct http_out *);
/* Send the head and the body of a reply that is whole. OUT_WAIT also when others should get their
 * turn. */
enum out_step http_out_reply(struct http_out *, int fd, struct http_reply *);
/* Of a stream: add what was written as a chunk, and empty it; add the end; send what was added. */
bool http_out_chunk(struct http_out *, struct text *);
bool http_out_end(struct http_out *);
enum out_step http_out_send(struct http_out *, int fd);

#endif
