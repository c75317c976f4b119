/* images - one command each, whose answer is passed on. */
#include "server/http/images.h"

#include "proto/spec_images.h"
#include "server/http/multipart.h"
#include "server/http/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool images_named(const char *word)
{
    uint8_t digest[SPEC_DIGEST_BYTES];

    return spec_digest_parse(word, digest);
}

/* --- upload ----------------------------------------------------------------------------------- */

struct taken {
    const char *file;
    size_t len;
    bool found, private;
    bool told; /* it was said whether it is private */
};

/* A word that is not understood must not keep a picture that was to be private. */
static int take_private(const struct multipart_part *p, struct taken *t, struct fail *f)
{
    if (t->told) {
        fail_field(f, ERR_BAD_FIELD, "private", "private is said twice");
        return fail_advise(f, "Send it once, as a parameter or as a field.");
    }
    t->told = true;
    if (query_truth(p->value, p->len, &t->private)) return 0;
    fail_field(f, ERR_BAD_FIELD, "private", "private is neither true nor false");
    return fail_advise(f, "Send true, or leave it out.");
}

/* The first file of a form, and its field `private`. */
static int take_form(struct multipart *m, struct taken *t, struct fail *f)
{
    struct multipart_part p;
    int got;

    while ((got = multipart_next(m, &p, f)) == 1) {
        if (strcmp(p.name, "private") == 0 && take_private(&p, t, f)) return ERR_BAD_FIELD;
        if (!p.file && strcmp(p.name, "image") != 0) continue;
        if (t->found) {
            fail_set(f, ERR_BAD_REQUEST, "The form has more than one file.");
            return fail_advise(f, "Send each in a request of its own.");
        }
        t->found = true;
        t->file = p.value;
        t->len = p.len;
    }
    if (got < 0 || t->found) return got;
    fail_set(f, ERR_BAD_REQUEST, "The form has no file.");
    return fail_advise(f, "Name the field of the file `image`.");
}

static void begin_upload(struct exchange *x, const struct http_request *q)
{
    const char *type = request_header(q, "content-type");
    struct taken t = {.file = q->body, .len = q->len};
    struct multipart m;
    struct fail f;
    char value[8];
    int err = query_true(q->query, "private", &t.private, &f);

    t.told = query_value(q->query, "private", value, sizeof value);
    if (!err && multipart_begin(&m, type, q->body, q->len)) err = take_form(&m, &t, &f);
    if (err)
        exchange_refuse(x, &f);
    else
        exchange_upload(x, "", t.file, t.len, t.private);
}

static void pass_uploaded(struct exchange *x, const struct blob *m, bool binary)
{
    struct fail f;

    if (binary) return;
    if (exchange_is(m, "image")) {
        exchange_pass(x, 201, m);
    } else if (exchange_is(m, "error")) {
        exchange_error(m, &f);
        exchange_refuse(x, &f);
    }
}

const struct translator IMAGES_UPLOAD = {
    .types = "application/json", .begin = begin_upload, .message = pass_uploaded};

/* --- list, discard ---------------------------------------------------------------------------- */

static void begin_list(struct exchange *x, const struct http_request *q)
{
    (void)q;
    exchange_send_job(x, "uploads", NULL);
}

static void begin_discard(struct exchange *x, const struct http_request *q)
{
    json_t *c = json_pack("{ssss}", "type", "discard", "image", q->param[0].text);

    exchange_send(x, c);
    json_decref(c);
}

static void pass_answer(struct exchange *x, const struct blob *m, bool binary)
{
    struct fail f;

    if (binary || exchange_is(m, "notice") || exchange_is(m, "user")) return; /* for who stays */
    if (exchange_is(m, "error")) {
        exchange_error(m, &f);
        exchange_refuse(x, &f);
    } else {
        exchange_pass(x, 200, m);
    }
}

#define CALL(name)                                                         \
    {                                                                      \
        .types = "application/json", .begin = name, .message = pass_answer \
    }

const struct translator IMAGES_LIST = CALL(begin_list), IMAGES_DISCARD = CALL(begin_discard);

/* --- their files ------------------------------------------------------------------------------ */

/* A private one is sent from memory. */
static bool send_private(const struct hub *hub, uint32_t user, const char *digest,
                         struct http_reply *r)
{
    const struct blob *b = hub_private_upload(hub, user, digest);

    if (!b) return false;
    reply_init(r, 200);
    if (reply_picture(r, b->data, b->len, "image/png")) r->cache = "private, no-store";
    return true;
}

void images_file(struct store *s, const struct hub *hub, const struct http_request *q,
                 struct http_reply *r)
{
    const struct store_asker who = {.uploads = true,
                                    .user = q->asker->user ? q->asker->user->id : USER_NONE};
    const char *digest = q->param[0].text;
    struct store_file file;
    struct fail f;

    if (send_private(hub, who.user, digest, r)) return;
    if (store_find(s, &who, digest, &file, &f)) {
        reply_fail(r, &f, fail_status(f.code));
        return;
    }
    reply_init(r, 200);
    r->store = s;
    r->asker = who;
    r->fd = file.fd;
    r->bytes = file.bytes;
    r->type = "image/png";
    r->cache = "private, no-cache"; /* it can be removed */
    r->vary = who.user != USER_NONE ? "cookie, authorization" : NULL;
    snprintf(r->etag, sizeof r->etag, "\"%s\"", digest);
}
