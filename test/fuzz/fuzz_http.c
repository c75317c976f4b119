/* fuzz_http - heads, bodies and queries of requests: the same bytes are read the same whole and in
 * pieces. */
#include "server/http/body.h"
#include "server/http/head.h"
#include "server/http/query.h"

#include <stdlib.h>
#include <string.h>

enum { MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Reads a body in steps; the bytes of it, -status when it is refused. *used: of the input. */
static long read_body(const struct head *h, const char *bytes, size_t len, size_t step,
                      size_t *used)
{
    struct body b;
    struct fail f;
    long n = 0;
    int status = body_begin(&b, h, MAX, &f);

    *used = 0;
    while (!status && *used < len && !body_whole(&b)) {
        size_t give = len - *used < step ? len - *used : step, now;
        struct body_piece p;

        status = body_feed(&b, bytes + *used, give, &now, &p, &f);
        *used += now;
        n += (long)p.n;
    }
    if (n > MAX) abort();
    return status ? -status : n;
}

static void try_query(const char *query)
{
    static const char *const none[] = {NULL};
    struct fail f;

    for (int kind = 0; kind < COMMAND_KINDS; kind++) {
        json_t *o = json_object();
        struct command c;
        struct spec_limits l;

        spec_limits_init(&l);
        if (query_command(query, (enum command_kind)kind, none, o, &f) == 0) {
            json_object_set_new(o, "type", json_string(command_kind_name((enum command_kind)kind)));
            if (command_read(o, &l, &c, &f) == 0) command_free(&c);
        }
        json_decref(o);
    }
}

static void try_head(const struct head *h, const char *rest, size_t n)
{
    size_t whole, pieces;

    if (head_body(h) && read_body(h, rest, n, n + 1, &whole) != read_body(h, rest, n, 1, &pieces))
        abort();
    if (head_body(h) && whole != pieces) abort();
    try_query(h->query);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    size_t n = head_length((const char *)data, len);
    char *copy = n && n <= HEAD_BYTES ? malloc(n) : NULL;
    struct head *h = copy ? malloc(sizeof *h) : NULL;
    struct fail f;

    if (h) {
        memcpy(copy, data, n);
        if (head_parse(h, copy, n, &f) == 0) try_head(h, (const char *)data + n, len - n);
    }
    free(h);
    free(copy);
    return 0;
}
