/* drawing - the jobs of one request in a foreign dialect: submitted, followed, read as base64.
 *
 * Foreign dialects (openai.h, a1111.h, gradio.h) ask for a number of pictures in one request and
 * wait for them. This is what they share: one submit, whose pictures are its job, or the cells of a
 * sweep (`n`), are followed until their end, and cancelled when the connection is gone, as the
 * answer has no reader any more. What a dialect has and this model has not is accepted and named in
 * `notes`, which each answer carries.
 * Thread: the loop's. */
#ifndef SERVER_HTTP_DRAWING_H
#define SERVER_HTTP_DRAWING_H

#include "proto/frame.h"
#include "proto/id.h"
#include "proto/url.h"
#include "server/http/attach.h"
#include "server/http/exchange.h"

#define DRAWING_MAX     10 /* pictures of one request; as many as OpenAI's n */
#define DRAWING_BEAT_US 15000000

struct drawn {
    char job[ID_TEXT];
    bool started, over;
    double overall; /* 0 .. 1 */
    char digest[URL_DIGEST];
    int width, height, steps;
    double guidance;
    int64_t seed, bytes;
    double seconds;
};

struct drawing {
    int n, accepted, over;
    int64_t created_ms; /* Unix time */
    struct drawn all[DRAWING_MAX];
    struct fail why;      /* the first failure; code 0: none */
    struct attach attach; /* pictures that came with the request .. */
    json_t *held;         /* .. and the submit that waits for their digests; NULL: it was sent */
    json_t *notes;        /* array of strings */
    int keep_ms;          /* without a reader until it is cancelled; 0: not at all */
    bool fresh;           /* a job of its own, also where another one has drawn the picture */
    struct store_asker asker;
};

enum drawing_event {
    DRAWING_NOTHING,
    DRAWING_ACCEPTED,
    DRAWING_PROGRESS,
    DRAWING_DONE,  /* one more picture is there */
    DRAWING_FAILED /* `why`: the request has failed */
};

/* Who asks, no notes. */
void drawing_init(struct drawing *, const struct http_request *);
void drawing_asker(struct store_asker *, const struct http_request *);
void drawing_free(struct drawing *);
void drawing_note(struct drawing *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A member that has no effect. */
void drawing_unused(struct drawing *, const char *member);

/* Bring a size to the nearest that is drawn here, keeping its shape as far as that is possible. */
void drawing_legal(const struct spec_limits *, int *width, int *height);
/* Put a legal size into the spec, with a note when it is another one; 0: the server's own. */
void drawing_size(struct drawing *, const struct exchange *, json_t *spec, double width,
                  double height);

/* A number of a request, or text that is one ("64"), as scripts and forms send it. 1: *out is it;
 * 0: it was left out, as NULL, null or a blank text; else it is none, and f says so. name: what the
 * dialect calls it. */
int drawing_read(const json_t *, const char *name, double *out, struct fail *f);
/* Put such a number into the spec, brought into the field's range, with a note when it is another
 * one; left out: the server's own. 0, or f. */
int drawing_number(struct drawing *, const struct exchange *, json_t *spec, enum spec_id,
                   const char *name, const json_t *, struct fail *f);

/* Submit n pictures of this spec, which is borrowed: one job, or one sweep whose seeds follow one
 * another. They begin with what is attached, and are submitted when that is kept. key: of that job,
 * or NULL. */
void drawing_submit(struct exchange *, struct drawing *, json_t *spec, int n, const char *key);
/* What a message (no frame) says of them; *which: of the picture. */
enum drawing_event drawing_take(struct exchange *, struct drawing *, const struct blob *,
                                int *which);
/* What an event says of one job whose `accepted` is among its events. */
enum drawing_event drawn_take(struct drawn *, const char *type, const json_t *event,
                              struct fail *why);
/* Which of the pictures this preview frame is of, -1: none of them. */
int drawing_frame(const struct drawing *, const struct blob *, struct frame *);
/* At each DRAWING_BEAT_US: a job that was deleted sends nothing more. */
void drawing_check(struct exchange *, const struct drawing *);

/* Ask for the picture in another format. false: it is gone. */
bool drawing_convert(struct exchange *, const struct store_asker *, const struct drawn *,
                     enum picture_format, int quality);
/* A picture's file in base64, as text without quotes. false: it is gone, and `out` is broken. */
bool drawing_base64(const struct exchange *, const struct store_asker *, const struct drawn *,
                    struct text *out);

/* "https://host/base/", below which the client reached this server; "" when it is too long. */
void drawing_origin(const struct exchange *, const struct http_request *, char *out, size_t bytes);
/* Write a part of the request back as the value of key (NULL: on its own), 64 as 64. */
void drawing_echo(const json_t *, const char *key, struct text *out);
/* Write `notes`. */
void drawing_write_notes(const struct drawing *, struct text *out);

#endif
