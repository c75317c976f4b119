/* gradio_login - POST /login as Client(.., auth=("name", "token")) sends it: the password is a
 * token, for which it is given the page's cookie. */
#include "proto/limits.h"
#include "server/http/gradio.h"
#include "server/http/multipart.h"
#include "server/http/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void keep(char out[GRADIO_PASSWORD], const char *value, size_t n)
{
    bool fits = n < GRADIO_PASSWORD && !memchr(value, 0, n);

    if (fits) memcpy(out, value, n);
    out[fits ? n : 0] = 0;
}

/* "username=..&password=..", each once */
static void read_fields(const struct http_request *q, char out[GRADIO_PASSWORD])
{
    char *fields = malloc(q->len + 1);
    struct fail f;

    *out = 0;
    if (!fields) return;
    memcpy(fields, q->body, q->len);
    fields[q->len] = 0;
    if (!query_check(fields, &f)) query_value(fields, "password", out, GRADIO_PASSWORD);
    free(fields);
}

static void read_parts(struct multipart *m, char out[GRADIO_PASSWORD])
{
    struct multipart_part part;
    struct fail f;
    int found = 0;

    *out = 0;
    while (multipart_next(m, &part, &f) > 0)
        if (strcmp(part.name, "password") == 0 && !found++) keep(out, part.value, part.len);
    if (found > 1) *out = 0;
}

void gradio_login(const struct http_request *q, struct http_reply *r)
{
    const struct http_asker *a = q->asker;
    char password[GRADIO_PASSWORD], cookie[HTTP_COOKIE_BYTES] = "";
    struct multipart m;
    struct text t;
    struct fail f;

    if (multipart_begin(&m, request_header(q, "content-type"), q->body, q->len))
        read_parts(&m, password);
    else
        read_fields(q, password);
    if (a->sign && !a->sign(a, password, cookie, &f)) {
        gradio_refuse(r, &f, fail_status(f.code));
        return;
    }
    reply_init(r, 200);
    snprintf(r->cookie, sizeof r->cookie, "%s", cookie);
    text_init(&t, 0, 64);
    text_raw(&t, "{\"success\":true}");
    reply_text(r, &t, "application/json");
}
