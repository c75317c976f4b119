/* pages - served from memory; a page's ETag is the digest of its bytes. */
#include "server/http/pages.h"

#include "server/worker/png.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *suffix, *type;
} TYPES[] = {
    {".html", "text/html; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".json", "application/json"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".webmanifest", "application/manifest+json"},
};

int pages_init(struct pages *s, const struct http_page *files, struct fail *f)
{
    memset(s, 0, sizeof *s);
    s->files = files;
    while (files[s->n].path)
        s->n++;
    s->etags = calloc((size_t)s->n + 1, sizeof *s->etags);
    if (!s->etags) return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the page.");
    for (int i = 0; i < s->n; i++) {
        char digest[PNG_DIGEST_TEXT];
        const struct http_page *p = &files[i];

        png_digest(p->start, (size_t)(p->end - p->start), digest);
        snprintf(s->etags[i], sizeof s->etags[i], "\"%.20s\"", digest);
    }
    return 0;
}

void pages_free(struct pages *s)
{
    free(s->etags);
    s->etags = NULL;
}

static const char *type_of(const char *path)
{
    size_t len = strlen(path);

    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++) {
        size_t n = strlen(TYPES[i].suffix);

        if (len > n && strcmp(path + len - n, TYPES[i].suffix) == 0) return TYPES[i].type;
    }
    return "application/octet-stream";
}

bool pages_route(const struct pages *s, const struct http_request *q, struct http_reply *r)
{
    const char *path = strcmp(q->path, "/") == 0 ? "/index.html" : q->path;

    for (int i = 0; i < s->n; i++) {
        const struct http_page *p = &s->files[i];

        if (strcmp(p->path, path) != 0) continue;
        reply_init(r, 200);
        r->type = type_of(path);
        r->cache = "no-cache";
        r->body = p->start;
        r->bytes = p->end - p->start;
        snprintf(r->etag, sizeof r->etag, "%s", s->etags[i]);
        return true;
    }
    return false;
}
