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
    int64_t until_us;
    struct upload *next;
};

static int64_t idle_until(int64_t now)
{
    return now + (int64_t)LIMIT_UPLOAD_IDLE_S * 1000000;
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

static int check_room(struct hub *h, const struct account *a, size_t bytes, struct fail *f)
{
    int n = 0;

    for (const struct upload *u = h->uploads; u; u = u->next)
        n += u->owner == a;
    if (n >= LIMIT_UPLOADS) return too_many(h, "Too many of your files are on their way", f);
    if (h->upload_bytes + bytes > LIMIT_UPLOAD_MEMORY)
        return too_many(h, "Too many files are on their way to this server", f);
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
    return check_room(h, p->account, (size_t)bytes, f);
}

static struct upload *make(struct hub *h, int64_t now, struct account *a, size_t bytes,
                           bool private)
{
    struct upload *u = calloc(1, sizeof *u);

    if (u) u->memory = malloc(BLOB_HEAD + bytes);
    if (!u || !u->memory) {
        free(u);
        return NULL;
    }
    u->owner = a;
    u->private = private;
    u->bytes = bytes;
    u->until_us = idle_until(now);
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
    struct account *who = a->client->account;
    struct upload *u;
    int err;

    if (c->upload) {
        u = find(h, who, c->upload);
        if (!u) return fail_unknown(f);
        u->broken = false;
        u->until_us = idle_until(now);
    } else {
        err = check_new(h, now, a->client, c->bytes, f);
        if (err) return err;
        u = make(h, now, who, (size_t)c->bytes, c->private);
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
    u->until_us = idle_until(now);
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

    if (!err) u = make(h, now, a->client->account, len, private);
    if (!err && !u) err = fail_memory(&f);
    if (!err) {
        memcpy(u->memory + BLOB_HEAD, bytes, len);
        err = hand_out(h, now, a, u, &f);
    }
    if (err) respond_error(h, a, &c, &f);
}

/* False: memory is short, or has enough of them. */
static bool keep_private(struct hub *h, int64_t now, struct account *a, const struct hub_image *i)
{
    struct private_image **old = private_at(h, a, i->image.digest), *m;

    if (*old) forget_private(h, old);
    if (h->private_bytes + i->png->len > LIMIT_PRIVATE_IMAGES) return false;
    m = calloc(1, sizeof *m);
    if (!m) return false;
    *m = (struct private_image){.owner = a,
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
    if (!u || !u->private || keep_private(h, now, u->owner, i)) return 0;
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
