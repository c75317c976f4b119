/* options_table - every option: its row, and the member that holds its value. Thread: any, never
 * changed. */
#ifndef SERVER_OPTIONS_TABLE_H
#define SERVER_OPTIONS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum options_command {
    OPTIONS_SERVE,
    OPTIONS_GENERATE,
    OPTIONS_CHECK,
    OPTIONS_PLAN,
    OPTIONS_TRACE,
    OPTIONS_USER,
    OPTIONS_BACKUP,
    OPTIONS_CLIENT,
    OPTIONS_COMMANDS
};
/* Each is the type of the member at the row's offset: char *, char *, int, int64_t, double, bool,
 * int64_t. What TEXTS is given several times is one text, a line each. */
enum options_type {
    OPTIONS_TEXT,
    OPTIONS_TEXTS,
    OPTIONS_INT,
    OPTIONS_INT64,
    OPTIONS_REAL,
    OPTIONS_FLAG,
    OPTIONS_BYTES
};
/* In a row's commands: a running server takes a new value of the file when it gets SIGHUP. */
#define OPTIONS_LIVE  (1U << 31)
#define OPTIONS_EMPTY (1U << 30) /* likewise: a text that may be empty, for none */
enum options_place { OPTIONS_DEFAULT, OPTIONS_FILE, OPTIONS_ENVIRONMENT, OPTIONS_ARGUMENT };

#define OPTIONS_MAX 64

/* Texts are owned; NULL means "not given" where the table has no default. */
struct options {
    /* the model and what draws it */
    char *model, *device, *dtype, *cache;
    int threads;       /* 0: all */
    int64_t vram;      /* bytes of the device to use; 0: all */
    int64_t memory_mb; /* budget for pictures; 0: computed */
    /* the service */
    char *host, *listen, *base, *data, *origins, *webhook_hosts, *webhook_secret, *webhook_ca,
        *log_level, *log_format, *config;
    int port, concurrency, queue, job_seconds, keep_days, grace_minutes, private_minutes,
        upload_hours;
    int64_t keep_size; /* bytes; 0: no bound */
    int connections, connections_per_ip, connections_per_user, ping_seconds, hangup_seconds;
    int submits_per_second, messages_per_second;
    bool access_log, open, trust_proxy;
    /* one picture; 0, or guidance < 0: the model's own default */
    char *prompt, *out;
    char *images; /* files, or for a plan WxH; a line each */
    int width, height, steps;
    double guidance;
    int64_t seed, noise_seed;
    bool strict;
    /* traces */
    char *like, *logits;
    char *server, *token; /* of client */
    /* users */
    char *verb, *user; /* "add"; whom it is about, NULL for list */
    char *role, *lanes;
    double weight;
    int waiting, running;
    int64_t disk; /* bytes */

    bool help;                        /* --help was given: print options_help() and stop */
    unsigned char place[OPTIONS_MAX]; /* enum options_place of each option's value */
};

struct options_row {
    const char *name; /* --name, DARKROOM_NAME, name = in the file */
    char letter;      /* short flag or 0 */
    enum options_type type;
    unsigned commands; /* 1 << enum options_command, or-ed; OPTIONS_LIVE, OPTIONS_EMPTY */
    size_t offset;
    const char *fallback; /* default as text, NULL: none */
    double min, max;      /* numbers */
    const char *arg;      /* what help calls the value */
    const char *doc;      /* one sentence */
};

/* Ends with a row whose name is NULL. */
extern const struct options_row OPTIONS_TABLE[];

#endif
