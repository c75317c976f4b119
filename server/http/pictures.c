/* pictures - a picture's ETag is the digest that its address names; it never changes. */
#include "server/http/pictures.h"

#include "proto/url.h"
#include "server/base/clock.h"
#include "server/http/grant.h"

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
    if (!reply_picture(r, b->data, b->len, "image/png")) return true;
    r->cache = "private, no-store";
    if (strcmp(q->method, "HEAD") != 0) r->once = job;
    return true;
}

/* By whose right the address alone shows the picture; USER_NONE: by nobody's. */
static uint32_t granted_by(const struct store *s, const struct hub *hub,
                           const struct http_request *q, const char *digest)
{
    uint32_t user;

    if (!*q->query || !hub) return USER_NONE;
    if (!grant_read(store_secret(s), digest, q->query, clock_unix_ms() / 1000, &user))
        return USER_NONE;
    return hub_knows(hub, user) ? user : USER_NONE;
}

bool pictures_granted(const struct store *s, const struct hub *hub, const struct http_request *q)
{
    char digest[URL_DIGEST];

    return url_picture_parse(q->path, digest) && granted_by(s, hub, q, digest) != USER_NONE;
}

/* Whose pictures who asks may see: a guest that one alone, if it belongs to its job. */
static struct store_asker asker_of(const struct hub *hub, const struct http_request *q,
                                   const char *digest)
{
    const struct user *user = q->asker->user;
    struct store_asker asker = {.all = !user || user->role == ROLE_ADMIN,
                                .user = user ? user->id : USER_NONE};

    if (q->asker->shared && hub) asker.all = hub_pictures(hub, q->asker->shared, digest);
    return asker;
}

/* What never changes: kept for a year, by shared caches only where everybody sees everything. */
static void set_caches(struct http_reply *r, bool user)
{
    r->cache =
        user ? "private, max-age=31536000, immutable" : "public, max-age=31536000, immutable";
    r->vary = user ? "cookie, authorization" : NULL;
}

void pictures_route(struct store *s, const struct hub *hub, const struct http_request *q,
                    struct http_reply *r)
{
    const struct user *user = q->asker->user;
    struct store_asker asker;
    uint32_t by;
    struct store_file file;
    struct fail f;
    char digest[URL_DIGEST];

    if (!url_picture_parse(q->path, digest)) {
        reply_refuse(r, ERR_NOT_FOUND, "There is no such picture.",
                     "Take the address from a job's result: /i/, 64 hex digits, .png.");
        return;
    }
    by = granted_by(s, hub, q, digest);
    asker = by ? (struct store_asker){.user = by} : asker_of(hub, q, digest);
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
    set_caches(r, user || by);
    snprintf(r->etag, sizeof r->etag, "\"%s\"", digest);
    if (wants_download(q->query)) {
        char *cut = strstr(file.name, digest); /* the first digits are enough to read */

        if (cut) snprintf(cut, sizeof file.name - (size_t)(cut - file.name), "%.8s.png", digest);
        snprintf(r->disposition, sizeof r->disposition, "attachment; filename=\"%s\"", file.name);
    }
}

/* --- thumbnails ------------------------------------------------------------------------------- */

enum { QUALITY = 85 };

struct small {
    struct store_asker asker;
    bool user; /* the service has users */
    char digest[URL_DIGEST], name[PICTURE_NAME_BYTES];
};

static void send_small(struct exchange *x, const struct blob *file)
{
    const struct small *s = exchange_own(x);
    struct http_reply *r = exchange_reply(x, 200);

    if (reply_picture(r, file->data, file->len, "image/jpeg")) {
        set_caches(r, s->user);
        snprintf(r->etag, sizeof r->etag, "\"%.64s-%d\"", s->digest, LIMIT_THUMBNAIL_PX);
    }
    exchange_answer(x);
}

static void make_small(struct exchange *x)
{
    struct small *s = exchange_own(x);
    struct store_file file;
    struct fail f;
    int err = store_find(exchange_backend(x)->store, &s->asker, s->digest, &file, &f);

    if (!err) memcpy(s->name, file.name, sizeof s->name);
    if (!err && !exchange_convert(x, &file, PICTURE_JPEG, QUALITY, LIMIT_THUMBNAIL_PX))
        err = fail_set(&f, ERR_OUT_OF_MEMORY, "No memory for the picture.");
    if (err) exchange_refuse(x, &f);
}

static void begin_small(struct exchange *x, const struct http_request *q)
{
    const struct backend *b = exchange_backend(x);
    struct small *s = exchange_own(x);
    struct blob *file = NULL;
    struct fail f;
    int err;

    if (!url_thumbnail_parse(q->path, s->digest)) {
        fail_set(&f, ERR_NOT_FOUND, "There is no such picture.");
        fail_advise(&f, "Its address is that of the picture with /t/ for /i/ and .jpg for .png.");
        exchange_refuse(x, &f);
        return;
    }
    s->asker = asker_of(b->hub, q, s->digest);
    s->user = q->asker->user != NULL;
    err = store_thumbnail(b->store, &s->asker, s->digest, &file, &f);
    if (err)
        exchange_refuse(x, &f);
    else if (file)
        send_small(x, file);
    else
        make_small(x);
    blob_unref(file);
}

static void made_small(struct exchange *x, struct blob *file)
{
    const struct small *s = exchange_own(x);
    struct fail f;

    if (file) {
        store_keep_thumbnail(exchange_backend(x)->store, s->name, s->digest, file);
        send_small(x, file);
        return;
    }
    fail_set(&f, ERR_OUT_OF_MEMORY, "No memory for the picture.");
    exchange_refuse(x, &f);
}

/* It asks the hub nothing. */
static void ignore(struct exchange *x, const struct blob *message, bool binary)
{
    (void)x, (void)message, (void)binary;
}

const struct translator PICTURES_THUMBNAIL = {.state = sizeof(struct small),
                                              .lasting = true,
                                              .begin = begin_small,
                                              .message = ignore,
                                              .converted = made_small};
