/* multipart - from one boundary to the next. */
#include "server/http/multipart.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The value of a parameter such as boundary= or name= in a header; false: there is none, or it is
 * longer than out. */
static bool parameter(const char *text, size_t len, const char *name, char *out, size_t size)
{
    const size_t n = strlen(name);

    for (size_t i = 0; i + n + 1 < len; i++) {
        bool begins = i == 0 || strchr("; \t", text[i - 1]) != NULL;
        bool quoted;
        size_t from, to;

        if (!begins || strncasecmp(text + i, name, n) != 0 || text[i + n] != '=') continue;
        from = i + n + 1;
        quoted = from < len && text[from] == '"';
        from += quoted;
        for (to = from;
             to < len && !(quoted ? text[to] == '"' : strchr("; \t\r", text[to]) != NULL); to++)
            ;
        if (to == from || to - from >= size) return false;
        memcpy(out, text + from, to - from);
        out[to - from] = '\0';
        return true;
    }
    return false;
}

bool multipart_begin(struct multipart *m, const char *type, const char *body, size_t len)
{
    char boundary[MULTIPART_BOUNDARY + 1];

    *m = (struct multipart){.body = body, .len = len};
    if (strncasecmp(type, "multipart/form-data", 19) != 0) return false;
    if (!parameter(type, strlen(type), "boundary", boundary, sizeof boundary)) return false;
    m->mark = (size_t)snprintf(m->boundary, sizeof m->boundary, "\r\n--%s", boundary);
    return true;
}

static int bad(struct fail *f)
{
    fail_set(f, ERR_BAD_REQUEST, "The form is cut short or malformed.");
    return fail_advise(f, "Send multipart/form-data as RFC 7578 has it.");
}

/* One header of a part; only Content-Disposition says something. */
static void read_header(const char *line, size_t len, struct multipart_part *out)
{
    static const char name[] = "content-disposition:";
    char file[8];

    if (len < sizeof name || strncasecmp(line, name, sizeof name - 1) != 0) return;
    if (!parameter(line, len, "name", out->name, sizeof out->name)) *out->name = '\0';
    out->file = parameter(line, len, "filename", file, sizeof file)
                || memmem(line, len, "filename", 8) != NULL;
}

/* Behind a boundary: CRLF, headers, an empty line. */
static bool read_headers(struct multipart *m, struct multipart_part *out)
{
    while (m->at < m->len) {
        const char *line = m->body + m->at, *end = memmem(line, m->len - m->at, "\r\n", 2);

        if (!end) return false;
        m->at += (size_t)(end - line) + 2;
        if (end == line) return true;
        read_header(line, (size_t)(end - line), out);
    }
    return false;
}

int multipart_next(struct multipart *m, struct multipart_part *out, struct fail *f)
{
    const char *end;
    size_t first = m->at ? m->mark : m->mark - 2; /* the first one has no line before it */

    *out = (struct multipart_part){.len = 0};
    if (m->len - m->at < first + 2
        || memcmp(m->body + m->at, m->boundary + m->mark - first, first) != 0)
        return bad(f);
    m->at += first;
    if (memcmp(m->body + m->at, "--", 2) == 0) return 0;
    if (memcmp(m->body + m->at, "\r\n", 2) != 0) return bad(f);
    m->at += 2;
    if (!read_headers(m, out)) return bad(f);
    out->value = m->body + m->at;
    end = memmem(out->value, m->len - m->at, m->boundary, m->mark);
    if (!end) return bad(f);
    out->len = (size_t)(end - out->value);
    m->at += out->len;
    return 1;
}
