/* gradio - what gradio_client and scripts for a Gradio interface expect.
 *
 * One function, `predict`, with the arguments of GRADIO_INPUTS and two results: the picture, and a
 * text that says how it was drawn. POST /api/predict and /run/predict answer when it is done, as
 * Gradio 3 and 4 did; there the picture is the string "data:image/png;base64,..", which the image
 * component of Gradio 3 sent. The queue (join, data, call), the protocol sse_v3 of Gradio 4 to 6,
 * gives a file instead, below file=outputs/, with the size in its name.
 * What routes.c has below /gradio_api/ is also served without that: so Gradio 3 and 4 had it.
 * A picture to begin with is uploaded first (POST /upload), as any upload of its user; its path,
 * uploads/DIGEST.png, names it and gives no right: what another user has is not found.
 * An event of the queue is a job, its event_id the job's id. The key of a job holds a digest of its
 * session: so a stream of /queue/data finds the jobs of its session in `list`, and there is no
 * second table. A job of the queue that has no stream for a minute is cancelled.
 * Thread: the loop's.
 * source gradio_client 2.7, client.py and utils.py; gradio 5.49, routes.py */
#ifndef SERVER_HTTP_GRADIO_H
#define SERVER_HTTP_GRADIO_H

#include "proto/spec.h"
#include "server/http/drawing.h"
#include "server/http/exchange.h"

/* What the addresses of newer versions begin with. */
#define GRADIO_PREFIX "/gradio_api"

extern const struct translator GRADIO_PREDICT; /* answers with the picture */
/* GRADIO_JOIN: /queue/join and /call. GRADIO_NAMED: /call/v2. GRADIO_RESULT: the second step of
 * both. GRADIO_END: /cancel and /reset. */
extern const struct translator GRADIO_JOIN, GRADIO_NAMED, GRADIO_DATA, GRADIO_RESULT, GRADIO_END,
    GRADIO_HEARTBEAT;
extern const struct translator GRADIO_CONFIG, GRADIO_INFO;
extern const struct translator GRADIO_UPLOAD; /* POST /upload: `files` of a form, their paths */

/* GET file=outputs/NAME: a picture by the name that a result has. */
void gradio_file(struct store *, const struct http_request *, struct http_reply *);
/* GET file=uploads/NAME: an upload of who asks, by the path that it has. */
void gradio_upload_file(struct store *, const struct hub *, const struct http_request *,
                        struct http_reply *);

/* POST /login: a token for a cookie. */
void gradio_login(const struct http_request *, struct http_reply *);

/* --- for the parts of the dialect ------------------------------------------------------------- */

enum {
    GRADIO_ARGUMENTS = 8,
    GRADIO_ASKED = 24,    /* a size as text */
    GRADIO_PASSWORD = 512 /* at most, with its NUL */
};

struct gradio_input {
    const char *name, *label, *component;
    enum spec_id field; /* SPEC_FIELDS: this model has no such thing */
};
/* The last one is the picture to begin with .. */
extern const struct gradio_input GRADIO_INPUTS[GRADIO_ARGUMENTS];
/* .. which is none where the model reads no pictures: so many there are. */
int gradio_arguments(const struct exchange *);

/* Errors as {"error":..}; also {"detail":..}, where newer clients look. */
void gradio_refuse(struct http_reply *, const struct fail *, int status);
/* {"prompt":..,"steps":..} as {"data":[..]}, owned by the caller. NULL: ERR_BAD_FIELD, there is no
 * such argument. */
json_t *gradio_by_place(const struct exchange *, const json_t *named, struct fail *);
/* What a script's {"data":[..]} asks for; the caller owns *spec, pictures are attached to the
 * drawing. *asked: "1000x700", a size that was brought to another one, or "". */
int gradio_read(struct exchange *, struct drawing *, const json_t *body, json_t **spec,
                char asked[GRADIO_ASKED], struct fail *);
/* The second result: how it was drawn. */
void gradio_write_text(const struct drawn *, const char *asked, const json_t *notes, struct text *);
/* Both results, the picture as a file. origin: "http://host/" */
void gradio_write_data(const struct drawn *, const char *asked, const char *origin, struct text *);

#endif
