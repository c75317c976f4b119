/* uploads - a list of files on their way, and one of private pictures. */
#include "server/core/uploads.h"

#include "server/core/notify.h"
#include "server/core/request.h"
#include "server/core/respond.h"

#include "proto/answer.h"
#include "proto/chunk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct upload {
    uint64_t id, ticket; /* ticket: it was handed out; 0: it was not */
    struct account *owner;
    bool private, broken; /* broken: a part was refused */
    char *memory;         /* BLOB_HEAD, then the bytes; NULL when it was handed out */
    size_t bytes, received;
    uint64_t host, connection;           /* that it came from last; connection 0: that is closed */
    int64_t heard_us, until_us, last_us; /* last_us: when it is to be whole */
    struct upload *next;
};

static int64_t seconds(int64_t n)
{
    return n * 1000000;
}

static void sooner(struct hub *h, int64_t at)
{
    if (at < h->uploads_us) h->uploads_us = at;
}

/* --- the lists -------------------------------------------------------------------------------- */

static struct upload *find(const struct hub *h, const struct account *a, uint64_t id)
{
    struct upload *u = h->uploads;

    while (u && (u->id != id || u->owner != a || u->ticket))
        u = u->next;
    return u;
}

/* It goes on, from this client. */
static void hear(struct upload *u, const struct client *p, int64_t now)
{
    const int64_t idle_us = now + seconds(LIMIT_UPLOAD_IDLE_S);

    u->host = p->host;
    u->connection = p->number;
    u->heard_us = now;
    u->until_us = idle_us < u->last_us ? idle_us : u->last_us;
}

static void drop(struct hub *h, struct upload **at)
{
    struct upload *u = *at;

    *at = u->next;
    h->upload_bytes -= u->bytes;
    free(u->memory);
    free(u);
}

static void drop_one(struct hub *h, const struct upload *which)
{
    struct upload **at = &h->uploads;

    while (*at != which)
        at = &(*at)->next;
    drop(h, at);
}

static void forget_private(struct hub *h, struct private_image **at)
{
    struct private_image *m = *at;

    *at = m->next;
    h->private_bytes -= m->file->len;
    blob_unref(m->file);
    free(m);
}

static struct private_image **private_at(struct hub *h, const struct account *a,
                                         const uint8_t digest[SPEC_DIGEST_BYTES])
{
    struct private_image **at = &h->private_images;

    while (*at
           && ((*at)->owner != a || memcmp((*at)->image.digest, digest, SPEC_DIGEST_BYTES) != 0))
        at = &(*at)->next;
    return at;
}

const struct private_image *uploads_private(const struct hub *h, const struct account *a,
                                            const uint8_t digest[SPEC_DIGEST_BYTES])
{
    const struct private_image *m = h->private_images;

    while (m && (m->owner != a || memcmp(m->image.digest, digest, SPEC_DIGEST_BYTES) != 0))
        m = m->next;
    return m;
}

/* --- a new one -------------------------------------------------------------------------------- */

static int too_many(struct hub *h, const char *message, struct fail *f)
{
    h->stats.totals.limited[LIMITED_SUBMITS]++;
    fail_set(f, ERR_RATE_LIMITED, "%s", message);
    f->retry_after_ms = 1000;
    return fail_advise(f, "Wait until others are done, or discard one.");
}

/* Do both come from one sender? That is a user. Where there are no users it is another machine; on
 * this one, where proxies and scripts share an address, it is one connection. */
static bool is_of(const struct upload *u, const struct client *p)
{
    if (u->owner != p->account) return false;
    if (u->owner->user.id != USER_NONE) return true;
    return p->host ? u->host == p->host : !u->host && u->connection == p->number;
}

struct use {
    int all, mine;
    size_t bytes; /* of mine */
};

static struct use use_of(const struct hub *h, const struct client *p)
{
    struct use use = {0};

    for (const struct upload *u = h->uploads; u; u = u->next) {
        use.all++;
        if (!is_of(u, p)) continue;
        use.mine++;
        use.bytes += u->bytes;
    }
    return use;
}

/* A sender may have as much as is then still free, so that the next one finds room, too. */
static bool has_room(const struct hub *h, const struct use *use, size_t bytes)
{
    return use->all < LIMIT_UPLOADS_ALL
           && h->upload_bytes + use->bytes + 2 * bytes <= LIMIT_UPLOAD_MEMORY;
}

/* The one that has waited longest for its client to come back goes. False: there is none. */
static bool drop_left_alone(struct hub *h, int64_t now)
{
    const struct upload *oldest = NULL;

    for (const struct upload *u = h->uploads; u; u = u->next)
        if (!u->ticket && !u->connection && u->heard_us + seconds(LIMIT_UPLOAD_ALONE_S) <= now
            && (!oldest || u->heard_us <= oldest->heard_us))
            oldest = u;
    if (oldest) drop_one(h, oldest);
    return oldest != NULL;
}

static int check_room(struct hub *h, int64_t now, const struct client *p, size_t bytes,
                      struct fail *f)
{
    struct use use = use_of(h, p);

    if (use.mine >= LIMIT_UPLOADS) return too_many(h, "Too many of your files are on their way", f);
    while (!has_room(h, &use, bytes)) {
        if (use.bytes + bytes > LIMIT_IMAGE_BYTES)
            return too_many(h, "Your files that are on their way take their share of memory", f);
        if (!drop_left_alone(h, now))
            return too_many(h, "Too many files are on their way to this server", f);
        use = use_of(h, p);
    }
    return 0;
}

/* May this client send a file of so many bytes? */
static int check_new(struct hub *h, int64_t now, struct client *p, int64_t bytes, struct fail *f)
{
    if (p->account->gone || p->account->user.role < ROLE_USER) {
        fail_set(f, ERR_FORBIDDEN, "You may look, but not draw");
        return fail_advise(f, "Ask the administrator of this server for the role `user`.");
    }
    if (h->conf.limits->no_images) {
        fail_set(f, ERR_BAD_REQUEST, "%s", h->conf.limits->no_images);
        return fail_advise(f, "There is nothing that a picture could be uploaded for.");
    }
    if (bytes > LIMIT_IMAGE_BYTES) {
        fail_field(f, ERR_TOO_LARGE, "bytes", "A picture's file may have %d bytes",
                   LIMIT_IMAGE_BYTES);
        return fail_advise(f, "Make it smaller, for example as a JPEG.");
    }
    if (bytes < 1) return fail_field(f, ERR_BAD_IMAGE, "image", "The file has no bytes");
    if (request_often(h, now, p, f)) return f->code;
    return check_room(h, now, p, (size_t)bytes, f);
}

static struct upload *make(struct hub *h, int64_t now, const struct client *p, size_t bytes,
                           bool private)
{
    struct upload *u = calloc(1, sizeof *u);

    if (u) u->memory = malloc(BLOB_HEAD + bytes);
    if (!u || !u->memory) {
        free(u);
        return NULL;
    }
    u->owner = p->account;
    u->private = private;
    u->bytes = bytes;
    u->last_us = now + seconds(LIMIT_UPLOAD_S + (int64_t)bytes / LIMIT_UPLOAD_SLOWEST);
    hear(u, p, now);
    do
        u->id = h->out.random(h->out.arg);
    while (u->id == 0);
    u->next = h->uploads;
    h->uploads = u;
    h->upload_bytes += bytes;
    sooner(h, u->until_us);
    return u;
}

static void answer(struct hub *h, struct pending_reply *a, const struct upload *u)
{
    const struct answer_upload say = {u->id, (int64_t)u->received, (int64_t)u->bytes};
    struct text t;

    respond_begin(&t);
    answer_upload(a->ref, &say, &t);
    respond_text(h, a, &t);
}

static int fail_memory(struct fail *f)
{
    return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the file");
}

static int fail_unknown(struct fail *f)
{
    fail_field(f, ERR_NOT_FOUND, "upload", "There is no such upload");
    return fail_advise(f, "Begin it again: nothing came for a while, or the server was restarted.");
}

static int begin(struct hub *h, int64_t now, struct pending_reply *a, const struct command *c,
                 struct fail *f)
{
    struct upload *u;
    int err;

    if (c->upload) {
        u = find(h, a->client->account, c->upload);
        if (!u) return fail_unknown(f);
        u->broken = false;
        hear(u, a->client, now);
    } else {
        err = check_new(h, now, a->client, c->bytes, f);
        if (err) return err;
        u = make(h, now, a->client, (size_t)c->bytes, c->private);
        if (!u) return fail_memory(f);
    }
    answer(h, a, u);
    return 0;
}

int uploads_chunk(struct hub *h, int64_t now, const struct client *p, const void *message,
                  size_t len, struct fail *f)
{
    struct file_part c;
    struct upload *u;
    int err = chunk_decode(message, len, &c, f);

    if (err) return err;
    u = find(h, p->account, c.upload);
    if (!u) return fail_unknown(f);
    if (u->broken) return 0;
    if (c.at != u->received || c.bytes > u->bytes - u->received) {
        u->broken = true;
        fail_field(f, ERR_CONFLICT, "upload", "%zu of %zu bytes are there, and other ones came",
                   u->received, u->bytes);
        return fail_advise(f, "Send `upload` with its id, and go on at `received`.");
    }
    memcpy(u->memory + BLOB_HEAD + c.at, c.data, c.bytes);
    u->received += c.bytes;
    hear(u, p, now);
    return 0;
}

/* --- a whole one ------------------------------------------------------------------------------ */

/* Its bytes leave, it stays to be counted until they come back. */
static int hand_out(struct hub *h, int64_t now, struct pending_reply *a, struct upload *u,
                    struct fail *f)
{
    struct hub_file file = {.ticket = h->tickets + 1,
                            .owner = u->owner->user.id,
                            .private = u->private,
                            .created_ms = notify_unix_ms(h, now)};

    file.bytes = blob_adopt(u->memory, u->bytes);
    u->memory = NULL;
    if (!file.bytes) {
        drop_one(h, u);
        return fail_memory(f);
    }
    a->ticket = u->ticket = ++h->tickets;
    h->out.take_image(h->out.arg, &file);
    blob_unref(file.bytes);
    return 0;
}

static int commit(struct hub *h, int64_t now, struct pending_reply *a, const struct command *c,
                  struct fail *f)
{
    struct upload *u = find(h, a->client->account, c->upload);

    if (!u) return fail_unknown(f);
    if (u->received == u->bytes) return hand_out(h, now, a, u, f);
    fail_field(f, ERR_CONFLICT, "upload", "%zu of %zu bytes are there", u->received, u->bytes);
    return fail_advise(f, "Send the rest first.");
}

void uploads_whole(struct hub *h, int64_t now, struct pending_reply *a, const void *bytes,
                   size_t len, bool private)
{
    const struct command c = {.kind = COMMAND_UPLOAD};
    struct upload *u = NULL;
    struct fail f;
    int err = check_new(h, now, a->client, (int64_t)len, &f);

    if (!err) u = make(h, now, a->client, len, private);
    if (!err && !u) err = fail_memory(&f);
    if (!err) {
        memcpy(u->memory + BLOB_HEAD, bytes, len);
        err = hand_out(h, now, a, u, &f);
    }
    if (err) respond_error(h, a, &c, &f);
}

/* Bytes of private pictures of who sent this. Strangers on this machine count as one here, since
 * what they have stays when their connection is closed. */
static size_t private_of(const struct hub *h, const struct upload *u)
{
    const bool stranger = u->owner->user.id == USER_NONE;
    size_t bytes = 0;

    for (const struct private_image *m = h->private_images; m; m = m->next)
        if (m->owner == u->owner && (!stranger || m->host == u->host)) bytes += m->file->len;
    return bytes;
}

/* False: memory is short, or has enough of them: a sender's share is as that of files on their way.
 */
static bool keep_private(struct hub *h, int64_t now, const struct upload *u,
                         const struct hub_image *i)
{
    struct private_image **old = private_at(h, u->owner, i->image.digest), *m;
    size_t twice = 2 * i->png->len;

    if (*old) forget_private(h, old);
    if (h->private_bytes + private_of(h, u) + twice > LIMIT_PRIVATE_IMAGES) return false;
    m = calloc(1, sizeof *m);
    if (!m) return false;
    *m = (struct private_image){.owner = u->owner,
                                .host = u->host,
                                .image = i->image,
                                .file = blob_ref(i->png),
                                .until_us = now + (int64_t)h->conf.private_s * 1000000,
                                .next = h->private_images};
    h->private_images = m;
    h->private_bytes += m->file->len;
    sooner(h, m->until_us);
    return true;
}

static int check_kept(struct hub *h, int64_t now, const struct upload *u, const struct hub_image *i,
                      struct fail *f)
{
    if (!u || !u->private || keep_private(h, now, u, i)) return 0;
    fail_set(f, ERR_OUT_OF_MEMORY, "There is no memory for another private picture");
    f->retry_after_ms = 60000;
    return fail_advise(f, "Discard one, or come back later.");
}

void uploads_taken(struct hub *h, int64_t now, const struct hub_image *i, const struct fail *why)
{
    const struct command about = {.kind = COMMAND_COMMIT};
    struct pending_reply *a = respond_ticket(h, i->ticket);
    struct answer_image say = {
        .image = &i->image, .bytes = i->bytes, .changed = i->changed, .private = i->private};
    struct upload *u = h->uploads;
    struct fail f;
    struct text t;

    while (u && u->ticket != i->ticket)
        u = u->next;
    if (!why && check_kept(h, now, u, i, &f) != 0) why = &f;
    if (u) drop_one(h, u);
    if (!a) return;
    a->ticket = 0;
    if (why) {
        respond_error(h, a, &about, why);
        return;
    }
    respond_begin(&t);
    answer_image(a->ref, &say, &t);
    respond_text(h, a, &t);
}

/* --- those that are there --------------------------------------------------------------------- */

static void list(struct hub *h, struct pending_reply *a)
{
    const struct account *who = a->client->account;
    struct text t;

    respond_begin(&t);
    answer_images_begin(a->ref, &t);
    for (const struct private_image *m = h->private_images; m; m = m->next) {
        const struct answer_image say = {
            .image = &m->image, .bytes = (int64_t)m->file->len, .changed = "[]", .private = true};

        if (m->owner == who) answer_image_row(&say, &t);
    }
    h->out.list_images(h->out.arg, who->user.id, &t);
    answer_images_end(&t);
    respond_text(h, a, &t);
}

/* One in memory goes at once: jobs that begin with it have their own reference. The answer waits
 * for the disk, since an upload that is said to be gone must not be there after a kill. */
static int discard(struct hub *h, struct pending_reply *a, const struct command *c, struct fail *f)
{
    const struct account *who = a->client->account;
    struct upload *u = c->upload ? find(h, who, c->upload) : NULL;
    struct private_image **m = private_at(h, who, c->image);
    const bool forgotten = *m != NULL;

    if (c->upload && !u) return fail_unknown(f);
    if (u) {
        drop_one(h, u);
        respond_ok(h, a, c, NULL);
        return 0;
    }
    if (forgotten) forget_private(h, m);
    a->ticket = ++h->tickets;
    h->out.discard_image(h->out.arg, a->ticket, who->user.id, c->image, forgotten);
    return 0;
}

void uploads_discarded(struct hub *h, uint64_t ticket, const struct fail *why)
{
    const struct command about = {.kind = COMMAND_DISCARD};
    struct pending_reply *a = respond_ticket(h, ticket);

    if (!a) return;
    a->ticket = 0;
    if (why)
        respond_error(h, a, &about, why);
    else
        respond_ok(h, a, &about, NULL);
}

void uploads_obey(struct hub *h, int64_t now, struct pending_reply *a, const struct command *c)
{
    struct fail f;
    int err = 0;

    switch (c->kind) {
    case COMMAND_UPLOAD: err = begin(h, now, a, c, &f); break;
    case COMMAND_COMMIT: err = commit(h, now, a, c, &f); break;
    case COMMAND_UPLOADS: list(h, a); break;
    default: err = discard(h, a, c, &f);
    }
    if (err) respond_error(h, a, c, &f);
}

void uploads_closed(struct hub *h, const struct client *p)
{
    for (struct upload *u = h->uploads; u; u = u->next)
        if (u->connection == p->number) u->connection = 0;
}

/* --- time ------------------------------------------------------------------------------------- */

static bool is_over(const struct account *a, int64_t until, int64_t now)
{
    return until <= now || (a->gone && a->user.id != USER_NONE);
}

void uploads_look(struct hub *h, int64_t now)
{
    if (now < h->uploads_us) return;
    h->uploads_us = INT64_MAX;
    for (struct upload **at = &h->uploads; *at;) {
        if (!(*at)->ticket && is_over((*at)->owner, (*at)->until_us, now)) {
            drop(h, at);
            continue;
        }
        if (!(*at)->ticket) sooner(h, (*at)->until_us);
        at = &(*at)->next;
    }
    for (struct private_image **at = &h->private_images; *at;) {
        if (is_over((*at)->owner, (*at)->until_us, now)) {
            forget_private(h, at);
            continue;
        }
        sooner(h, (*at)->until_us);
        at = &(*at)->next;
    }
}

int64_t uploads_due(const struct hub *h)
{
    return h->uploads_us;
}

void uploads_free(struct hub *h)
{
    while (h->uploads)
        drop(h, &h->uploads);
    while (h->private_images)
        forget_private(h, &h->private_images);
}
