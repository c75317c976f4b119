/* command - a client's message: one JSON text becomes one struct command, or an exact error.
 *
 * A table of fields per kind drives decoding. Whether a job exists is not checked here. Thread:
 * any. */
#ifndef PROTO_COMMAND_H
#define PROTO_COMMAND_H

#include "proto/fail.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "proto/scan.h"
#include "proto/spec.h"
#include "proto/sweep.h"
#include "proto/user.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

enum command_kind {
    COMMAND_SUBMIT,
    COMMAND_QUOTE,
    COMMAND_WATCH,
    COMMAND_UNWATCH,
    COMMAND_CANCEL,
    COMMAND_HOLD,
    COMMAND_RELEASE,
    COMMAND_REORDER,
    COMMAND_FINISH,
    COMMAND_DELETE,
    COMMAND_AMEND,
    COMMAND_FAVOURITE,
    COMMAND_SHARE,
    COMMAND_UNSHARE,
    COMMAND_PAUSE,
    COMMAND_RESUME,
    COMMAND_DRAIN,
    COMMAND_NOTICE,
    COMMAND_SET,
    COMMAND_USERS,
    COMMAND_LOG,
    COMMAND_LIST,
    COMMAND_JOB,
    COMMAND_PREVIEWS,
    COMMAND_UPLOAD,
    COMMAND_COMMIT,
    COMMAND_UPLOADS,
    COMMAND_DISCARD,
    COMMAND_STATS,
    COMMAND_PING,
    COMMAND_KINDS
};

/* The previews that a connection requests, for all jobs that it watches. */
struct command_previews {
    int every_ms;             /* least time between two of one job; 0: all */
    int max_px;               /* longest side */
    enum frame_format format; /* FRAME_NONE: none at all */
};

/* Limits of the service; -1: as it is. */
struct command_set {
    int concurrency, queue, job_seconds;
};

/* list: what of one's own finished pictures. */
struct command_search {
    char words[LIMIT_SEARCH_BYTES + 1]; /* that the prompt has, each of them; "" any */
    int width, height;                  /* 0 any */
    double from_ms, until_ms;           /* accepted from .. to before; until 0: no end */
    bool favourite;                     /* favourites alone */
    int skip;                           /* of the newest */
};

struct command {
    int kind;                        /* enum command_kind; -1 while unknown */
    char ref[LIMIT_REF_BYTES + 1];   /* echoed in the answer; "" none */
    char key[LIMIT_KEY_BYTES + 1];   /* submit; "" none */
    struct spec spec;                /* submit, quote; of a sweep: its first cell's, see .. */
    struct sweep sweep;              /* .. sweep_join(); cells 0: one picture */
    int pictures;                    /* `n`, which is in the sweep already */
    bool fresh;                      /* submit: draw it even if the same picture is there */
    int max_wait_ms;                 /* submit: until its result; 0 any */
    bool hold;                       /* submit: it waits until it is released */
    bool watch;                      /* submit: also subscribe to the job (default) */
    uint64_t job;                    /* which; 0: cancel by a filter */
    uint64_t parent;                 /* list, cancel: only cells of this job; 0: no such filter */
    uint64_t seq;                    /* watch, log: the last one seen, 0 none */
    bool on;                         /* stats: send them regularly */
    int state;                       /* list, cancel: enum event_state, -1 all */
    bool all;                        /* cancel: in whatever state */
    char user[LIMIT_USER_BYTES + 1]; /* cancel by a filter: whose; "" one's own */
    int limit;                       /* list, log: rows */
    bool shared;                     /* list: only jobs that are shared */
    bool results;                    /* list: finished pictures, all that are on disk, .. */
    struct command_search search;    /* .. that this is true of */
    int ttl_s;                       /* share: for so long */
    /* list: only jobs accepted before this one, 0 newest first; reorder: the next one, 0 none */
    uint64_t before;
    /* submit, amend: cancel it after so long without a viewer; 0: keep it */
    int unwatched_ms;
    bool private;                     /* submit, upload: nothing of it on disk */
    uint64_t upload;                  /* commit, discard; upload: which goes on, 0: a new one */
    int64_t bytes;                    /* upload: of the file */
    uint8_t image[SPEC_DIGEST_BYTES]; /* discard: which, when upload is 0 */
    char webhook[LIMIT_WEBHOOK_BYTES + 1]; /* submit: where its end is posted to; "" nowhere */
    int deadline_ms;                       /* drain: from now on */
    bool undo;                             /* drain: take it back */
    char text[LIMIT_NOTICE_BYTES + 1];     /* notice, drain; "" none */
    struct command_set set;
    struct command_previews previews;
};

/* The settings of a new connection. */
extern const struct command_previews COMMAND_PREVIEWS_DEFAULT;

/* Decode one message of len bytes (no NUL needed). On success the caller owns out
 * (command_free). On failure nothing is owned, and out->kind, ref and job hold what was
 * readable, for the error message, also when the text is no JSON (scan.h): ERR_BAD_REQUEST,
 * ERR_BAD_FIELD, ERR_BAD_UTF8, ERR_TOO_LARGE, ERR_BAD_PROMPT, ERR_OUT_OF_MEMORY. */
int command_decode(const char *text, size_t len, const struct spec_limits *, struct command *out,
                   struct fail *f);
/* The same for an object that is read already (text_parse); it is borrowed. */
int command_read(const json_t *object, const struct spec_limits *, struct command *out,
                 struct fail *f);
/* The same for a message that is not decoded: kind, ref and job as far as they were found in
 * it. */
void command_scanned(const struct scan *, struct command *out);
void command_free(struct command *);

const char *command_kind_name(enum command_kind);
int command_kind_parse(const char *name); /* enum command_kind, -1 for another name */

/* Members by their names on the wire, for encodings that have them elsewhere than in one object:
 * in a path or a query. May, or must, a command of this kind have it? Is its value a string? */
bool command_has(enum command_kind, const char *member);
bool command_needs(enum command_kind, const char *member);
bool command_text(const char *member);
/* Is it about the connection that it comes on, so that it says nothing on one that ends with its
 * answer? */
bool command_connection(enum command_kind);

#endif
