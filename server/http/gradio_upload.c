/* gradio_upload - files of a form become uploads of their user, whose paths are the answer. */
#include "server/http/attach.h"
#include "server/http/gradio.h"
#include "server/http/images.h"
#include "server/http/multipart.h"

#include <stdio.h>
#include <string.h>

#define FOLDER "uploads/"

/* --- POST /upload ----------------------------------------------------------------------------- */

static int take_files(struct exchange *x, struct multipart *m, struct fail *f)
{
    struct attach *a = exchange_own(x);
    struct multipart_part p;
    int got, err = 0;

    while (!err && (got = multipart_next(m, &p, f)) != 0) {
        if (got < 0)
            err = got;
        else if (p.file && strcmp(p.name, "files") == 0)
            err = attach_file(x, a, "files", p.value, p.len, f);
    }
    if (err || a->n) return err;
    fail_field(f, ERR_BAD_FIELD, "files", "The form has no file in a field `files`");
    return fail_advise(f, "Send each picture as a file in a field of this name.");
}

static void begin_upload(struct exchange *x, const struct http_request *q)
{
    struct multipart m;
    struct fail f;
    int err;

    if (multipart_begin(&m, request_header(q, "content-type"), q->body, q->len)) {
        err = take_files(x, &m, &f);
    } else {
        err = fail_set(&f, ERR_BAD_REQUEST, "The request has no form.");
        fail_advise(&f, "Send the pictures as multipart/form-data, in fields `files`.");
    }
    if (err) exchange_refuse(x, &f);
}

static void answer_paths(struct exchange *x)
{
    const struct attach *a = exchange_own(x);
    char path[sizeof FOLDER + SPEC_DIGEST_TEXT + 4];
    struct text t;

    text_init(&t, 0, 4096);
    text_open(&t, NULL, '[');
    for (int i = 0; i < a->n; i++) {
        snprintf(path, sizeof path, FOLDER "%s.png", a->digest[i]);
        text_string(&t, NULL, path);
    }
    text_close(&t, ']');
    reply_text(exchange_reply(x, 200), &t, "application/json");
    exchange_answer(x);
}

static void take_upload(struct exchange *x, const struct blob *m, bool binary)
{
    struct attach *a = exchange_own(x);
    struct fail f;
    json_t *o;

    if (binary || exchange_state(x) != EXCHANGE_WAITS) return;
    if (exchange_is(m, "error")) {
        exchange_error(m, &f);
        exchange_refuse(x, &f);
    } else if (exchange_is(m, "image")) {
        o = exchange_read(m);
        attach_take(a, o);
        json_decref(o);
        if (!attach_waits(a)) answer_paths(x);
    }
}

const struct translator GRADIO_UPLOAD = {.state = sizeof(struct attach),
                                         .refuse = gradio_refuse,
                                         .begin = begin_upload,
                                         .message = take_upload};

/* --- their files ------------------------------------------------------------------------------ */

void gradio_upload_file(struct store *s, const struct hub *hub, const struct http_request *q,
                        struct http_reply *r)
{
    const char *name = strrchr(q->path, '/');
    struct http_request picture = *q;
    char *digest = picture.param[0].text;

    snprintf(digest, HTTP_PARAM_BYTES, "%.64s", name ? name + 1 : "");
    if (images_named(digest))
        images_file(s, hub, &picture, r);
    else
        reply_refuse(r, ERR_NOT_FOUND, "There is no such picture.",
                     "POST /gradio_api/upload answers with the paths of its pictures.");
}
