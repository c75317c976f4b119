/* answer - the messages to one connection: hello, direct answers, errors, statistics.
 *
 * Each function writes one whole message to out, which is empty. ref is the request's, or "" or
 * NULL. Strings are borrowed for the time of the call; out keeps the first failure. Thread: any, no
 * state. */
#ifndef PROTO_ANSWER_H
#define PROTO_ANSWER_H

#include "proto/command.h"
#include "proto/concurrency.h"
#include "proto/event.h"
#include "proto/notice.h"
#include "proto/user.h"

struct answer_size {
    int width, height;
};

/* The first message on every connection. */
struct answer_hello {
    const char *version; /* of the server's program */
    uint64_t boot_id;    /* random, new with every start of the server */
    int64_t time_ms;     /* Unix time now */
    const char *model;   /* display name */
    const char *device;  /* "cpu", "cuda:0" */
    const char *dtype;   /* "f32", "bf16" */
    const struct concurrency *concurrency;
    int queue_max;   /* jobs that may wait */
    int job_seconds; /* running time of one job */
    const struct spec_limits *limits;
    const struct answer_size *sizes; /* presets that suit the model */
    int n_sizes;
    const char *const *examples; /* prompts that suit the model */
    int n_examples;
    const struct user *user; /* whose connection it is; NULL: the service has no users */
    const struct notice *const *notices;
    int n_notices;
    uint64_t notice_seq; /* of the newest notice: not written, another one means other notices */
};

/* One job in job, list and stats. */
struct answer_job {
    uint64_t job; /* 0 (stats only): it is another user's */
    enum event_state state;
    int64_t created_ms;
    int position;     /* when queued; 0: it is held */
    int64_t start_ms; /* stats, when queued; < 0: unknown */
    /* the same of one's own: as in its newest `queue` */
    int64_t eta_lo_ms, eta_hi_ms;
    int why;                /* stats, when queued: enum event_why; < 0: not said */
    int device;             /* stats, when running: its number, from 0; < 0: there is one only */
    const char *user;       /* its owner's name, for those who see others' jobs; or NULL */
    int64_t eta_ms;         /* when queued or running; < 0: unknown */
    enum event_phase phase; /* when running */
    double overall;         /* when running */
    const struct spec *spec;
    const char *key; /* or "" */
    bool favourite, private;
    int64_t shared_until_ms;           /* 0: it is not shared */
    const struct event_result *result; /* when done */
    const struct fail *error;          /* when failed */
    struct event_sweep sweep;          /* its axes and cells only in the answer to `job` */
    const struct event_counts *counts; /* of a sweep; NULL: it is none */
};

struct answer_stats {
    int running, queued;             /* now */
    int64_t done, failed, cancelled; /* since the server was first started with its data folder */
    const struct concurrency *concurrency;
    double tokens_per_s, steps_per_s; /* of the device, NaN: not measured yet */
    double pictures_per_min;          /* finished in the last ten minutes */
    int held;                         /* waiting ones of the user's own that are held back */
    /* device time of the last window_ms: what the user's own jobs have used, and all jobs */
    int64_t used_ms, used_all_ms, window_ms;
    const struct answer_job *jobs; /* running ones first, then waiting ones in order */
    int n_jobs;                    /* more than LIMIT_LIST: the rest is counted as `more` */
};

/* Beside a page of finished pictures. */
struct answer_found {
    bool more;     /* there are older ones */
    int64_t count; /* of them all, on whatever page */
    int n_sizes;
    struct answer_counted {
        int width, height;
        int64_t count;
    } size[LIMIT_SIZES]; /* the most frequent ones first */
};

struct answer_quote {
    const struct spec *spec; /* with defaults filled in; of a sweep its first cell's */
    int position;            /* it would get this one; 0: it would start at once */
    int64_t start_ms, eta_ms, eta_lo_ms, eta_hi_ms; /* < 0: unknown */
    int64_t run_ms;                                 /* of the run alone */
    int64_t bytes;                                  /* device memory while it runs; < 0: unknown */
    int cells;                                      /* of a sweep; 0: it is none */
    int tokens; /* of the prompt, of a sweep its first cell's; < 0: unknown */
    /* what will be written in the picture: pieces of the prompt, bytes [at, at + len) */
    struct answer_piece {
        int at, len;
    } text[LIMIT_GLYPH_TEXTS];
    int texts;
};

/* What holds after `set`. */
struct answer_tuning {
    struct command_set set; /* each with its value */
    const struct concurrency *concurrency;
};

/* A user for administrators: who it is, and what it has going. */
struct answer_person {
    const struct user *user;
    int waiting, held, running, connections;
    int64_t used_ms; /* of the devices, in the last window_ms */
};

struct answer_users {
    const struct answer_person *person;
    int n, more; /* more: those that are not among the n */
    int64_t window_ms;
};

/* A line of the log, as it was written, with what is no token. */
struct answer_line {
    uint64_t seq; /* from 1, grows */
    int64_t time_ms;
    const char *level;
    char text[LIMIT_LOG_TEXT];
};

void answer_hello(const struct answer_hello *, struct text *out);
/* Who the connection is, again. */
void answer_user_changed(const struct user *, struct text *out);
/* Write a user, or null for none, as a member `user` into the object that is open. */
void answer_user(const struct user *, struct text *out);
/* Done: watch, unwatch, cancel, previews. job 0: none. state < 0: none. */
void answer_ok(const char *ref, enum command_kind, uint64_t job, int state, struct text *out);
/* The same for a command about several jobs: how many it was done to. */
void answer_count(const char *ref, enum command_kind, int count, struct text *out);
/* The job is shared until then; token: what its guests send. */
void answer_shared(const char *ref, uint64_t job, const char *token, int64_t until_ms,
                   struct text *out);
void answer_set(const char *ref, const struct answer_tuning *, struct text *out);
/* job 0: none. kind < 0: not known. */
void answer_error(const char *ref, int kind, uint64_t job, const struct fail *, struct text *out);
void answer_quote(const char *ref, const struct answer_quote *, struct text *out);
/* more: there are older ones. */
void answer_list(const char *ref, const struct answer_job *, int n, bool more, struct text *out);
/* The same of one's own finished pictures: how many there are in all, and of which sizes (n 0: not
 * written). */
void answer_results(const char *ref, const struct answer_job *, int n, const struct answer_found *,
                    struct text *out);
/* One job, with its whole prompt. */
void answer_job(const char *ref, const struct answer_job *, struct text *out);
/* A file on its way: so many of its bytes are there. */
struct answer_upload {
    uint64_t upload;
    int64_t received, bytes;
};
void answer_upload(const char *ref, const struct answer_upload *, struct text *out);
/* An upload that is kept; or with key NULL and an array open, as one of a list. */
struct answer_image {
    const struct spec_image *image;
    int64_t bytes;       /* of the PNG that it is kept as */
    int64_t created_ms;  /* 0: not written */
    const char *changed; /* JSON: an array of words for what was changed */
    bool private;
};
void answer_image(const char *ref, const struct answer_image *, struct text *out);
void answer_image_row(const struct answer_image *, struct text *out);
/* The beginning and the end of the answer to `uploads`, around the rows. */
void answer_images_begin(const char *ref, struct text *out);
void answer_images_end(struct text *out);
void answer_stats(const char *ref, const struct answer_stats *, struct text *out);
void answer_users(const char *ref, const struct answer_users *, struct text *out);
/* Lines with the oldest first. */
void answer_log(const char *ref, const struct answer_line *, int n, struct text *out);
void answer_pong(const char *ref, int64_t time_ms, struct text *out);

#endif
