/* pictures - a picture's ETag is the digest that its address names; it never changes. */
#include "server/http/pictures.h"

#include "proto/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool wants_download(const char *query)
{
    for (const char *at = query; at; at = strchr(at, '&')) {
        if (*at == '&') at++;
        if (strncmp(at, "download=1", 10) == 0 && (!at[10] || at[10] == '&')) return true;
    }
    return false;
}

bool pictures_private(const struct hub *hub, const struct http_request *q, struct http_reply *r)
{
    const struct user *user = q->asker->user;
    char digest[URL_DIGEST];
    uint64_t job;
    const struct blob *b;

    if (!url_picture_parse(q->path, digest)) return false;
    b = hub_private(hub, user ? user->id : USER_NONE, digest, &job);
    if (!b) return false;
    reply_init(r, 200);
    r->owned = malloc(b->len);
    if (!r->owned) {
        reply_refuse(r, ERR_OUT_OF_MEMORY, "No memory for the picture.", "Fetch it again later.");
        return true;
    }
    memcpy(r->owned, b->data, b->len);
    r->body = (const uint8_t *)r->owned;
    r->bytes = (int64_t)b->len;
    r->type = "image/png";
    r->cache = "private, no-store";
    if (strcmp(q->method, "HEAD") != 0) r->once = job;
    return true;
}

void pictures_route(struct store *s, const struct hub *hub, const struct http_request *q,
                    struct http_reply *r)
{
    const struct user *user = q->asker->user;
    struct store_asker asker = {.all = !user || user->role == ROLE_ADMIN,
                                .user = user ? user->id : USER_NONE};
    struct store_file file;
    struct fail f;
    char digest[URL_DIGEST];

    if (!url_picture_parse(q->path, digest)) {
        reply_refuse(r, ERR_NOT_FOUND, "There is no such picture.",
                     "Take the address from a job's result: /i/, 64 hex digits, .png.");
        return;
    }
    if (q->asker->shared && hub) asker.all = hub_pictures(hub, q->asker->shared, digest);
    if (store_find(s, &asker, digest, &file, &f)) {
        reply_fail(r, &f, fail_status(f.code));
        return;
    }
    reply_init(r, 200);
    r->store = s;
    r->asker = asker;
    r->fd = file.fd;
    r->bytes = file.bytes;
    r->type = "image/png";
    r->cache =
        user ? "private, max-age=31536000, immutable" : "public, max-age=31536000, immutable";
    r->vary = user ? "cookie, authorization" : NULL;
    snprintf(r->etag, sizeof r->etag, "\"%s\"", digest);
    if (wants_download(q->query)) {
        char *cut = strstr(file.name, digest); /* the first digits are enough to read */

        if (cut) snprintf(cut, sizeof file.name - (size_t)(cut - file.name), "%.8s.png", digest);
        snprintf(r->disposition, sizeof r->disposition, "attachment; filename=\"%s\"", file.name);
    }
}
